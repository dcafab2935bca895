"""A VM of the cloud, as its owner sees it, and as the host has it."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import TYPE_CHECKING

from clients import OpenStack, Record
from compute_host import Compute
from console import Console

if TYPE_CHECKING:
    from cloud import Cloud


def tap_of(port: str) -> str:
    """The name that Nova gives a port's interface."""
    return "tap" + port[:11]


class Vm:
    """`ports` are those that are plugged now, by the guest's name of the interface."""

    def __init__(self, cloud: Cloud, name: str, host: Compute, network: str) -> None:
        self.cloud, self.name, self.host = cloud, name, host
        openstack = cloud.openstack
        self.port = openstack.create("network", "port", network_id=network, name=name)
        self.ports = {"eth0": self.port["id"]}
        self.id: str = openstack.create(
            "compute",
            "server",
            name=name,
            imageRef=cloud.image,
            flavorRef=cloud.flavor,
            host=host.name,
            networks=[{"port": self.port["id"]}],
        )["id"]
        self.console = Console(self.id, host)
        self.runs = True

    @property
    def address(self) -> str:
        return self.port["fixed_ips"][0]["ip_address"]

    @property
    def openstack(self) -> OpenStack:
        return self.cloud.openstack

    def act(self, action: str, argument: object = None) -> None:
        self.openstack.act(self.id, action, argument)

    def wait(self, status: str) -> Record:
        return self.openstack.wait_server(self.id, status)

    def moved_to(self, host: Compute) -> None:
        self.host = self.console.host = host

    def ping(self, address: str, count: int = 5) -> str:
        """Every one must be answered; the guest's last two lines."""
        said = self.console.run(f"ping -c {count} -i 0.2 -W 2 {address}")
        if f"{count} packets received" not in said:
            raise AssertionError(f"{self.name} pings {address}: {said}")
        return said.splitlines()[-1]


class FrameSizes:
    """The largest frame on an interface while the `with` lasts."""

    def __init__(self, host: Compute, interface: str) -> None:
        self.largest = 0
        with host.machine.namespace.entered():
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))  # ETH_P_ALL
            self._socket.bind((interface, 3))
        self._socket.settimeout(0.2)
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._listen, daemon=True)

    def __enter__(self) -> FrameSizes:
        self._thread.start()
        return self

    def _listen(self) -> None:
        buffer = bytearray(16)
        while not self._ending.is_set():
            with contextlib.suppress(TimeoutError):
                # With MSG_TRUNC it is the frame's whole length that is told.
                self.largest = max(self.largest, self._socket.recv_into(buffer, 16, socket.MSG_TRUNC))

    def __exit__(self, *_: object) -> None:
        self._ending.set()
        self._thread.join()
        self._socket.close()
