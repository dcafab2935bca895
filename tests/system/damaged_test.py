#!/usr/bin/python3
"""Records that turn to garbage while frames flow: they go on, the agent says which record it is, also after a restart."""

import os

import frame
from bed import main, wait_until
from cluster_bed import ClusterTest
from zookeeper_client import Client


# ctest-class: two_hosts
class Damaged(ClusterTest):
    @classmethod
    def prepare(cls):
        c = cls.new_cluster(servers=1)
        c.add_host(), c.add_host()
        c.start_store(), c.start_apis(1), c.start_hosts()
        cls.zone = c.zone()

    def setUp(self):
        super().setUp()
        self.h1, self.h2 = self.cluster.hosts
        self.bridge = self.h1.create_bridge()
        self.port, self.a = self.plugged(self.h1, self.bridge, "ta")
        _, self.b = self.plugged(self.h2, self.bridge, "tb")
        self.wait_both_ways()
        self.store = Client(self.cluster.control, self.cluster.zookeeper.servers[0].address)
        self.addCleanup(self.store.close)

    @staticmethod
    def passes(sender, receiver):
        mark = os.urandom(16)
        sender.send(frame.BROADCAST, mark)
        while got := receiver.receive(0.2):
            if got.payload.startswith(mark):
                return True
        return False

    def wait_both_ways(self):
        wait_until(lambda: self.passes(self.a, self.b) and self.passes(self.b, self.a), 20, "frames pass in both directions")

    def said(self, path):
        status = self.h1.agent_status()
        port = next(each for each in status["ports"] if each["portId"] == self.port)
        return path in port["reason"] + " ".join(status["warnings"])

    def test_frames_flow_on_also_over_a_restart_and_all_is_well_when_the_record_is_repaired(self):
        for path in (
            f"/ports/{self.port}",
            f"/hosts/{self.h1.id}/ports/{self.port}",
            f"/bridges/{self.bridge}",
            f"/tunnel_zones/{self.zone}/hosts/{self.h1.id}",
        ):
            with self.subTest(path=path):
                node = "/midonet" + path
                before, _ = self.store.get(node)
                self.store.set(node, "garbage")
                wait_until(lambda p=path: self.said(p), 20, f"the agent names {path}")
                self.wait_both_ways()
                self.h1.kill()
                self.h1.start()
                wait_until(lambda p=path: self.said(p), 20, f"the agent that was started again names {path}")
                self.wait_both_ways()
                self.store.set(node, before)
                wait_until(lambda p=path: not self.said(p), 20, "it is repaired")
                self.h1.wait_state(self.port, "active", 20)
                self.wait_both_ways()


if __name__ == "__main__":
    main()
