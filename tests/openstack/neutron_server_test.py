#!/usr/bin/python3
"""The real neutron-server with our mechanism driver, our API, two hosts with agents, and a stub in nova-api's place: a port's
life as Neutron has it, from its creation to ACTIVE and back. Where Nova acts in between, the test makes Nova's calls."""

import json
import os
import signal
import sys
from concurrent.futures import ThreadPoolExecutor

from openstack_bed import OpenStackTest, main, new_uuid, wait_until
import frame
import mariadb
import neutron_server
from cluster import ClusterHost
from compute import tap_name

NOVA = "compute:nova"


class NamedHost(ClusterHost):
    """Its agent runs under a hostname of its own, by which Neutron knows it: h1, h2."""

    def launch(self, *argv):
        super().launch("unshare", "--uts", "sh", "-c", 'hostname "$0" && exec "$@"', self.name, *argv)


# ctest-class: with_the_driver PROCESSORS 2 TIMEOUT 1800 COST 90
class Neutron(OpenStackTest):
    needs = ((mariadb.SERVER, "mariadb-server-core"), ("/usr/lib/python3/dist-packages/pymysql", "python3-pymysql"))

    @classmethod
    def missing(cls):
        return super().missing() or neutron_server.missing()

    @classmethod
    def prepare(cls):
        cluster = cls.new_cluster(servers=1)
        for _ in range(2):
            cluster.add_host(NamedHost)
        database = mariadb.MariaDb(os.path.join(cluster.directory, "mariadb"))
        cls.shared.callback(database.close)
        cls.nova = neutron_server.Nova(cluster.control)
        cls.shared.callback(cls.nova.close)
        with ThreadPoolExecutor() as background:
            made = background.submit(cls.make_neutron, database.database("neutron"))
            cluster.start_store()
            cluster.start_apis(1)
            cluster.start_hosts()
            cluster.zone()
            cls.neutron = made.result()
        cls.shared.callback(cls.neutron.close)
        try:
            cls.neutron.start()
        except BaseException:
            print(f"---- neutron-server:\n{cls.neutron.output()[-20000:]}", file=sys.stderr)
            raise
        cls.api = cluster.rest

    @classmethod
    def make_neutron(cls, database):
        directory = os.path.join(cls.cluster.directory, "neutron")
        os.mkdir(directory)
        site = neutron_server.site(directory)
        cls.recorded = neutron_server.add_recorder(site)
        made = neutron_server.NeutronServer(
            cls.cluster.control,
            os.path.join(directory, "server"),
            site,
            database,
            more="[ml2]\nmechanism_drivers = recorder,midonet",
        )
        made.make_database()
        return made

    def setUp(self):
        super().setUp()
        self.h1, self.h2 = self.cluster.hosts
        self.device = new_uuid()
        self.network = self.create("network", name="net1")["id"]
        self.addCleanup(self.remove_network, self.network)
        self.subnet = self.create("subnet", network_id=self.network, ip_version=4, cidr="10.77.0.0/24")["id"]

    def remove_network(self, network):
        for port in self.neutron.call("GET", f"/ports?network_id={network}")["ports"]:
            self.delete("port", port["id"])
        self.delete("network", network)
        self.wait_gone(f"/bridges/{network}")

    def wait_gone(self, uri):
        wait_until(lambda: self.api.call("GET", uri).status == 404, 120, f"{uri} is deleted", interval=0.05)

    def show_more(self):
        super().show_more()
        lines = [line for line in self.neutron.output().splitlines() if " INFO neutron.wsgi " not in line]
        print("---- neutron-server:", *lines[-150:], sep="\n", file=sys.stderr)

    # -- Neutron's API

    def create(self, kind, **body):
        return self.neutron.call("POST", f"/{kind}s", {kind: body})[kind]

    def update(self, kind, object_id, **body):
        return self.neutron.call("PUT", f"/{kind}s/{object_id}", {kind: body})[kind]

    def delete(self, kind, object_id):
        self.neutron.call("DELETE", f"/{kind}s/{object_id}")

    def port(self, port):
        return self.neutron.call("GET", f"/ports/{port}")["port"]

    def wait_status(self, port, status, seconds=120):
        wait_until(lambda: self.port(port)["status"] == status, seconds, f"port {port} is {status} in Neutron", interval=0.2)

    def calls(self, object_id):
        """What ML2 called its drivers for, about that object."""
        with open(self.recorded, encoding="utf-8") as file:
            return [call for call in map(json.loads, file) if call["id"] == object_id]

    # -- what Nova is told, and what it does

    def wait_told(self, port, name, count=1):
        """Until Nova was told that of the port so often."""
        wait_until(lambda: len(self.nova.told(name, port)) >= count, 120, f"Nova is told {name} of {port}", interval=0.05)

    def new_port(self, **more):
        return self.create("port", network_id=self.network, **more)["id"]

    def bind(self, port, host="h1"):
        return self.update("port", port, **{"binding:host_id": host, "device_id": self.device, "device_owner": NOVA})

    def plug(self, port, host):
        """mm-ctl binds it, libvirt makes the tap. The tap."""
        done = host.mm_ctl("--bind-port", port, tap_name(port))
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return self.tap(host, tap_name(port))

    def unplug(self, port, host):
        done = host.mm_ctl("--unbind-port", port)
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def active_port(self, **more):
        """A port that is bound, plugged and ACTIVE on h1, and its tap."""
        port = self.new_port(**more)
        self.assertEqual(self.bind(port)["binding:vif_type"], "midonet")
        tap = self.plug(port, self.h1)
        self.wait_status(port, "ACTIVE")
        return port, tap

    # -- tests

    def test_networks_and_ports_are_bridges_and_ports(self):
        bridge = self.api.get(f"/bridges/{self.network}")
        self.assertEqual((bridge["name"], bridge["adminStateUp"]), ("net1", True))
        self.update("network", self.network, name="renamed", admin_state_up=False)
        wait_until(lambda: self.api.get(f"/bridges/{self.network}")["name"] == "renamed", 120, "the bridge is renamed")
        self.assertIs(self.api.get(f"/bridges/{self.network}")["adminStateUp"], False)
        pairs = [{"ip_address": "10.77.0.0/28", "mac_address": "fa:16:3e:00:00:99"}]
        made = self.create(
            "port",
            network_id=self.network,
            mac_address="fa:16:3e:00:00:01",
            device_id=self.device,
            fixed_ips=[{"subnet_id": self.subnet, "ip_address": "10.77.0.9"}],
            allowed_address_pairs=pairs,
        )
        port = self.api.get(f"/ports/{made['id']}")
        self.assertEqual(
            (port["macAddress"], port["adminStateUp"], port["vifId"], port["portSecurityEnabled"]),
            ("fa:16:3e:00:00:01", True, self.device, True),
        )
        self.assertEqual(port["fixedIps"], [{"subnetId": self.subnet, "ipAddress": "10.77.0.9"}])
        self.assertEqual(port["allowedAddressPairs"], [{"ipAddress": "10.77.0.0/28", "macAddress": "fa:16:3e:00:00:99"}])
        self.assertEqual(port["securityGroupIds"], made["security_groups"])
        self.delete("port", made["id"])
        self.wait_gone(f"/ports/{made['id']}")

    def test_a_port_is_active_exactly_while_it_is_plugged_and_nova_is_told(self):
        port = self.new_port()
        self.assertEqual(self.port(port)["status"], "DOWN")
        bound = self.bind(port)
        self.assertEqual((bound["binding:vif_type"], bound["status"]), ("midonet", "DOWN"))
        self.assertEqual(
            (bound["binding:vif_details"]["connectivity"], bound["binding:vif_details"]["port_filter"]), ("l2", False)
        )
        tap = self.plug(port, self.h1)
        self.wait_status(port, "ACTIVE")
        self.wait_told(port, "network-vif-plugged")
        (told,) = self.nova.told("network-vif-plugged", port)
        self.assertEqual((told["server_uuid"], told["status"]), (self.device, "completed"))
        status = self.api.get(f"/ports/{port}")["status"]
        self.assertEqual(
            (status["state"], "its security groups are not enforced yet" in status["reason"]), ("active", True), status
        )
        tap.down()
        self.wait_status(port, "DOWN")
        self.wait_told(port, "network-vif-unplugged")
        tap.up()
        self.wait_status(port, "ACTIVE")
        self.wait_told(port, "network-vif-plugged", 2)
        tap.close()
        self.wait_status(port, "DOWN")
        self.unplug(port, self.h1)
        self.update("port", port, **{"binding:host_id": "", "device_id": "", "device_owner": ""})
        self.assertEqual(self.port(port)["binding:vif_type"], "unbound")
        self.delete("port", port)
        self.wait_gone(f"/ports/{port}")

    def test_arp_is_answered_with_what_neutron_says_of_fixed_addresses(self):
        port, _ = self.active_port(fixed_ips=[{"subnet_id": self.subnet, "ip_address": "10.77.0.9"}])
        _, answer = self.asker()
        mac = self.port(port)["mac_address"]
        wait_until(lambda: answer("10.77.0.9") == (mac, "10.77.0.9"), 120, "the address is answered on the other host")
        self.update("port", port, fixed_ips=[{"subnet_id": self.subnet, "ip_address": "10.77.0.10"}])
        wait_until(lambda: answer("10.77.0.10") == (mac, "10.77.0.10"), 120, "the new address is answered")
        wait_until(lambda: answer("10.77.0.9") is None, 120, "the old address is not")

    def asker(self):
        """A port on h2, and a function that sends an ARP request from there, as its guest or from another address. It returns the
        (MAC, address) of the answer, or None."""
        port = self.new_port()
        self.bind(port, "h2")
        tap = self.plug(port, self.h2)
        made = self.port(port)

        def answer(address, source=made["fixed_ips"][0]["ip_address"], mac=made["mac_address"]):
            tap.drain()
            tap.send_raw(frame.arp_request(mac, source, address))
            got = tap.receive(0.1, frame.ARP)
            return got and got.arp()[1:3]

        return port, answer

    def test_a_guest_sends_from_what_neutron_gave_it_alone(self):
        port, _ = self.active_port(fixed_ips=[{"subnet_id": self.subnet, "ip_address": "10.77.0.9"}])
        found = (self.port(port)["mac_address"], "10.77.0.9")
        asker, answer = self.asker()
        wait_until(lambda: answer("10.77.0.9") == found, 120, "its own question is answered")
        self.assertIsNone(answer("10.77.0.9", "10.77.0.200"), "of another address")
        self.assertIsNone(answer("10.77.0.9", mac="02:00:00:00:00:99"), "of another MAC")
        self.update("port", asker, allowed_address_pairs=[{"ip_address": "10.77.0.192/27"}])
        wait_until(lambda: answer("10.77.0.9", "10.77.0.200") == found, 120, "the pair may ask")
        self.assertEqual(answer("10.77.0.9"), found)
        self.update("port", asker, allowed_address_pairs=[])
        wait_until(lambda: answer("10.77.0.9", "10.77.0.200") is None, 120, "the pair is gone")
        self.update("port", asker, port_security_enabled=False, security_groups=[])
        wait_until(lambda: answer("10.77.0.9", "10.77.9.9", "02:00:00:00:00:99") == found, 120, "it is open")
        self.assertIs(self.api.get(f"/ports/{asker}")["portSecurityEnabled"], False)

    def test_before_it_is_plugged_nova_is_not_told_that_it_is(self):
        port = self.new_port()
        self.bind(port)
        other, _ = self.active_port()
        self.wait_told(other, "network-vif-plugged")  # what was to be told of the first would have been told by now
        self.assertEqual((self.port(port)["status"], self.nova.told("network-vif-plugged", port)), ("DOWN", []))

    def test_ml2_calls_in_the_order_that_the_driver_relies_on(self):
        port, _ = self.active_port()
        self.delete("port", port)
        calls = [(call["call"], call["vif_type"], call["status"]) for call in self.calls(port)]
        self.assertEqual(
            calls[:7],
            [
                ("create_port_precommit", "unbound", "DOWN"),
                ("create_port_postcommit", "unbound", "DOWN"),
                ("update_port_precommit", "unbound", "DOWN"),
                ("update_port_postcommit", "unbound", "DOWN"),
                ("bind_port", "unbound", "DOWN"),
                ("update_port_precommit", "midonet", "DOWN"),
                ("update_port_postcommit", "midonet", "DOWN"),
            ],
            calls,
        )
        self.assertEqual(
            calls[7:9],
            [("update_port_precommit", "midonet", "ACTIVE"), ("update_port_postcommit", "midonet", "ACTIVE")],
            calls,
        )
        self.assertEqual([call for call, *_ in calls[9:]][-2:], ["delete_port_precommit", "delete_port_postcommit"], calls)
        self.assertEqual(
            [call["call"] for call in self.calls(self.network)], ["create_network_precommit", "create_network_postcommit"]
        )

    def test_where_the_agent_is_down_a_binding_is_refused_and_the_log_says_why(self):
        port = self.new_port()
        self.h2.stop()
        os.unlink(os.path.join(self.h2.run_directory, "session"))
        try:
            wait_until(
                lambda: not self.api.get(f"/hosts/{self.h2.id}")["alive"], 120, "the host is seen as down", interval=0.05
            )
            self.assertEqual(self.bind(port, "h2")["binding:vif_type"], "binding_failed")
            self.assertRegex(self.neutron.output(), rf"port {port}: not bound by midonet on host h2: .*not alive")
        finally:
            self.h2.start()
        # Neutron tries again when it is told the host again.
        self.update("port", port, **{"binding:host_id": ""})
        self.assertEqual(self.bind(port, "h2")["binding:vif_type"], "midonet")

    def test_on_an_unknown_host_and_for_another_vnic_type_a_binding_is_refused(self):
        port = self.new_port()
        self.assertEqual(self.bind(port, "nowhere")["binding:vif_type"], "binding_failed")
        self.assertRegex(self.neutron.output(), rf"port {port}: not bound by midonet on host nowhere: ")
        direct = self.new_port(**{"binding:vnic_type": "direct"})
        self.assertEqual(self.bind(direct)["binding:vif_type"], "binding_failed")
        self.assertRegex(self.neutron.output(), rf"port {direct}: not bound by midonet: VNIC type direct")

    def test_a_live_migration_moves_the_port_and_nova_hears_of_the_destination(self):
        port, _ = self.active_port()
        self.wait_told(port, "network-vif-plugged")
        binding = self.neutron.call("POST", f"/ports/{port}/bindings", {"binding": {"host": "h2"}})["binding"]
        self.assertEqual((binding["vif_type"], binding["status"]), ("midonet", "INACTIVE"))
        self.plug(port, self.h2)
        self.wait_told(port, "network-vif-plugged", 2)  # Nova waits for that before it migrates
        self.neutron.call("PUT", f"/ports/{port}/bindings/h2/activate")
        self.wait_status(port, "ACTIVE")
        self.assertEqual(self.port(port)["binding:host_id"], "h2")
        self.unplug(port, self.h1)  # the source unbinds last
        self.neutron.call("DELETE", f"/ports/{port}/bindings/h1")
        self.assertEqual(self.api.get(f"/ports/{port}")["status"]["state"], "active")
        self.assertEqual(self.port(port)["status"], "ACTIVE")

    def test_what_neutron_accepts_while_the_rest_server_is_away_is_done_when_it_is_back(self):
        port, tap = self.active_port()
        api = self.cluster.apis[0]
        doomed = self.new_port()
        api.process.end(signal.SIGKILL)
        try:
            late = self.new_port()
            self.delete("port", doomed)
            self.update("network", self.network, name="meanwhile")
            tap.down()  # Neutron cannot hear of it now
        finally:
            api.start()
            api.wait_answering()
        wait_until(lambda: self.api.call("GET", f"/ports/{late}").status == 200, 120, "the port is made", interval=0.1)
        self.wait_gone(f"/ports/{doomed}")
        wait_until(lambda: self.api.get(f"/bridges/{self.network}")["name"] == "meanwhile", 120, "the bridge is renamed")
        self.wait_status(port, "DOWN", 120)
        tap.up()
        self.wait_status(port, "ACTIVE", 120)
        known = {each["id"] for each in self.api.get(f"/bridges/{self.network}/ports")}
        self.assertEqual(known, {port, late})


if __name__ == "__main__":
    main()
