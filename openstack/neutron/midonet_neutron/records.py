"""What Neutron's networks and ports are at the REST server: bridges and their exterior ports.

Pure functions. The fields named here are Neutron's to say: they are sent whole with every POST and PUT, and compared by
a resync. All other fields of a record (the binding, the VNI, filters) are left alone. A network's segmentation id is not
the VNI of the bridge: that one is drawn by the REST server.
"""

from __future__ import annotations

import uuid
from typing import Any

from neutron_lib import constants

Json = dict[str, Any]

NETWORK = "network"
PORT = "port"

BRIDGE_FIELDS = ("name", "tenantId", "adminStateUp")
PORT_FIELDS = (
    "name",
    "macAddress",
    "adminStateUp",
    "vifId",
    "fixedIps",
    "allowedAddressPairs",
    "securityGroupIds",
    "portSecurityEnabled",
)


def _uuid_or_none(text: str | None) -> str | None:
    try:
        return str(uuid.UUID(text)) if text else None
    except ValueError:
        return None


def bridge_of(network: Json) -> Json:
    """The bridge that a Neutron network is."""
    return {
        "id": network["id"],
        "name": network.get("name") or "",
        "tenantId": network.get("project_id") or network.get("tenant_id") or "",
        "adminStateUp": bool(network.get("admin_state_up", True)),
    }


def port_of(port: Json) -> Json:
    """The exterior port that a Neutron port is. Lists are sorted, so that two of them can be compared."""
    pairs = [
        {
            "ipAddress": str(pair["ip_address"]),
            "macAddress": str(pair["mac_address"]).lower() if pair.get("mac_address") else None,
        }
        for pair in port.get("allowed_address_pairs") or []
    ]
    ips = [{"subnetId": ip.get("subnet_id"), "ipAddress": str(ip["ip_address"])} for ip in port.get("fixed_ips") or []]
    return {
        "id": port["id"],
        "name": port.get("name") or "",
        "macAddress": str(port["mac_address"]).lower(),
        "adminStateUp": bool(port.get("admin_state_up", True)),
        "vifId": _uuid_or_none(port.get("device_id")),
        "fixedIps": sorted(ips, key=_pair_key),
        "allowedAddressPairs": sorted(pairs, key=_pair_key),
        "securityGroupIds": sorted(port.get("security_groups") or []),
        "portSecurityEnabled": is_secured(port),
    }


def is_secured(port: Json) -> bool:
    """Whether the port's guest may send from its own addresses alone. Neutron without the extension port_security says nothing of it:
    then ports of its own services are trusted, which answer DHCP and route for others, and all others are secured."""
    trusted = str(port.get("device_owner") or "").startswith(constants.DEVICE_OWNER_NETWORK_PREFIX)
    return bool(port.get("port_security_enabled", not trusted))


def asks_for_groups(port: Json) -> bool:
    """Whether the port asks for rules that its security groups have."""
    return bool(is_secured(port) and port.get("security_groups"))


def _pair_key(entry: Json) -> tuple[str, str]:
    return entry["ipAddress"], str(entry.get("subnetId") or entry.get("macAddress") or "")


def _normal(field: str, value: Any) -> Any:
    """A value as the REST server gives it back, in the form of the functions above."""
    if field in ("fixedIps", "allowedAddressPairs"):
        keys = ("subnetId", "ipAddress") if field == "fixedIps" else ("ipAddress", "macAddress")
        return sorted(({key: entry.get(key) for key in keys} for entry in value or []), key=_pair_key)
    if field == "securityGroupIds":
        return sorted(value or [])
    if field in ("name", "tenantId"):
        return value or ""
    if field == "macAddress":
        return value.lower() if value else value
    return value


def differences(kind: str, wanted: Json, actual: Json) -> list[str]:
    """The fields in which a record at the REST server is not what Neutron wants."""
    fields = BRIDGE_FIELDS if kind == NETWORK else PORT_FIELDS
    return [field for field in fields if _normal(field, actual.get(field)) != wanted[field]]
