"""The mechanism driver in the real ML2 plugin."""

from __future__ import annotations

import threading
import unittest
from unittest import mock

from midonet_neutron import records
from midonet_neutron.tests.base import HOST_ID, VM, DriverTest


class Records(DriverTest):
    """Networks are bridges, ports are ports."""

    def test_a_network_is_a_bridge_of_the_same_id(self) -> None:
        network = self.network(name="blue")
        self.assertEqual(
            self.fake.bridges[network["id"]],
            {"id": network["id"], "name": "blue", "tenantId": "project", "adminStateUp": True},
        )
        self.assertEqual(self.rows(), [])

    def test_a_port_carries_all_that_comes_next_needs(self) -> None:
        network = self.network()
        pairs = [{"ip_address": "10.1.0.0/16", "mac_address": "FA:16:3E:00:00:09"}, {"ip_address": "10.0.0.9"}]
        port = self.port(network, name="p", mac_address="fa:16:3e:00:00:01", **VM)
        self.update_port(port, allowed_address_pairs=pairs)
        record = self.fake.ports[port["id"]]
        self.assertEqual(record["deviceId"], network["id"])
        self.assertEqual(record["macAddress"], "fa:16:3e:00:00:01")
        self.assertEqual(record["vifId"], VM["device_id"])
        self.assertEqual(record["name"], "p")
        self.assertIs(record["portSecurityEnabled"], True)
        self.assertEqual(record["securityGroupIds"], self.get_port(port)["security_groups"])
        self.assertEqual(
            record["allowedAddressPairs"],
            [
                {"ipAddress": "10.0.0.9", "macAddress": "fa:16:3e:00:00:01"},
                {"ipAddress": "10.1.0.0/16", "macAddress": "fa:16:3e:00:00:09"},
            ],
        )

    def test_without_the_extension_only_ports_of_neutrons_own_services_are_trusted(self) -> None:
        port = {"id": "p", "mac_address": "fa:16:3e:00:00:01"}
        for owner, secured in (
            ("compute:nova", True),
            ("", True),
            ("network:dhcp", False),
            ("network:router_interface", False),
        ):
            self.assertIs(records.port_of({**port, "device_owner": owner})["portSecurityEnabled"], secured, owner)
        trusted = {**port, "device_owner": "network:dhcp", "port_security_enabled": True}
        self.assertIs(records.port_of(trusted)["portSecurityEnabled"], True, "it is said")

    def test_one_request_is_enough_for_each_change(self) -> None:
        network = self.network()
        port = self.port(network)
        self.update_port(port, name="other")
        self.delete_port(port)
        self.delete_network(network)
        bridge, record = "/bridges/" + network["id"], "/ports/" + port["id"]
        self.assertEqual(
            self.fake.changes(),
            [("POST", "/bridges"), ("POST", bridge + "/ports"), ("PUT", record), ("DELETE", record), ("DELETE", bridge)],
        )

    def test_an_update_that_changes_nothing_of_the_record_is_not_sent(self) -> None:
        network = self.network()
        port = self.port(network)
        before = len(self.fake.changes())
        self.update_port(port, description="for people")
        self.plugin.update_network(self._fresh(), network["id"], {"network": {"description": "for people"}})
        self.assertEqual(len(self.fake.changes()), before)
        self.assertEqual(self.rows(), [])


