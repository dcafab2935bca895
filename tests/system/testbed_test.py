#!/usr/bin/python3
"""tools/testbed, as a developer uses it by hand."""


import os
import signal
import subprocess

import zookeeper
from bed import BIN, TOP, SystemTest, main, wait_until


class Testbed(SystemTest):
    def setUp(self):
        super().setUp()
        if zookeeper.missing():
            self.skipTest(zookeeper.missing())
        self.name = os.path.basename(self.directory) + ".bed"
        self.bed = os.path.join(self.directory, self.name)
        self.addCleanup(self.call, "down")

    def call(self, verb, *more):
        return subprocess.run(
            [f"{TOP}/tools/testbed", verb, "--dir", self.bed, *more], capture_output=True, text=True, timeout=90, check=False
        )

    def namespaces(self):
        return [name for name in os.listdir("/run/netns") if name.startswith(self.name)]

    def ledger(self):
        with open(f"{self.bed}/ledger", encoding="utf-8") as file:
            return file.read()

    def assert_nothing_left(self):
        self.assertEqual(self.namespaces(), [])
        self.assertFalse(os.path.exists(self.bed))
        with open("/proc/mounts", encoding="utf-8") as file:
            self.assertNotIn(self.bed, file.read())
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/cmdline", encoding="utf-8", errors="replace") as file:
                    self.assertNotIn(self.bed + "/", file.read())
            except OSError:
                pass

    def test_up_status_exec_and_down(self):
        made = self.call("up", "--hosts", "2", "--guests", "4", "--bridges", "2", "--apis", "2", "--bin", BIN)
        self.assertEqual(made.returncode, 0, made.stdout + made.stderr)
        again = self.call("up", "--bin", BIN)
        self.assertEqual(again.returncode, 1)
        self.assertIn("down", again.stderr)
        shown = self.call("status")
        self.assertEqual(shown.returncode, 0, shown.stderr)
        self.assertNotIn("has ended", shown.stdout)
        pings = ["ping", "-c", "1", "-W", "2"]
        self.assertEqual(self.call("exec", "g1", *pings, "10.0.1.2").returncode, 0)
        self.assertEqual(self.call("exec", "g3", *pings, "10.0.2.4").returncode, 0)
        self.assertEqual(self.call("exec", "h1", "sh", "-c", "exit 7").returncode, 7)
        unknown = self.call("exec", "h9", "true")
        self.assertEqual(unknown.returncode, 1)
        self.assertIn("h1, h2, g1", unknown.stderr)
        for _ in range(2):
            gone = self.call("down")
            self.assertEqual((gone.returncode, gone.stderr), (0, ""))
        self.assert_nothing_left()

    def test_what_a_killed_up_left_is_removed_by_down(self):
        making = subprocess.Popen([f"{TOP}/tools/testbed", "up", "--dir", self.bed, "--bin", BIN], stdout=subprocess.PIPE)
        self.addCleanup(making.stdout.close)
        self.addCleanup(making.kill)
        making.stdout.readline()  # the hosts are there, ZooKeeper is on its way
        wait_until(lambda: "process" in self.ledger(), what="a server is started")
        making.send_signal(signal.SIGKILL)
        making.wait()
        self.assertNotEqual(self.namespaces(), [])
        self.assertEqual(self.call("down").returncode, 0)
        self.assert_nothing_left()

    def test_an_up_that_fails_or_is_interrupted_leaves_nothing(self):
        failed = self.call("up", "--bin", "/nowhere")
        self.assertEqual(failed.returncode, 1)
        self.assertIn("/nowhere/midolman is not built", failed.stderr)
        self.assert_nothing_left()
        making = subprocess.Popen([f"{TOP}/tools/testbed", "up", "--dir", self.bed, "--bin", BIN], stdout=subprocess.PIPE)
        self.addCleanup(making.stdout.close)
        self.addCleanup(making.kill)
        making.stdout.readline()
        making.send_signal(signal.SIGTERM)
        self.assertEqual(making.wait(30), 1)
        self.assert_nothing_left()


if __name__ == "__main__":
    main()
