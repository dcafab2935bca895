#!/usr/bin/python3
"""From an earlier version to this one and back: its programs are built out of git by tools/build_old. Agents lose no frame on
either way, and old and new programs share one ZooKeeper in every mix while ports are attached, detached and moved."""

import contextlib
import itertools
import os
import subprocess
import threading
import time
import unittest

import bed
import frame
from bed import Stream, SystemTest, main, needs_tcx, wait_until
from cluster_bed import ClusterTest
from migration_test import rarp_announce

NEW = bed.BIN
PER_SECOND = 2000


def old_programs():
    """The folder of the earlier version's programs: MIDONET_OLD_BIN, else what tools/upgrade-from names. (folder, why not)"""
    named = os.environ.get("MIDONET_OLD_BIN")
    if not named:
        found = subprocess.run(
            [os.path.join(bed.TOP, "tools/build_old"), "--print"], capture_output=True, text=True, check=False
        )
        if found.returncode != 0:
            return None, found.stderr.strip()
        named = found.stdout.strip()
        if not os.path.exists(os.path.join(named, "midolman")):
            return None, "the earlier version is not built: ./check --upgrade, or tools/build_old"
    return named, None


OLD, WHY_NOT = old_programs()


class Streams:
    """Several streams of numbered frames at once; `assert_whole` fails for a frame that was lost or came twice."""

    def __init__(self, test, pairs):
        self.test = test
        self.streams = {
            f"{sender.name} to {receiver.name}": Stream(sender, receiver, PER_SECOND) for sender, receiver in pairs
        }

    def __enter__(self):
        for stream in self.streams.values():
            stream.__enter__()
        return self

    def __exit__(self, *why):
        for stream in self.streams.values():
            stream.__exit__(*why)

    def wait_for(self, frames):
        for stream in self.streams.values():
            stream.wait_for(frames)

    def assert_whole(self):
        for name, stream in self.streams.items():
            lost = stream.lost()
            self.test.assertEqual((lost[:20], stream.doubled()), ([], 0), f"{name}: {len(lost)} of {stream.sent} were lost")
            print(f"{name}: {stream.sent} frames, none lost, none doubled")


@unittest.skipIf(WHY_NOT, WHY_NOT)
class Standalone(SystemTest):
    def replace(self, host, programs, how):
        how()
        host.bin = programs
        host.start()

    def test_standalone_goes_from_old_to_new_and_back_on_its_file_without_a_frame_lost(self):
        host = self.host(start=False)
        host.bin = OLD
        host.start()
        bridge = host.create_bridge()
        ports, taps = zip(*(self.plugged(host, bridge, f"a{i}", macAddress=frame.guest_mac(i)) for i in (1, 2)))
        ports = list(ports)
        for number, tap in enumerate(taps, 1):
            tap.mac = frame.guest_mac(number)
        with Streams(self, [taps, taps[::-1]]) as streams:
            for number, (programs, how) in enumerate([(NEW, host.stop), (OLD, host.stop), (NEW, host.kill), (OLD, host.kill)]):
                streams.wait_for(200)
                self.replace(host, programs, how)
                for port in ports:
                    host.wait_state(port, "active")
                streams.wait_for(200)
                # What one version writes, the next one finds.
                port, tap = self.plugged(host, bridge, f"b{number}")
                ports.append(port)
                self.assert_passes(tap, self.spare(host, bridge, number))
        streams.assert_whole()

    @needs_tcx
    def test_a_tap_that_filters_alone_cannot_serve_is_served_by_the_new_version_each_time(self):
        host = self.host(start=False)
        host.bin = OLD
        host.start()
        bridge = host.create_bridge()
        _, peer = self.plugged(host, bridge, "a0")
        tap = self.tap(host, "b0")
        host.namespace.tc("qdisc", "add", "dev", "b0", "ingress")
        port = host.create_port(bridge)
        host.attach(port, "b0")
        for programs, state in ((OLD, "error"), (NEW, "active"), (OLD, "error"), (NEW, "active")):
            if programs != host.bin:
                self.replace(host, programs, host.stop)
            host.wait_state(port, state)
            if state == "active":
                self.assert_passes(tap, peer)
                self.assert_passes(peer, tap)
        self.assertIn("ingress", host.namespace.tc("qdisc", "show", "dev", "b0"))

    def spare(self, host, bridge, number):
        return self.plugged(host, bridge, f"c{number}")[1]


