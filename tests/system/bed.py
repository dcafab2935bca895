"""The bed of the system tests. A test file is

    from bed import SystemTest, main

    class Plug(SystemTest):
        def test_a_sentence(self):
            host = self.host()          # a namespace with the real programs on it, started
            ...

    main()

Run one: tests/system/plug_test.py Plug.test_a_sentence. MIDONET_BIN names the folder of the programs. Everything that a
test made is gone when it ends, however it ends; a failure prints the logs of the host's processes. With MIDONET_PAUSE=1 a
failed test waits for Enter before it removes anything.
"""

import contextlib
import os
import shutil
import signal
import sys
import tempfile
import threading
import time
import unittest

import frame
from guest import Guest
from host import Host, new_uuid
from namespace import Namespace, run
from process import wait_until
from tap import Tap

__all__ = ["SystemTest", "Stream", "main", "Tap", "frame", "new_uuid", "wait_until", "HAS_TCX", "needs_tcx"]

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BIN = os.path.abspath(os.environ.get("MIDONET_BIN", os.path.join(TOP, "build/release/bin")))
HAS_TCX = tuple(int(part) for part in os.uname().release.split(".")[:2]) >= (6, 6)
needs_tcx = unittest.skipUnless(HAS_TCX, "needs tcx (Linux 6.6)")
# Less than ctest's own, which kills without a chance to clean up.
TEST_SECONDS = 100
# Each of them ends a test, which cleans up.
SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGALRM)


def missing():
    """Why system tests cannot run here, or None."""
    if os.geteuid() != 0:
        return "needs root: it makes network namespaces"
    if not os.path.exists("/dev/net/tun"):
        return "this machine has no /dev/net/tun"
    return None


class SystemTest(unittest.TestCase):
    longMessage = True

    def setUp(self):
        if missing():
            self.skipTest(missing())
        signal.alarm(TEST_SECONDS)
        self.addCleanup(signal.alarm, 0)
        self.directory = tempfile.mkdtemp(prefix="midonet-")
        self.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)
        self.addCleanup(self._remove_rests)
        self.hosts = []

    def run(self, result=None):
        try:
            super().run(result)
        finally:
            self.doCleanups()  # unittest skips them when it cannot print an error, since ctest was ended by the same signal
        if result and _ended.is_set():
            result.stop()

    def doCleanups(self):
        _on_signals(_end_later)
        super().doCleanups()
        if not _ended.is_set():
            _on_signals(_end)

    def _remove_rests(self):
        """What a signal cut off while it was being made: every name begins with that of the test's directory."""
        with open("/proc/mounts", encoding="utf-8") as file:
            mounts = [line.split()[1] for line in file]
        for mounted in mounts:
            if mounted.startswith(self.directory + "/"):
                run("umount", "--lazy", mounted, check=False)
        for name in os.listdir("/run/netns") if os.path.isdir("/run/netns") else []:
            if name.startswith(os.path.basename(self.directory) + "."):
                run("ip", "netns", "del", name, check=False)

    def _callTestMethod(self, method):
        try:
            method()
        except unittest.SkipTest:
            raise
        except BaseException:
            for host in self.hosts:
                self.show(host)
            self.show_more()
            if os.environ.get("MIDONET_PAUSE"):
                self._pause()
            raise

    def _pause(self):
        """Everything stays as it is until the developer has looked at it."""
        signal.alarm(0)
        for host in self.hosts:
            print(f"---- {host.name}: nsenter --net={host.namespace.path}; files in {host.directory}", file=sys.stderr)
        print("---- paused: Enter ends the test and removes everything", file=sys.stderr)
        with contextlib.suppress(EOFError):
            input()

    def show_more(self):
        """What else is worth a look after a failure."""

    def show(self, host):
        """For a failure: the logs and what the kernel has."""
        with contextlib.suppress(OSError):
            with open(host.log, encoding="utf-8", errors="replace") as file:
                print(f"---- log of {host.name}:\n{file.read()[-12000:]}", file=sys.stderr)
        with contextlib.suppress(RuntimeError):
            print(f"---- interfaces of {host.name}:\n{host.namespace.ip('-br', 'link')[:3000]}", file=sys.stderr)
        print(f"---- pins of {host.name}: {host.pins()[:20]}", file=sys.stderr)

    # -- what tests are made of; all of it is cleaned up, the last made first

    def make_host(self, name):
        return Host(BIN, self.directory, name)

    def host(self, *flags, start=True):
        made = self.make_host(f"h{len(self.hosts)}")
        self.addCleanup(made.close)
        self.hosts.append(made)
        if start:
            made.start(*flags)
        return made

    def tap(self, host, name, mac=None, **more):
        made = Tap(host.namespace, name, mac or frame.guest_mac(len(host.namespace.links())), **more)
        self.addCleanup(made.close)
        return made

    def namespace(self, name):
        made = Namespace(f"{os.path.basename(self.directory)}.{name}")
        self.addCleanup(made.remove)
        return made

    def guest(self, host, tap_name, address, mac, *more):
        """A whole guest: a namespace with `eth0` behind the host's tap, with an address. Its namespace."""
        made = Guest(host, tap_name, address, mac, *more)
        self.addCleanup(made.close)
        return made.namespace

    def plugged(self, host, bridge, tap_name, **port):
        """A port of the bridge, active on a new tap. (port, tap)"""
        tap = self.tap(host, tap_name)
        made = host.create_port(bridge, **port)
        status = host.attach(made, tap_name)
        self.assertEqual(status["state"], "active", status)
        return made, tap

    # -- what tests say

    def assert_passes(self, sender, receiver, payload=None, seconds=2.0):
        """A frame that `sender` sends to the other's address arrives there unchanged."""
        payload = payload or os.urandom(32)
        receiver.drain()
        sender.send(receiver, payload)
        deadline = time.monotonic() + seconds
        while got := receiver.receive(deadline - time.monotonic()):
            if got.payload.startswith(payload):
                self.assertEqual((got.source, got.to), (sender.mac, receiver.mac))
                return
        self.fail(f"a frame from {sender.name} did not reach {receiver.name}")

    def assert_blocked(self, sender, receiver, seconds=0.2):
        """Neither a broadcast nor a unicast frame gets there. (Nothing announces that a frame does not come: this waits.)"""
        receiver.drain()
        mark = os.urandom(16)
        sender.send(receiver, mark)
        sender.send(frame.BROADCAST, mark)
        deadline = time.monotonic() + seconds
        while got := receiver.receive(deadline - time.monotonic()):
            if got.payload.startswith(mark):
                self.fail(f"a frame from {sender.name} reached {receiver.name}: {got}")


