/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Where a MAC is, in this order: configured at a port here ("fdb"), configured at a port on another host ("remotes"),
 * learned here ("learned"), learned there ("remotes" again).
 *
 * Learning is done here alone, so it goes on without an agent. An entry that was not refreshed for ageing_ns counts
 * as absent; it stays in the map until its spot in the ring of its port is wanted, or the port goes. A MAC that comes
 * from another port, or that was behind another host, moves there at once, and the agent is told ("news"). A configured
 * MAC is never learned, wherever it is configured, so nobody takes it away. Nothing is learned from the tunnel: the
 * agents tell each other.
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

/* The ifindex of the port here that has learned the MAC of the key, or 0. */
static __always_inline __u32 learned_at(const struct fdb_key* key) {
  const struct learned_entry* entry = bpf_map_lookup_elem(&learned, key);
  if (!entry || aged(entry, bpf_ktime_get_coarse_ns())) return 0;
  /* The port may have been unplugged or given to another bridge since. */
  const __u32 ifindex = entry->ifindex;
  const struct port* port = bpf_map_lookup_elem(&ports, &ifindex);
  return port && port->vni == key->vni ? ifindex : 0;
}

/* Where a frame goes: to a port here, else through the tunnel; neither when nobody knows. */
struct place {
  __u32 ifindex;
  const struct remote* remote;
};

static __always_inline struct place fdb_find(const struct fdb_key* key, int overlay) {
  struct place place = {};
  const struct fdb_entry* configured = bpf_map_lookup_elem(&fdb, key);
  if (configured) {
    place.ifindex = configured->ifindex;
    return place;
  }
  const struct remote* remote = 0;
  if (overlay) remote = bpf_map_lookup_elem(&remotes, key);
  if (!remote || !remote->configured) place.ifindex = learned_at(key);
  if (!place.ifindex) place.remote = remote;
  return place;
}

/* The same for a frame from the tunnel, which never goes back there. */
static __always_inline __u32 fdb_find_here(const struct fdb_key* key) {
  const struct fdb_entry* configured = bpf_map_lookup_elem(&fdb, key);
  return configured ? configured->ifindex : learned_at(key);
}

static __always_inline void tell(const struct fdb_key* key) {
  const __u32 zero = 0;
  if (bpf_ringbuf_output(&news, (void*)key, sizeof *key, 0) == 0) return;
  __u64* lost = bpf_map_lookup_elem(&news_lost, &zero);
  if (lost) __sync_fetch_and_add(lost, 1);
  /* Was the ring emptied before we counted? Then this wakes the reader; else it has yet to be emptied. */
  bpf_ringbuf_output(&news, (void*)key, sizeof *key, 0);
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
static __noinline int learn_new(const struct fdb_key* key, __u32 ifindex, int overlay) {
  const __u64 now = bpf_ktime_get_coarse_ns();
  struct learned_entry* entry = bpf_map_lookup_elem(&learned, key);
  if (entry && entry->ifindex == ifindex && !aged(entry, now)) {
    if (now - entry->seen_ns > REFRESH_NS) entry->seen_ns = now;
    return 0;
  }
  if (bpf_map_lookup_elem(&fdb, key)) return 0;
  if (overlay) {
    const struct remote* remote = bpf_map_lookup_elem(&remotes, key);
    if (remote && remote->configured) return 0;
  }
  if (entry && entry->ifindex == ifindex) { /* heard again after it had aged */
    entry->seen_ns = now;
    tell(key);
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
    if (bpf_map_update_elem(&learned, key, &fresh, BPF_ANY) == 0) tell(key);
    return 0;
  }
  return 0; /* the quota is used up: the frame is forwarded, its source is not remembered */
}

static __always_inline void learn(const struct port* port, __u32 ifindex, const struct ethhdr* eth, int overlay) {
  /* The usual case in a cloud: the guest uses the MAC that its port was made with. */
  if ((port->flags & port_has_mac) && mac_equal(eth->h_source, port->mac)) return;
  struct fdb_key key = {.vni = port->vni};
  mac_copy(key.mac, eth->h_source);
  learn_new(&key, ifindex, overlay);
}
