#!/usr/bin/python3
"""What is created and deleted leaves nothing behind: no watch with ZooKeeper, no followed path and no memory in the agents and
in the API. MIDONET_CYCLES=60 runs fewer cycles."""

import os
import signal

import bed
from bed import frame, main, wait_until
from cluster_bed import ClusterTest

CYCLES = int(os.environ.get("MIDONET_CYCLES", "1000"))


def resident_kb(process):
    """The resident memory of the program that the process runs."""
    with open(f"/proc/{process.pid}/status", encoding="ascii") as file:
        return int(next(line.split()[1] for line in file if line.startswith("VmRSS:")))


# ctest-class: watches RESOURCE_LOCK cluster
class Watches(ClusterTest):
    @classmethod
    def prepare(cls):
        cluster = cls.new_cluster(servers=1)
        for _ in range(2):
            cluster.add_host()
        cluster.start_store()
        cluster.start_apis(1)
        cluster.start_hosts()
        cluster.zone()

    def watches(self):
        return int(self.cluster.zookeeper.servers[0].counters()["zk_watch_count"])

    def followed(self):
        return [host.agent_status()["followed"] for host in self.hosts]

    def cycle(self, number):
        """A port of a new bridge on each host, with frames' worth of records, and all of it deleted."""
        rest = self.cluster.rest
        bridge = self.hosts[0].create_bridge(f"net{number}")
        ports = []
        for index, host in enumerate(self.hosts):
            port = host.create_port(bridge, macAddress=frame.guest_mac(2 * number + index))
            self.assertEqual(host.attach(port, "tap0", wait=10)["state"], "active")
            ports.append(port)
        for host, port in zip(self.hosts, ports):
            host.detach(port)
        if number % 2:
            for port in ports:
                rest.expect(204, "DELETE", f"/ports/{port}")
        rest.expect(204, "DELETE", f"/bridges/{bridge}")

    def test_cycles_of_ports_and_bridges_leave_no_watch_and_no_memory(self):
        signal.alarm(max(bed.TEST_SECONDS, 280))  # less than ctest's
        for host in self.hosts:
            self.tap(host, "tap0")
        programs = {host.name: host.process for host in self.hosts} | {"api": self.cluster.apis[0].process}
        for number in range(10):
            self.cycle(number)
        watches, followed = self.watches(), self.followed()
        memory = {name: resident_kb(process) for name, process in programs.items()}
        for number in range(10, 10 + CYCLES):
            self.cycle(number)
        print(
            f"watches {watches} -> {self.watches()}, followed {followed} -> {self.followed()}, RSS",
            {name: (before, resident_kb(programs[name])) for name, before in memory.items()},
        )
        # The API removes the watches of what it waited for while it sets others, so some may be there at any time.
        wait_until(lambda: self.watches() <= watches + 70, 10, f"{watches} watches, not {self.watches()}", 0.2)
        wait_until(
            lambda: all(now <= before for now, before in zip(self.followed(), followed)),
            10,
            f"followed as before: {followed}",
            0.2,
        )
        for name, before in memory.items():
            self.assertLess(resident_kb(programs[name]), before + 4000, f"RSS of {name} in kB")


if __name__ == "__main__":
    main()
