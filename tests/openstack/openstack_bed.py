"""The bed of the OpenStack tests: that of the system tests (tests/system), and what of OpenStack has to be on the machine. A
test file is as there, but for the first import, of this module, which makes theirs found."""

import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "system"))

# pylint: disable=wrong-import-position
import bed
from bed import main, new_uuid, wait_until
from cluster_bed import ClusterTest

__all__ = ["OpenStackTest", "main", "new_uuid", "wait_until"]

bed.TEST_SECONDS = 600  # a test, or the preparation of a class: interpreters and guests start slowly on a busy machine


class OpenStackTest(ClusterTest):
    """`needs` are files of packages that are in packages.txt: (path, package)."""

    needs: tuple[tuple[str, str], ...] = ()

    @classmethod
    def setUpClass(cls):
        if reason := cls.missing():
            raise unittest.SkipTest(f"{reason}; tools/install tests/openstack/packages.txt")
        super().setUpClass()

    @classmethod
    def new_cluster(cls, **options):
        # Nothing here waits for sessions to end, and on a busy machine short ones end by themselves.
        return super().new_cluster(**{"session_ms": 8000, **options})

    @classmethod
    def missing(cls):
        """Why the tests of this class cannot run here, or None."""
        missing = [f"{path} (package {package})" for path, package in cls.needs if not os.path.exists(path)]
        return f"not installed: {', '.join(missing)}" if missing else None
