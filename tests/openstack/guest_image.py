"""A guest's kernel and initial file system, made here of Debian's cloud kernel and busybox: what QEMU starts with -kernel and
-initrd. The kernel is this machine's, or the one that tools/install unpacks below build/packages (packages.txt)."""

from __future__ import annotations

import glob
import gzip
import os
import re
import stat

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
ROOTS = ("/", os.path.join(TOP, "build/packages/linux-image-cloud-amd64"))
BUSYBOX = "/bin/busybox"
# A virtio NIC on PCI, in the order in which they need each other; a kernel may have some of them built in.
MODULES = (
    "drivers/virtio/virtio_ring",
    "drivers/virtio/virtio",
    "drivers/virtio/virtio_pci_modern_dev",
    "drivers/virtio/virtio_pci_legacy_dev",
    "drivers/virtio/virtio_pci",
    "net/core/failover",
    "drivers/net/net_failover",
    "drivers/net/virtio_net",
)

# Reads commands from the serial console, a line each, and says their exit status on a line `::STATUS` of its own.
INIT = """#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
for module in MODULES; do
  [ ! -f /modules/$module.ko ] || insmod /modules/$module.ko
done
ip link set lo up
exec setsid sh -c '
  stty raw -echo
  echo "GUEST ready after $(cut -d" " -f1 /proc/uptime) s"
  while read -r line; do
    eval "$line"
    echo "::$?"
  done' </dev/ttyS0 >/dev/ttyS0 2>&1
"""


class Kernel:
    def __init__(self, image: str, modules: str) -> None:
        self.image, self.modules = image, modules


def kernel() -> Kernel | None:
    """The newest cloud kernel that is here with its modules."""
    found = []
    for root in ROOTS:
        for image in glob.glob(os.path.join(root, "boot/vmlinuz-*-cloud-amd64")):
            release = os.path.basename(image).removeprefix("vmlinuz-")
            modules = os.path.join(root, "lib/modules", release, "kernel")
            if os.path.exists(os.path.join(modules, "drivers/net/virtio_net.ko")):
                found.append(([int(number) for number in re.findall("[0-9]+", release)], image, modules))
    return Kernel(*max(found)[1:]) if found else None


class _Archive:
    """cpio's "newc" format, which the kernel unpacks (Documentation/driver-api/early-userspace/buffer-format.rst)."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._entries = 0

    def add(self, name: str, mode: int, data: bytes = b"") -> None:
        self._entries += 1
        #         inode, mode, uid, gid, links, mtime, size, device, special device, length of the name, checksum
        numbers = (self._entries, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0)
        self._append(b"070701" + b"".join(b"%08X" % number for number in numbers) + name.encode() + b"\0")
        self._append(data)

    def _append(self, data: bytes) -> None:
        self._bytes += data
        self._bytes += bytes(-len(self._bytes) % 4)

    def finish(self) -> bytes:
        self.add("TRAILER!!!", 0)
        return bytes(self._bytes)


def contents(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def archive(of: Kernel, init: str, programs: dict[str, bytes] | None = None) -> bytes:
    """An initramfs with busybox, that kernel's modules, and these programs at these paths; in `init`, MODULES stands for the
    names of the modules."""
    made = _Archive()
    for directory in ("bin", "dev", "proc", "sys", "tmp", "modules"):
        made.add(directory, stat.S_IFDIR | 0o755)
    made.add("bin/busybox", stat.S_IFREG | 0o755, contents(BUSYBOX))
    for module in MODULES:
        file = os.path.join(of.modules, module + ".ko")
        if os.path.exists(file):
            made.add(f"modules/{os.path.basename(module)}.ko", stat.S_IFREG | 0o644, contents(file))
    names = " ".join(os.path.basename(module) for module in MODULES)
    for path, data in {**(programs or {}), "init": init.replace("MODULES", names).encode()}.items():
        made.add(path, stat.S_IFREG | 0o755, data)
    return gzip.compress(made.finish(), 6)


def initramfs(of: Kernel, path: str) -> str:
    """Writes the one that reads commands; the path again."""
    with open(path, "wb") as file:
        file.write(archive(of, INIT))
    return path
