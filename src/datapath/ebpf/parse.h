/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The Ethernet header of a frame, and what its addresses say.
 *
 * The kernel has moved the outer tag (802.1Q or 802.1ad) from the frame to skb->vlan_tci before a tc program sees it; it
 * goes back in at the other tap. So the header is always these 14 bytes, and a tag passes as it came. Further tags stay
 * in the frame, behind the header.
 */
#pragma once

#include <linux/if_ether.h>

#include "abi.h"

/* MACs stand at even offsets wherever we meet them, so three 16-bit loads do (the compiler would take six). */
static __always_inline void mac_copy(void* to, const void* from) {
  __u16* t = to;
  const __u16* f = from;
  t[0] = f[0];
  t[1] = f[1];
  t[2] = f[2];
}

static __always_inline int mac_equal(const void* a, const void* b) {
  const __u16* x = a;
  const __u16* y = b;
  return ((x[0] ^ y[0]) | (x[1] ^ y[1]) | (x[2] ^ y[2])) == 0;
}

static __always_inline int mac_is_zero(const void* mac) {
  const __u16* m = mac;
  return (m[0] | m[1] | m[2]) == 0;
}

static __always_inline int mac_is_group(const __u8* mac) { return mac[0] & 1; }

static __always_inline int mac_is_broadcast(const void* mac) {
  const __u16* m = mac;
  return (m[0] & m[1] & m[2]) == 0xffff;
}

/* 01:80:c2:00:00:00 to 0f: spanning tree, LLDP, EAPOL, LACP, PAUSE … are for the next device, not for a network. */
static __always_inline int mac_is_link_local(const __u8* mac) {
  return mac[0] == 0x01 && mac[1] == 0x80 && mac[2] == 0xc2 && mac[3] == 0 && mac[4] == 0 && (mac[5] & 0xf0) == 0;
}

static __always_inline int is_tag(__be16 type) {
  return type == bpf_htons(ETH_P_8021Q) || type == bpf_htons(ETH_P_8021AD);
}

/* The header of the frame, or 0 when it is too short for one. Valid until a helper changes the frame. */
static __always_inline const struct ethhdr* ethernet(struct __sk_buff* skb) {
  void* data = (void*)(long)skb->data;
  void* end = (void*)(long)skb->data_end;
  if (data + ETH_HLEN > end) return 0;
  return data;
}
