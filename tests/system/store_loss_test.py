#!/usr/bin/python3
"""ZooKeeper servers that lost their data or moved, and two agents of one host id: what forwards goes on, and it is said."""

import os
import shutil
import signal
import subprocess

from bed import Stream, main, wait_until
from cluster_bed import ClusterTest
from process import Process


def passes(sender, receiver):
    receiver.drain()
    sender.send(receiver, os.urandom(20))
    return receiver.receive(0.5) is not None


def answers(host):
    """The agent's socket is there and answers."""
    try:
        return bool(host.agent_status())
    except OSError:
        return False


class TwoHosts(ClusterTest):
    @classmethod
    def prepare(cls):
        cluster = cls.new_cluster(servers=1)
        for _ in range(2):
            cluster.add_host()
        cluster.start_store()
        cluster.start_apis(1)
        cluster.start_hosts()
        cluster.zone()

    def setUp(self):
        super().setUp()
        self.rest = self.cluster.rest

    def midonet(self, host, *arguments):
        argv = [host.program("midonet"), "--socket", os.path.join(host.run_directory, "midolman.sock"), *arguments]
        return subprocess.run(
            host.namespace.command(*argv), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False
        )

    def warnings(self, host):
        return " ".join(host.agent_status()["warnings"])


# ctest-class: store_loss RESOURCE_LOCK cluster
class Loss(TwoHosts):
    def lose_data(self):
        server = self.cluster.zookeeper.servers[0]
        server.kill()
        shutil.rmtree(server.directory + "/data")
        os.makedirs(server.directory + "/data")
        self.cluster.zookeeper.start()

    def test_servers_without_their_data_are_used_again_and_nothing_is_unplugged_until_the_operator_says_so(self):
        h1, h2 = self.hosts
        bridge = h1.create_bridge()
        _, a = self.plugged(h1, bridge, "ta")
        _, b = self.plugged(h2, bridge, "tb")
        wait_until(lambda: passes(a, b) and passes(b, a), 10, "frames pass between the hosts")
        for host in (h1, h2):
            wait_until(
                lambda host=host: [peer["ports"] for peer in host.agent_status()["bridges"][0]["peers"]] == [1],
                10,
                f"{host.name} has read what the other one offers",
            )
        with Stream(a, b, 200) as stream:
            self.lose_data()
            wait_until(lambda: self.rest.call("GET", "/bridges").status == 200, 40, "the API is back", 0.2)
            for host in (h1, h2):
                wait_until(lambda host=host: "has lost this host" in self.warnings(host), 40, "the agent says so", 0.2)
                wait_until(host.alive, 20, "the host is alive again", 0.2)
            self.assertEqual(self.rest.get("/bridges"), [])

            # A restart of the agent changes nothing of it.
            h1.kill()
            h1.start(wait=False)
            wait_until(
                lambda: answers(h1) and h1.agent_status()["reconciles"] > 0 and "has lost this host" in self.warnings(h1),
                30,
                "it still holds",
                0.2,
            )
            # What is new is plugged meanwhile.
            new = h1.create_bridge("new")
            _, c = self.plugged(h1, new, "tc")
            _, d = self.plugged(h1, new, "td")
            self.assert_passes(c, d)
            stream.wait_for(100)
        self.assertEqual(stream.lost(), [], f"lost of {stream.sent}")

        done = self.midonet(h1, "agent", "accept")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(self.warnings(h1), "")
        wait_until(lambda: h1.closed("ta"), 20, "what the store does not know goes")
        self.assert_blocked(a, b)
        self.assert_passes(c, d)
        self.assertIn("midolman", h2.hooks("tb"), "the word was for the other host")


# ctest-class: restored_store RESOURCE_LOCK cluster
class Restored(TwoHosts):
    def test_servers_with_the_data_of_a_backup_are_followed_and_what_it_knows_goes_on(self):
        h1, h2 = self.hosts
        server = self.cluster.zookeeper.servers[0]
        data, backup = server.directory + "/data", server.directory + "/backup"
        bridge = h1.create_bridge()
        of_backup, a = self.plugged(h1, bridge, "ta")
        _, b = self.plugged(h2, bridge, "tb")
        wait_until(lambda: passes(a, b) and passes(b, a), 10, "frames pass between the hosts")
        server.kill()
        shutil.copytree(data, backup)
        self.cluster.zookeeper.start()
        wait_until(lambda: self.rest.call("GET", "/bridges").status == 200, 40, "the API is back", 0.2)
        wait_until(h1.alive, 40, "the host is alive", 0.2)
        later, c = self.plugged(h1, bridge, "tc")
        with Stream(a, b, 200) as stream:
            server.kill()
            shutil.rmtree(data)
            os.rename(backup, data)
            self.cluster.zookeeper.start()
            wait_until(lambda: self.rest.call("GET", f"/ports/{later}").status == 404, 40, "the API has the old records", 0.2)
            for host in (h1, h2):
                wait_until(host.alive, 40, f"{host.name} is alive again", 0.2)
            h1.wait_state(of_backup, "active", 20)
            wait_until(lambda: h1.closed("tc"), 40, "what was bound after the backup is unplugged", 0.2)
            # Statuses and offers follow what happens from here on.
            new, d = self.plugged(h2, bridge, "td")
            wait_until(lambda: passes(a, d) and passes(d, a), 20, "frames pass to a new port of the other host")
            h2.detach(new)
            stream.wait_for(100)
        self.assertEqual(stream.lost(), [], f"lost of {stream.sent}")
        self.assert_blocked(a, c)
        self.assertEqual([self.warnings(host) for host in (h1, h2)], ["", ""])


