#!/usr/bin/python3
"""Whole guests in QEMU, on two hosts, plugged by mm-ctl: a guest kernel's own virtio driver speaks to its peer through the
datapath and the tunnel, with partial checksums and frames larger than the MTU, as a cloud's guests do."""

import itertools
import os

from openstack_bed import OpenStackTest, main, wait_until
import guest_image
import qemu
from compute import tap_name
from underlay import Capture

BYTES = 4 << 20


# ctest-class: across_hosts PROCESSORS 2 TIMEOUT 1800 COST 60
class Guests(OpenStackTest):
    needs = ((qemu.QEMU, "qemu-system-x86"), (guest_image.BUSYBOX, "busybox-static"))

    @classmethod
    def missing(cls):
        return super().missing() or (
            None if guest_image.kernel() else "there is no kernel for guests (linux-image-cloud-amd64)"
        )

    @classmethod
    def prepare(cls):
        cluster = cls.new_cluster(servers=1)
        for _ in range(2):
            cluster.add_host()
        cluster.start_store()
        cluster.start_apis(1)
        cluster.start_hosts()
        cluster.zone()
        cls.kernel = guest_image.kernel()
        cls.initramfs = guest_image.initramfs(cls.kernel, os.path.join(cluster.directory, "initramfs.gz"))
        bridge = cluster.hosts[0].create_bridge()
        cls.numbers = itertools.count()
        cls.ports, cls.machines = [], []
        for i, host in enumerate(cluster.hosts, 1):
            port = host.create_port(bridge, macAddress=cls.mac(i))
            cls.ports.append(port)
            cls.machines.append(cls.start(i))
        for i, machine in enumerate(cls.machines, 1):
            cls.configure(i, machine.boot())

    @staticmethod
    def mac(number):
        return f"fa:16:3e:00:00:{number:02x}"

    @classmethod
    def start(cls, number):
        """As Nova and libvirt do it: the port is bound, then there is a tap."""
        host, port = cls.cluster.hosts[number - 1], cls.ports[number - 1]
        done = host.mm_ctl("--bind-port", port, tap_name(port))
        if done.returncode != 0:
            raise AssertionError(done.stderr)
        machine = qemu.VirtualMachine(host, tap_name(port), cls.mac(number), cls.kernel, cls.initramfs, next(cls.numbers))
        cls.shared.callback(machine.close)
        return machine

    @classmethod
    def configure(cls, number, machine):
        host, port = cls.cluster.hosts[number - 1], cls.ports[number - 1]
        host.wait_state(port, "active", 120)
        machine.run(f"ip addr add 10.0.0.{number}/24 dev eth0 && ip link set eth0 mtu 1500 up")

    def show_more(self):
        super().show_more()
        for machine in self.machines:
            print(f"---- console of the guest behind {machine.tap}:\n{machine.console()[-3000:]}")

    def ping(self, machine, address):
        """Once it has come through, every one does."""
        wait_until(
            lambda: " 0% packet loss" in machine.run(f"ping -c 1 -W 1 {address}", check=False), 120, "a ping is answered"
        )
        self.assertIn(" 0% packet loss", machine.run(f"ping -c 5 -i 0.1 -W 5 {address}"))

    def test_they_ping_each_other(self):
        first, second = self.machines
        self.ping(first, "10.0.0.2")
        self.ping(second, "10.0.0.1")
        # What fills the MTU to the last byte passes, in both directions.
        self.assertIn(" 0% packet loss", first.run("ping -c 2 -W 5 -s 1472 10.0.0.2"))

    def test_tcp_passes_whole_in_frames_larger_than_the_mtu(self):
        first, second = self.machines
        self.ping(first, "10.0.0.2")
        capture = Capture(self.cluster.hosts[0].namespace)
        self.addCleanup(capture.close)
        sum_sent = first.run(f"head -c {BYTES} /dev/urandom >/tmp/sent && md5sum </tmp/sent").split()[0]
        second.begin("nc -l -p 5000 | md5sum")
        before = self.packets(first)
        first.run("until nc 10.0.0.2 5000 </tmp/sent 2>/dev/null; do :; done")
        sent = self.packets(first) - before
        self.assertEqual(second.end("nc -l").split()[0], sum_sent)
        self.assertLess(sent, BYTES / 3000, "frames are no larger than the MTU: segmentation offload does not pass")
        longest = max(len(inner) for outgoing, *_, inner in capture.packets() if outgoing)
        self.assertGreater(longest, 3000, "frames are segmented before the tunnel")

    @staticmethod
    def packets(machine):
        return int(machine.run("cat /sys/class/net/eth0/statistics/tx_packets"))

    def test_a_guest_that_is_killed_and_started_again_talks_again(self):
        first, second = self.machines
        host, port = self.cluster.hosts[1], self.ports[1]
        ifindex = host.namespace.ifindex(second.tap)
        second.close()
        host.wait_state(port, "pending-interface", 120)
        self.machines[1] = second = self.start(2)
        self.configure(2, second.boot())
        self.assertNotEqual(host.namespace.ifindex(second.tap), ifindex)
        self.ping(first, "10.0.0.2")
        self.ping(second, "10.0.0.1")


if __name__ == "__main__":
    main()
