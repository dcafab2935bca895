#!/usr/bin/python3
"""The embedded store: a backup while it is in use, a restore, and what a start does when records are lost."""

import os
import shutil
import subprocess

from bed import SystemTest, main, wait_until


class Backup(SystemTest):
    def setUp(self):
        super().setUp()
        self.h = self.host()
        self.db = self.h.store.removeprefix("embedded:")
        self.bridge = self.h.create_bridge()
        self.port, self.a = self.plugged(self.h, self.bridge, "a0")
        _, self.b = self.plugged(self.h, self.bridge, "b0")

    def midonet(self, *arguments):
        argv = [self.h.program("midonet"), "--socket", os.path.join(self.h.run_directory, "midolman.sock"), *arguments]
        return subprocess.run(
            self.h.namespace.command(*argv), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False
        )

    def refused(self, *more):
        """A start that ends by itself with 1; what it said last."""
        self.h.start(*more, wait=False)
        self.assertEqual(self.h.process.popen.wait(30), 1)
        return self.h.process.output()[-1500:]

    def test_a_backup_of_a_store_in_use_is_restored_and_then_as_ever(self):
        saved = os.path.join(self.directory, "saved")
        done = self.midonet("backup", saved)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(os.stat(saved).st_mode & 0o777, 0o600)
        later = self.h.create_bridge("later")
        self.h.kill()
        os.unlink(self.db)
        self.assertIn("records are lost", self.refused())
        self.assert_passes(self.a, self.b)
        shutil.copy(saved, self.db)  # beside the log of the lost one
        self.h.start()
        self.assertIn("restored from the backup of", self.h.process.output())
        self.h.wait_state(self.port, "active")
        self.assert_passes(self.a, self.b)
        self.assertEqual(self.h.rest.call("GET", f"/bridges/{later}").status, 404)
        self.h.create_bridge("after")
        self.h.kill()
        self.h.start()
        self.h.wait_state(self.port, "active")

    def test_an_api_without_an_agent_is_asked_for_the_backup(self):
        self.h.stop()
        self.h.start_api()
        saved = os.path.join(self.directory, "saved")
        done = self.midonet("backup", saved)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(os.stat(saved).st_mode & 0o777, 0o600)
        self.h.create_bridge("later")
        self.h.stop()
        os.unlink(self.db)
        shutil.copy(saved, self.db)
        self.h.start_api()
        self.assertIn("restored from the backup of", self.h.process.output())
        self.assertEqual([bridge["id"] for bridge in self.h.rest.get("/bridges")], [self.bridge])
        self.h.stop()
        done = self.midonet("backup", saved)
        self.assertEqual(done.returncode, 4)
        self.assertIn("start midonet-api", done.stderr)

    def test_a_damaged_log_is_refused_and_takes_no_port_from_the_kernel(self):
        self.h.kill()
        log = self.db + "-wal"
        os.truncate(log, os.path.getsize(log) // 2)
        said = self.refused()
        self.assertIn("records are lost: the file ends at commit", said)
        self.assertIn("--accept-store-loss", said)
        self.assert_passes(self.a, self.b)

    def test_an_empty_folder_beside_a_host_id_that_knows_of_ports_is_refused(self):
        self.h.kill()
        for name in os.listdir(os.path.dirname(self.db)):
            if name.startswith("midonet.db"):
                os.unlink(os.path.join(os.path.dirname(self.db), name))
        self.assertIn("says that ports of this host are in store", self.refused())
        self.assert_passes(self.a, self.b)

        # The operator goes on with what there is, which is nothing.
        self.h.start("--accept-store-loss")
        wait_until(lambda: self.h.agent_status()["warnings"] != [], 20, "the agent warns")
        wait_until(lambda: self.h.agent_status()["reconciles"] > 0, 20, "the agent has acted")
        self.assertEqual(self.h.rest.get("/bridges"), [])
        self.assert_passes(self.a, self.b)
        self.h.kill()
        self.h.start()  # as ever, and it still holds
        self.assertNotEqual(self.h.agent_status()["warnings"], [])
        self.assert_passes(self.a, self.b)
        self.assertEqual(self.midonet("agent", "accept").returncode, 0)
        wait_until(lambda: self.h.closed("a0"), 20, "what the store does not know goes")

    def test_an_empty_store_beside_pins_that_know_of_ports_takes_nothing_from_the_kernel(self):
        self.h.kill()
        for name in os.listdir(self.h.directory):
            if name.startswith(("midonet.db", "host_id.properties")):
                os.unlink(os.path.join(self.h.directory, name))
        self.h.start()  # nothing but the kernel knows of the ports
        wait_until(lambda: self.h.agent_status()["reconciles"] > 0, 20, "the agent has acted")
        self.assertIn("what forwards here (2 ports) goes on", "".join(self.h.agent_status()["warnings"]))
        shown = self.midonet("status")
        self.assertEqual(shown.returncode, 1, shown.stdout)
        self.assertIn("has lost this host and its bindings", " ".join(shown.stdout.split()))
        self.assert_passes(self.a, self.b)

    def test_a_backup_that_cannot_be_written_says_why(self):
        done = self.midonet("backup", "/proc/nowhere/saved")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("/proc/nowhere/saved", done.stderr)


if __name__ == "__main__":
    main()
