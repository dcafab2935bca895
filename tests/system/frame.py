"""Ethernet frames for tests: made, and taken apart."""

import socket
import struct

BROADCAST = "ff:ff:ff:ff:ff:ff"
TEST_ETHERTYPE = 0x88B5  # IEEE 802 local experimental: nothing else on the wire uses it
ARP = 0x0806


def mac_bytes(mac):
    return bytes.fromhex(mac.replace(":", ""))


def mac_text(raw):
    return ":".join(f"{byte:02x}" for byte in raw)


def guest_mac(number):
    """A locally administered unicast address for the n-th guest."""
    return f"02:00:00:00:{number >> 8 & 255:02x}:{number & 255:02x}"


def ethernet(to, source, payload, ethertype=TEST_ETHERTYPE):
    return mac_bytes(to) + mac_bytes(source) + struct.pack("!H", ethertype) + payload.ljust(46, b"\0")


def arp_request(source_mac, source_ip, target_ip):
    """Who has target_ip? RFC 826, broadcast."""
    body = struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1) + mac_bytes(source_mac) + socket.inet_aton(source_ip)
    return ethernet(BROADCAST, source_mac, body + bytes(6) + socket.inet_aton(target_ip), ARP)


class Frame:
    def __init__(self, raw):
        self.raw = raw
        self.to, self.source = mac_text(raw[0:6]), mac_text(raw[6:12])
        (self.ethertype,) = struct.unpack("!H", raw[12:14])
        self.payload = raw[14:]

    def __repr__(self):
        return f"<{self.source} -> {self.to} type {self.ethertype:#06x} {self.payload[:16]!r}>"

    def arp(self):
        """(operation, sender's MAC, sender's address, target's MAC, target's address)"""
        (operation,) = struct.unpack("!H", self.payload[6:8])
        return (
            operation,
            mac_text(self.payload[8:14]),
            socket.inet_ntoa(self.payload[14:18]),
            mac_text(self.payload[18:24]),
            socket.inet_ntoa(self.payload[24:28]),
        )
