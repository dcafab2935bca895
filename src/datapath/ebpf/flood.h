/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * A frame for everybody: a copy to each local port of the bridge but the one that it came from.
 *
 * A copy shares the frame's pages, so a GSO frame of 64 KB stays whole, and its partial checksum with it. The loop
 * over chunks is bpf_for_each_map_elem() (5.13), the loop within a chunk is unrolled by nobody and bounded for the
 * verifier.
 */
#pragma once

#include "drop.h"
#include "maps.h"

struct flood {
  struct __sk_buff* skb;
  __u32 vni;
  __u32 ingress; /* ifindex */
};

static long flood_chunk(void* map, const __u32* number, void* value, struct flood* flood) {
  const struct members_key key = {.vni = flood->vni, .chunk = *number};
  const struct members* chunk = bpf_map_lookup_elem(&members, &key);
  if (!chunk) return 1; /* the end */
  for (int i = 0; i < MIDONET_CHUNK_PORTS; i++) {
    const __u32 ifindex = chunk->ifindex[i];
    if (ifindex == 0 || ifindex == flood->ingress) continue;
    if (bpf_clone_redirect(flood->skb, ifindex, 0) == -12 /* ENOMEM */) count_drop(ifindex, drop_no_clone);
  }
  return 0;
}

static __always_inline int flood(struct __sk_buff* skb, __u32 vni) {
  struct flood flood = {.skb = skb, .vni = vni, .ingress = skb->ifindex};
  skb->cb[0] = MIDONET_FORWARDED;
  skb->cb[1] = vni;
  skb->cb[2] = MIDONET_FLOODED;
  bpf_for_each_map_elem(&chunk_numbers, flood_chunk, &flood, 0);
  return TC_ACT_STOLEN; /* the original has served; it was not dropped */
}
