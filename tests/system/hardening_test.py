#!/usr/bin/python3
"""What limits the harm of another user of the host: the modes of the files that the programs make."""

import os
import re
import stat

from bed import SystemTest, main


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
