#!/usr/bin/python3
"""Programs that start while their store is away: each says that it waits, and that it is ready once the store has answered."""

import os
import socket

from bed import main, wait_until
from cluster_bed import ClusterTest
from host import Host


# ctest-class: store_comes_late
class StoreComesLate(ClusterTest):
    @classmethod
    def prepare(cls):
        cls.new_cluster(servers=1)

    def launched(self, number, name, *argv, agent=True):
        """A host whose only program is started with a socket for what it tells systemd."""
        host = Host(self.cluster.bin, self.directory, name)
        self.addCleanup(host.close)
        self.cluster.underlay.connect(host.namespace, number, name)
        self.addCleanup(self.cluster.underlay.disconnect, name)
        notify = os.path.join(host.directory, "notify")
        told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(told.close)
        told.bind(notify)
        told.settimeout(60)
        host.launch(
            "env",
            f"NOTIFY_SOCKET={notify}",
            host.program(argv[0]),
            *argv[1:],
            "--store",
            self.cluster.zookeeper.uri(f"/{name}"),
            *self.cluster.store_flags,
            *(host.agent_flags() if agent else ()),
        )
        return name, host, lambda: told.recv(1024).decode()

    def test_each_program_is_ready_after_the_first_answer_of_the_store_and_not_before(self):
        started = [
            self.launched(1, "agent", "midolman"),
            self.launched(2, "standalone", "midolman", "standalone"),
            self.launched(3, "api", "midonet-api", agent=False),
        ]
        for name, host, told in started:
            with self.subTest(name):
                self.assertEqual(told(), "STATUS=waiting for the store")
                self.assertTrue(host.process.running())
                self.assertIn("waiting for it", host.process.output())
                self.assertNotIn("ready", host.process.output())
        self.cluster.start_store()
        for name, host, told in started:
            with self.subTest(name):
                self.assertEqual(told(), "READY=1\nSTATUS=")
                wait_until(lambda at=host: " ready " in at.process.output(), 20, f"{name} logs that it is ready")
                host.stop()
                self.assertEqual(told(), "STOPPING=1")


if __name__ == "__main__":
    main()
