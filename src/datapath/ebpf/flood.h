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

#define FLOOD_BURST_NS (1000ULL * 1000 * 1000)
#define FLOOD_TRIES 4 /* when other CPUs count frames of the same port at the same moment */

/*
 * Whether a port may flood this frame. A meter in one word and without a lock (GCRA, ITU-T I.371): the time until which what
 * was flooded so far takes, at the pace of the limit; it may be one second ahead. A GSO frame counts as the frames
 * that it stands for.
 */
static __always_inline int may_flood(const struct __sk_buff* skb, __u32 ifindex) {
  if (!flood_gap_ns) return 1;
  __u64* taken = bpf_map_lookup_elem(&floods, &ifindex);
  if (!taken) {
    const __u64 none = 0;
    bpf_map_update_elem(&floods, &ifindex, &none, BPF_NOEXIST);
    taken = bpf_map_lookup_elem(&floods, &ifindex);
    if (!taken) return 1; /* no room: nothing to measure with */
  }
  const __u64 now = bpf_ktime_get_ns();
  /* A tap does not count the segments of its guest's frames. */
  const __u32 gso_size = skb->gso_size;
  const __u64 cost = flood_gap_ns * (gso_size ? 1 + skb->len / gso_size : 1);
  for (int i = 0; i < FLOOD_TRIES; i++) {
    const __u64 until = *(volatile __u64*)taken;
    const __u64 from = (__s64)(until - now) > 0 ? until : now;
    if (from - now >= FLOOD_BURST_NS) return 0;
    if (__sync_val_compare_and_swap(taken, until, from + cost) == until) return 1;
  }
  return 1; /* each try was beaten by a frame that was counted */
}

struct flood {
  struct __sk_buff* skb;
  __u32 vni;
  __u32 ingress; /* ifindex */
  const struct tunnel* tunnel;
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
    if (set_key(flood->skb, flood->vni, vtep, flood->tunnel)) {
      count_drop(flood->ingress, drop_no_clone);
      continue;
    }
    count_tunnel(flood->skb, 0);
    copy_to(flood, flood->tunnel->ifindex);
  }
  return 0;
}

/* To the other hosts; nothing when no other host serves the bridge. */
static __always_inline void flood_there(struct __sk_buff* skb, __u32 vni, const struct tunnel* tunnel) {
  const struct members_key first = {.vni = vni, .chunk = 0};
  struct flood flood = {.skb = skb, .vni = vni, .ingress = skb->ifindex, .tunnel = tunnel};
  if (!bpf_map_lookup_elem(&peers, &first)) return;
  if (!tunnel->ifindex) {
    count_drop(flood.ingress, drop_no_tunnel);
    return;
  }
  const int reason = misfit(skb, tunnel);
  if (reason) {
    count_drop(flood.ingress, (__u32)reason);
    return;
  }
  skb->cb[0] = 0;
  bpf_for_each_map_elem(&chunk_numbers, flood_peers, &flood, 0);
}
