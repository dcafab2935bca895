"""Our programs on a machine: where a package would put them, with the configuration and the paths that they have by default."""

from __future__ import annotations

import json
import os
import shutil

import rest
from machine import Machine, Service
from process import wait_until

PROGRAMS = ("midolman", "midonet-api", "mm-ctl", "midonet")


def install_programs(machine: Machine, programs: str) -> None:
    """Into /usr/local/bin, which is on sudo's secure_path."""
    for name in PROGRAMS:
        if os.path.exists(os.path.join(programs, name)):
            shutil.copy(os.path.join(programs, name), machine.path("/usr/local/bin/" + name))


class Agent:
    """The agent of one machine."""

    def __init__(self, machine: Machine, store: str) -> None:
        self.machine, self.store = machine, store

    def start(self) -> None:
        if not os.path.exists(self.machine.path("/etc/midolman/midolman.conf")):
            self.machine.write("/etc/midolman/midolman.conf", f"store = {self.store}\nrelease-tap = auto\n")
        self.machine.start("midolman", "midolman", "--config", "/etc/midolman/midolman.conf")
        wait_until(self.synchronised, 300, f"the agent of {self.machine.name} has read its store", interval=0.05)

    @property
    def service(self) -> Service:
        return self.machine.services["midolman"]

    def status(self) -> dict[str, object]:
        client = rest.Client.unix(self.machine.path("/run/midolman/midolman.sock"))
        try:
            return client.get("/status")
        finally:
            client.close()

    def synchronised(self) -> bool:
        self.service.must_run()
        try:
            return bool(self.status()["synchronised"])
        except (OSError, AssertionError, json.JSONDecodeError):
            return False

    @property
    def id(self) -> str:
        """The host's."""
        return next(
            line.split("=", 1)[1].strip()
            for line in self.machine.read("/etc/midonet_host_id.properties").splitlines()
            if line.startswith("host_uuid=")
        )
