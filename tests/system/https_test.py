#!/usr/bin/env python3
"""`midonet` over https: a proxy that speaks TLS stands before the real API."""

import os
import subprocess

from bed import SystemTest, main
from tls import Authority, Proxy

PORT = "aa59815a-8c66-4c2f-9f5e-1b6b3f0f5e01"


class Https(SystemTest):
    def setUp(self):
        super().setUp()
        self.box = self.host()
        self.authority = Authority(os.path.join(self.directory, "ca"))

    def proxy(self, certificate, **more):
        made = Proxy(self.box.namespace, certificate, **more)
        self.addCleanup(made.close)
        return made

    def midonet(self, *arguments, api="https://127.0.0.1:8443", ca=True, **environment):
        trusted = ["--ca-file", self.authority.file] if ca else []
        argv = [self.box.program("midonet"), "--config", "/dev/null", "--api", api, *trusted, *arguments]
        return subprocess.run(
            self.box.namespace.command(*argv),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env={**os.environ, **environment},
        )

    def fails(self, status, said, *arguments, **more):
        done = self.midonet(*arguments, **more)
        self.assertEqual((done.returncode, done.stdout, done.stderr.count("\n")), (status, "", 1), done)
        self.assertIn(said, done.stderr)

    def succeeds(self, *arguments, **more):
        done = self.midonet(*arguments, **more)
        self.assertEqual((done.returncode, done.stderr), (0, ""), done)
        return done.stdout

    def test_all_that_an_operator_does_works(self):
        proxy = self.proxy(self.authority.certificate("api", "DNS:localhost", "IP:127.0.0.1"))
        bridge = self.succeeds("bridge", "create", "web").strip()
        self.succeeds("port", "create", "web", "--id", PORT)
        self.tap(self.box, "tap0")
        # The API calls itself http://…, since it does not know of the proxy: the command stays with what it was told.
        self.assertIn("active", self.succeeds("attach", PORT, self.box.id, "tap0", "--wait", "10"))
        self.assertIn(bridge[:8], self.succeeds("bridge", "list", api="https://localhost:8443"))
        before = proxy.connections
        self.succeeds("detach", PORT, ca=False, MIDONET_CA_FILE=self.authority.file)
        self.succeeds("show", ca=False, OS_CACERT=self.authority.file)
        self.assertGreater(proxy.connections, before)

    def test_a_proxy_may_put_the_api_below_a_prefix(self):
        self.proxy(self.authority.certificate("api", "IP:127.0.0.1"), prefix="/cloud")
        root = "https://127.0.0.1:8443/cloud/midonet-api"
        self.succeeds("bridge", "create", "web", api=root)
        self.succeeds("port", "create", "web", "--id", PORT, "-o", "wide", api=root)
        self.tap(self.box, "tap0")
        self.assertIn("active", self.succeeds("attach", PORT, self.box.id, "tap0", "--wait", "10", api=root))
        self.succeeds("detach", PORT, api=root)

    def test_a_certificate_that_is_not_good_is_refused_with_the_reason(self):
        self.proxy(self.authority.certificate("other", "DNS:other.example"))
        self.fails(3, "https://127.0.0.1:8443: its certificate is not good: IP address mismatch", "show")
        self.fails(
            3, "https://localhost:8443: its certificate is not good: hostname mismatch", "show", api="https://localhost:8443"
        )
        self.proxy(self.authority.certificate("api", "IP:127.0.0.1"), port=8444)
        self.fails(
            3,
            "https://127.0.0.1:8444: its certificate is not good: unable to get local issuer certificate: "
            "name the file of its authority with --ca-file FILE",
            "show",
            api="https://127.0.0.1:8444",
            ca=False,
        )

    def test_what_cannot_be_reached_over_tls_is_said(self):
        self.fails(4, "https://127.0.0.1:8443: cannot connect: Connection refused", "show")
        self.fails(4, "https://127.0.0.1:8181: TLS: ", "show", api="https://127.0.0.1:8181")
        self.fails(
            1, "read the certificates in /nowhere/ca.pem: No such file", "--ca-file", "/nowhere/ca.pem", "show", ca=False
        )
        self.proxy(self.authority.certificate("api", "IP:127.0.0.1"))
        self.fails(4, "http://127.0.0.1:8443: ", "show", api="http://127.0.0.1:8443")


if __name__ == "__main__":
    main()
