"""A compute host of OpenStack on a host of the bed, as far as vNICs go: Nova's VIF driver in a process of its own, as root or
as the user `nova` through sudo and privsep. It finds mm-ctl in its PATH, and that finds the agent by its configuration."""

import contextlib
import json
import os
import select
import subprocess
import tempfile
import time

NOVA_VIF = os.path.join(os.path.dirname(os.path.abspath(__file__)), "nova_vif.py")
SECONDS = 240


def tap_name(port):
    """What Nova calls the tap of a port."""
    return ("tap" + port)[:14]


class Compute:
    def __init__(self, host, user="root", **agent_keys):
        self.host, self.user = host, user
        self.log = os.path.join(host.directory, f"nova-{user}.log")
        directory = tempfile.mkdtemp(prefix=f"nova-{user}-", dir=host.directory)
        settings = {
            "user": user,
            "directory": directory,
            "mm_ctl": host.program("mm-ctl"),
            "agent": {"store": host.store, "run-dir": host.run_directory, "host-id-file": host.host_id_file, **agent_keys},
        }
        # `ip netns exec` and not nsenter: Nova looks for devices in /sys/class/net. -P: nothing is imported from our folder,
        # which the user nova may not be allowed to read.
        argv = ["ip", "netns", "exec", host.namespace.name, "/usr/bin/python3", "-P", NOVA_VIF, json.dumps(settings)]
        with open(self.log, "ab") as log:
            # It ends when its stdin does: however this process ends, it leaves no other behind.
            self.popen = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, cwd="/")
        try:
            assert self._answer() == "ready"
        except BaseException:
            self.close()
            raise

    def _answer(self):
        received, deadline = b"", time.monotonic() + SECONDS
        readable = select.poll()
        readable.register(self.popen.stdout, select.POLLIN)
        while not received.endswith(b"\n"):
            if not readable.poll(max(0.0, deadline - time.monotonic()) * 1000):
                raise AssertionError(f"Nova's driver does not answer within {SECONDS} s:\n{self.output()}")
            part = os.read(self.popen.stdout.fileno(), 65536)
            if not part:
                raise AssertionError(f"Nova's driver ended with {self.popen.wait()}:\n{self.output()}")
            received += part
        return json.loads(received)

    def output(self):
        with open(self.log, encoding="utf-8", errors="replace") as file:
            return file.read()[-6000:]

    def at_once(self, *calls):
        """Makes them all at the same time, ("plug", port) …; what came of each."""
        self.popen.stdin.write(json.dumps(calls).encode() + b"\n")
        self.popen.stdin.flush()
        return self._answer()

    def plug(self, port):
        return self.at_once(("plug", port))[0]

    def unplug(self, port):
        return self.at_once(("unplug", port))[0]

    def interface_xml(self, port):
        """What Nova gives to libvirt."""
        return self.at_once(("config", port))[0]["value"]

    def close(self):
        with contextlib.suppress(BrokenPipeError):
            self.popen.stdin.close()
        try:
            self.popen.wait(20)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()
        self.popen.stdout.close()