class Journal(DriverTest):
    """Nothing that Neutron accepted is lost or doubled."""

    def test_what_was_accepted_while_the_server_was_down_comes_through_later(self) -> None:
        gone = self.network()
        gone_port = self.port(gone)
        self.fake.fail("refuse", times=1000)
        network = self.network(name="late")
        port = self.port(network)
        self.update_port(port, name="changed meanwhile")
        self.delete_port(gone_port)
        self.delete_network(gone)
        self.assertNotIn(network["id"], self.fake.bridges)
        self.assertTrue(
            all(row.state == "retry" and "POST" in row.last_error or "DELETE" in row.last_error for row in self.rows())
        )
        self.fake.well_again()
        self.assertTrue(self.work_off())
        self.assertEqual(list(self.fake.bridges), [network["id"]])
        self.assertEqual(self.fake.ports[port["id"]]["name"], "changed meanwhile")
        self.assertEqual(list(self.fake.ports), [port["id"]])

    def test_a_lost_answer_doubles_nothing(self) -> None:
        self.fake.fail("drop", times=2, method="POST")
        network = self.network()
        self.fake.fail("drop", times=1, method="POST", path="/ports")
        port = self.port(network)
        self.fake.fail("drop", times=1, method="DELETE")
        self.delete_port(port)
        self.work_off()
        self.assertEqual((list(self.fake.bridges), list(self.fake.ports), self.rows()), ([network["id"]], [], []))

    def test_a_port_brings_its_missing_bridge_about(self) -> None:
        network = self.network()
        self.fake.bridges.clear()
        port = self.port(network)
        self.assertIn(network["id"], self.fake.bridges)
        self.assertIn(port["id"], self.fake.ports)
        self.assertEqual(self.rows(), [])

    def test_rows_may_be_worked_on_in_any_order(self) -> None:
        from midonet_neutron import journal

        self.fake.fail("503", times=1000)
        network = self.network()
        ports = [self.port(network) for _ in range(3)]
        self.delete_port(ports[0])
        self.fake.well_again()
        for what in reversed(journal.due(100, all_of_them=True)):
            self.driver._reconciler.work_on(what)
        self.assertEqual(set(self.fake.ports), {ports[1]["id"], ports[2]["id"]})
        self.assertEqual(self.rows(), [])

    def test_an_object_is_worked_on_by_one_at_a_time(self) -> None:
        from midonet_neutron import journal

        what = journal.Object("network", "6b1f3f4e-0000-4000-8000-000000000001")
        won: list[str | None] = []
        threads = [threading.Thread(target=lambda: won.append(journal.claim(what))) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        tokens = [token for token in won if token]
        self.assertEqual(len(tokens), 1)
        self.assertIsNone(journal.claim(what))
        journal.finish(what, tokens[0], [], True)
        self.assertIsNotNone(journal.claim(what))

    def test_the_lease_of_a_dead_worker_runs_out(self) -> None:
        from midonet_neutron import journal

        what = journal.Object("network", "6b1f3f4e-0000-4000-8000-000000000002")
        journal.enqueue(what, journal.RESYNC)
        with mock.patch.object(journal.cfg.CONF.midonet, "lease", -1.0, create=True):
            dead = journal.claim(what)
        self.assertIsNotNone(dead)
        alive = journal.claim(what)
        self.assertIsNotNone(alive)
        # What the dead one would still write to the journal has no effect.
        journal.finish(what, dead or "", journal.rows_of(what), True)
        self.assertEqual(len(journal.rows_of(what)), 1)

    def test_a_row_written_while_its_object_is_worked_on_stays(self) -> None:
        from midonet_neutron import journal

        what = journal.Object("network", "6b1f3f4e-0000-4000-8000-000000000003")
        journal.enqueue(what, journal.UPDATE)
        token = journal.claim(what)
        rows = journal.rows_of(what)
        journal.enqueue(what, journal.UPDATE)
        journal.finish(what, token or "", rows, True)
        self.assertEqual(len(journal.rows_of(what)), 1)

    def test_a_failed_row_waits_longer_each_time(self) -> None:
        from midonet_neutron import journal

        what = journal.Object("network", "6b1f3f4e-0000-4000-8000-000000000004")
        journal.enqueue(what, journal.UPDATE)
        waits = []
        for _ in range(9):
            token = journal.claim(what)
            waits.append(journal.give_up(what, token or "", journal.rows_of(what), "no"))
        self.assertEqual(waits, [1, 2, 4, 8, 16, 32, 60, 60, 60])
        self.assertEqual(journal.due(10), [])
        self.assertEqual(journal.due(10, all_of_them=True), [what])

    def test_a_refusal_for_good_is_kept_with_its_reason(self) -> None:
        self.fake.fail("400", times=1000, method="POST")
        self.network()
        (row,) = self.rows()
        self.assertEqual((row.state, row.attempts), ("retry", 1))
        self.assertIn("POST", row.last_error)
        self.assertIn("told to fail", row.last_error)

    def test_many_at_once_end_as_neutron_says(self) -> None:
        network = self.network()
        self.fake.fail("drop", times=5, method="POST", path="/ports")
        self.fake.fail("503", times=5, method="POST", path="/ports")
        ports = [self.port(network) for _ in range(20)]
        workers = [threading.Thread(target=self.work_off) for _ in range(4)]
        for thread in workers:
            thread.start()
        for thread in workers:
            thread.join()
        self.assertTrue(self.work_off())
        self.assertEqual(set(self.fake.ports), {port["id"] for port in ports})


class Binding(DriverTest):
    """Which ports are bound, where, and why others are not."""

    def bound(self, **more: object) -> str:
        given: dict[str, object] = {HOST_ID: "cmp1", **VM, **more}
        port = self.port(self.network(), **given)
        return self.get_port(port)["binding:vif_type"]

    def test_a_port_is_bound_where_the_agent_is_alive(self) -> None:
        self.fake.add_host("cmp1")
        port = self.port(self.network(), **{HOST_ID: "cmp1", **VM})
        self.assertEqual(port["binding:vif_type"], "midonet")
        self.assertEqual(port["binding:vif_details"]["connectivity"], "l2")
        self.assertEqual(port["status"], "DOWN")

    def test_nothing_is_said_to_be_filtered_while_nothing_is(self) -> None:
        self.fake.add_host("cmp1")
        with self.assertLogs("midonet_neutron", "WARNING") as log:
            port = self.port(self.network(), **{HOST_ID: "cmp1", **VM})
        self.assertIs(port["binding:vif_details"]["port_filter"], False)
        self.assertTrue(port["security_groups"])
        self.assertIn(f"port {port['id']}: bound on host cmp1 without its groups", "".join(log.output))

    def test_a_port_that_asks_for_no_security_is_bound_without_a_word(self) -> None:
        self.fake.add_host("cmp1")
        with self.assertNoLogs("midonet_neutron", "WARNING"):
            self.port(self.network(), **{HOST_ID: "cmp1", **VM, "security_groups": []})

    def test_a_dead_agents_host_is_refused_with_the_reason(self) -> None:
        self.fake.add_host("cmp1", alive=False)
        with self.assertLogs("midonet_neutron", "WARNING") as log:
            self.assertEqual(self.bound(), "binding_failed")
        self.assertIn("its agent is not alive", "".join(log.output))

    def test_an_unknown_host_is_refused_with_the_reason(self) -> None:
        self.fake.add_host("cmp2")
        with self.assertLogs("midonet_neutron", "WARNING") as log:
            self.assertEqual(self.bound(), "binding_failed")
        self.assertIn("knows no host of that name", "".join(log.output))

    def test_a_server_that_does_not_answer_is_the_reason(self) -> None:
        self.fake.add_host("cmp1")
        self.fake.fail("503", times=1000, path="/hosts")
        with self.assertLogs("midonet_neutron", "WARNING") as log:
            self.assertEqual(self.bound(), "binding_failed")
        self.assertIn("503 told to fail", "".join(log.output))

    def test_another_vnic_type_is_left_to_other_drivers(self) -> None:
        self.fake.add_host("cmp1")
        self.assertEqual(self.bound(**{"binding:vnic_type": "direct"}), "binding_failed")

    def test_a_vlan_segment_is_refused_with_the_reason(self) -> None:
        context = mock.Mock(host="cmp1", segments_to_bind=[{"id": "s", "network_type": "vlan"}])
        context.current = {"id": "p", "binding:vnic_type": "normal"}
        with self.assertLogs("midonet_neutron", "WARNING") as log:
            self.driver.bind_port(context)
        context.set_binding.assert_not_called()
        self.assertIn("segments of type vlan", "".join(log.output))


class Status(DriverTest):
    """ACTIVE exactly when the active binding's host says so."""

    def setUp(self) -> None:
        super().setUp()
        from midonet_neutron.status import StatusKeeper

        self.cmp1, self.cmp2 = self.fake.add_host("cmp1"), self.fake.add_host("cmp2")
        self.keeper = StatusKeeper(self.driver._client)
        self.notifier = mock.Mock()
        patch = mock.patch.object(self.plugin, "nova_notifier", self.notifier, create=True)
        patch.start()
        self.addCleanup(patch.stop)
        self.bound = self.port(self.network(), **{HOST_ID: "cmp1", **VM})

    def status(self) -> str:
        return self.get_port(self.bound)["status"]

    def report(self, host_id: str | None, state: str = "active") -> None:
        self.fake.bind(self.bound["id"], host_id, state)
        self.keeper.compare(self.bound["id"])

    def test_a_bound_port_becomes_active_when_it_is_plugged_and_down_when_it_no_longer_is(self) -> None:
        self.assertEqual(self.status(), "DOWN")
        for host_id, state, expected in (
            (self.cmp1, "pending-interface", "DOWN"),
            (self.cmp1, "active", "ACTIVE"),
            (self.cmp1, "down", "DOWN"),
            (self.cmp1, "active", "ACTIVE"),
            (None, "unbound", "DOWN"),
            (self.cmp1, "active", "ACTIVE"),
            (self.cmp1, "pending-host", "DOWN"),
            (self.cmp1, "error", "DOWN"),
        ):
            self.report(host_id, state)
            self.assertEqual(self.status(), expected, state)

    def test_a_port_whose_dhcp_is_not_ready_is_not_active_and_nothing_spins(self) -> None:
        from neutron.db import provisioning_blocks as blocks

        blocks.add_provisioning_component(self._fresh(), self.bound["id"], "port", blocks.DHCP_ENTITY)
        self.report(self.cmp1)
        self.assertEqual(self.status(), "DOWN")
        blocks.provisioning_complete(self._fresh(), self.bound["id"], "port", blocks.DHCP_ENTITY)
        self.assertEqual(self.status(), "ACTIVE")

    def test_what_was_active_only_while_dhcp_was_not_ready_is_not_active_afterwards(self) -> None:
        from neutron.db import provisioning_blocks as blocks

        blocks.add_provisioning_component(self._fresh(), self.bound["id"], "port", blocks.DHCP_ENTITY)
        self.report(self.cmp1)
        self.report(self.cmp1, "down")
        blocks.provisioning_complete(self._fresh(), self.bound["id"], "port", blocks.DHCP_ENTITY)
        self.assertEqual(self.status(), "DOWN")
        self.report(self.cmp1)
        self.assertEqual(self.status(), "ACTIVE")

    def test_active_elsewhere_is_not_active(self) -> None:
        self.report(self.cmp2)
        self.assertEqual(self.status(), "DOWN")

    def test_a_port_switched_off_is_down_and_comes_back_by_itself(self) -> None:
        self.report(self.cmp1)
        self.update_port(self.bound, admin_state_up=False)
        self.assertEqual(self.status(), "DOWN")
        self.update_port(self.bound, admin_state_up=True)
        self.assertEqual(self.status(), "ACTIVE")

    def test_a_port_bound_where_it_is_plugged_already_completes_by_itself(self) -> None:
        self.fake.bind(self.bound["id"], self.cmp2)
        self.update_port(self.bound, **{HOST_ID: "cmp2"})
        self.assertEqual(self.status(), "ACTIVE")

    def test_a_status_that_could_not_be_asked_for_is_asked_for_again(self) -> None:
        self.fake.bind(self.bound["id"], self.cmp2)
        self.fake.fail("503", times=1000, method="GET", path="/ports/")
        self.update_port(self.bound, **{HOST_ID: "cmp2"})
        self.assertEqual(self.status(), "DOWN")
        self.assertEqual({row.operation for row in self.rows()}, {"status"})
        self.fake.well_again()
        self.assertTrue(self.work_off())
        self.assertEqual(self.status(), "ACTIVE")

    def test_nova_is_told_of_the_host_that_the_port_migrates_to(self) -> None:
        self.report(self.cmp1)
        self.plugin.create_port_binding(self._fresh(), self.bound["id"], {"binding": {"host": "cmp2", "vnic_type": "normal"}})
        self.keeper.became_active(self.bound["id"], "cmp1")
        self.notifier.notify_port_active_direct.assert_not_called()
        self.keeper.became_active(self.bound["id"], "cmp2")
        self.notifier.notify_port_active_direct.assert_called_once()
        # Activation: the status falls, and no further event comes.
        self.fake.bind(self.bound["id"], self.cmp2)
        self.plugin.activate(self._fresh(), "cmp2", self.bound["id"])
        self.assertEqual(self.status(), "ACTIVE")

    def test_a_port_that_is_unbound_in_neutron_keeps_no_block(self) -> None:
        from neutron.db import provisioning_blocks as blocks

        self.assertTrue(blocks.is_object_blocked(self._fresh(), self.bound["id"], "port"))
        self.update_port(self.bound, **{HOST_ID: "", "device_id": "", "device_owner": ""})
        self.assertFalse(blocks.is_object_blocked(self._fresh(), self.bound["id"], "port"))


if __name__ == "__main__":
    unittest.main()
