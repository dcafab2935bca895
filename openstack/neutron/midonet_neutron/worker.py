"""The driver's process in a neutron-server: what the requests left in the journal, and the statuses of ports.

Three (green) threads and a pool:

    follower   the stream of statuses; marks ports to be looked at
    pool       looks at marked ports, each by one thread at a time, and carries their status into Neutron
    journal    rows whose time has come; all of them when the REST server is back
    resync     once at start: compares everything, and journals what differs

Every neutron-server runs one. They need not know of each other: an object of the journal is worked on by one at a
time, and comparing a status twice does nothing the second time.
"""

from __future__ import annotations

import threading
import time
from collections import deque

from neutron_lib import worker
from oslo_config import cfg
from oslo_log import log as logging

from midonet_neutron import journal, sync
from midonet_neutron.events import Follower
from midonet_neutron.reconcile import Reconciler
from midonet_neutron.rest import RestClient, RestError
from midonet_neutron.status import StatusKeeper, bound_ports

LOG = logging.getLogger(__name__)

# Rows younger than this belong to the request that wrote them.
YOUNG = 5.0
BATCH = 500
FORGET_INTERVAL = 3600.0
# So many failures in a row are not about the objects.
MANY = 5


class Marks:
    """Ports to be looked at. A port marked while it is looked at is looked at again; never by two at once."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._queue: deque[str] = deque()
        self._hosts: dict[str, set[str]] = {}
        self._busy: set[str] = set()

    def add(self, port_id: str, active_on: str | None = None) -> None:
        """Marks a port; `active_on` is a host on which it became active."""
        with self._changed:
            if port_id not in self._hosts:
                self._hosts[port_id] = set()
                if port_id not in self._busy:
                    self._queue.append(port_id)
                    self._changed.notify()
            if active_on:
                self._hosts[port_id].add(active_on)

    def take(self) -> tuple[str, set[str]]:
        """Waits for a marked port; the caller gives it back with `done`."""
        with self._changed:
            while not self._queue:
                self._changed.wait()
            port_id = self._queue.popleft()
            self._busy.add(port_id)
            return port_id, self._hosts.pop(port_id)

    def done(self, port_id: str) -> None:
        """The port was looked at."""
        with self._changed:
            self._busy.discard(port_id)
            if port_id in self._hosts:
                self._queue.append(port_id)
                self._changed.notify()


class MidonetWorker(worker.BaseWorker):
    """See the head of the file."""

    def __init__(self) -> None:
        super().__init__(worker_process_count=1, desc="midonet worker")
        self._stopped = threading.Event()
        self._follower: Follower | None = None

    # ---- what oslo.service calls

    def start(self) -> None:  # type: ignore[override]
        """Starts the threads, in the worker's process."""
        super().start(desc=self.desc)
        self._client = RestClient()
        self._keeper = StatusKeeper(self._client)
        self._reconciler = Reconciler(self._client, self._keeper.compare)
        self._marks = Marks()
        self._kick = threading.Event()
        self._follower = Follower(self._client, self._on_port, self._on_synced)
        for name, run in (
            ("follower", self._follower.run),
            ("journal", self._work_the_journal),
            ("resync", self._resync_once),
            *((f"status-{n}", self._carry_statuses) for n in range(cfg.CONF.midonet.status_threads)),
        ):
            threading.Thread(target=run, name="midonet-" + name, daemon=True).start()

    def stop(self) -> None:
        """Lets go; whatever was half done is done by the next worker."""
        self._stopped.set()
        if self._follower:
            self._follower.stop()

    def wait(self) -> None:
        """Until stopped."""
        self._stopped.wait()

    def reset(self) -> None:
        """A new configuration: nothing to do, options are read when they are used."""

    # ---- statuses

    def _on_port(self, port_id: str, host: str, state: str) -> None:
        self._marks.add(port_id, host if state == "active" else None)

    def _on_synced(self, snapshot: dict[str, tuple[str, str]] | None) -> None:
        self._kick.set()
        if snapshot is None:
            return
        ours = bound_ports()
        for port_id, port in ours.items():
            if not port.right(snapshot.get(port_id) == (port.host, "active")):
                self._marks.add(port_id)
        for port_id, (host, state) in snapshot.items():
            if state == "active" and port_id in ours and ours[port_id].host != host:
                self._marks.add(port_id, host)
        LOG.info("the stream of statuses is in step: %d ports bound there, %d here", len(snapshot), len(ours))

    def _carry_statuses(self) -> None:
        while not self._stopped.is_set():
            port_id, hosts = self._marks.take()
            try:
                # Nova first: that needs no other service, and only this mark knows of it.
                for host in list(hosts):
                    self._keeper.became_active(port_id, host)
                    hosts.remove(host)
                self._keeper.compare(port_id)
            except RestError as error:
                # Durable, so that it is not forgotten with this process.
                LOG.warning("port %s: its status is looked at later: %s", port_id, error)
                journal.enqueue(journal.Object("port", port_id), journal.STATUS)
            except Exception:
                LOG.exception("port %s: its status could not be carried into Neutron; tried again", port_id)
                time.sleep(1)
                self._marks.add(port_id)
                for host in hosts:
                    self._marks.add(port_id, host)
            finally:
                self._marks.done(port_id)

    # ---- the journal

    def _work_the_journal(self) -> None:
        everything = False
        forget_at = time.monotonic()
        while not self._stopped.is_set():
            try:
                failures = 0
                for what in journal.due(BATCH, 0.0 if everything else YOUNG, everything):
                    failures = 0 if self._reconciler.work_on(what) else failures + 1
                    if failures == MANY:
                        break  # the server is down or very busy; the rows wait, the next look comes
                if time.monotonic() > forget_at:
                    journal.forget_old()
                    forget_at = time.monotonic() + FORGET_INTERVAL
            except Exception:
                LOG.exception("the journal could not be worked on; tried again")
            everything = self._kick.wait(cfg.CONF.midonet.journal_interval)
            self._kick.clear()

    def _resync_once(self) -> None:
        wait = 1.0
        while not self._stopped.is_set():
            try:
                found = sync.compare(self._client)
                sync.enqueue(found)
                LOG.info("compared with the REST server at start: %s", found.summary())
                self._kick.set()
                return
            except RestError as error:
                LOG.warning("compare with the REST server at start: %s", error)
            except Exception:
                LOG.exception("compare with the REST server at start")
            time.sleep(wait)
            wait = min(60.0, wait * 2)
