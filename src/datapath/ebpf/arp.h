/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * ARP requests (RFC 826) for addresses that the bridge knows are answered here, in the name of their owner:
 *
 *   | dst ff:ff:ff:ff:ff:ff | src A | 0806 | 1 0800 6 4 | op 1 | A, a.a.a.a | 0, b.b.b.b |     b.b.b.b is at B
 *   | dst A                 | src B | 0806 | 1 0800 6 4 | op 2 | B, b.b.b.b | A, a.a.a.a |     back to the guest
 *
 * Left to the bridge, which floods them, are requests by which somebody asks whether an address is taken, or says that it
 * is: the owner alone knows, and everybody is to hear it (RFC 5227).
 *   probe          sender address 0
 *   announcement   sender address = target address
 *   the owner's    the address belongs to the MAC that asks, or to the port that it asks from
 * So are requests for unknown addresses. Unicast requests go to the one they are sent to.
 */
#pragma once

#include <linux/if_ether.h>

#include "maps.h"
#include "parse.h"

struct arp_packet {
  __be16 hardware;
  __be16 protocol;
  __u8 hardware_length;
  __u8 protocol_length;
  __be16 operation;
  __u8 sender_mac[6];
  __u8 sender_ip[4];
  __u8 target_mac[6];
  __u8 target_ip[4];
};
_Static_assert(sizeof(struct arp_packet) == 28, "RFC 826");

/* Turns a broadcast ARP request into its answer. 1: done, the frame is for its sender now; 0: it was not touched. */
static __noinline int arp_answer(struct __sk_buff* skb, const struct port* port) {
  struct {
    __u8 dst[6];
    __u8 src[6];
  } addresses;
  struct arp_packet arp;
  if (skb->vlan_present) return 0; /* another network within the bridge, whose addresses we do not know */
  if (bpf_skb_load_bytes(skb, 0, &addresses, sizeof addresses)) return 0;
  if (bpf_skb_load_bytes(skb, ETH_HLEN, &arp, sizeof arp)) return 0;
  if (arp.hardware != bpf_htons(1) || arp.protocol != bpf_htons(ETH_P_IP) || arp.hardware_length != 6 ||
      arp.protocol_length != 4 || arp.operation != bpf_htons(1))
    return 0;
  if (__builtin_memcmp(arp.sender_ip, arp.target_ip, 4) == 0) return 0;
  if (!(arp.sender_ip[0] | arp.sender_ip[1] | arp.sender_ip[2] | arp.sender_ip[3])) return 0;

  struct neighbour_key key = {.vni = port->vni};
  __builtin_memcpy(&key.ip, arp.target_ip, 4);
  const struct neighbour* owner = bpf_map_lookup_elem(&neighbours, &key);
  if (!owner) return 0;
  if (mac_equal(owner->mac, arp.sender_mac) || mac_equal(owner->mac, addresses.src)) return 0;
  if ((port->flags & port_has_mac) && mac_equal(owner->mac, port->mac)) return 0;

  mac_copy(addresses.dst, addresses.src);
  mac_copy(addresses.src, owner->mac);
  arp.operation = bpf_htons(2);
  mac_copy(arp.target_mac, arp.sender_mac);
  mac_copy(arp.sender_mac, owner->mac);
  __builtin_memcpy(&key.ip, arp.sender_ip, 4);
  __builtin_memcpy(arp.sender_ip, arp.target_ip, 4);
  __builtin_memcpy(arp.target_ip, &key.ip, 4);
  if (bpf_skb_store_bytes(skb, 0, &addresses, sizeof addresses, 0)) return 0;
  if (bpf_skb_store_bytes(skb, ETH_HLEN, &arp, sizeof arp, 0)) return 0;
  return 1;
}
