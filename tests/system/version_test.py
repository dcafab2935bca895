#!/usr/bin/python3
"""One number says which version this is: the file VERSION. The programs, the Neutron driver's package and CHANGELOG.md name it."""

import os
import re
import subprocess
import unittest

from bed import BIN, TOP, main

PACKAGE = os.path.join(TOP, "openstack/neutron")


def read(path):
    with open(os.path.join(TOP, path), encoding="utf-8") as file:
        return file.read()


class Version(unittest.TestCase):
    def setUp(self):
        self.version = read("VERSION").strip()
        self.assertRegex(self.version, r"^\d+\.\d+\.\d+$")

    def test_each_program_names_itself_and_the_version(self):
        for program in ("midolman", "midonet-api", "midonet", "mm-ctl"):
            with self.subTest(program):
                shown = subprocess.run(
                    [os.path.join(BIN, program), "--version"], capture_output=True, text=True, timeout=60, check=True
                )
                self.assertEqual(shown.stdout, f"{program} {self.version}\n")

    def test_the_neutron_drivers_package_has_it(self):
        try:
            from setuptools.config.pyprojecttoml import read_configuration
        except ImportError:
            self.skipTest("setuptools from 61 on is not installed")
        project = read_configuration(os.path.join(PACKAGE, "pyproject.toml"))["project"]
        self.assertEqual(project["version"].strip(), self.version)

    def test_the_changelog_begins_with_it(self):
        newest = re.search(r"^## (\S+)", read("CHANGELOG.md"), re.MULTILINE)
        self.assertEqual(newest[1], self.version)


main()
