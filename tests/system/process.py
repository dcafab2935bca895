"""Processes of a bed, waiting for a condition, and the ledger of what a bed made that outlives its maker."""

import contextlib
import ctypes
import os
import signal
import subprocess
import time

PR_SET_PDEATHSIG = 1
ENDING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGALRM)
libc = ctypes.CDLL(None, use_errno=True)


def wait_until(condition, seconds=30.0, what=None, interval=0.005):
    """The first true value of condition(), which is asked again and again until the deadline, then an error."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() >= deadline:
            raise AssertionError(f"not within {seconds} s: {what or condition.__name__}")
        time.sleep(interval)


class Process:
    """A started program whose output goes to a file. It dies with the process that started it, even if that is killed; with a
    ledger it is in a session of its own, outlives its starter and stands in the ledger."""

    def __init__(self, argv, log, ledger=None):
        self.argv, self.log = argv, log
        kept = ledger is not None
        # Nothing may come between the start and the ledger: the child writes its own line, and signals wait that long.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)

        def prepare():
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            if kept:
                ledger.note("process", os.getpid(), start_time(os.getpid()))
            else:
                libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)

        try:
            with open(log, "ab") as output:
                self.popen = subprocess.Popen(
                    argv,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    cwd="/",
                    start_new_session=kept,
                    preexec_fn=prepare,
                )
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    @property
    def pid(self):
        return self.popen.pid

    def running(self):
        return self.popen.poll() is None

    def end(self, how=signal.SIGTERM, seconds=10):
        """Sends the signal and waits; the exit status (negative: the signal that ended it)."""
        if self.running():
            self.popen.send_signal(how)
        try:
            return self.popen.wait(seconds)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()
            raise AssertionError(f"{self.argv} did not end within {seconds} s of signal {how}") from None

    def output(self):
        with open(self.log, encoding="utf-8", errors="replace") as file:
            return file.read()


def start_time(pid):
    """When the process started, in the kernel's ticks: with the pid it names one process for good. 0: there is none."""
    with contextlib.suppress(OSError):
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            state, *fields = file.read().rsplit(")", 1)[1].split()
        if state not in "ZX":
            return int(fields[18])
    return 0


class Ledger:
    """A file with one line for each thing that must be undone by hand: `process PID START_TIME`, `namespace NAME`,
    `mount DIRECTORY`. A line is written before the thing is made wherever that is possible, so that a killed maker leaves
    nothing unnamed."""

    def __init__(self, path):
        self.path = path

    def note(self, kind, *what):
        with open(self.path, "a", encoding="utf-8") as file:
            print(kind, *what, file=file)

    def undo(self):
        """Undoes all of it, the last made first; what is gone already is fine."""
        if not os.path.exists(self.path):
            return
        with open(self.path, encoding="utf-8") as file:
            lines = [line.split() for line in file]
        processes = [(int(line[1]), int(line[2])) for line in lines if line[0] == "process"]
        for number, seconds in ((signal.SIGTERM, 5), (signal.SIGKILL, 5)):
            left = [(pid, start) for pid, start in processes if start and start_time(pid) == start]
            for pid, _ in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)
            with contextlib.suppress(AssertionError):
                wait_until(lambda: all(start_time(pid) != start for pid, start in left), seconds, "they end")
        for line in reversed(lines):
            command = {"namespace": ["ip", "netns", "del"], "mount": ["umount"]}.get(line[0])
            if command:
                subprocess.run([*command, line[1]], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
        os.unlink(self.path)
