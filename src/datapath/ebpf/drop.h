/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The end of a frame that does not pass, and the counting of those that do. */
#pragma once

#include <linux/pkt_cls.h>

#include "maps.h"

/* For a frame whose copies have gone everywhere. It is not dropped, but of the verdicts that end a frame this one alone means the
 * same at a filter and at a tcx hook, which takes TC_ACT_STOLEN for "next". */
#define CONSUMED TC_ACT_SHOT

static __noinline int count_drop(__u32 ifindex, __u32 reason) {
  struct drop_key key = {.ifindex = ifindex, .reason = reason};
  __u64* frames = bpf_map_lookup_elem(&drops, &key);
  if (!frames) {
    const __u64 none = 0;
    bpf_map_update_elem(&drops, &key, &none, BPF_NOEXIST); /* another CPU may have been first: as good */
    frames = bpf_map_lookup_elem(&drops, &key);
  }
  if (frames) __sync_fetch_and_add(frames, 1);
  return 0;
}

/* Counts a frame for the port at `ifindex` and gives the verdict that drops it. */
static __always_inline int drop(__u32 ifindex, enum drop_reason reason) {
  count_drop(ifindex, reason);
  return TC_ACT_SHOT;
}

static __always_inline void count_rx(const struct port* port, const struct __sk_buff* skb) {
  const __u32 slot = port->slot;
  struct counters* c = bpf_map_lookup_elem(&counters, &slot);
  if (!c) return;
  c->rx_packets++;
  c->rx_bytes += skb->len;
}

static __always_inline void count_tx(const struct port* port, const struct __sk_buff* skb) {
  const __u32 slot = port->slot;
  struct counters* c = bpf_map_lookup_elem(&counters, &slot);
  if (!c) return;
  c->tx_packets++;
  c->tx_bytes += skb->len;
}

static __always_inline void count_tunnel(const struct __sk_buff* skb, int in) {
  const __u32 zero = 0;
  struct counters* c = bpf_map_lookup_elem(&tunnel_counters, &zero);
  if (!c) return;
  if (in) {
    c->rx_packets++;
    c->rx_bytes += skb->len;
  } else {
    c->tx_packets++;
    c->tx_bytes += skb->len;
  }
}
