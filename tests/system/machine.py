"""A machine: a network namespace, on an underlay or alone, with mount, UTS, IPC and PID namespaces of its own. Whatever
runs in it dies with its first process, and whatever was mounted in it goes with that: nothing survives its maker."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterable, Mapping

from namespace import Namespace
from process import Process, start_time, wait_until
from underlay import Underlay, ipv4

INIT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "machine_init.py")
ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LANG": "C.UTF-8",
    "PYTHONDONTWRITEBYTECODE": "1",
}


def children(pid: int) -> list[int]:
    with contextlib.suppress(OSError):
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            return [int(word) for word in file.read().split()]
    return []


class Service:
    """A program that runs in a machine, with its output in a file."""

    def __init__(self, machine: Machine, name: str, argv: list[str]) -> None:
        self.machine, self.name = machine, name
        self.log = os.path.join(machine.directory, f"{name}.log")
        self._nsenter = Process(argv, self.log)
        self._start = 0

    @property
    def pid(self) -> int:
        """As this computer counts. nsenter stays outside and waits for it."""
        return wait_until(lambda: children(self._nsenter.pid), 60, f"{self.name} has started")[0]

    def running(self) -> bool:
        return self._nsenter.running()

    def output(self) -> str:
        return self._nsenter.output()

    def must_run(self) -> None:
        if not self.running():
            raise AssertionError(
                f"{self.name} on {self.machine.name} ended with {self._nsenter.popen.returncode}:\n" + self.output()[-4000:]
            )

    def end(self, how: int = signal.SIGTERM, seconds: float = 60) -> int:
        """Sends the signal and waits; the exit status as nsenter relays it."""
        if self.running():
            pid = self.pid
            began = start_time(pid)
            os.kill(pid, how)
            try:
                return self._nsenter.popen.wait(seconds)
            except subprocess.TimeoutExpired:
                if start_time(pid) == began:
                    os.kill(pid, signal.SIGKILL)
                self._nsenter.popen.wait()
                raise AssertionError(f"{self.name} on {self.machine.name} did not end within {seconds} s of {how}") from None
        return self._nsenter.popen.wait()


class Machine:
    """`number` gives its address on the underlay, if it is on one. Nothing but its first process runs at first."""

    def __init__(self, bed: str, name: str, underlay: Underlay | None = None, number: int = 0) -> None:
        self.name, self.address = name, ipv4(number)
        self.directory = os.path.join(bed, name)
        os.makedirs(self.directory)
        self.services: dict[str, Service] = {}
        self._init: Process | None = None
        self.namespace = Namespace(f"{os.path.basename(bed)}.{name}")
        try:
            if underlay:
                underlay.connect(self.namespace, number, name)
            self._boot()
        except BaseException:
            self.close()
            raise

    def _boot(self) -> None:
        log = os.path.join(self.directory, "init.log")
        ready = os.path.join(self.directory, "ready")
        os.mkfifo(ready)
        held = os.open(ready, os.O_RDWR)  # so that opening it does not block
        try:
            script = 'exec 9>"$4"; exec /usr/bin/python3 "$1" "$2" "$3" 9'
            init = self._init = Process(
                self.namespace.command(
                    "unshare",
                    "--mount",
                    "--uts",
                    "--ipc",
                    "--pid",
                    "--fork",
                    "--kill-child",
                    "--mount-proc",
                    "--",
                    "/bin/sh",
                    "-c",
                    script,
                    "sh",
                    INIT,
                    self.directory,
                    self.name,
                    ready,
                ),
                log,
            )
            os.set_blocking(held, False)

            def answered() -> bool:
                if not init.running():
                    raise AssertionError(f"machine {self.name} did not start:\n{init.output()[-2000:]}")
                with contextlib.suppress(BlockingIOError):
                    return bool(os.read(held, 16))
                return False

            wait_until(answered, 120, f"machine {self.name} is up", interval=0.02)
        finally:
            os.close(held)
            os.unlink(ready)
        self.init = children(self._init.pid)[0]

    def close(self) -> None:
        if self._init:
            self._init.end(signal.SIGKILL)
            with contextlib.suppress(AssertionError, AttributeError):
                wait_until(lambda: not start_time(self.init), 20, f"the processes of {self.name} are gone")
        self.namespace.remove()

    # -- its files

    def path(self, path: str) -> str:
        """Where this computer finds the machine's file."""
        return f"/proc/{self.init}/root{path}"

    def read(self, path: str) -> str:
        with open(self.path(path), encoding="utf-8", errors="replace") as file:
            return file.read()

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        target = self.path(path)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with open(target, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(target, mode)

    # -- its processes

    def command(self, argv: Iterable[object], user: str = "root", environment: Mapping[str, str] | None = None) -> list[str]:
        settings = [f"{key}={value}" for key, value in {**ENVIRONMENT, **(environment or {})}.items()]
        become = [] if user == "root" else ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups"]
        return [
            "nsenter",
            f"--target={self.init}",
            "--mount",
            "--net",
            "--uts",
            "--ipc",
            "--pid",
            "--wd=/",
            *become,
            "env",
            "-i",
            *settings,
            *map(str, argv),
        ]

    def run(
        self,
        *argv: object,
        check: bool = True,
        seconds: float = 900,
        user: str = "root",
        text: str | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> str:
        """To its end; what it printed."""
        done = subprocess.run(
            self.command(argv, user, environment),
            input=text if text is not None else "",
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            timeout=seconds,
            check=False,
        )
        if check and done.returncode:
            raise AssertionError(
                f"{self.name}: {' '.join(map(str, argv))}: exit {done.returncode}:\n"
                f"{done.stdout[-3000:]}{done.stderr[-3000:]}"
            )
        return done.stdout

    def start(self, name: str, *argv: object, user: str = "root", environment: Mapping[str, str] | None = None) -> Service:
        """In the background, as a service of that name; its log goes on in the same file."""
        previous = self.services.get(name)
        assert previous is None or not previous.running(), f"{name} runs already on {self.name}"
        made = Service(self, name, self.command(argv, user, environment))
        self.services[name] = made
        return made

    def must_run(self) -> None:
        for service in self.services.values():
            service.must_run()
