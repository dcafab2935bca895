/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * A frame for everybody: a copy to each local port of the bridge but the one that it came from, and, if it came from a
 * port, one to each other host that serves the bridge (head-end replication).
 *
 * A copy shares the frame's pages, so a GSO frame of 64 KB stays whole, and its partial checksum with it. The loop
 * over chunks is bpf_for_each_map_elem() (5.13), the loop within a chunk is unrolled by nobody and bounded for the
 * verifier.
 */
#pragma once

#include "drop.h"
#include "maps.h"
#include "tunnel.h"

struct flood {
  struct __sk_buff* skb;
  __u32 vni;
  __u32 ingress; /* ifindex */
  __u32 tunnel;  /* ifindex of the device */
};

static __always_inline void copy_to(struct flood* flood, __u32 ifindex) {
  if (bpf_clone_redirect(flood->skb, ifindex, 0) == -12 /* ENOMEM */) count_drop(ifindex, drop_no_clone);
}

static long flood_chunk(void* map, const __u32* number, void* value, struct flood* flood) {
  const struct members_key key = {.vni = flood->vni, .chunk = *number};
  const struct members* chunk = bpf_map_lookup_elem(&members, &key);
  if (!chunk) return 1; /* the end */
  for (int i = 0; i < MIDONET_CHUNK_PORTS; i++) {
    const __u32 ifindex = chunk->ifindex[i];
    if (ifindex == 0 || ifindex == flood->ingress) continue;
    copy_to(flood, ifindex);
  }
  return 0;
}

static __always_inline void flood_here(struct __sk_buff* skb, __u32 vni) {
  struct flood flood = {.skb = skb, .vni = vni, .ingress = skb->ifindex};
  skb->cb[0] = MIDONET_FORWARDED;
  skb->cb[1] = vni;
  skb->cb[2] = MIDONET_FLOODED;
  bpf_for_each_map_elem(&chunk_numbers, flood_chunk, &flood, 0);
}

static long flood_peers(void* map, const __u32* number, void* value, struct flood* flood) {
  const struct members_key key = {.vni = flood->vni, .chunk = *number};
  const struct peers* chunk = bpf_map_lookup_elem(&peers, &key);
  if (!chunk) return 1; /* the end */
  for (int i = 0; i < MIDONET_CHUNK_PEERS; i++) {
    const struct vtep* vtep = &chunk->vtep[i];
    if (vtep->family == 0) continue;
    if (set_key(flood->skb, flood->vni, vtep)) {
      count_drop(flood->ingress, drop_no_clone);
      continue;
    }
    count_tunnel(flood->skb, 0);
    copy_to(flood, flood->tunnel);
  }
  return 0;
}

/* To the other hosts; nothing when no other host serves the bridge. */
static __always_inline void flood_there(struct __sk_buff* skb, __u32 vni, const struct tunnel* tunnel) {
  const struct members_key first = {.vni = vni, .chunk = 0};
  struct flood flood = {.skb = skb, .vni = vni, .ingress = skb->ifindex, .tunnel = tunnel->ifindex};
  if (!bpf_map_lookup_elem(&peers, &first)) return;
  if (!tunnel->ifindex) {
    count_drop(flood.ingress, drop_no_tunnel);
  } else if (!fits(skb, tunnel)) {
    count_drop(flood.ingress, drop_too_big);
  } else {
    skb->cb[0] = 0;
    bpf_for_each_map_elem(&chunk_numbers, flood_peers, &flood, 0);
  }
}
