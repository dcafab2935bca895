"""The guest of the cloud's VMs: Debian's cloud kernel, busybox and our probe, in an initramfs.

It takes its addresses by DHCP on every interface that it has or gets (a hot-plugged one, too), says so on its console, and reads
commands from there. console.py is the other side.
"""

from __future__ import annotations

from guest_image import Kernel, archive, contents

# udhcpc runs it with what the server said.
LEASE = """#!/bin/sh
case $1 in bound | renew) ;; *) exit 0 ;; esac
ip addr flush dev $interface
ip addr add $ip/${mask:-24} dev $interface
[ -z "$mtu" ] || ip link set $interface mtu $mtu
routes=$staticroutes
set -- $staticroutes
while [ $# -ge 2 ]; do
  ip route replace $1 via $2 dev $interface 2>/dev/null || ip route replace $1 dev $interface
  shift 2
done
echo "GUEST lease $interface ip=$ip mask=$mask mtu=$mtu routes=$routes dns=$dns server=$serverid" >/dev/console
"""

# Kernel messages are kept off the console (loglevel), which carries commands and answers.
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
echo "GUEST boot $(cat /proc/sys/kernel/random/boot_id)" >/dev/console
# An interface that is there, or comes: up, and its address by DHCP, asked for until there is one.
follow() {
  while :; do
    for path in /sys/class/net/eth*; do
      [ -e "$path" ] || continue
      name=${path##*/}
      mark=/tmp/$name.$(cat $path/ifindex)
      [ ! -e $mark ] || continue
      : >$mark
      ip link set $name up
      echo "GUEST link $name $(cat $path/address)"
      udhcpc -i $name -s /lease -O mtu -O staticroutes -t 3 -T 1 -A 1 -b >/dev/null 2>&1 </dev/null
    done
    sleep 0.2
  done
}
follow >/dev/console &
exec setsid sh -c '
  stty -echo
  echo "GUEST ready"
  PS1= exec sh' </dev/ttyS0 >/dev/ttyS0 2>&1
"""


def initramfs(kernel: Kernel, probe: str) -> bytes:
    """`probe` is our static program that measures in the guest."""
    return archive(kernel, INIT, {"bin/probe": contents(probe), "lease": LEASE.encode()})