class MixedCluster(ClusterTest):
    """Two hosts and an API, each of which can be that of either version."""

    @classmethod
    def setUpClass(cls):
        if WHY_NOT:
            raise unittest.SkipTest(WHY_NOT)
        super().setUpClass()

    @classmethod
    def prepare(cls):
        cluster = cls.new_cluster(servers=1)
        for _ in range(2):
            cluster.add_host().bin = OLD
        cluster.start_store()
        cluster.start_apis(1, bin_directory=OLD)
        cluster.start_hosts()
        cluster.zone()

    def setUp(self):
        super().setUp()
        self.h1, self.h2 = self.cluster.hosts
        self.api = self.cluster.apis[0]
        self.rest = self.cluster.rest
        self.numbers = itertools.count()
        self.bridge = self.h1.create_bridge()
        self.addCleanup(self.rest.call, "DELETE", f"/bridges/{self.bridge}")

    def plug(self, host, name):
        """A port with its guest's address, active on a new tap of that name."""
        mac = frame.guest_mac(next(self.macs))
        port, tap = self.plugged(host, self.bridge, name, macAddress=mac)
        tap.mac = mac
        self.addCleanup(self.rest.call, "DELETE", f"/ports/{port}")
        return port, tap

    def wait_reaches(self, sender, receiver):
        def reaches():
            receiver.drain()
            sender.send(receiver, b"are you there")
            return receiver.receive(0.05)

        wait_until(reaches, 5, f"{sender.name} reaches {receiver.name}")

    def run_steadily(self):
        """Two guests on one host and one on the other, all of which talk; their ports, and the streams to enter."""
        guests = [self.plug(self.h1, "local1"), self.plug(self.h1, "local2"), self.plug(self.h2, "remote")]
        (_, one), (_, two), (_, far) = guests
        pairs = [(one, two), (two, far), (far, one)]
        for sender, receiver in pairs:
            self.wait_reaches(sender, receiver)
            self.wait_reaches(receiver, sender)
            receiver.drain()
        return [port for port, _ in guests], Streams(self, pairs)

    def replace_agent(self, host, programs, how):
        how()
        host.bin = programs
        host.start()

    def replace_api(self, programs):
        self.api.process.end()
        self.api.bin = programs
        self.api.start()
        self.api.wait_answering()

    def assert_all_active(self, ports):
        for port in ports:
            self.h1.wait_state(port, "active")  # any host asks the one API


# ctest-class: agents
class Agents(MixedCluster):
    def test_agents_go_from_old_to_new_and_back_without_a_frame_lost_here_or_to_other_hosts(self):
        ports, streams = self.run_steadily()
        with streams:
            for programs in (NEW, OLD):
                for host in (self.h1, self.h2):
                    for how in (host.stop, host.kill):
                        streams.wait_for(200)
                        self.replace_agent(host, programs, how)
                        self.assert_all_active(ports)
                        streams.wait_for(200)
                # Each version goes on with what the other one left.
                for host in (self.h1, self.h2):
                    self.plug(host, f"more{next(self.numbers)}")
        streams.assert_whole()


def unplugged(host, tap):
    """Without hooks, or closed: agents before this version leave a tap open."""
    return host.hooks(tap.name) == "" or host.closed(tap.name)


class Ended(Exception):
    """The test ends while a question is open."""


class Churn:
    """Attaches a port at each host in turn and detaches it, on and on, through the API, with a client of its own. An API that
    is being replaced is asked again."""

    def __init__(self, test, taps):
        self.rest, self.ending, self.failures, self.rounds = test.cluster.client(), threading.Event(), [], 0
        self.places = [(host, tap, host.create_port(test.bridge)) for host, tap in taps]
        self.thread = threading.Thread(target=self._run)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ending.set()
        self.thread.join()

    def ask(self, method, uri, body=None):
        while True:
            with contextlib.suppress(OSError):
                answer = self.rest.call(method, uri, body)
                if answer.status != 503:  # it has just started, and its store has not answered yet
                    return answer
            if self.ending.wait(0.05):
                raise Ended

    def _run(self):
        try:
            for host, tap, port in itertools.cycle(self.places):
                if self.ending.is_set():
                    return
                uri = f"/ports/{port}/attach_interface"
                made = self.ask("POST", uri, {"hostId": host.id, "interface": tap.name})
                # A call that was cut off may have been done: then the second one finds it so.
                if made.status not in (200, 409):
                    self.failures.append(f"attach {tap.name}: {made}")
                gone = self.ask("DELETE", uri)
                if gone.status not in (204, 404):
                    self.failures.append(f"detach {tap.name}: {gone}")
                self.rounds += 1
        except Ended:
            pass


