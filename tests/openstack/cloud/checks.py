"""What must hold after every step: Neutron, our API and the kernels of the hosts say the same, and nothing is there that
nobody wants."""

from __future__ import annotations

from typing import TYPE_CHECKING

from process import wait_until
from vm import Vm, tap_of

if TYPE_CHECKING:
    from cloud import Cloud

# For all parts to agree, on a loaded machine.
SECONDS = 300


class Disagreement(Exception):
    """One sentence for each thing that is not as it should be."""


def expect(wrong: list[str], okay: bool, what: str) -> None:
    if not okay:
        wrong.append(what)


def agree(cloud: Cloud, vms: list[Vm]) -> None:
    """Until all is as it should be with these VMs; else what is not."""
    last: list[str] = []

    def right() -> bool:
        last[:] = differences(cloud, vms)
        return not last

    try:
        wait_until(right, SECONDS, interval=0.3)
    except AssertionError:
        raise Disagreement(f"after {SECONDS} s still:\n  " + "\n  ".join(last)) from None


def differences(cloud: Cloud, vms: list[Vm]) -> list[str]:
    """Sentences; none when all is well."""
    wrong: list[str] = []
    for machine in cloud.machines:
        machine.must_run()
    _ports(cloud, vms, wrong)
    _records(cloud, wrong)
    for host in cloud.hosts:
        _host(cloud, host, [vm for vm in vms if vm.host is host], wrong)
    return wrong


def _ports(cloud: Cloud, vms: list[Vm], wrong: list[str]) -> None:
    """Each VM's ports: Neutron's status, our status, and the binding in both."""
    for vm in vms:
        for interface, port in vm.ports.items():
            theirs = cloud.openstack.port(port)
            ours = cloud.midonet.get(f"/ports/{port}")
            name = f"{vm.name}'s {interface} ({port})"
            expect(
                wrong, theirs["binding:vif_type"] == "midonet", f"{name}: Neutron's vif_type is {theirs['binding:vif_type']}"
            )
            expect(wrong, theirs["binding:host_id"] == vm.host.name, f"{name}: Neutron has it on {theirs['binding:host_id']}")
            expect(
                wrong,
                list(cloud.openstack.bindings(port)) == [vm.host.name],
                f"{name}: Neutron's bindings are {cloud.openstack.bindings(port)}",
            )
            wanted = "ACTIVE" if vm.runs else "DOWN"
            expect(wrong, theirs["status"] == wanted, f"{name}: {theirs['status']} in Neutron, not {wanted}")
            wanted = "active" if vm.runs else "pending-interface"
            status = ours["status"]
            expect(
                wrong, status["state"] == wanted, f"{name}: {status['state']} in our API, not {wanted} ({status['reason']})"
            )
            expect(wrong, ours["hostId"] == vm.host.agent.id, f"{name}: our API has it on host {ours['hostId']}")
            expect(wrong, ours["interfaceName"] == tap_of(port), f"{name}: our API has it on {ours['interfaceName']}")
            expect(wrong, ours["macAddress"] == theirs["mac_address"], f"{name}: {ours['macAddress']} in our API")


def _records(cloud: Cloud, wrong: list[str]) -> None:
    """Neutron's networks and ports are our bridges and ports, no more, no fewer."""
    theirs = {network["id"] for network in cloud.openstack.call("network", "GET", "/networks")["networks"]}
    ours = {bridge["id"] for bridge in cloud.midonet.get("/bridges")}
    expect(wrong, theirs == ours, f"networks without a bridge: {theirs - ours}; bridges without a network: {ours - theirs}")
    theirs = {port["id"] for port in cloud.openstack.ports()}
    ours = {port["id"] for port in cloud.midonet.get("/ports")}
    expect(wrong, theirs == ours, f"ports without a record of ours: {theirs - ours}; of ours alone: {ours - theirs}")


def _host(cloud: Cloud, host, vms: list[Vm], wrong: list[str]) -> None:
    """What the host has is what these VMs need."""
    wanted = {vm.id for vm in vms}
    expect(wrong, host.domains() == wanted, f"{host.name}: libvirt has the domains {host.domains()}, not {wanted}")
    ports = {port for vm in vms for port in vm.ports.values()}
    bound = {binding["portId"] for binding in cloud.midonet.get(f"/hosts/{host.agent.id}/ports")}
    expect(wrong, bound == ports, f"{host.name}: bound there are {bound}, not {ports}")
    taps = {tap_of(port) for vm in vms if vm.runs for port in vm.ports.values()}
    expect(wrong, host.taps() == taps, f"{host.name}: there are the taps {host.taps()}, not {taps}")
    for tap in taps & host.taps():
        hooks = host.hooks(tap)
        expect(wrong, "from_tap" in hooks and "to_tap" in hooks, f"{host.name}: {tap} does not have both of our hooks")
