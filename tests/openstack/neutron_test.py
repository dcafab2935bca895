#!/usr/bin/python3
"""Nothing that Neutron accepts is lost or doubled: two real neutron-servers over one database, our driver in both, and our REST
server, which is killed while ports are made (60 of them; MIDONET_PORTS=200 makes more); the resync tool; the driver's own
migration of the database."""

import os
import re
import signal
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from openstack_bed import OpenStackTest, main, wait_until
import bed
import mariadb
import neutron_server
from process import Process

bed.TEST_SECONDS = 700  # Neutron makes four to eight ports a second with the machine to itself

PORTS = int(os.environ.get("MIDONET_PORTS", "60"))
AT_ONCE = 8
MEANWHILE = 20
TABLES = ("midonet_journal", "midonet_objects")


# ctest-class: nothing_is_lost PROCESSORS 2 TIMEOUT 1800 COST 150
class Neutron(OpenStackTest):
    needs = ((mariadb.SERVER, "mariadb-server-core"), ("/usr/lib/python3/dist-packages/pymysql", "python3-pymysql"))

    @classmethod
    def missing(cls):
        return super().missing() or neutron_server.missing()

    @classmethod
    def prepare(cls):
        cluster = cls.new_cluster(servers=1)
        cls.database = mariadb.MariaDb(os.path.join(cluster.directory, "mariadb"))
        cls.shared.callback(cls.database.close)
        directory = os.path.join(cluster.directory, "neutron")
        os.mkdir(directory)
        with ThreadPoolExecutor() as background:
            made = background.submit(cls.make_servers, directory)
            cluster.start_store()
            cluster.start_apis(1)
            cls.servers = made.result()
        for server in cls.servers:
            cls.shared.callback(server.close)
            server.launch()
        for server in cls.servers:
            server.wait_answering()
        cls.api = cluster.rest

    @classmethod
    def make_servers(cls, directory):
        site = neutron_server.site(directory)
        url = cls.database.database("neutron")
        servers = [
            neutron_server.NeutronServer(
                cls.cluster.control, os.path.join(directory, f"server{number}"), site, url, port=9696 + number
            )
            for number in range(2)
        ]
        servers[0].make_database()
        return servers

    def show_more(self):
        super().show_more()
        for server in self.servers:
            lines = [line for line in server.output().splitlines() if " INFO neutron.wsgi " not in line]
            print("---- neutron-server:", *lines[-120:], sep="\n", file=sys.stderr)
        print("---- journal:", *self.database.ask("select * from neutron.midonet_journal"), sep="\n", file=sys.stderr)

    # ---- what is asked of both sides

    def create(self, server, kind, **body):
        return server.call("POST", f"/{kind}s", {kind: body})[kind]

    def journal(self):
        return int(self.database.ask("select count(*) from neutron.midonet_journal")[0][0])

    def wait_journal_empty(self):
        wait_until(lambda: self.journal() == 0, 300, "the journal is empty", interval=0.2)

    def neutron_ports(self, network):
        return {port["id"]: port for port in self.servers[0].call("GET", f"/ports?network_id={network}")["ports"]}

    def our_ports(self, network):
        """By id; a port that were there twice would show in the length of the list."""
        ports = self.api.get(f"/bridges/{network}/ports")
        by_id = {port["id"]: port for port in ports}
        self.assertEqual(len(ports), len(by_id))
        return by_id

    # ---- tests

    def test_ports_made_in_parallel_while_the_rest_server_is_killed_and_started_again(self):
        network = self.create(self.servers[0], "network", name="large")["id"]
        self.create(self.servers[0], "subnet", network_id=network, ip_version=4, cidr="10.88.0.0/20")
        done, lock = [], threading.Lock()
        api = self.cluster.apis[0]

        def make(number):
            server = self.servers[number % 2]
            port = self.create(server, "port", network_id=network, name=f"p{number}")["id"]
            if number % 10 == 3:
                server.call("PUT", f"/ports/{port}", {"port": {"name": f"renamed{number}"}})
            if number % 10 == 7:
                server.call("DELETE", f"/ports/{port}")
            with lock:
                done.append(number)

        def wait_done(count):
            wait_until(lambda: len(done) >= count or failed(), 400, f"{count} ports are made", interval=0.05)

        def failed():
            return [future for future in futures if future.done() and future.exception()]

        since = time.monotonic()
        with ThreadPoolExecutor(AT_ONCE) as pool:
            futures = [pool.submit(make, number) for number in range(PORTS)]
            try:
                wait_done(PORTS // 4)
                api.process.end(signal.SIGKILL)
                wait_done(PORTS // 4 + MEANWHILE)  # accepted while there is no REST server
                waiting = self.journal()
            finally:
                api.start()
                api.wait_answering(60)
            for future in futures:
                future.result()
        accepted = time.monotonic() - since
        self.assertGreater(waiting, 0, "the journal had something to keep")
        self.wait_journal_empty()
        print(
            f"{PORTS} ports accepted in {accepted:.1f} s, {waiting} changes waited for the REST server, all of them there after "
            f"{time.monotonic() - since:.1f} s",
            file=sys.stderr,
        )

        wanted, found = self.neutron_ports(network), self.our_ports(network)
        self.assertEqual(len(wanted), PORTS - PORTS // 10)
        self.assertEqual(set(found), set(wanted))
        for port_id, port in wanted.items():
            record = found[port_id]
            addresses = [ip["ip_address"] for ip in port["fixed_ips"]]
            self.assertEqual((record["name"], record["macAddress"]), (port["name"], port["mac_address"]))
            self.assertEqual([ip["ipAddress"] for ip in record["fixedIps"]], addresses)
        self.assertIn("0 missing there, 0 different, 0 left over", self.servers[0].tool("midonet-neutron-sync"))

    def test_the_resync_tool_says_what_differs_and_repairs_it_when_told_to(self):
        network = self.create(self.servers[0], "network", name="drift")["id"]
        kept, lost, changed = (self.create(self.servers[0], "port", network_id=network)["id"] for _ in range(3))
        self.api.expect(204, "DELETE", f"/ports/{lost}")
        self.api.expect(204, "PUT", f"/ports/{changed}", {"macAddress": "02:00:00:00:00:07"})
        foreign = self.api.create("/bridges", {"name": "not Neutron's"})
        self.addCleanup(self.api.call, "DELETE", f"/bridges/{foreign}")
        said = self.servers[0].tool("midonet-neutron-sync", expect=(1,))
        for line in (f"missing    port {lost}", f"different  port {changed}: macAddress", f"unknown    bridge {foreign}"):
            self.assertIn(line, said)
        self.assertNotIn(kept, said)
        self.assertEqual(self.api.call("GET", f"/ports/{lost}").status, 404, "a dry run changes nothing")
        self.assertIn("repaired: 2 of 2", self.servers[0].tool("midonet-neutron-sync", "--apply"))
        self.assertEqual(set(self.our_ports(network)), {kept, lost, changed})
        mac = self.neutron_ports(network)[changed]["mac_address"]
        self.assertEqual(self.api.get(f"/ports/{changed}")["macAddress"], mac)
        self.assertEqual(self.api.call("GET", f"/bridges/{foreign}").status, 200)
        self.servers[0].tool("midonet-neutron-sync", "--apply", "--delete-unknown")
        self.assertEqual(self.api.call("GET", f"/bridges/{foreign}").status, 404)

    def test_the_worker_runs_as_a_service_of_its_own_and_ends_when_told_to(self):
        server = self.servers[0]
        worker = Process(
            server.namespace.command(*server.command("midonet-neutron-worker")), os.path.join(self.directory, "worker")
        )
        self.addCleanup(worker.end, signal.SIGKILL)
        wait_until(
            lambda: "the stream of statuses is in step" in worker.output() or not worker.running(),
            200,
            "it follows",
            interval=0.2,
        )
        self.assertTrue(worker.running(), worker.output()[-4000:])
        self.assertEqual(worker.end(signal.SIGTERM, 60), 0, worker.output()[-4000:])

    def test_neutron_db_manage_makes_the_same_tables_as_the_models(self):
        directory = os.path.join(self.directory, "migrated")
        server = neutron_server.NeutronServer(
            self.cluster.control, directory, self.servers[0].site, self.database.database("migrated")
        )
        server.tool("/usr/bin/neutron-db-manage", "--subproject", "midonet-neutron", "upgrade", "head")
        for table in TABLES:
            self.assertEqual(self.columns_and_keys("migrated", table), self.columns_and_keys("neutron", table))

    def columns_and_keys(self, database, table):
        ((_, statement),) = self.database.ask(f"show create table {database}.{table}")
        return sorted(re.sub(r" AUTO_INCREMENT=\d+|,", "", statement).split("\\n"))


if __name__ == "__main__":
    main()
