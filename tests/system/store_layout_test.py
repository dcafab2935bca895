#!/usr/bin/python3
"""docs/store-layout.md against a running cloud: every node that stands in ZooKeeper is in the document with its keys, and every
node and key of the document stands there."""

import json
import os
import re
import shutil

from bed import TOP, frame, main, wait_until
from cluster import Api
from cluster_bed import ClusterTest

DOCUMENT = os.path.join(TOP, "docs/store-layout.md")
ID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
# What stands for what in paths; also keys that are no words: ids, MAC addresses, paths.
NAMES = {
    "b": ID,
    "p": ID,
    "h": ID,
    "z": ID,
    "n": r"\d+",
    "vni": r"\d+",
    "mac": r"[0-9a-f:]{17}",
    "ip": r"[0-9a-f.:]+",
    "name": r"[^/]+",
}
NO_WORD = re.compile(rf"{ID}|[0-9a-f:]{{17}}|/.*")
WORD = re.compile(r"`([A-Za-z_]+)`")


class Document:
    def __init__(self):
        with open(DOCUMENT, encoding="utf-8") as file:
            text = file.read()
        self.ephemeral = {}  # pattern -> whether it is
        self._read_tree(text.split("```")[1])
        self.keys = {}  # pattern -> keys that must be seen
        self.allowed = {}  # pattern -> keys that may be
        for section in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
            self._read_section(section)

    def _read_tree(self, tree):
        parents = []
        for line in filter(str.strip, tree.splitlines()):
            depth = (len(line) - len(line.lstrip())) // 4
            name, *what = line.split()
            parents[depth:] = [name]
            self.ephemeral["".join(parents)] = what[:1] == ["E"]

    def _read_section(self, section):
        words = set(WORD.findall(section))
        last, in_keys = None, False
        for line in section.splitlines():
            cells = [cell.strip() for cell in line.strip("|").split("|")] if line.startswith("|") else []
            if cells[:2] == ["key", "what"]:
                in_keys = True
            elif in_keys and len(cells) == 2 and last:
                self.keys[last] |= set(WORD.findall(cells[0]))
            elif found := cells and re.match(r"`(/[^`]*)`", cells[0]):
                last = found[1]
                self.keys[last] = set(WORD.findall(re.sub(r"\(.*?\)", "", cells[1])))
                self.allowed[last] = words
            if not cells:
                in_keys = False

    def pattern(self, path):
        """The node's pattern in the document; None for what is not there."""
        for pattern in sorted(self.ephemeral, key=lambda one: one.count("<")):
            if re.fullmatch(re.sub(r"<(\w+)>", lambda name: NAMES[name[1]], pattern), path):
                return pattern
        return None

    def is_folder(self, path):
        parts = path.count("/")
        return any(self.pattern_prefix(pattern, parts, path) for pattern in self.ephemeral)

    @staticmethod
    def pattern_prefix(pattern, parts, path):
        prefix = "/".join(pattern.split("/")[: parts + 1])
        return prefix != pattern and re.fullmatch(re.sub(r"<(\w+)>", lambda name: NAMES[name[1]], prefix), path)


def keys_of(value):
    if isinstance(value, list):
        return set().union(*map(keys_of, value))
    if not isinstance(value, dict):
        return set()
    return {key for key in value if not NO_WORD.fullmatch(key)} | set().union(*map(keys_of, value.values()))


