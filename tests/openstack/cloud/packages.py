"""Whether the cloud can run on this computer, and the packages that it needs."""

from __future__ import annotations

import os
import subprocess

HERE = os.path.dirname(os.path.realpath(__file__))
TOP = os.path.dirname(os.path.dirname(os.path.dirname(HERE)))
LISTS = [
    os.path.join(TOP, path)
    for path in ("tools/packages.txt", "tests/openstack/packages.txt", "tests/openstack/cloud/packages.txt")
]
SIZE = "about 300 of Debian's, 150 MB to fetch and 720 MB on the disk"
MEMORY_KIB = 6 << 20


def _install(*options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [os.path.join(TOP, "tools/install"), *options, *LISTS],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def install() -> str | None:
    """Installs what is missing, without starting a daemon; what went wrong, or None."""
    done = _install()
    return done.stdout if done.returncode else None


def missing() -> str | None:
    """What is not installed, in tools/install's words, or None."""
    said = _install("--list").stdout
    return said.strip() if "missing" in said or "unpacked" in said else None


def why_not() -> str | None:
    """Why the cloud cannot run here (besides packages), or None."""
    if os.geteuid() != 0:
        return "needs root: it makes namespaces, mounts and taps"
    if not os.path.exists("/dev/net/tun"):
        return "this machine has no /dev/net/tun"
    with open("/proc/filesystems", encoding="ascii") as file:
        known = file.read().split()
    for kind in ("overlay", "bpf"):
        if kind not in known:
            return f"the kernel has no {kind} file system"
    with open("/proc/meminfo", encoding="ascii") as file:
        available = next(int(line.split()[1]) for line in file if line.startswith("MemAvailable"))
    if available < MEMORY_KIB:
        return f"needs {MEMORY_KIB >> 20} GiB of memory, {available >> 10} MiB are available"
    return None
