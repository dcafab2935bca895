/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The maps (abi.h tells what they hold) and the settings. All maps but chunk_numbers are pinned by the agent, which
 * also sets their sizes. Memory is taken as entries come, so a host with few ports pays for few.
 */
#pragma once

#include <linux/pkt_cls.h>

#include "abi.h"

/* Set by the agent before it loads the programs. */
const volatile __u64 ageing_ns = 300ULL * 1000 * 1000 * 1000;
const volatile __u32 learn_quota = MIDONET_RING_SPOTS;
const volatile __u32 check_sources = 1; /* take a bridge's frames only from hosts that serve it */
const volatile __u64 flood_gap_ns = 0; /* between two flooded frames of a port, at the pace of the limit; 0: no limit */
const volatile __u32 tunnel_key_bytes = 28; /* TUNNEL_KEY_BYTES, or with the source address where the kernel knows it */

/* struct ring of abi.h, with the kernel's name for the lock. */
struct locked_ring {
  struct bpf_spin_lock lock;
  __u32 next;
  __u8 mac[MIDONET_RING_SPOTS][6];
};
_Static_assert(sizeof(struct locked_ring) == sizeof(struct ring), "layout of ring");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __uint(max_entries, 16384);
  __type(key, __u32);
  __type(value, struct port);
} ports SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __uint(max_entries, 65536);
  __type(key, struct fdb_key);
  __type(value, struct fdb_entry);
} fdb SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __uint(max_entries, 131072);
  __type(key, struct fdb_key);
  __type(value, struct learned_entry);
} learned SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __uint(max_entries, 16384);
  __type(key, __u32);
  __type(value, struct locked_ring);
} rings SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __uint(max_entries, 16384);
  __type(key, struct members_key);
  __type(value, struct members);
} members SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __uint(max_entries, 262144);
  __type(key, struct neighbour_key);
  __type(value, struct neighbour);
} neighbours SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __uint(max_entries, 16384);
  __type(key, struct guard_key);
  __type(value, struct guard);
} guards SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_LPM_TRIE);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __uint(max_entries, 65536);
  __type(key, struct allowed_key);
  __type(value, __u32);
} allowed SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, 16384);
  __type(key, __u32);
  __type(value, struct counters);
} counters SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __uint(max_entries, 65536);
  __type(key, struct drop_key);
  __type(value, __u64);
} drops SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __uint(max_entries, 16384);
  __type(key, __u32);
  __type(value, __u64);
} floods SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __uint(max_entries, 262144);
  __type(key, struct fdb_key);
  __type(value, struct remote);
} remotes SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __uint(max_entries, 16384);
  __type(key, struct members_key);
  __type(value, struct peers);
} peers SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __uint(max_entries, 262144);
  __type(key, struct admitted_key);
  __type(value, __u32);
} admitted SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct tunnel);
} tunnel SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 2);
  __type(key, __u32);
  __type(value, struct vtep);
} sources SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __uint(max_entries, 16384);
  __type(key, struct vtep);
  __type(value, struct vtep);
} peer_sources SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct counters);
} tunnel_counters SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, 131072); /* bytes: some 5,000 entries */
} news SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, __u64);
} news_lost SEC(".maps");

/* Holds nothing: flood.h walks it to count to MIDONET_CHUNKS, as bpf_loop() came with 5.17 only. */
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, MIDONET_CHUNKS);
  __type(key, __u32);
  __type(value, __u32);
} chunk_numbers SEC(".maps");
