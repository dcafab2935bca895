#!/usr/bin/env python3
"""The stunnel recipe of docs/security.md, with Debian's stunnel4 between a host and a real ZooKeeper server: the two files are those of
the page, with the addresses and folders of the test."""

import os
import re
import shutil
import signal
import socket
import threading

import zookeeper
from bed import TOP, SystemTest, main, wait_until
from process import Process
from tls import Authority
from underlay import Underlay, ipv4

ETH_P_ALL = 3
SECRET = "midonet:a-secret-that-nobody-guesses"


def recipe():
    """(the server's file, the host's) of the page."""
    with open(os.path.join(TOP, "docs/security.md"), encoding="utf-8") as file:
        server, host = re.findall(r"^```ini\n(; /etc/stunnel/.*?)^```$", file.read(), re.MULTILINE | re.DOTALL)
    return server, host


class Stunnel(SystemTest):
    def setUp(self):
        super().setUp()
        if reason := zookeeper.missing():
            self.skipTest(reason)
        if not shutil.which("stunnel4"):
            self.skipTest("stunnel4 is not installed (tools/packages.txt)")
        name = os.path.basename(self.directory)
        self.underlay = Underlay(f"{name}.underlay")
        self.addCleanup(self.underlay.remove)
        self.server_side = self.namespace("zk")
        self.underlay.connect(self.server_side, 1, "zk")
        self.box = self.host(start=False)
        self.underlay.connect(self.box.namespace, 2, "box")
        self.authority = Authority(os.path.join(self.directory, "ca"))

    def stunnel(self, namespace, name, text, certificate):
        folder = os.path.join(self.directory, name)
        os.makedirs(folder)
        for target, sources in (("server.pem", certificate), ("host.pem", certificate), ("ca.pem", [self.authority.file])):
            with open(os.path.join(folder, target), "w", encoding="ascii") as file:
                for source in sources:
                    with open(source, encoding="ascii") as part:
                        file.write(part.read())
            os.chmod(os.path.join(folder, target), 0o600)
        path = os.path.join(folder, "zookeeper.conf")
        with open(path, "w", encoding="ascii") as file:
            file.write(f"pid = {folder}/pid\n" + text.replace("/etc/stunnel", folder).replace("10.0.0.1", ipv4(1)))
        process = Process(namespace.command("stunnel4", path), os.path.join(folder, "log"))
        self.addCleanup(process.end, signal.SIGKILL)
        wait_until(lambda: "Configuration successful" in process.output() or not process.running(), what="stunnel starts")
        self.assertTrue(process.running(), process.output())
        return process

    def listen_in(self):
        """Everything that passes the server's interface from now on."""
        heard = bytearray()
        with self.server_side.entered():
            tap = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        tap.bind(("eth0", ETH_P_ALL))

        def listen():
            while part := tap.recv(65536):
                heard.extend(part)

        threading.Thread(target=listen, daemon=True).start()
        return heard

    def test_the_recipe_carries_a_host_and_keeps_the_secret(self):
        server_file, host_file = recipe()
        ensemble = zookeeper.ZooKeeper(self.server_side, self.directory, ["127.0.0.1"])
        self.addCleanup(ensemble.close)
        ensemble.start()
        self.stunnel(self.server_side, "server", server_file, self.authority.certificate("zk1", f"IP:{ipv4(1)}"))
        heard = self.listen_in()
        secret = os.path.join(self.directory, "secret")
        with open(secret, "w", encoding="ascii", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
            file.write(SECRET + "\n")

        # A certificate of another authority is not let in: nothing of ZooKeeper is reached.
        stranger = Authority(os.path.join(self.directory, "stranger"))
        wrong = self.stunnel(self.box.namespace, "stranger-host", host_file, stranger.certificate("box", "DNS:box"))
        with self.box.namespace.entered(), socket.create_connection(("127.0.0.1", 2181), timeout=10) as connection:
            connection.sendall(b"ruok")
            try:
                self.assertEqual(connection.recv(100), b"")
            except ConnectionResetError:
                pass
        wrong.end()
        with self.box.namespace.entered(), self.assertRaises(ConnectionRefusedError):
            socket.create_connection((ipv4(1), 2181), timeout=10)

        self.stunnel(self.box.namespace, "host", host_file, self.authority.certificate("box", "DNS:box"))
        self.box.store = "zookeeper://127.0.0.1:2181/midonet"
        self.box.start("--zookeeper-secret-file", secret)
        bridge = self.box.create_bridge()
        _, first = self.plugged(self.box, bridge, "tap1")
        _, second = self.plugged(self.box, bridge, "tap2")
        self.assert_passes(first, second)
        self.assertGreater(len(heard), 10_000)
        for plain in (SECRET.encode(), b"/midonet", b"hostId"):
            self.assertNotIn(plain, heard)


if __name__ == "__main__":
    main()
