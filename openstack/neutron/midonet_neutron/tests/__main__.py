"""Runs the tests of this folder, or of the modules named: `/usr/bin/python3 -m midonet_neutron.tests [test_driver …]`.
Exits with 77 when all that is missing is Neutron, or the right to make namespaces, and says so."""

import sys
import unittest

from midonet_neutron.tests import base

PACKAGE = "midonet_neutron.tests"


def main() -> int:
    """The exit status."""
    if base.MISSING:
        print(f"skipped: {base.MISSING}")
        return 77
    loader = unittest.defaultTestLoader
    names = [f"{PACKAGE}.{name}" for name in sys.argv[1:]]
    suite = (
        loader.loadTestsFromNames(names)
        if names
        else loader.discover(base.PACKAGE + "/midonet_neutron/tests", top_level_dir=base.PACKAGE)
    )
    # What is logged is shown for a test that fails.
    result = unittest.TextTestRunner(verbosity=2, buffer=True).run(suite)
    if result.wasSuccessful() and len(result.skipped) == result.testsRun:
        for _, reason in result.skipped[:1]:
            print(f"skipped: {reason}")
        return 77
    return 0 if result.wasSuccessful() else 1


sys.exit(main())
