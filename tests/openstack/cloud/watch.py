"""Everything that this test knows of when: our stream of status changes as a client gets it, and what the logs of Nova, Neutron
and our agents say, as one list of moments."""

from __future__ import annotations

import datetime
import json
import os
import re
import signal
import socket
import threading
import time
from typing import NamedTuple

from machine import Machine
from namespace import Namespace
from process import Process

API_PORT = 8181


class Moment(NamedTuple):
    """`at` is Unix time in seconds."""

    at: float
    who: str
    what: str


class Events:
    """A client of GET /events, in a thread of its own, so that it delays nothing else."""

    def __init__(self, namespace: Namespace, token: str) -> None:
        self.seen: list[tuple[float, str, dict[str, object]]] = []
        self.ended: str | None = None
        with namespace.entered():
            self._socket = socket.create_connection(("127.0.0.1", API_PORT), timeout=30)
        self._socket.sendall(
            b"GET /midonet-api/events HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n"
            b"X-Auth-Token: " + token.encode() + b"\r\n\r\n"
        )
        self._socket.settimeout(None)
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._socket.close()

    def _read(self) -> None:
        name = ""
        try:
            # Chunk sizes and headers are lines that begin neither with `event: ` nor with `data: `.
            for raw in self._socket.makefile("rb"):
                line = raw.decode().rstrip()
                if line.startswith("event: "):
                    name = line[7:]
                elif line.startswith("data: "):
                    self.seen.append((time.time(), name, json.loads(line[6:])))
            self.ended = "the server ended it"
        except (OSError, ValueError) as error:
            self.ended = str(error)

    def of_port(self, port: str, since: float) -> list[Moment]:
        return [
            Moment(at, "event", f"{data['state']} on {data['host']}" + (f": {data['reason']}" if data.get("reason") else ""))
            for at, name, data in list(self.seen)
            if name == "port" and data.get("portId") == port and at >= since
        ]


class Links:
    """Hears what becomes of the interfaces of a machine: `ip monitor` writes each change down with its time."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self._log = os.path.join(machine.directory, "links.log")
        self._process = Process(machine.namespace.command("ip", "-ts", "monitor", "link"), self._log)

    def close(self) -> None:
        self._process.end(signal.SIGKILL)

    def of_interface(self, name: str) -> list[Moment]:
        """When it came, when a process opened it (carrier)
        , when it went; the last of each in a row."""
        moments: list[Moment] = []
        for line in self._process.output().splitlines():
            found = re.match(rf"\[(\S+?)\](?: \[\S+?\])* ?(Deleted )?\d+: {re.escape(name)}: <(\S*)>", line)
            if not found:
                continue
            what = "gone" if found[2] else "has a carrier" if "LOWER_UP" in found[3].split(",") else "there, no carrier"
            if not moments or moments[-1].what != f"{name} {what}":
                at = datetime.datetime.fromisoformat(found[1]).timestamp()
                moments.append(Moment(at, f"kernel {self.machine.name}", f"{name} {what}"))
        return moments


def _oslo(text: str, pattern: str) -> list[tuple[float, re.Match[str]]]:
    """Lines of an OpenStack log that match, with their times (local time, milliseconds)."""
    found = []
    for line in text.splitlines():
        if match := re.search(pattern, line):
            if stamp := re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+", line):
                found.append((datetime.datetime.fromisoformat(stamp[0]).timestamp(), match))
    return found


def _ours(text: str, pattern: str) -> list[tuple[float, re.Match[str]]]:
    """Lines of one of our logs that match, with their times (UTC, milliseconds)."""
    found = []
    for line in text.splitlines():
        if match := re.search(pattern, line):
            if stamp := re.match(r"(\S+)Z ", line):
                at = datetime.datetime.fromisoformat(stamp[1]).replace(tzinfo=datetime.timezone.utc)
                found.append((at.timestamp(), match))
    return found


def nova(machine: Machine, text: str, port: str) -> list[Moment]:
    """What nova-compute heard of the port from Neutron."""
    return [
        Moment(at, f"nova {machine.name}", "hears " + match[1])
        for at, match in _oslo(text, rf"Received event (network-vif-\w+)-{port}")
    ]


def mm_ctl(machine: Machine, text: str, port: str) -> list[Moment]:
    """Its runs, from the notes that compute_host.py has it make."""
    return [
        Moment(float(at), f"mm-ctl {machine.name}", f"{which} {what}")
        for at, which, what in re.findall(rf"^([\d.]+) (begin|end) (\S+ {port}.*)$", text, re.MULTILINE)
    ]


def agent(machine: Machine, text: str, port: str) -> list[Moment]:
    return [
        Moment(at, f"agent {machine.name}", match[1])
        for at, match in _ours(text, rf"(bound port={port}.*|unbound port={port}.*|port={port} .*)")
    ]


def neutron(text: str, port: str) -> list[Moment]:
    """What neutron-server and our driver in it say of the port, besides requests."""
    moments = [
        Moment(at, "neutron", match[1])
        for at, match in _oslo(
            text, rf"(Provisioning complete for port {port}.*?|Provisioning for port {port} completed by entity \w+)"
        )
    ]
    moments += [Moment(at, "driver", match[1]) for at, match in _oslo(text, rf"midonet_neutron\.\S+ .*?\] (.*{port}.*)")]
    moments += [
        Moment(at, "neutron", f"tells Nova {match[1]}")
        for at, match in _oslo(text, rf"Sending events: .*?'name': '(network-vif-\w+)'.*{port}")
    ]
    return moments


def lifecycle(machine: Machine, text: str, server: str, since: float) -> list[Moment]:
    """What nova-compute heard from libvirt about the server, and when its migration began and ended."""
    pattern = (
        rf"instance: {server}\] (VM (?:Paused|Resumed)(?= \(Lifecycle)|Plugging VIFs using destination host port bindings|"
        "About to invoke the migrate API|Migration operation has completed|Migrating instance to \\S+ finished)"
    )
    return [Moment(at, f"nova {machine.name}", match[1]) for at, match in _oslo(text, pattern) if at >= since]