# ctest-class: same_host_id RESOURCE_LOCK cluster
class SameHostId(TwoHosts):
    def test_of_two_agents_with_one_host_id_the_first_acts_and_both_say_so(self):
        h1, h2 = self.hosts
        bridge = h1.create_bridge()
        port, _ = self.plugged(h1, bridge, "ta")
        self.tap(h2, "ta")
        h2.process.end(signal.SIGTERM)
        shutil.copy(h1.host_id_file, h2.host_id_file)
        h2.start(wait=False)  # with the session file of its former id, which it does not resume
        wait_until(lambda: answers(h2) and "is in use by the agent of" in self.warnings(h2), 20, "the second one says so", 0.2)
        wait_until(lambda: "is also that of the agent of" in self.warnings(h1), 10, "the first one says so", 0.2)
        self.assertIn(h1.address, self.warnings(h2))
        self.assertIn(h2.address, self.warnings(h1))
        self.assertEqual(h1.port_status(port)["state"], "active")
        self.assertNotIn("midolman", h2.hooks("ta"))
        self.assertEqual(h2.mm_ctl("--bind-port", port, "ta").returncode, 3, "it binds nothing for the other")

        # The first one's session ends: its statuses are right again by themselves, and it is the second's turn to wait.
        self.cluster.zookeeper.servers[0].kill()
        self.cluster.zookeeper.start()
        wait_until(lambda: h1.agent_status()["storeState"] == "connected", 30, "the first one is back", 0.2)
        wait_until(lambda: h1.port_status(port)["state"] == "active", 20, "its port is active", 0.2)

        h2.kill()
        wait_until(lambda: self.warnings(h1) == "", 20, "the second one has ended", 0.2)
        h2.start(wait=False)
        wait_until(lambda: "is also that of the agent of" in self.warnings(h1), 20, "and is there again", 0.2)
        h1.kill()
        wait_until(lambda: self.warnings(h2) == "", 20, "the second one acts when the first has ended", 0.2)
        h2.wait_state(port, "active", 20)


# ctest-class: moved_server RESOURCE_LOCK cluster
class MovedServer(ClusterTest):
    @classmethod
    def prepare(cls):
        cluster = cls.new_cluster(servers=1)
        cluster.add_host()
        cluster.start_store()

    def test_a_server_whose_name_gets_another_address_is_found_there(self):
        cluster, host = self.cluster, self.cluster.hosts[0]
        hosts, server = self.directory + "/hosts", cluster.zookeeper.servers[0]

        def name_is(address):
            with open(hosts, "w", encoding="ascii") as file:
                file.write(f"127.0.0.1 localhost\n{address} zk.example\n")

        name_is(server.address)
        host.store = "zookeeper://zk.example:2181/midonet"
        argv = host.namespace.command(
            host.program("midolman"), "--store", host.store, *cluster.store_flags, *host.agent_flags()
        )
        host.process = Process(
            ["unshare", "-m", "sh", "-c", f'mount --bind {hosts} /etc/hosts && exec "$@"', "sh", *argv], host.log
        )

        def connected():
            return answers(host) and host.agent_status()["storeState"] == "connected"

        wait_until(connected, 20, "the agent is connected", 0.2)
        server.kill()
        wait_until(lambda: not connected(), 20, "the agent has lost the server", 0.2)
        cluster.control.ip("addr", "del", "172.30.0.201/24", "dev", "eth0")
        cluster.control.ip("addr", "add", "172.30.0.202/24", "dev", "eth0")
        server.address = "172.30.0.202"
        server.configure([server.address])
        server.start()
        cluster.zookeeper.wait_serving()
        name_is(server.address)
        wait_until(connected, 30, "the agent has found the server at its new address", 0.2)


if __name__ == "__main__":
    main()
