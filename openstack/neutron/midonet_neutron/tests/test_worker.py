"""The worker and the resync in the real ML2 plugin, with real threads and a real stream."""

from __future__ import annotations

import unittest
from collections.abc import Callable
from unittest import mock

from midonet_neutron.tests.base import HOST_ID, VM, DriverTest, wait_until


class Worker(DriverTest):
    """Statuses and leftovers."""

    def setUp(self) -> None:
        super().setUp()
        from midonet_neutron.worker import MidonetWorker

        for name, value in (("journal_interval", 0.5), ("status_threads", 2), ("backoff_min", 0.5)):
            self.conf.set_override(name, value, "midonet")
            self.addCleanup(self.conf.clear_override, name, "midonet")
        self.cmp1 = self.fake.add_host("cmp1")
        self.fake.add_host("cmp2")
        self.bound = self.port(self.network(), **{HOST_ID: "cmp1", **VM})
        self.worker = MidonetWorker()
        with mock.patch("neutron_lib.worker.BaseWorker.start"):
            self.worker.start()
        self.addCleanup(self.worker.stop)
        wait_until(lambda: self.fake.streams, "the stream is open")

    def synced(self, event_id: int = 1) -> None:
        self.fake.event(event_id, "reset", {})
        self.fake.event(event_id, "synced", {})

    def wait_status(self, expected: str) -> None:
        wait_until(lambda: self.get_port(self.bound)["status"] == expected, f"the port is {expected}")

    def report(self, event_id: int, state: str, host: str = "cmp1") -> None:
        self.fake.event(event_id, "port", {"portId": self.bound["id"], "hostId": "h", "host": host, "state": state})

    def test_statuses_follow_the_stream(self) -> None:
        self.synced()
        self.fake.bind(self.bound["id"], self.cmp1)
        self.report(2, "active")
        self.wait_status("ACTIVE")
        self.fake.bind(self.bound["id"], self.cmp1, "down")
        self.report(3, "down")
        self.wait_status("DOWN")

    def test_what_changed_while_nobody_listened_is_found(self) -> None:
        self.synced()
        self.fake.bind(self.bound["id"], self.cmp1)
        self.report(2, "active")
        self.wait_status("ACTIVE")
        self.fake.end_streams()
        self.fake.bind(self.bound["id"], None)
        wait_until(lambda: len(self.fake.stream_requests) == 2 and self.fake.streams, "a second stream")
        self.synced(9)
        self.wait_status("DOWN")

    def nova_hears_of_the_destination(self, before_the_report: Callable[[], None]) -> None:
        notifier = mock.Mock()
        with mock.patch.object(self.plugin, "nova_notifier", notifier, create=True):
            self.synced()
            self.plugin.create_port_binding(
                self._fresh(), self.bound["id"], {"binding": {"host": "cmp2", "vnic_type": "normal"}}
            )
            before_the_report()
            self.report(2, "active", host="cmp2")
            wait_until(lambda: notifier.notify_port_active_direct.called, "Nova is told", 60)

    def test_nova_hears_of_the_destination(self) -> None:
        self.nova_hears_of_the_destination(lambda: None)

    def test_nova_hears_of_the_destination_while_the_server_answers_nothing_else(self) -> None:
        self.nova_hears_of_the_destination(lambda: self.fake.fail("refuse", times=100000))

    def test_what_a_request_left_is_done_when_the_server_is_back(self) -> None:
        self.fake.fail("refuse", times=100000)
        self.fake.end_streams()
        network = self.network()
        port = self.port(network)
        self.fake.well_again()
        wait_until(lambda: not self.rows(), "the journal is empty")
        self.assertIn(network["id"], self.fake.bridges)
        self.assertIn(port["id"], self.fake.ports)


class Sync(DriverTest):
    """Both ways."""

    def compare(self):  # type: ignore[no-untyped-def]
        from midonet_neutron import sync

        return sync.compare(self.driver._client)

    def repair(self) -> None:
        from midonet_neutron import sync

        sync.enqueue(self.compare())
        self.assertTrue(self.work_off())

    def test_missing_changed_and_left_over_is_repaired_and_what_is_not_neutrons_left_alone(self) -> None:
        from midonet_neutron import sync

        network, gone = self.network(), self.network()
        port, changed = self.port(network), self.port(network)
        gone_port = self.port(gone)
        kept = dict(self.fake.bridges), dict(self.fake.ports)
        self.delete_port(gone_port)
        self.delete_network(gone)
        # As if the store had been set back to an older state, and another client used it too.
        self.fake.bridges.update(kept[0])
        self.fake.ports.update(kept[1])
        del self.fake.ports[port["id"]]
        self.fake.ports[changed["id"]]["macAddress"] = "02:00:00:00:00:01"
        self.fake.ports[changed["id"]]["vlanId"] = 7
        self.fake.bridges["other"] = {"id": "other", "name": "theirs"}
        self.fake.ports["theirs"] = {"id": "theirs", "deviceId": network["id"]}
        found = self.compare()
        self.assertEqual([what.id for what in found.missing], [port["id"]])
        self.assertEqual([(what.id, names) for what, names in found.changed], [(changed["id"], ["macAddress"])])
        self.assertEqual({what.id for what in found.left_over}, {gone["id"], gone_port["id"]})
        self.assertEqual({what.id for what in found.unknown}, {"other", "theirs"})
        self.repair()
        self.assertEqual(set(self.fake.bridges), {network["id"], "other"})
        self.assertEqual(set(self.fake.ports), {port["id"], changed["id"], "theirs"})
        self.assertEqual(self.fake.ports[changed["id"]]["vlanId"], 7, "not Neutron's to say")
        self.assertEqual(self.compare().repairs(), [])
        sync.delete_unknown(self.driver._client, self.compare())
        self.assertEqual((set(self.fake.bridges), len(self.fake.ports)), ({network["id"]}, 2))

    def test_a_wrong_status_is_repaired(self) -> None:
        host = self.fake.add_host("cmp1")
        bound = self.port(self.network(), **{HOST_ID: "cmp1", **VM})
        self.fake.bind(bound["id"], host)
        self.assertEqual([what.id for what in self.compare().wrong_status], [bound["id"]])
        self.repair()
        self.assertEqual(self.get_port(bound)["status"], "ACTIVE")
        self.assertEqual(self.compare().repairs(), [])

    def test_comparing_changes_nothing(self) -> None:
        self.fake.bridges["other"] = {"id": "other"}
        self.network()
        before = len(self.fake.changes())
        self.compare()
        self.assertEqual((len(self.fake.changes()), self.rows()), (before, []))


if __name__ == "__main__":
    unittest.main()
