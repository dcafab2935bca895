"""A virtual machine: QEMU under TCG (no hardware virtualization is asked for) with one virtio NIC behind a tap of a host."""

from __future__ import annotations

import os
import re
import select
import socket
import time

from guest_image import Kernel
from process import Process, wait_until

QEMU = "/usr/bin/qemu-system-x86_64"
# A machine without hardware virtualization and with much else to do takes its time.
SECONDS = 240


class VirtualMachine:
    """Starts it; QEMU makes the tap, and the tap is brought up, as libvirt does. boot() returns when the guest takes commands."""

    def __init__(self, host, tap: str, mac: str, kernel: Kernel, initramfs: str, number: int = 0) -> None:
        self.host, self.tap = host, tap
        name = os.path.join(host.directory, f"vm-{tap}-{number}")
        self.console_log = name + ".console"
        self._socket = name + ".socket"
        self._connection: socket.socket | None = None
        self.process = Process(
            host.namespace.command(
                QEMU,
                "-nodefaults",
                "-no-user-config",
                "-display",
                "none",
                "-no-reboot",
                "-M",
                "pc",
                "-cpu",
                "qemu64",
                "-accel",
                "tcg,thread=single",
                "-m",
                "128",
                "-kernel",
                kernel.image,
                "-initrd",
                initramfs,
                "-append",
                "console=ttyS0 quiet loglevel=3 panic=1 mitigations=off audit=0 tsc=reliable no_timer_check",
                "-chardev",
                f"socket,id=console,path={self._socket},server=on,wait=off,logfile={self.console_log}",
                "-serial",
                "chardev:console",
                "-netdev",
                f"tap,id=nic,ifname={tap},script=no,downscript=no,vhost=off",
                "-device",
                f"virtio-net-pci,netdev=nic,mac={mac},romfile=",
            ),
            name + ".log",
        )
        try:
            self._wait(lambda: os.path.exists(self._socket) and tap in host.namespace.links(), "QEMU has made the tap")
            host.namespace.ip("link", "set", tap, "up")
        except BaseException:
            self.close()
            raise

    def _wait(self, condition, what: str) -> None:
        def reached():
            if not self.process.running():
                raise AssertionError(f"QEMU ended with {self.process.popen.returncode}:\n{self.process.output()}")
            return condition()

        wait_until(reached, SECONDS, what, interval=0.02)

    def console(self) -> str:
        """All that the guest wrote."""
        if not os.path.exists(self.console_log):
            return ""
        with open(self.console_log, encoding="utf-8", errors="replace") as file:
            return file.read()

    def boot(self) -> VirtualMachine:
        self._wait(lambda: "GUEST ready" in self.console(), f"the guest behind {self.tap} is up")
        self._connection = socket.socket(socket.AF_UNIX)
        self._connection.connect(self._socket)
        return self

    def begin(self, command: str) -> None:
        """Starts a command whose end() is asked for later; one at a time."""
        assert self._connection and "\n" not in command
        self._connection.sendall(command.encode() + b"\n")

    def end(self, command: str, check: bool = True) -> str:
        """What it printed."""
        assert self._connection
        received, deadline = "", time.monotonic() + SECONDS
        readable = select.poll()
        readable.register(self._connection, select.POLLIN)
        while not (found := re.search(r"(?:^|\n)::(\d+)\r?\n$", received)):
            if not readable.poll(max(0.0, deadline - time.monotonic()) * 1000):
                raise AssertionError(f"`{command}` in the guest behind {self.tap}: no end within {SECONDS} s:\n{received}")
            part = self._connection.recv(65536)
            if not part:
                raise AssertionError(f"`{command}` in the guest behind {self.tap}: QEMU ended\n{self.process.output()}")
            received += part.decode(errors="replace")
        output = received[: found.start()].replace("\r", "")
        if check and found[1] != "0":
            raise AssertionError(f"`{command}` in the guest behind {self.tap}: exit {found[1]}: {output}")
        return output

    def run(self, command: str, check: bool = True) -> str:
        self.begin(command)
        return self.end(command, check)

    def close(self) -> None:
        if self._connection:
            self._connection.close()
        self.process.end(9)
