#!/usr/bin/python3
"""What limits the harm of a memory error or of another user of the host: how the programs were linked and compiled, and the
modes of the files that they make."""

import json
import os
import re
import stat
import subprocess
import unittest

from bed import BIN, SystemTest, main

PROGRAMS = ("midolman", "midonet-api", "midonet", "mm-ctl")


def readelf(program, *options):
    return subprocess.run(
        ["readelf", "-W", *options, os.path.join(BIN, program)], capture_output=True, text=True, check=True
    ).stdout


class Binaries(unittest.TestCase):
    def setUp(self):
        if "__asan_init" in readelf("midolman", "--dyn-syms"):
            self.skipTest("these programs are built with sanitizers")

    def assert_each(self, options, *patterns):
        for program in PROGRAMS:
            text = readelf(program, *options)
            missing = [pattern for pattern in patterns if not re.search(pattern, text)]
            self.assertEqual(missing, [], f"of {program} readelf {' '.join(options)} does not say so")

    def test_the_programs_are_loaded_at_a_random_address(self):
        self.assert_each(("--file-header", "--dynamic"), r"Type:\s+DYN", r"FLAGS_1\).*\bPIE\b")

    def test_the_linkers_tables_are_read_only_before_the_program_runs(self):
        self.assert_each(("--program-headers", "--dynamic"), r"\bGNU_RELRO\b", r"FLAGS_1\).*\bNOW\b")

    def test_no_memory_is_writable_and_executable(self):
        for program in PROGRAMS:
            flags = re.findall(
                r"^\s+(?:LOAD|GNU_STACK)\s+(?:0x\S+\s+){5}([RWE ]{3})", readelf(program, "--program-headers"), re.MULTILINE
            )
            self.assertGreater(len(flags), 3, program)
            self.assertEqual([each for each in flags if "W" in each and "E" in each], [], program)

    def test_mm_ctl_loads_the_c_library_alone(self):
        # Each library more is a millisecond or so of each call.
        needed = re.findall(r"\(NEEDED\).*\[([a-z-]+)", readelf("mm-ctl", "--dynamic"))
        self.assertEqual(set(needed) - {"libc", "libm", "ld-linux-x"}, set())

    def test_stack_frames_are_guarded(self):
        self.assert_each(("--dyn-syms",), "__stack_chk_fail@")

    def test_calls_of_the_c_library_are_checked(self):
        # Where the compiler proves that a call is right, it leaves the check out: the programs need not have any.
        with open(os.path.join(os.path.dirname(BIN), "compile_commands.json"), encoding="utf-8") as file:
            commands = [each["command"] for each in json.load(file) if each["file"].endswith((".cc", ".cxx"))]
        self.assertGreater(len(commands), 10)
        self.assertEqual([each for each in commands if "-D_FORTIFY_SOURCE=" not in each], [])


class Files(SystemTest):
    def setUp(self):
        super().setUp()
        self.addCleanup(os.umask, os.umask(0))
        self.host_of_test = self.host(start=False)

    def umask(self):
        with open(f"/proc/{self.host_of_test.process.pid}/status", encoding="ascii", errors="replace") as file:
            return int(re.search(r"^Umask:\s+(\d+)", file.read(), re.MULTILINE)[1], 8)

    def test_files_of_the_agent_are_for_its_user_alone_whatever_the_umask_was(self):
        host = self.host_of_test
        given = set(self.below(host.directory))
        host.start()
        self.assertEqual(self.umask(), 0o077)
        made = [path for path in self.below(host.directory) if path not in given and path != host.log]
        modes = {os.path.relpath(path, host.directory): stat.S_IMODE(os.lstat(path).st_mode) for path in made}
        self.assertEqual(modes.pop("host_id.properties"), 0o644, "the compute service's user reads it")
        self.assertIn("midonet.db", modes)
        self.assertIn("run/midolman.sock", modes)
        for name, mode in modes.items():
            self.assertEqual(mode & 0o077, 0, f"{name} has mode {mode:o}")

    def test_the_api_makes_files_for_its_user_alone_as_well(self):
        self.host_of_test.start_api()
        self.assertEqual(self.umask(), 0o077)

    @staticmethod
    def below(directory):
        for folder, folders, names in os.walk(directory):
            folders[:] = [each for each in folders if not os.path.ismount(os.path.join(folder, each))]
            yield from (os.path.join(folder, name) for name in folders + names)


if __name__ == "__main__":
    main()
