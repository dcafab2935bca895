"""A VM's serial console: what its guest says there, and commands that it runs. Follows the VM from host to host."""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import select
import tty
from typing import TYPE_CHECKING

from process import wait_until

if TYPE_CHECKING:
    from compute_host import Compute

# Under load a guest without hardware virtualization takes its time.
SECONDS = 300


class Console:
    """Of the server with this id. libvirt keeps what the guest writes in console.log; what it reads goes to the pty, and what it
    answers is read there: a QEMU that a guest was migrated to writes over what console.log had from before."""

    _numbers = itertools.count(1)

    def __init__(self, server: str, host: Compute) -> None:
        self.server, self.host = server, host
        self._terminal = -1
        self._pty = ("", "")  # whose it is, and which
        self._said = ""  # what has come from it

    def close(self) -> None:
        if self._terminal >= 0:
            os.close(self._terminal)
            self._terminal = -1

    def said(self) -> str:
        with contextlib.suppress(OSError):
            while self._terminal >= 0 and (got := os.read(self._terminal, 65536)):
                self._said += got.decode(errors="replace").replace("\r", "")
        return self._said

    def log(self) -> str:
        self.said()  # what is not read from an open terminal would hold the guest up
        with contextlib.suppress(OSError):
            return self.host.machine.read(f"/var/lib/nova/instances/{self.server}/console.log").replace("\r", "")
        return ""

    def wait_for(self, pattern: str, what: str, seconds: float = SECONDS, said: int | None = None) -> re.Match[str]:
        """The first match in the log, or beyond that many characters of what was said."""
        text = self.log if said is None else lambda: self.said()[said:]
        try:
            return wait_until(lambda: re.search(pattern, text(), re.MULTILINE), seconds, what, interval=0.05)
        except AssertionError as error:
            raise AssertionError(
                f"{error}; the console of {self.server} on {self.host.name}:\n{text()[-3000:]}\n"
                f"its log:\n{self.log()[-3000:]}"
            ) from None

    def boot(self) -> str:
        """The id of the kernel's run that the console shows last; "" before the first."""
        # Lines are looked at when they are whole: the newline is asked for.
        ids = re.findall(r"^GUEST boot (\S+)\n", self.log(), re.MULTILINE)
        return ids[-1] if ids else ""

    def wait_booted(self, before: str) -> None:
        """Until a run of the kernel after that one reads commands. (A console's log may begin again with it, or go on.)"""
        wait_until(lambda: self.boot() not in ("", before), SECONDS, f"the guest of {self.server} boots", interval=0.05)
        self.wait_for(rf"GUEST boot {self.boot()}$(?:.|\n)*^GUEST ready$", "the guest reads commands")

    def lease(self, interface: str, seconds: float = SECONDS) -> dict[str, str]:
        """What DHCP said last to that interface, in this run of the kernel."""
        found = self.wait_for(
            rf"GUEST boot {self.boot()}$(?:.|\n)*GUEST lease {interface} (.*)\n", f"{interface} has a lease", seconds=seconds
        )
        return dict(re.findall(r"(\w+)=((?:(?! \w+=).)*)", found[1]))

    def _write(self, text: str) -> None:
        # It stays open while it belongs to the QEMU that runs the guest now. The kernel sets a closed one back to echo and lines, and
        # QEMU looks once a second whether it is open again.
        pty = (self.host.name, self.host.virsh("ttyconsole", self.server).strip())
        if self._terminal < 0 or pty != self._pty or self._hung_up():
            self.close()
            self._terminal = os.open(self.host.machine.path(pty[1]), os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
            self._pty = pty
            # What the guest says would come back to it as what it is told.
            tty.setraw(self._terminal)
        os.write(self._terminal, text.encode())

    def _hung_up(self) -> bool:
        poll = select.poll()
        poll.register(self._terminal, 0)
        return any(event & (select.POLLHUP | select.POLLERR) for _, event in poll.poll(0))

    def begin(self, command: str) -> Answer:
        """Starts the command in the guest; the shell reads the next one after it."""
        self._greet()
        number = next(self._numbers)
        after = len(self.said())
        # The quotes keep the marks themselves from matching where the terminal echoes the command.
        self._write(f"echo '@'{number}'<'; {command}; echo '>'{number}'@' $?\n")
        return Answer(self, number, command, after)

    def _greet(self) -> None:
        """Until the guest's shell answers: what it is told first after a while, or by a new QEMU, gets lost now and then."""
        for _ in range(30):
            number = next(self._numbers)
            after = len(self.said())
            # Harmless whichever part of it is lost, and nothing that an echo of it would match.
            self._write(f"\necho here-$(({number}+0))\n")
            with contextlib.suppress(AssertionError):
                wait_until(lambda: f"here-{number}\n" in self.said()[after:], 2, "the guest's shell answers", interval=0.02)
                return
        raise AssertionError(f"the shell of {self.server} on {self.host.name} does not answer:\n{self.said()[-3000:]}")

    def run(self, command: str, check: bool = True, seconds: float = SECONDS) -> str:
        return self.begin(command).wait(check, seconds)


class Answer:
    def __init__(self, console: Console, number: int, command: str, after: int) -> None:
        self.console, self.number, self.command, self.after = console, number, command, after
        self.status = -1

    def wait(self, check: bool = True, seconds: float = SECONDS) -> str:
        """What the command printed."""
        pattern = rf"@{self.number}<\n((?:.|\n)*?)>{self.number}@ (\d+)\n"
        found = self.console.wait_for(pattern, f"the guest ran `{self.command}`", seconds, self.after)
        self.status = int(found[2])
        if check and self.status:
            raise AssertionError(f"in the guest of {self.console.server}: `{self.command}` exit {self.status}:\n{found[1]}")
        return found[1]
