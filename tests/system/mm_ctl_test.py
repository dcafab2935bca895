#!/usr/bin/python3
"""mm-ctl as the compute service calls it: with the agent there, without it, again and again, and several at once."""

import os
import re
import shutil
import subprocess
import time

from bed import SystemTest, main, new_uuid, wait_until
from over_zookeeper import OverZooKeeper


class MmCtl(SystemTest):
    def setUp(self):
        super().setUp()
        self.h = self.host()
        self.bridge = self.h.create_bridge()
        self.port = self.h.create_port(self.bridge)

    def mm_ctl(self, *arguments):
        return self.h.mm_ctl("--store", self.h.store, "--host-id-file", self.h.host_id_file, *arguments)

    def assert_silent_success(self, *arguments):
        done = self.mm_ctl(*arguments)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))

    def assert_fails(self, status, words, *arguments):
        done = self.mm_ctl(*arguments)
        self.assertEqual(done.returncode, status, done.stderr)
        self.assertEqual((done.stdout, done.stderr.count("\n")), ("", 2 if status == 1 else 1), done.stderr)
        self.assertIn(words, done.stderr)

    def test_bind_plugs_and_unbind_unplugs_silently(self):
        tap = self.tap(self.h, "tap0")
        _, peer = self.plugged(self.h, self.bridge, "peer0")
        self.assert_silent_success("--bind-port", self.port, "tap0")
        self.h.wait_state(self.port, "active")
        self.assert_passes(tap, peer)
        self.assert_silent_success("--bind-port", self.port, "tap0")  # the compute service binds again
        self.assert_passes(peer, tap)
        for _ in range(3):  # ... and unbinds up to three times
            self.assert_silent_success("--unbind-port", self.port)
        self.h.wait_state(self.port, "unbound")
        wait_until(lambda: self.h.closed("tap0"), what="the tap is closed")
        self.assert_blocked(peer, tap)

    def test_it_loads_nothing_but_the_c_library(self):
        """Every library costs each call its time: mm-ctl starts in a millisecond."""
        dynamic = subprocess.run(
            ["readelf", "-d", self.h.program("mm-ctl")], check=True, capture_output=True, text=True
        ).stdout
        needed = re.findall(r"\(NEEDED\).*\[(.*)\]", dynamic)
        self.assertTrue(needed, dynamic)
        for library in needed:
            self.assertRegex(library, r"^(libc|libm|ld-linux.*)\.so\.[0-9]$")

    def test_binding_to_another_tap_of_this_host_moves_the_port(self):
        first, second, third = (self.tap(self.h, f"tap{i}") for i in range(3))
        _, peer = self.plugged(self.h, self.bridge, "peer0")
        self.assert_silent_success("--bind-port", self.port, "tap0")
        self.h.wait_state(self.port, "active")
        self.assert_silent_success("--bind-port", self.port, "tap1")
        self.assert_bound_to("tap1")
        self.assert_passes(second, peer)
        self.assert_blocked(peer, first)
        other = self.h.create_port(self.bridge)
        self.assert_silent_success("--bind-port", other, "tap0")  # the first tap is free again
        self.assert_fails(3, other, "--bind-port", self.port, "tap0")  # and taken
        self.assert_bound_to("tap1")
        self.h.kill()  # without an agent mm-ctl writes the same records itself
        self.assert_silent_success("--bind-port", self.port, "tap2")
        self.assert_fails(3, other, "--bind-port", self.port, "tap0")
        self.h.start()
        self.assert_bound_to("tap2")
        self.assert_passes(third, peer)
        self.assert_blocked(peer, second)

    def assert_bound_to(self, interface):
        self.h.wait_state(self.port, "active")
        self.assertEqual(self.h.rest.get(f"/ports/{self.port}")["interfaceName"], interface)
        bound = [b["interfaceName"] for b in self.h.rest.get(f"/hosts/{self.h.id}/ports") if b["portId"] == self.port]
        self.assertEqual(bound, [interface])

    def test_bind_before_the_tap_is_there_and_unbind_after_it_is_gone(self):
        self.assert_silent_success("--bind-port", self.port, "tap0")
        self.h.wait_state(self.port, "pending-interface")
        tap = self.tap(self.h, "tap0")
        self.h.wait_state(self.port, "active")
        tap.close()
        self.assert_silent_success("--unbind-port", self.port)
        self.h.wait_state(self.port, "unbound")

    def test_failures_are_one_line_and_exit_3_and_change_nothing(self):
        self.assert_silent_success("--bind-port", self.port, "tap0")
        other = self.h.create_port(self.bridge)
        self.assert_fails(3, self.port, "--bind-port", other, "tap0")  # the message names the holder
        nobody = new_uuid()
        self.assert_fails(3, nobody, "--bind-port", nobody, "tap1")
        self.assert_fails(3, "a/b", "--bind-port", other, "a/b")
        self.assert_fails(3, "not-a-uuid", "--bind-port", "not-a-uuid", "tap1")
        self.assertEqual(self.h.port_status(other)["state"], "unbound")
        bound = self.h.rest.get(f"/hosts/{self.h.id}/ports")
        self.assertEqual([(b["portId"], b["interfaceName"]) for b in bound], [(self.port, "tap0")])

    def test_wrong_usage_is_two_lines_and_exit_1(self):
        for arguments in (
            (),
            ("--bind-port",),
            ("--bind-port", self.port),
            ("--unbind-port",),
            ("--nonsense",),
            ("--bind-port", self.port, "tap0", "more"),
        ):
            with self.subTest(arguments=arguments):
                self.assert_fails(1, "mm-ctl", *arguments)

    def test_without_an_agent_the_records_are_written_and_its_start_plugs_them(self):
        tap = self.tap(self.h, "tap0")
        _, peer = self.plugged(self.h, self.bridge, "peer0")
        self.h.kill()
        self.assert_silent_success("--bind-port", self.port, "tap0")
        self.assert_silent_success("--bind-port", self.port, "tap0")
        other = self.mm_ctl("--bind-port", new_uuid(), "tap1")
        self.assertEqual(other.returncode, 3, other.stderr)
        self.h.start()
        self.h.wait_state(self.port, "active")
        self.assert_passes(peer, tap)
        self.h.stop()
        self.assert_silent_success("--unbind-port", self.port)
        self.h.start()
        self.h.wait_state(self.port, "unbound")
        wait_until(lambda: self.h.closed("tap0"), what="the unbound tap is swept")
        self.assert_blocked(peer, tap)

    def test_without_an_agent_a_missing_host_id_exits_2(self):
        self.h.kill()
        os.unlink(self.h.host_id_file)
        done = self.mm_ctl("--bind-port", self.port, "tap0")
        self.assertEqual((done.returncode, done.stderr.count("\n")), (2, 1), done.stderr)
        self.assertFalse(os.path.exists(self.h.host_id_file))

    def test_an_agent_that_does_not_answer_holds_nobody_up_for_ever(self):
        self.h.process.popen.send_signal(19)  # SIGSTOP
        self.addCleanup(self.h.process.popen.send_signal, 18)
        since = time.monotonic()
        done = self.mm_ctl("--timeout", "1", "--bind-port", self.port, "tap0")
        self.assertEqual(done.returncode, 3, done)
        self.assertLess(time.monotonic() - since, 8)

    def test_twenty_at_once_all_succeed(self):
        ports = [self.h.create_port(self.bridge) for _ in range(20)]
        taps = [self.tap(self.h, f"tap{i}") for i in range(20)]
        argv = [self.h.program("mm-ctl"), "--socket", os.path.join(self.h.run_directory, "midolman.sock")]
        running = [
            subprocess.Popen(
                self.h.namespace.command(*argv, "--bind-port", port, tap.name),
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )
            for port, tap in zip(ports, taps)
        ]
        for process in running:
            output, _ = process.communicate(timeout=30)
            self.assertEqual((process.returncode, output), (0, b""))
        for port in ports:
            self.h.wait_state(port, "active")
        self.assert_passes(taps[0], taps[19])

    def test_the_sockets_status_names_every_port_and_its_state(self):
        self.plugged(self.h, self.bridge, "tap0")
        self.assert_silent_success("--bind-port", self.port, "tap1")
        self.h.wait_state(self.port, "pending-interface")
        text = str(self.h.agent_status())
        self.assertIn(self.port, text)
        self.assertIn("pending-interface", text)
        self.assertIn("active", text)

    def test_only_root_may_use_the_socket(self):
        path = os.path.join(self.h.run_directory, "midolman.sock")
        self.assertEqual(os.stat(path).st_mode & 0o007, 0, "others may write to the agent's socket")

    def test_another_user_is_refused_with_exit_13_and_cannot_hold_the_lock(self):
        for folder in (self.directory, self.h.directory):
            os.chmod(folder, 0o755)
        self.assertEqual(os.stat(self.h.run_directory).st_mode & 0o777, 0o700)
        self.assertEqual(os.stat(os.path.join(self.h.run_directory, "midolman.lock")).st_mode & 0o777, 0o600)
        self.assertEqual(os.stat(self.h.host_id_file).st_mode & 0o444, 0o444)
        shutil.copy(self.h.program("mm-ctl"), self.h.directory)
        nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        socket = os.path.join(self.h.run_directory, "midolman.sock")
        done = subprocess.run(
            [*nobody, os.path.join(self.h.directory, "mm-ctl"), "--socket", socket, "--bind-port", self.port, "tap0"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        self.assertEqual((done.returncode, done.stdout), (13, ""), done.stderr)
        self.assertIn("Permission denied", done.stderr)
        lock = subprocess.run(
            [*nobody, "flock", "--nonblock", self.h.run_directory + "/midolman.lock", "true"],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        self.assertIn("Permission denied", lock.stderr)


# ctest-class: over_zookeeper
class MmCtlOverZooKeeper(OverZooKeeper, MmCtl):
    test_it_loads_nothing_but_the_c_library = None  # that is of the program alone

    def test_an_agent_that_does_not_answer_holds_nobody_up_for_ever(self):
        """Its store is open to mm-ctl, too: the binding is recorded, and plugged once the agent goes on."""
        tap = self.tap(self.h, "tap0")
        _, peer = self.plugged(self.h, self.bridge, "peer0")
        self.h.process.popen.send_signal(19)  # SIGSTOP
        try:
            self.assert_silent_success("--timeout", "4", "--bind-port", self.port, "tap0")
            self.assertEqual(self.h.rest.get(f"/ports/{self.port}")["interfaceName"], "tap0")
        finally:
            self.h.process.popen.send_signal(18)
        self.h.wait_state(self.port, "active")
        self.assert_passes(peer, tap)


if __name__ == "__main__":
    main()
