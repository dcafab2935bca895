"""The bed of the OpenStack tests: that of the system tests (tests/system), and what of OpenStack has to be on the machine. A
test file is as there, but for the first import, of this module, which makes theirs found."""

import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "system"))

# pylint: disable=wrong-import-position
from bed import main, new_uuid, wait_until
from cluster_bed import ClusterTest

__all__ = ["OpenStackTest", "main", "new_uuid", "wait_until"]


class OpenStackTest(ClusterTest):
    """`needs` are files of packages that are in packages.txt: (path, package)."""
    needs = ()

    @classmethod
    def setUpClass(cls):
        missing = [f"{path} (package {package})" for path, package in cls.needs if not os.path.exists(path)]
        if missing:
            raise unittest.SkipTest(f"not installed: {', '.join(missing)}; tools/install tests/openstack/packages.txt")
        super().setUpClass()
