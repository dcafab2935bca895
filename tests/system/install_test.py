#!/usr/bin/python3
"""tools/install, with programs of the test's own in the place of apt's: nothing of this machine is changed."""

import os
import shutil
import subprocess
import textwrap

from bed import TOP, SystemTest, main

# Prints what it depends on, and the rest a moment later, as apt-cache may.
APT_CACHE = """
    echo real-package
    echo "  Depends: <virtual>"
    echo "  Depends: libc6"
    sleep 0.2
    echo "  Depends: libssl3"
    echo "  Suggests: another"
"""
APT_GET = """
    case "$*" in *" download "*)
      mkdir -p made/DEBIAN made/usr/share/thing
      printf 'Package: thing\\nVersion: 1\\nArchitecture: all\\nMaintainer: a <a@example.org>\\nDescription: a\\n' >made/DEBIAN/control
      echo wanted >made/usr/share/thing/wanted
      echo other >made/usr/share/thing/other
      dpkg-deb --build made thing.deb
    esac
"""


class Install(SystemTest):
    def setUp(self):
        super().setUp()
        os.mkdir(f"{self.directory}/tools")
        shutil.copy(f"{TOP}/tools/install", f"{self.directory}/tools")
        os.mkdir(f"{self.directory}/bin")
        self.program("apt-get", APT_GET)
        with open(f"{self.directory}/list", "w", encoding="ascii") as file:
            file.write("unpack thing usr/share/thing/wanted\n")

    def program(self, name, text):
        path = f"{self.directory}/bin/{name}"
        with open(os.open(path, os.O_WRONLY | os.O_CREAT, 0o755), "w", encoding="ascii") as file:
            file.write("#!/bin/sh -e\n" + textwrap.dedent(text))

    def install(self):
        done = subprocess.run(
            [f"{self.directory}/tools/install", f"{self.directory}/list"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env=os.environ | {"PATH": f"{self.directory}/bin:{os.environ['PATH']}"},
        )
        self.assertEqual((done.returncode, done.stderr), (0, ""), done.stdout)
        return done.stdout

    def test_a_package_is_unpacked_however_slowly_apt_says_what_it_depends_on(self):
        self.program("apt-cache", APT_CACHE)
        self.assertIn("unpacked thing below build/packages/thing", self.install())
        self.assertEqual(os.listdir(f"{self.directory}/build/packages/thing/usr/share/thing"), ["wanted"])
        self.assertIn("all 1 are there", self.install())


if __name__ == "__main__":
    main()
