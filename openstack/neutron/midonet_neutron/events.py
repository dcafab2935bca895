"""Following `GET /midonet-api/events`: what changes in the status of ports, and which hosts are alive.

`parse()` is the wire form of server-sent events. `Follower.run()` keeps one stream open for ever, resumes it where it broke
off (`Last-Event-ID`), and hands on what it says:

    port   {"portId", "hostId", "host", "state", …}   → on_port(portId, host's name, state)
    host   {"hostId", "host", "alive"}                → (nothing: a port's own status says pending-host)
    reset  the present state of everything follows
    synced that was all                               → on_synced(ports mentioned since reset, or None after a mere resume)

An event says «look again»: the follower's callers read the port's record before they change anything.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from oslo_log import log as logging

from midonet_neutron.rest import RestClient, RestError

LOG = logging.getLogger(__name__)

PATH = "/events"
BACKOFF_MIN = 0.2
BACKOFF_MAX = 10.0


class Event(NamedTuple):
    """One message of the stream."""

    id: str | None
    name: str
    data: str


def parse(chunks: Iterable[bytes]) -> Iterator[Event]:
    """The messages in a stream of bytes, cut anywhere. A message that was not ended by an empty line is dropped."""
    pending = b""
    event_id: str | None = None
    name = "message"
    data: list[str] = []
    for chunk in chunks:
        pending += chunk
        *lines, pending = pending.split(b"\n")
        for raw in lines:
            line = raw.rstrip(b"\r").decode("utf-8", "replace")
            if not line:
                if data:
                    yield Event(event_id, name, "\n".join(data))
                name, data = "message", []
                continue
            field, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if field == "id":
                event_id = value
            elif field == "event":
                name = value
            elif field == "data":
                data.append(value)


class Follower:
    """See the head of the file. Runs in one (green) thread; its callbacks must not block for long and not raise."""

    def __init__(
        self,
        client: RestClient,
        on_port: Callable[[str, str, str], None],
        on_synced: Callable[[dict[str, tuple[str, str]] | None], None],
    ) -> None:
        self._client = client
        self._on_port = on_port
        self._on_synced = on_synced
        self._last_id: str | None = None
        self._snapshot: dict[str, tuple[str, str]] | None = None
        self._stopped = False

    def stop(self) -> None:
        """No new stream is opened after this one."""
        self._stopped = True

    def run(self) -> None:
        """Follows until stopped."""
        wait = BACKOFF_MIN
        while not self._stopped:
            began = time.monotonic()
            try:
                for event in parse(self._client.stream(PATH, self._last_id)):
                    self._take(event)
                    if self._stopped:
                        return
                LOG.info("the stream of statuses was ended by the server")
            except RestError as error:
                LOG.warning("the stream of statuses: %s", error)
            except Exception:
                LOG.exception("the stream of statuses: not understood")
                self._last_id = None
            # A snapshot that was cut off says nothing of what it did not mention, and its ids are no place to go on from.
            if self._snapshot is not None:
                self._snapshot, self._last_id = None, None
            wait = BACKOFF_MIN if time.monotonic() - began > BACKOFF_MAX else min(BACKOFF_MAX, wait * 2)
            time.sleep(wait)

    def _take(self, event: Event) -> None:
        if event.name == "reset":
            self._snapshot = {}
        elif event.name == "synced":
            snapshot, self._snapshot = self._snapshot, None
            self._on_synced(snapshot)
        elif event.name == "port":
            said = json.loads(event.data)
            port_id, host, state = said["portId"], said["host"] or "", said["state"]
            if self._snapshot is None:
                self._on_port(port_id, host, state)
            elif state == "unbound":
                # Of a move, the new place may have been mentioned before the old one is said to be empty.
                if self._snapshot.get(port_id, ("", ""))[0] == host:
                    del self._snapshot[port_id]
            else:
                self._snapshot[port_id] = (host, state)
        if event.id is not None:
            self._last_id = event.id