# ctest-class: programs
class Programs(MixedCluster):
    """One of API, agent and other agent is replaced at a time, until every mix of the two versions has been there: the API
    first and the agents first, on the way up and on the way down."""

    MIXES = (
        (OLD, OLD, NEW),
        (OLD, NEW, NEW),
        (OLD, NEW, OLD),
        (NEW, NEW, OLD),
        (NEW, NEW, NEW),
        (NEW, OLD, NEW),
        (NEW, OLD, OLD),
        (OLD, OLD, OLD),
    )

    def test_every_mix_of_old_and_new_programs_attaches_detaches_moves_and_migrates(self):
        ports, streams = self.run_steadily()
        churn = Churn(self, [(self.h1, self.tap(self.h1, "churn1")), (self.h2, self.tap(self.h2, "churn2"))])
        for _, _, port in churn.places:
            self.addCleanup(self.rest.call, "DELETE", f"/ports/{port}")
        with streams, churn:
            for mix in self.MIXES:
                mix_name = ", ".join(
                    f"{who} {'old' if bin_directory == OLD else 'new'}" for who, bin_directory in zip(("API", "h1", "h2"), mix)
                )
                began, before = time.monotonic(), churn.rounds
                try:
                    self.become(mix)
                    self.assert_all_active(ports)
                    self.attach_move_and_detach()
                    self.migrate()
                    self.ask_the_command_lines()
                    wait_until(
                        lambda before=before: churn.rounds > before + 1, what="ports are attached and detached meanwhile"
                    )
                except Exception as error:
                    raise AssertionError(f"with {mix_name}: {error}") from error
                print(f"{mix_name}: {time.monotonic() - began:.1f} s, {churn.rounds - before} attached and detached meanwhile")
        self.assertEqual(churn.failures, [])
        self.assert_all_active(ports)
        streams.assert_whole()

    def become(self, mix):
        api, *agents = mix
        if self.api.bin != api:
            self.replace_api(api)
        for host, programs in zip(self.cluster.hosts, agents):
            if host.bin != programs:
                self.replace_agent(host, programs, host.stop)

    def attach_move_and_detach(self):
        number = next(self.numbers)
        (port, here), (_, there) = self.plug(self.h1, f"x{number}"), self.plug(self.h2, f"y{number}")
        self.wait_reaches(here, there)
        self.wait_reaches(there, here)
        # To another tap of the other host: the guest speaks from there.
        moved = self.tap(self.h2, f"z{number}", mac=here.mac)
        here.close()
        status = self.h2.attach(port, moved.name, previousHostId=self.h1.id)
        self.assertEqual(status["state"], "active", status)
        self.wait_reaches(moved, there)
        self.wait_reaches(there, moved)
        self.h2.detach(port)
        wait_until(lambda: unplugged(self.h2, moved), what="the port that was detached is unplugged")

    def migrate(self):
        """Live, as Nova does it, to the other host by the old mm-ctl and back by the new one; one that is heard nowhere else."""
        port, old = self.plug(self.h1, f"v{next(self.numbers)}")
        _, watcher = self.plug(self.h2, f"w{next(self.numbers)}")
        self.wait_reaches(watcher, old)
        for source, destination, programs in ((self.h1, self.h2, OLD), (self.h2, self.h1, NEW)):
            new = self.tap(destination, f"v{next(self.numbers)}", mac=old.mac)
            self.mm_ctl(destination, programs, "--bind-port", port, new.name)
            destination.wait_state(port, "active")
            self.assertEqual(self.rest.get(f"/ports/{port}")["hostId"], destination.id)
            self.assert_passes(watcher, old)  # its guest is still there
            new.send_raw(rarp_announce(new.mac))
            wait_until(lambda source=source, old=old: unplugged(source, old), what="the old tap is unplugged")
            self.wait_reaches(watcher, new)
            self.wait_reaches(new, watcher)
            self.mm_ctl(source, programs, "--unbind-port", port)  # what the source says after it; the port stays where it is
            self.assertEqual(self.rest.get(f"/ports/{port}")["hostId"], destination.id)
            old.close()
            old = new
        self.mm_ctl(self.h1, NEW, "--unbind-port", port)
        self.assertIsNone(self.rest.get(f"/ports/{port}")["hostId"])

    @staticmethod
    def mm_ctl(host, programs, *arguments):
        running, host.bin = host.bin, programs
        try:
            done = host.mm_ctl(*arguments)
        finally:
            host.bin = running
        if (done.returncode, done.stderr) != (0, ""):
            raise AssertionError(f"mm-ctl {' '.join(arguments)} of {programs}: exit {done.returncode}: {done.stderr}")

    def ask_the_command_lines(self):
        for programs in (OLD, NEW):
            for words, answer in ((("show",), "local1"), (("port", "list"), "active"), (("host", "list"), "alive")):
                self.assertIn(answer, self.cluster.control.run(os.path.join(programs, "midonet"), *words))


if __name__ == "__main__":
    main()