# ctest-class: layout RESOURCE_LOCK cluster
class Layout(ClusterTest):
    @classmethod
    def prepare(cls):
        cluster = cls.new_cluster(servers=1)
        for _ in range(2):
            cluster.add_host()
        cluster.start_store()
        cluster.start_apis()
        cluster.start_hosts()
        cluster.zone()

    def nodes(self):
        """{path below the root: (value, ephemeral)}"""
        found = {}

        def read(client, path):
            value, stat = client.get(path)
            below = path.removeprefix("/midonet")
            found[below] = (value.decode(), stat.owner != 0)
            for child in client.list(path):
                read(client, f"{path}/{child}")

        with self.cluster.zookeeper.client() as client:
            read(client, "/midonet")
        return found

    def fill(self):
        """Something of everything: a port that moves between hosts, one that learns, one whose tap is down, hand-made entries, a
        second agent of a host, a login."""
        one, two = self.hosts
        bridge = one.create_bridge()
        moving = one.create_port(
            bridge,
            macAddress=frame.guest_mac(1),
            fixedIps=[{"ipAddress": "10.0.0.1"}],
            allowedAddressPairs=[{"ipAddress": "10.0.0.9"}],
        )
        learning = one.create_port(bridge)
        down = one.create_port(bridge, macAddress=frame.guest_mac(3))
        taps = [self.tap(one, f"tap{number}") for number in range(3)]
        self.tap(two, "tap0")
        for port, name in ((moving, "tap0"), (learning, "tap1")):
            self.assertEqual(one.attach(port, name, wait=10)["state"], "active")
        one.namespace.ip("link", "set", "tap2", "down")
        one.attach(down, "tap2", wait=0)
        taps[1].send(frame.BROADCAST, b"here I am")
        self.assertEqual(two.mm_ctl("--bind-port", moving, "tap0").returncode, 0)
        entry = {"macAddr": "02:00:00:00:00:77", "portId": down}
        one.rest.expect(201, "POST", f"/bridges/{bridge}/mac_table", entry)
        one.rest.expect(201, "POST", f"/bridges/{bridge}/arp_table", {"ip": "10.0.0.77", "mac": "02:00:00:00:00:77"})

        copy = self.cluster.add_host()
        shutil.copy(one.host_id_file, copy.host_id_file)
        copy.start(wait=False)
        users = os.path.join(self.directory, "users")
        with open(os.open(users, os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="ascii") as file:
            file.write("operator:$6$salt$" + "x" * 86 + "\n")
        asking = Api(self.cluster, 1)
        self.addCleanup(asking.close)
        asking.start("--auth", "users", "--users-file", users)

    def test_the_document_has_what_stands_in_the_store_and_nothing_else(self):
        self.fill()
        document = Document()

        def complete():
            seen = {}
            for path, (value, _) in self.nodes().items():
                pattern = document.pattern(path)
                if pattern and value:
                    seen.setdefault(pattern, set()).update(keys_of(json.loads(value)))
                elif pattern:
                    seen.setdefault(pattern, set())
            missing = [pattern for pattern in document.ephemeral if pattern not in seen]
            missing += [
                f"{pattern}: {key}" for pattern, keys in document.keys.items() for key in keys - seen.get(pattern, set())
            ]
            self.missing = sorted(missing)
            return not missing

        try:
            wait_until(complete, 20, "all that the document names stands in the store", interval=0.2)
        except AssertionError as error:
            raise AssertionError(f"{error}: not seen are {self.missing}") from error
        for path, (value, ephemeral) in self.nodes().items():
            pattern = document.pattern(path)
            if pattern is None:
                self.assertTrue(
                    path == "" or (value == "" and document.is_folder(path)), f"{path} = {value} is not in the document"
                )
                continue
            self.assertEqual(ephemeral, document.ephemeral[pattern], path)
            for record, content in self.records(path, value):
                row = document.allowed.get(document.pattern(record))
                self.assertIsNotNone(row, f"{record} = {content} has no row in the document")
                self.assertFalse(keys_of(content) - row, f"{record} in {path} has keys that the document does not name")

    @staticmethod
    def records(path, value):
        """(path, value) of what a node holds: itself, and the copies of other records that a hint is."""
        content = json.loads(value) if value else {}
        copies = content.pop("latest", {}) if path.endswith(("/ports", "/hosts")) else {}
        return [(path, content)] * bool(content) + list(copies.items())


main()
