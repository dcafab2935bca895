"""The network between the hosts of a bed: a Linux bridge in a namespace of its own. What is connected to it has `eth0` there,
with the n-th address of each family; the bridge knows nothing of the overlay."""

import select
import socket
import struct

from namespace import Namespace

VXLAN_PORT = 4789


def ipv4(number):
    return f"172.30.0.{number}"


def ipv6(number):
    return f"fd30::{number:x}"


class Underlay:
    def __init__(self, name, mtu=1600, ledger=None):
        self.mtu = mtu
        self.namespace = Namespace(name, ledger)
        self.namespace.ip("link", "add", "name", "br0", "type", "bridge", "mcast_snooping", "0")
        self.namespace.ip("link", "set", "br0", "mtu", mtu, "up")

    def remove(self):
        self.namespace.remove()

    def connect(self, namespace, number, port, more=()):
        """`eth0` in the namespace, with the addresses of `number` (and of all in `more`); `port` is its name at the bridge."""
        self.namespace.ip(
            "link",
            "add",
            "name",
            port,
            "mtu",
            self.mtu,
            "type",
            "veth",
            "peer",
            "name",
            "eth0",
            "mtu",
            self.mtu,
            "netns",
            namespace.name,
        )
        self.namespace.ip("link", "set", port, "master", "br0", "up")
        namespace.allow_ipv6("eth0")
        for each in (number, *more):
            namespace.ip("addr", "add", f"{ipv4(each)}/24", "dev", "eth0")
            namespace.ip("addr", "add", f"{ipv6(each)}/64", "dev", "eth0", "nodad")
        namespace.ip("link", "set", "eth0", "up")

    def disconnect(self, port):
        self.namespace.ip("link", "del", port, check=False)


class Capture:
    """Hears what passes the underlay interface of a host from now on, and counts tunnel packets."""

    def __init__(self, namespace, interface="eth0", udp_port=VXLAN_PORT):
        self.udp_port = udp_port
        with namespace.entered():
            self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))  # ETH_P_ALL
            self.socket.setsockopt(socket.SOL_SOCKET, 33, 64 << 20)  # SO_RCVBUFFORCE
            self.socket.bind((interface, 3))

    def close(self):
        self.socket.close()

    def packets(self):
        """The tunnel packets since the last call: (outgoing?, outer source, outer destination, VNI, inner frame)."""
        found = []
        readable = select.poll()
        readable.register(self.socket, select.POLLIN)
        while readable.poll(0):
            raw, where = self.socket.recvfrom(70000)
            parsed = self._parse(raw)
            if parsed:
                found.append((where[2] == 4, *parsed))  # PACKET_OUTGOING
        return found

    def _parse(self, raw):
        (ethertype,) = struct.unpack("!H", raw[12:14])
        if ethertype == 0x0800 and raw[23] == socket.IPPROTO_UDP:
            family, addresses, udp = socket.AF_INET, (raw[26:30], raw[30:34]), raw[14 + (raw[14] & 15) * 4 :]
        elif ethertype == 0x86DD and raw[20] == socket.IPPROTO_UDP:
            family, addresses, udp = socket.AF_INET6, (raw[22:38], raw[38:54]), raw[54:]
        else:
            return None
        if struct.unpack("!H", udp[2:4])[0] != self.udp_port:
            return None
        source, destination = (socket.inet_ntop(family, address) for address in addresses)
        return source, destination, int.from_bytes(udp[12:15], "big"), udp[16:]
