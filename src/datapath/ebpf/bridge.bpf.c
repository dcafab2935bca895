/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The bridge: two programs at each tap, one at the tunnel device, at tcx hooks or in a clsact qdisc (hooks.h).
 *
 *      guest A                                            guest B
 *        | tap A, ingress                                   ^ tap B, egress
 *        v                                                  |
 *    from_tap: port -> learn source -> find destination -> to_tap: is it of this port's bridge? -> count
 *                 |                 \-> flood: a copy to every other port -^
 *                 |  behind another host: VNI and its address              |
 *                 v  flood: one to each host that serves the bridge        |
 *          tunnel device: VXLAN ~ ~ ~ ~> tunnel device there, ingress: from_tunnel: VNI, find destination, else flood
 *
 * What came through the tunnel never goes back into it.
 *
 * Names are from the frame's side: from_tap sees what the guest sent, to_tap what it is about to get. What the guest
 * sends never reaches the host's own stack, and what the host's stack sends to a tap never reaches the guest.
 *
 * Needs Linux 5.15 and uses nothing newer (bridge_test.cc checks the helpers).
 */
#include <linux/bpf.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "abi.h"
#include "arp.h"
#include "drop.h"
#include "fdb.h"
#include "flood.h"
#include "guard.h"
#include "maps.h"
#include "parse.h"
#include "tunnel.h"

char licence[] SEC("license") = "Dual BSD/GPL";

static __always_inline int deliver(struct __sk_buff* skb, __u32 vni, __u32 ifindex) {
  skb->cb[0] = MIDONET_FORWARDED;
  skb->cb[1] = vni;
  skb->cb[2] = ifindex;
  return (int)bpf_redirect(ifindex, 0);
}

/* Through the tunnel, to the host that a known MAC is behind. */
static __always_inline int send(struct __sk_buff* skb, const struct port* port, const struct tunnel* tunnel,
                                const struct vtep* to) {
  const __u32 ingress = skb->ifindex;
  if (!tunnel->ifindex) return drop(ingress, drop_no_tunnel);
  const int reason = misfit(skb, tunnel);
  if (reason) return drop(ingress, (enum drop_reason)reason);
  if (set_key(skb, port->vni, to, tunnel)) return drop(ingress, drop_no_clone);
  count_rx(port, skb);
  count_tunnel(skb, 0);
  return (int)bpf_redirect(tunnel->ifindex, 0);
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
  const struct tunnel* tunnel = the_tunnel();
  if (!tunnel) return TC_ACT_SHOT; /* for the verifier: an array has its entries always */
  if (port->flags & port_guarded) {
    const int reason = guard(skb, port, ingress);
    if (reason) return drop(ingress, (enum drop_reason)reason);
  }
  learn(port, ingress, eth, tunnel->wanted);

  if (!mac_is_group(eth->h_dest)) {
    struct fdb_key destination = {.vni = vni};
    mac_copy(destination.mac, eth->h_dest);
    const struct place place = fdb_find(&destination, tunnel->wanted);
    if (place.ifindex == ingress) return drop(ingress, drop_same_port);
    if (place.ifindex) {
      count_rx(port, skb);
      return deliver(skb, vni, place.ifindex);
    }
    if (place.remote) return send(skb, port, tunnel, &place.remote->vtep);
  } else if (eth->h_proto == bpf_htons(ETH_P_ARP) && mac_is_broadcast(eth->h_dest)) {
    if (arp_answer(skb, port)) {
      count_rx(port, skb);
      return deliver(skb, vni, ingress);
    }
  }
  if (!may_flood(skb, ingress)) return drop(ingress, drop_flood_limit);
  count_rx(port, skb);
  flood_here(skb, vni);
  if (tunnel->wanted) flood_there(skb, vni, tunnel);
  return CONSUMED;
}

SEC("tc")
int from_tunnel(struct __sk_buff* skb) {
  const __u32 ingress = skb->ifindex;
  struct ends ends = {};
  if (ends_of(skb, &ends)) return drop(ingress, drop_no_tunnel_key);
  if (ends.to.vtep.family && !bpf_map_lookup_elem(&admitted, &ends.to)) return drop(ingress, drop_foreign_destination);

  const struct ethhdr* eth = ethernet(skb);
  if (!eth) return drop(ingress, drop_malformed);
  if (mac_is_group(eth->h_source) || mac_is_zero(eth->h_source)) return drop(ingress, drop_bad_source);
  if (mac_is_link_local(eth->h_dest)) return drop(ingress, drop_link_local);

  const __u32 vni = ends.from.vni;
  const struct members_key first = {.vni = vni, .chunk = 0};
  if (!takes_from(&ends.from))
    return drop(ingress, bpf_map_lookup_elem(&members, &first) ? drop_foreign_source : drop_unknown_vni);

  if (!mac_is_group(eth->h_dest)) {
    struct fdb_key destination = {.vni = vni};
    mac_copy(destination.mac, eth->h_dest);
    const __u32 to = fdb_find_here(&destination);
    if (to) {
      count_tunnel(skb, 1);
      return deliver(skb, vni, to);
    }
  }
  if (!bpf_map_lookup_elem(&members, &first)) return drop(ingress, drop_unknown_vni);
  count_tunnel(skb, 1);
  flood_here(skb, vni);
  return CONSUMED;
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
  /* The mark stays: while an interface changes from filters to tcx or back, another to_tap stands behind this one. */
  count_tx(port, skb);
  return TC_ACT_UNSPEC; /* others may have programs here too */
}