class Stream:
    """A stream of numbered frames from one tap to another, a thousand a second, and the count of those that arrived."""

    def __init__(self, sender, receiver, per_second=1000):
        self.sender, self.receiver, self.interval = sender, receiver, 1 / per_second
        self.sent, self.numbers = 0, []
        self._ending = threading.Event()
        self._threads = [threading.Thread(target=self._send), threading.Thread(target=self._receive)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def _send(self):
        due = time.monotonic()
        while not self._ending.is_set():
            self.sender.send(self.receiver, self.sent.to_bytes(8, "big"))
            self.sent += 1
            due += self.interval
            self._ending.wait(max(0.0, due - time.monotonic()))

    def _receive(self):
        # Goes on until nothing has come for a while after the last one was sent.
        while (got := self.receiver.receive(0.3)) is not None or not self._ending.is_set():
            if got is not None and got.source == self.sender.mac:  # not what others flood
                self.numbers.append(int.from_bytes(got.payload[:8], "big"))

    def wait_for(self, frames, seconds=30.0):
        """Returns when that many more have been received."""
        target = len(self.numbers) + frames
        wait_until(lambda: len(self.numbers) >= target, seconds, f"{frames} more frames came")

    def __exit__(self, *_):
        self._ending.set()
        for thread in self._threads:
            thread.join()

    def lost(self):
        return sorted(set(range(self.sent)) - set(self.numbers))

    def doubled(self):
        return len(self.numbers) - len(set(self.numbers))


_ended = threading.Event()  # by a signal: no further test is begun


def _end(number, _):
    _end_later()
    raise SystemExit(f"ended by signal {number}" if number != signal.SIGALRM else f"took more than {TEST_SECONDS} s")


def _end_later(*_):
    _ended.set()
    _on_signals(_end_later)  # a second one must not cut off the cleaning up


def _on_signals(handler):
    for number in SIGNALS:
        signal.signal(number, handler)


def main():
    """Runs the tests named on the command line, or all of the file. Exit 77 when all of them were skipped."""
    _on_signals(_end)
    program = unittest.main(module="__main__", exit=False, verbosity=2)
    result = program.result
    for test, reason in result.skipped:
        print(f"SKIPPED: {reason} ({test.id()})")
    # A class that is skipped as a whole counts as no test run.
    if result.wasSuccessful() and result.skipped and len(result.skipped) >= result.testsRun:
        sys.exit(77)
    sys.exit(_ended.is_set() or not result.wasSuccessful())
