"""A vNIC as a test sees it: the test itself is the hypervisor that opened the tap, and sends and receives raw frames."""

import contextlib
import fcntl
import os
import select
import struct
import time

import frame

TUNSETIFF = 0x400454CA
TUNSETPERSIST = 0x400454CB
IFF_TAP, IFF_NO_PI, IFF_VNET_HDR = 0x0002, 0x1000, 0x4000


class Tap:
    """Opens the tap `name` in the namespace: a new one (which goes with close) or a persistent one that is there.
    It is brought up unless up=False. `mac` is the guest's address, used as the source of what it sends."""

    def __init__(self, namespace, name, mac=None, up=True, persist=False):
        self.namespace, self.name, self.mac = namespace, name, mac
        self.fd = -1
        with namespace.entered():
            self.fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
            fcntl.ioctl(self.fd, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TAP | IFF_NO_PI))
            if persist:
                fcntl.ioctl(self.fd, TUNSETPERSIST, 1)
        if up:
            self.up()

    def up(self):
        # The reader may have to wait for a processor: frames that come meanwhile are kept, and count as arrived.
        self.namespace.ip("link", "set", self.name, "txqueuelen", "10000", "up")

    def down(self):
        self.namespace.ip("link", "set", self.name, "down")

    def close(self):
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def send(self, to, payload, ethertype=frame.TEST_ETHERTYPE, source=None):
        if isinstance(to, Tap):
            to = to.mac
        self.send_raw(frame.ethernet(to, source or self.mac, payload, ethertype))

    def send_raw(self, raw):
        os.write(self.fd, raw)

    def receive(self, seconds=2.0, ethertype=frame.TEST_ETHERTYPE):
        """The next frame of that type (None: of any), or None when none comes in time. Others are thrown away."""
        deadline = time.monotonic() + seconds
        while True:
            with contextlib.suppress(BlockingIOError):
                got = frame.Frame(os.read(self.fd, 70000))
                if ethertype in (None, got.ethertype):
                    return got
                continue
            left = deadline - time.monotonic()
            if left <= 0:
                return None
            readable = select.poll()  # not select(): that knows descriptors below 1024 alone
            readable.register(self.fd, select.POLLIN)
            if not readable.poll(left * 1000):
                return None

    def drain(self):
        """All frames of the tests' type that wait, without waiting for more."""
        frames = []
        while (got := self.receive(0)) is not None:
            frames.append(got)
        return frames
