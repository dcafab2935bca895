/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Where a MAC is: configured entries ("fdb") first, then learned ones.
 *
 * Learning is done here alone, so it goes on without an agent. An entry that was not refreshed for ageing_ns counts
 * as absent; it stays in the map until its spot in the ring of its port is wanted, or the port goes. A MAC that comes
 * from another port moves there. A configured MAC is never learned, so it can't move.
 */
#pragma once

#include "maps.h"
#include "parse.h"

#define RING_TRIES 4 /* spots that one frame looks at before it gives up */
#define REFRESH_NS (1000ULL * 1000 * 1000)

static __always_inline int aged(const struct learned_entry* entry, __u64 now) {
  /* As signed: another CPU may have refreshed it after we read the clock. */
  return (__s64)(now - entry->seen_ns) > (__s64)ageing_ns;
}

/* The ifindex of the port behind the MAC of the key, or 0 when it is not known. */
static __always_inline __u32 fdb_find(const struct fdb_key* key) {
  const struct fdb_entry* configured = bpf_map_lookup_elem(&fdb, key);
  if (configured) return configured->ifindex;

  const struct learned_entry* entry = bpf_map_lookup_elem(&learned, key);
  if (!entry || aged(entry, bpf_ktime_get_coarse_ns())) return 0;
  /* The port may have been unplugged or given to another bridge since. */
  const __u32 ifindex = entry->ifindex;
  const struct port* port = bpf_map_lookup_elem(&ports, &ifindex);
  return port && port->vni == key->vni ? ifindex : 0;
}

/* Takes the next spot of the ring and says which; spots are given out in turn. */
static __always_inline __u32 ring_turn(struct locked_ring* ring) {
  bpf_spin_lock(&ring->lock);
  __u32 spot = ring->next;
  if (spot >= learn_quota || spot >= MIDONET_RING_SPOTS) spot = 0;
  ring->next = spot + 1;
  bpf_spin_unlock(&ring->lock);
  return spot;
}

/* Notes that the MAC of the key was seen at `ifindex` just now. */
static __noinline int learn_new(const struct fdb_key* key, __u32 ifindex) {
  if (bpf_map_lookup_elem(&fdb, key)) return 0;

  const __u64 now = bpf_ktime_get_coarse_ns();
  struct learned_entry* entry = bpf_map_lookup_elem(&learned, key);
  if (entry && entry->ifindex == ifindex) {
    if (now - entry->seen_ns > REFRESH_NS) entry->seen_ns = now;
    return 0;
  }

  struct locked_ring* ring = bpf_map_lookup_elem(&rings, &ifindex);
  if (!ring) return 0;
  for (int i = 0; i < RING_TRIES; i++) {
    const __u32 spot = ring_turn(ring);
    if (spot >= MIDONET_RING_SPOTS) return 0; /* for the verifier */

    struct fdb_key holder = {.vni = key->vni};
    mac_copy(holder.mac, ring->mac[spot]);
    const struct learned_entry* held = bpf_map_lookup_elem(&learned, &holder);
    if (held && held->ifindex == ifindex && held->spot == spot) {
      if (!aged(held, now)) continue;
      bpf_map_delete_elem(&learned, &holder);
    }
    mac_copy(ring->mac[spot], key->mac);
    const struct learned_entry fresh = {.seen_ns = now, .ifindex = ifindex, .spot = spot};
    bpf_map_update_elem(&learned, key, &fresh, BPF_ANY);
    return 0;
  }
  return 0; /* the quota is used up: the frame is forwarded, its source is not remembered */
}

static __always_inline void learn(const struct port* port, __u32 ifindex, const struct ethhdr* eth) {
  /* The usual case in a cloud: the guest uses the MAC that its port was made with. */
  if ((port->flags & port_has_mac) && mac_equal(eth->h_source, port->mac)) return;
  struct fdb_key key = {.vni = port->vni};
  mac_copy(key.mac, eth->h_source);
  learn_new(&key, ifindex);
}
