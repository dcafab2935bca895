"""Runs the tests of one host, written for the embedded store, over a real ZooKeeper server: agent and API are then two
processes, and the server is shared by the tests of a class, each of which has a root of its own.

    # ctest-class: over_zookeeper
    class PlugOverZooKeeper(OverZooKeeper, Plug):
        ...
"""

import itertools
import signal

from bed import BIN
from cluster_bed import ClusterTest
from cluster import ClusterHost
from host import Host
from process import Process, wait_until


class OverZooKeeper(ClusterTest):
    @classmethod
    def prepare(cls):
        cls.new_cluster(servers=1).start_store()
        cls.numbers = itertools.count(1)

    def make_host(self, name):
        return SoloHost(self.cluster, self.directory, name, next(self.numbers))


class SoloHost(ClusterHost):
    """Agent and API as two processes of one namespace, which reaches the server over the underlay. What is started, stopped
    and killed is the agent; the API stays."""

    def __init__(self, cluster, directory, name, number):
        Host.__init__(self, BIN, directory, name)
        self.cluster, self.port = cluster, f"s{number}"
        self.store = cluster.zookeeper.uri(f"/test{number}")
        self.api = None
        cluster.underlay.connect(self.namespace, (number - 1) % 200 + 1, self.port)

    @property
    def api_namespace(self):
        return self.namespace

    def start(self, *more, wait=True):
        if self.api is None:
            self.start_api()
        self.process = Process(
            self.namespace.command(
                self.program("midolman"), "--store", self.store, *self.cluster.store_flags, *self.agent_flags(), *more
            ),
            self.log,
        )
        if wait:
            wait_until(self.alive_now, 15, "the host is alive")

    def start_api(self, *more):
        if self.api is None:
            self.api = Process(
                self.namespace.command(
                    self.program("midonet-api"),
                    "--store",
                    self.store,
                    *self.cluster.store_flags,
                    "--no-require-tunnel-zone",
                    *more,
                ),
                self.log + ".api",
            )
            agent, self.process = self.process, self.api
            try:
                self.wait_answering()
            finally:
                self.process = agent

    def stop(self):
        if self.process and self.process.running():
            super().stop()

    def kill(self):
        if self.process:
            super().kill()

    def close(self):
        try:
            if self.api:
                self.api.end(signal.SIGKILL)
        finally:
            super().close()
            self.cluster.underlay.disconnect(self.port)
