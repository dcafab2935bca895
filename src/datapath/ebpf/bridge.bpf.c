/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The bridge: two programs at the clsact qdisc of each tap.
 *
 *      guest A                                            guest B
 *        | tap A, ingress                                   ^ tap B, egress
 *        v                                                  |
 *    from_tap: port -> learn source -> find destination -> to_tap: is it of this port's bridge? -> count
 *                                   \-> flood: a copy to every other port -^
 *
 * Names are from the frame's side: from_tap sees what the guest sent, to_tap what it is about to get. What the guest
 * sends never reaches the host's own stack, and what the host's stack sends to a tap never reaches the guest.
 *
 * Needs Linux 5.15 and uses nothing newer (programs_test.cc checks the helpers).
 */
#include <linux/bpf.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "abi.h"
#include "arp.h"
#include "drop.h"
#include "fdb.h"
#include "flood.h"
#include "maps.h"
#include "parse.h"

char licence[] SEC("license") = "Dual BSD/GPL";

static __always_inline int deliver(struct __sk_buff* skb, __u32 vni, __u32 ifindex) {
  skb->cb[0] = MIDONET_FORWARDED;
  skb->cb[1] = vni;
  skb->cb[2] = ifindex;
  return (int)bpf_redirect(ifindex, 0);
}

SEC("tc")
int from_tap(struct __sk_buff* skb) {
  const __u32 ingress = skb->ifindex;
  const struct port* port = bpf_map_lookup_elem(&ports, &ingress);
  if (!port) return TC_ACT_SHOT; /* just being plugged or unplugged: there is nobody to count it for */
  if (!(port->flags & port_up)) return drop(ingress, drop_port_down);
  if (!(port->flags & port_bridge_up)) return drop(ingress, drop_bridge_down);

  const struct ethhdr* eth = ethernet(skb);
  if (!eth) return drop(ingress, drop_malformed);
  if (mac_is_group(eth->h_source) || mac_is_zero(eth->h_source)) return drop(ingress, drop_bad_source);
  if (mac_is_link_local(eth->h_dest)) return drop(ingress, drop_link_local);

  const __u32 vni = port->vni;
  learn(port, ingress, eth);

  if (!mac_is_group(eth->h_dest)) {
    struct fdb_key destination = {.vni = vni};
    mac_copy(destination.mac, eth->h_dest);
    const __u32 to = fdb_find(&destination);
    if (to == ingress) return drop(ingress, drop_same_port);
    if (to) {
      count_rx(port, skb);
      return deliver(skb, vni, to);
    }
  } else if (eth->h_proto == bpf_htons(ETH_P_ARP) && mac_is_broadcast(eth->h_dest)) {
    if (arp_answer(skb, vni)) {
      count_rx(port, skb);
      return deliver(skb, vni, ingress);
    }
  }
  count_rx(port, skb);
  return flood(skb, vni);
}

SEC("tc")
int to_tap(struct __sk_buff* skb) {
  const __u32 egress = skb->ifindex;
  const struct port* port = bpf_map_lookup_elem(&ports, &egress);
  if (!port) return TC_ACT_SHOT;
  if (skb->cb[0] != MIDONET_FORWARDED) return drop(egress, drop_not_forwarded);
  if (skb->cb[1] != port->vni) return drop(egress, drop_other_bridge);
  if (!(port->flags & port_up)) return drop(egress, drop_port_down);
  if (!(port->flags & port_bridge_up)) return drop(egress, drop_bridge_down);
  skb->cb[0] = 0; /* it is the guest's now; should it ever come back, then through from_tap */
  count_tx(port, skb);
  return TC_ACT_UNSPEC; /* others may have filters here too */
}
