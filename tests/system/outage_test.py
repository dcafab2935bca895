#!/usr/bin/python3
"""Three ZooKeeper servers, of which some or all are gone for a while: what was acknowledged stays, frames flow on."""

import os
import subprocess
import threading
import time

import bed
from bed import Stream, main, wait_until
from cluster_bed import ClusterTest

# How long all servers are gone in the test of that; longer than the sessions' time-out (2 s).
OUTAGE_SECONDS = float(os.environ.get("MIDONET_OUTAGE_SECONDS", "4"))


class Attaching:
    """A client that goes on attaching ports to interfaces that are not there, one after the other, and remembers what was
    acknowledged. `with` ends it."""

    def __init__(self, cluster, host, ports):
        self.clients = [cluster.client(api) for api in range(len(cluster.apis))]
        self.host, self.ports = host, ports
        self.acknowledged = {}
        self.refused = 0
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._go)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._ending.set()
        self._thread.join()

    def _go(self):
        for number, port in enumerate(self.ports):
            body = {"hostId": self.host, "interface": f"n{number}"}
            attempt = 0
            while not self._ending.is_set():
                # As a client with a list of APIs does: the next one, until one says yes.
                client = self.clients[attempt % len(self.clients)]
                attempt += 1
                try:
                    status = client.call("POST", f"/ports/{port}/attach_interface", body).status
                except OSError:
                    status = 0
                if status == 200:
                    self.acknowledged[port] = body["interface"]
                    break
                self.refused += 1
                self._ending.wait(0.02)
            if self._ending.wait(0.005):
                return


