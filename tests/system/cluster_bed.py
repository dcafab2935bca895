"""System tests of many hosts. The tests of one class share a cluster, which is made once:

    # ctest-class: overlay RESOURCE_LOCK cluster
    class Overlay(ClusterTest):
        @classmethod
        def prepare(cls):
            cls.cluster = cls.new_cluster(servers=1)
            ...

So all of a class is one ctest test. What one test makes in the cluster it takes away again.
"""

import contextlib
import itertools
import os
import shutil
import signal
import sys
import tempfile
import time
import unittest

import bed
import frame
import zookeeper
from bed import SystemTest
from cluster import Cluster


class ClusterTest(SystemTest):
    @classmethod
    def setUpClass(cls):
        reason = bed.missing() or zookeeper.missing()
        if reason:
            raise unittest.SkipTest(reason)
        cls.shared = contextlib.ExitStack()
        cls.addClassCleanup(cls.shared.close)
        cls.cluster = None
        signal.alarm(bed.TEST_SECONDS)
        since = time.monotonic()
        try:
            cls.prepare()
        except BaseException:
            if cls.cluster:
                show_cluster(cls.cluster)
            raise
        finally:
            signal.alarm(0)
        print(f"the bed is ready after {time.monotonic() - since:.1f} s", file=sys.stderr)

    @classmethod
    def prepare(cls):
        """Makes what the tests of the class share."""
        raise NotImplementedError

    @classmethod
    def new_cluster(cls, **options):
        directory = tempfile.mkdtemp(prefix="midonet-")
        cls.shared.callback(shutil.rmtree, directory, ignore_errors=True)
        cls.macs = itertools.count(1000)
        cls.cluster = Cluster(bed.BIN, directory, **options)
        cls.shared.callback(cls.cluster.close)
        return cls.cluster

    def setUp(self):
        super().setUp()
        self.hosts = list(self.cluster.hosts)

    def tap(self, host, name, mac=None, **more):
        """As on one host, with an address that no other tap of the cluster has."""
        return super().tap(host, name, mac or frame.guest_mac(next(self.macs)), **more)

    def show_more(self):
        show_cluster(self.cluster)


def show_cluster(cluster):
    """For a failure: the ends of the logs that a single host's test does not have."""
    logs = [host.log for host in cluster.hosts] + [api.log for api in cluster.apis]
    for log in logs + [server.log for server in cluster.zookeeper.servers]:
        if os.path.exists(log):
            with open(log, encoding="utf-8", errors="replace") as file:
                print(f"---- {log}:\n{file.read()[-4000:]}", file=sys.stderr)
    for server in cluster.zookeeper.servers:
        print(f"---- ZooKeeper {server.number}: {server.mode() or 'does not serve'}", file=sys.stderr)
