"""The time that each program takes: from mm-ctl until Neutron says ACTIVE, and through a live migration. Printed and summed up, never
asserted."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import watch
from compute_host import Compute
from process import wait_until
from progress import Progress
from vm import Vm, tap_of
from watch import Moment

if TYPE_CHECKING:
    from cloud import Cloud


class Timeline:
    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.events = watch.Events(cloud.controller.machine.namespace, cloud.openstack.token())
        self.links = {host.name: watch.Links(host.machine) for host in cloud.hosts}
        self.shares: list[float] = []

    def close(self) -> None:
        self.events.close()
        for each in self.links.values():
            each.close()

    def of(self, port: str, since: float) -> list[Moment]:
        """All that is known of that port, in order."""
        moments = self.events.of_port(port, since) + watch.neutron(self.cloud.controller.neutron_log(), port)
        for host in self.cloud.hosts:
            moments += watch.nova(host.machine, host.nova_log(), port)
            moments += watch.mm_ctl(host.machine, host.mm_ctl_log(), port)
            moments += watch.agent(host.machine, host.agent.service.output(), port)
            moments += self.links[host.name].of_interface(tap_of(port))
        return sorted(moment for moment in moments if moment.at >= since)

    def _plugging(self, vm: Vm, port: str, since: float) -> list[Moment]:
        """From mm-ctl's start on; waits for Neutron's last word, which may stand in its log a little later."""

        def complete() -> list[Moment]:
            moments = self.of(port, since)
            begin = next((moment for moment in moments if "begin --bind-port" in moment.what), None)
            if not begin or not any("Provisioning complete" in moment.what for moment in moments):
                return []
            return [moment for moment in moments if moment.at >= begin.at]

        return wait_until(complete, 120, f"the logs tell how {vm.name}'s port {port} became ACTIVE", interval=0.3)

    def take(self, vm: Vm, interface: str, since: float) -> float:
        """Our share in ms: mm-ctl's run; from the tap's carrier to the event; from there to the driver's word to Neutron."""
        moments = self._plugging(vm, vm.ports[interface], since)

        def first(pattern: str) -> float:
            return next(moment.at for moment in moments if re.search(pattern, f"{moment.who}: {moment.what}"))

        run = first("end --bind-port") - first("begin --bind-port")
        ready = max(first("kernel .* has a carrier"), first("end --bind-port"))
        told = first("driver: .*-> ACTIVE")
        share = (run + max(0.0, told - ready)) * 1000
        self.shares.append(share)
        return share

    def show(self, vm: Vm, interface: str, since: float, progress: Progress) -> None:
        port = vm.ports[interface]
        moments = self._plugging(vm, port, since)
        progress.note(f"{vm.name} on {vm.host.name}, port {port}, in ms from the start of mm-ctl:")
        self._print(moments, moments[0].at, port, progress)

    @staticmethod
    def _print(moments: list[Moment], zero: float, port: str, progress: Progress) -> None:
        for moment in moments:
            what = re.sub(r"^port [0-9a-f-]{36} ?", "", moment.what.replace(f"port={port} ", "").replace(port, "…"))
            progress.note(f"  {(moment.at - zero) * 1000:9.1f}  {moment.who:12} {what[:120]}")

    def show_migration(
        self, vm: Vm, source: Compute, to: Compute, since: float, ping: str, read: float, progress: Progress
    ) -> None:
        """`ping` is what the probe in the other guest said, with that guest's uptime at the moment `read`. The guest stands still
        from «Paused» on the source to «Resumed» on the destination; what the gap has beyond that is the network's, or that of a
        guest whose turn did not come: the time line says when the gap was."""
        said = dict(re.findall(r"(\w+)=(\S+)", ping))
        gap = int(said["gap_us"]) / 1000
        port = vm.ports["eth0"]
        moments = self.of(port, since) + watch.lifecycle(source.machine, source.nova_log(), vm.id, since)
        began = read - float(ping.splitlines()[-1].split()[0]) + float(said["gap_at"])
        moments += [
            Moment(began, "ping", "the last answer before the longest gap (to 0.1 s)"),
            Moment(began + gap / 1000, "ping", "the first one after it"),
        ]
        moments = sorted(moments + watch.lifecycle(to.machine, to.nova_log(), vm.id, since))
        progress.note(
            f"{vm.name} from {source.name} to {to.name}: longest gap {gap:.1f} ms, {said['lost']} of {said['sent']} lost"
        )
        progress.note("  in ms from the start of the migration:")
        self._print(moments, since, port, progress)
        stops = [moment.at for moment in moments if moment.who.endswith(source.name) and "Paused" in moment.what]
        goes = [moment.at for moment in moments if moment.who.endswith(to.name) and "Resumed" in moment.what]
        if stops and goes:
            still = (goes[-1] - stops[0]) * 1000
            progress.note(
                f"  the guest stood still for about {still:.1f} ms (as Nova heard of it), the network's part of the gap is "
                f"{max(0.0, gap - still):.1f} ms"
            )