# ctest-class: three_servers TIMEOUT 300
class Outage(ClusterTest):
    @classmethod
    def prepare(cls):
        cluster = cls.new_cluster(servers=3)
        for _ in range(2):
            cluster.add_host()
        cluster.start_store()
        cluster.start_apis(2)
        cluster.start_hosts()
        cluster.zone()

    def setUp(self):
        super().setUp()
        self.h1, self.h2 = self.cluster.hosts
        self.zookeeper = self.cluster.zookeeper
        self.rest = self.cluster.rest
        self.bridge = self.h1.create_bridge()
        self.addCleanup(self.rest.call, "DELETE", f"/bridges/{self.bridge}")
        self.a_port, self.a = self.plugged(self.h1, self.bridge, "a0")
        self.b_port, self.b = self.plugged(self.h2, self.bridge, "b0")
        self.wait_both_ways()

    def wait_both_ways(self):
        for sender, receiver in ((self.a, self.b), (self.b, self.a)):

            def passes():
                receiver.drain()
                sender.send(receiver, b"are you there")
                return receiver.receive(0.02)

            wait_until(passes, 30, f"{sender.name} reaches {receiver.name}")

    def assert_nothing_lost(self, *streams):
        for stream in streams:
            self.assertGreater(stream.sent, 1000)
            self.assertEqual(stream.lost(), [], f"lost of {stream.sent}")
            self.assertEqual(stream.doubled(), 0)
        print(f"{sum(stream.sent for stream in streams)} frames, none lost")

    def assert_bound(self, acknowledged):
        for port, interface in acknowledged.items():
            self.assertEqual(self.rest.get(f"/ports/{port}")["interfaceName"], interface)
        bound = {b["portId"]: b["interfaceName"] for b in self.rest.get(f"/hosts/{self.h1.id}/ports")}
        self.assertEqual({port: bound.get(port) for port in acknowledged}, acknowledged)

    def test_with_one_server_killed_and_then_the_leader_nothing_acknowledged_and_no_frame_is_lost(self):
        ports = [self.h1.create_port(self.bridge) for _ in range(800)]
        with Stream(self.a, self.b) as stream, Stream(self.b, self.a) as back, Attaching(
            self.cluster, self.h1.id, ports
        ) as attaching:
            self.wait_more(attaching, 20, "before anything happens")
            leader = self.zookeeper.leader()
            follower = next(server for server in self.zookeeper.servers if server is not leader)
            follower.kill()
            self.wait_more(attaching, 20, "a follower killed")
            self.zookeeper.start()
            since = time.monotonic()
            leader.kill()
            self.wait_more(attaching, 1, "the leader killed: the first")
            print(f"the leader killed: an attach is acknowledged after {(time.monotonic() - since) * 1000:.0f} ms")
            self.wait_more(attaching, 20, "the leader killed")
            self.zookeeper.start()
            self.wait_more(attaching, 20, "all servers again")
            stream.wait_for(100)
        self.assert_nothing_lost(stream, back)
        print(f"{len(attaching.acknowledged)} attaches acknowledged, {attaching.refused} refused")
        self.assert_bound(attaching.acknowledged)
        for host, port in ((self.h1, self.a_port), (self.h2, self.b_port)):
            host.wait_state(port, "active", 30)
        # And what is attached now is plugged.
        _, c = self.plugged(self.h2, self.bridge, "c0")
        self.assert_passes(c, self.b)

    def wait_more(self, attaching, count, what):
        target = len(attaching.acknowledged) + count
        wait_until(lambda: len(attaching.acknowledged) >= target, 60, f"{count} attaches are acknowledged ({what})")

    def test_with_all_servers_gone_and_an_agent_restarted_forwarding_goes_on_and_then_all_converges(self):
        tap = self.tap(self.h1, "late0")
        late = self.h1.create_port(self.bridge)
        waiting = self.h1.create_port(self.bridge)
        self.h1.attach(waiting, "waiting0", wait=None)
        self.h1.wait_state(waiting, "pending-interface")
        revision = self.h1.port_status(self.a_port)["revision"]
        with Stream(self.a, self.b) as stream, Stream(self.b, self.a) as back:
            self.zookeeper.kill()
            gone = time.monotonic()
            stream.wait_for(200)
            answer = self.rest.call("POST", f"/ports/{late}/attach_interface", {"hostId": self.h1.id, "interface": "late0"})
            self.assertEqual(answer.status, 503, answer)
            self.assertIn("Retry-After", answer.headers)
            # One is killed and starts in the middle of the outage, the other runs on; a tap comes meanwhile.
            self.h1.kill()
            self.h1.start(wait=False)
            wait_until(lambda: "waiting for it" in self.last_start(self.h1), 20, "the agent says that it waits")
            pins = self.h1.pins()
            came = self.tap(self.h1, "waiting0")
            status = self.h1.agent_status()
            self.assertEqual((status["storeState"], status["synchronised"]), ("disconnected", False))
            status = self.h2.agent_status()
            self.assertEqual((status["storeState"], status["synchronised"]), ("disconnected", True))
            argv = self.cluster.control.command(
                os.path.join(bed.BIN, "midonet"),
                "--timeout",
                "1",
                "--socket",
                os.path.join(self.h2.run_directory, "midolman.sock"),
                "status",
            )
            said = subprocess.run(
                argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False
            )
            self.assertEqual(said.returncode, 4, said)
            self.assertRegex(said.stdout, r"(?m)^store .*\n? +does not answer, since [0-9]+s$")
            self.assertRegex(said.stdout, r"(?m)^tunnel +midonet-vxlan active")
            done = self.h1.mm_ctl(
                "--timeout",
                "1",
                "--store",
                self.h1.store,
                "--host-id-file",
                self.h1.host_id_file,
                "--bind-port",
                late,
                "late0",
            )
            self.assertEqual((done.returncode, done.stderr.count("\n")), (3, 1), done.stderr)
            time.sleep(max(0.0, gone + OUTAGE_SECONDS - time.monotonic()))  # the length of the outage is what is tested
            self.assertTrue(self.h1.process.running() and self.h2.process.running())
            self.assertEqual(self.h1.pins(), pins)
            self.assertFalse(tap.drain())
            self.zookeeper.start()
            for host in (self.h1, self.h2):
                wait_until(lambda: self.answers(host.alive), 20, f"{host.name} is alive again")
            for host, port in ((self.h1, self.a_port), (self.h2, self.b_port), (self.h1, waiting)):
                host.wait_state(port, "active", 30)
            stream.wait_for(200)
        self.assert_nothing_lost(stream, back)
        self.assertEqual(self.h1.port_status(self.a_port)["revision"], revision)
        self.assertEqual(self.h1.attach(late, "late0")["state"], "active")
        self.wait_reached(self.b, tap)
        self.wait_reached(self.b, came)

    def wait_reached(self, sender, receiver):
        def reached():
            sender.send(receiver, b"are you there")
            return receiver.receive(0.02)

        wait_until(reached, 5, f"{sender.name} reaches {receiver.name}")

    @staticmethod
    def answers(question):
        try:
            return question()
        except (OSError, AssertionError):
            return False

    @staticmethod
    def last_start(host):
        """What the agent has logged since it was last started."""
        return host.process.output().rsplit("ready host=", 1)[-1]

    def test_a_host_that_is_cut_off_from_the_store_forwards_and_gives_up_a_port_that_moved_when_it_is_back(self):
        port, moving = self.plugged(self.h2, self.bridge, "m0")
        new = self.tap(self.h1, "m0", mac=moving.mac)
        self.wait_reached(self.b, moving)
        cut = [
            ["route", how, "blackhole", f"{server.address}/32"] for how in ("add", "del") for server in self.zookeeper.servers
        ]
        for command in cut[:3]:
            self.h2.namespace.ip(*command)
        try:
            wait_until(lambda: not self.h2.alive(), 15, "the session of the host that is cut off is over")
            self.wait_both_ways()
            self.assertEqual(self.h1.attach(port, "m0", previousHostId=self.h2.id)["state"], "active")
            new.send(self.a, b"here I am now")
            self.wait_reached(self.a, new)
        finally:
            for command in cut[3:]:
                self.h2.namespace.ip(*command)
        wait_until(self.h2.alive, 20, "the host is back")
        wait_until(lambda: self.h2.closed("m0"), 10, "it has given the port up")
        self.assertEqual(self.rest.get(f"/ports/{port}")["hostId"], self.h1.id)
        self.wait_reached(self.b, new)
        self.wait_both_ways()


if __name__ == "__main__":
    main()
