"""The first process of a machine: `machine_init.py DIRECTORY NAME READY_FD`, started by machine.py in new mount, UTS,
IPC and PID namespaces and in the machine's network namespace.

It gives the machine an /etc, a /var and a /usr/local of its own (overlays on those of this computer, so that Debian's
packages find their files where they were installed, and what is written goes to DIRECTORY), a /run and a /tmp with nothing of this
computer's but the clone that this file is in, the /sys of its network and a BPF file system. Then it reaps orphans until it is killed, and with it everything that runs in the machine.
"""

import os
import socket
import subprocess
import sys

OVERLAYS = ("etc", "var", "usr/local")
CLONE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))


def mount(*argv, descriptors=()):
    done = subprocess.run(
        ["mount", *argv], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, pass_fds=descriptors
    )
    if done.returncode:
        sys.exit(f"mount {' '.join(argv)}: {done.stdout.strip()}")


def main() -> None:
    directory, name, ready = sys.argv[1], sys.argv[2], int(sys.argv[3])
    socket.sethostname(name)
    subprocess.run(["umount", "--lazy", "/sys"], check=True)
    mount("-t", "sysfs", "sysfs", "/sys")
    mount("-t", "bpf", "bpf", "/sys/fs/bpf")
    for path in OVERLAYS:
        upper, work = (os.path.join(directory, kind, path) for kind in ("upper", "work"))
        os.makedirs(upper)
        os.makedirs(work)
        mount("-t", "overlay", "overlay", "-o", f"lowerdir=/{path},upperdir={upper},workdir={work}", f"/{path}")
    clone = os.open(CLONE, os.O_PATH | os.O_DIRECTORY)
    mount("-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run")
    mount("-t", "tmpfs", "-o", "mode=1777", "tmpfs", "/tmp")
    if not os.path.samestat(os.fstat(clone), os.stat(CLONE) if os.path.exists(CLONE) else os.stat("/")):
        os.makedirs(CLONE, exist_ok=True)
        mount("--no-canonicalize", "--bind", f"/proc/self/fd/{clone}", CLONE, descriptors=(clone,))
    os.close(clone)
    for path in ("netns", "lock", "libvirt", "sudo", "mysqld"):
        os.mkdir("/run/" + path)
    os.chmod("/run/lock", 0o1777)
    os.write(ready, b"ready\n")
    os.close(ready)
    while True:
        try:
            os.wait()
        except ChildProcessError:
            # None now; SIGCHLD is what wakes us, when an orphan has come and ended.
            signal.sigwait({signal.SIGCHLD})


import signal  # noqa: E402

signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
main()
