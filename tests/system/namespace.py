"""A network namespace of a test: made, entered, and removed."""

import contextlib
import ctypes
import os
import socket
import subprocess

CLONE_NEWNET = 0x40000000
libc = ctypes.CDLL(None, use_errno=True)


def run(*argv, check=True, text=None):
    """Runs a command to its end; its output, or an error that shows the command and what it printed."""
    done = subprocess.run(argv, input=text, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
    if check and done.returncode != 0:
        raise RuntimeError(f"{' '.join(argv)}: exit {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout


class Namespace:
    """With a ledger it is noted there, as what outlives its maker."""

    def __init__(self, name, ledger=None):
        self.name = name
        self.path = f"/run/netns/{name}"
        if ledger:
            ledger.note("namespace", name)
        run("ip", "netns", "add", name)
        run("ip", "-n", name, "link", "set", "lo", "up")
        # The kernel's own chatter (router solicitations, MLD) would only blur what a test sends and sees.
        with self.entered(), open("/proc/sys/net/ipv6/conf/default/disable_ipv6", "w", encoding="ascii") as file:
            file.write("1")

    def remove(self):
        run("ip", "netns", "del", self.name, check=False)

    def allow_ipv6(self, interface):
        with self.entered(), open(f"/proc/sys/net/ipv6/conf/{interface}/disable_ipv6", "w", encoding="ascii") as file:
            file.write("0")

    @contextlib.contextmanager
    def entered(self):
        """The calling thread is in this namespace inside the `with`."""
        before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        there = os.open(self.path, os.O_RDONLY)
        try:
            self._setns(there)
            try:
                yield
            finally:
                self._setns(before)
        finally:
            os.close(there)
            os.close(before)

    @staticmethod
    def _setns(fd):
        if libc.setns(fd, CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "setns")

    def command(self, *argv):
        """argv that runs inside. nsenter, since `ip netns exec` would hide every BPF file system by remounting /sys."""
        return ["nsenter", f"--net={self.path}", *map(str, argv)]

    def run(self, *argv, check=True):
        return run(*self.command(*argv), check=check)

    def ip(self, *argv, check=True):
        return run("ip", "-n", self.name, *map(str, argv), check=check)

    def tc(self, *argv, check=True):
        return run("tc", "-n", self.name, *map(str, argv), check=check)

    def links(self):
        """The names of all interfaces."""
        with self.entered():
            return {name for _, name in socket.if_nameindex()}

    def ifindex(self, name):
        with self.entered():
            return socket.if_nametoindex(name)
