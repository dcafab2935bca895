"""A whole guest: a namespace whose `eth0` is behind a tap of the host, carried by tap_guest as a hypervisor would."""

import os

from namespace import Namespace
from process import Process, wait_until


class Guest:
    """`address` is as for `ip addr add`, "10.0.0.1/24"; several may be given in a tuple. `mtu` is that of both ends."""

    def __init__(self, host, tap, address, mac, *more, mtu=None):
        self.host, self.tap, self.address, self.mac = host, tap, address, mac
        bed = host.namespace.name.rsplit(".", 1)[0]
        self.namespace = Namespace(f"{bed}.{host.name}-{tap}"[-40:], host.ledger)
        self.port = None  # the id, once there is one
        self.process = None
        try:
            self.process = Process(
                [
                    host.program("tap_guest"),
                    "--host-netns",
                    host.namespace.path,
                    "--tap",
                    tap,
                    "--guest-netns",
                    self.namespace.path,
                    "--guest-mac",
                    mac,
                    *more,
                ],
                os.path.join(host.directory, f"guest-{tap}.log"),
                host.ledger,
            )
            wait_until(lambda: "ready" in self.process.output() or not self.process.running(), what="the guest is ready")
            if not self.process.running():
                raise AssertionError(f"guest {tap}: {self.process.output()}")
            for each in (address,) if isinstance(address, str) else address:
                if ":" in each:
                    self.namespace.allow_ipv6("eth0")
                self.namespace.ip("addr", "add", each, "dev", "eth0", *(["nodad"] if ":" in each else []))
            if mtu:
                self.set_mtu(mtu)
        except BaseException:
            self.close()
            raise

    def first_address(self):
        return (self.address if isinstance(self.address, str) else self.address[0]).split("/")[0]

    def set_mtu(self, mtu):
        self.host.namespace.ip("link", "set", self.tap, "mtu", mtu)
        self.namespace.ip("link", "set", "eth0", "mtu", mtu)

    def close(self):
        try:
            if self.process:
                self.process.end()
        finally:
            self.namespace.remove()

    def run(self, *argv, check=True):
        return self.namespace.run(*argv, check=check)

    def ping(self, address, *more, check=True):
        """Three quick pings; what ping printed."""
        return self.run("ping", "-c", "3", "-i", "0.01", "-W", "2", *more, address, check=check)
