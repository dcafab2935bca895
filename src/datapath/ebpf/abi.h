/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What the BPF programs and the C++ code say to each other: keys and values of the pinned maps, and the reasons for
 * which a frame is dropped. Included by both, so it knows <linux/types.h> alone; sizes are asserted in both languages.
 *
 * These structs outlive every process: they stand in maps that the next version of the agent adopts. Whoever changes
 * one raises MIDONET_LAYOUT (the pins then live in another folder) and brings a migration with its test.
 */
#ifndef MIDONET_DATAPATH_EBPF_ABI_H
#define MIDONET_DATAPATH_EBPF_ABI_H

#include <linux/types.h>

#define MIDONET_LAYOUT "v1"

/*
 * Why a frame is dropped: X(name, meaning). The names are labels of metrics, so they stay; new ones go to the end.
 */
#define MIDONET_DROP_REASONS(X)                                                                        \
  X(malformed, "shorter than an Ethernet header")                                                      \
  X(bad_source, "the source MAC is zero or a group address")                                           \
  X(link_local, "sent to 01:80:c2:00:00:00 to 0f, which no bridge forwards (IEEE 802.1Q, table 8-1)")  \
  X(same_port, "the destination is behind the port that the frame came from")                          \
  X(port_down, "the port is administratively down")                                                    \
  X(bridge_down, "the bridge is administratively down")                                                \
  X(not_forwarded, "sent to the guest by the host itself, not through its bridge")                     \
  X(other_bridge, "forwarded in another bridge than the port's present one")                           \
  X(no_clone, "the kernel had no memory for another copy of a flooded frame")                          \
  X(too_big, "larger than what fits into the tunnel to the other hosts")                               \
  X(no_tunnel, "its destination is on another host, and this host's tunnel device is not complete")    \
  X(unknown_vni, "came through the tunnel for a bridge that has no port here")                         \
  X(no_tunnel_key, "came to the tunnel device, but not through the tunnel")                            \
  X(too_many_tags, "a GSO frame for another host with more VLAN tags than can be measured (4)")        \
  X(flood_limit, "a flooded frame above the port's limit for a second")                                \
  X(foreign_source, "came through the tunnel from an address that no host of the bridge has")          \
  X(foreign_destination, "came through the tunnel to an address that this host has in no tunnel zone") \
  X(spoofed_mac, "port security: the source MAC is not the port's")                                    \
  X(spoofed_ip, "port security: the source address is not the port's")                                 \
  X(spoofed_arp, "port security: an ARP packet in the name of an address that is not the port's")      \
  X(spoofed_nd, "port security: neighbour discovery in the name of an address that is not the port's") \
  X(server_reply, "port security: an answer of a DHCP server")                                         \
  X(router_advertisement, "port security: a router advertisement, or a redirect of a router")          \
  X(vlan_tag, "port security: a VLAN tag")                                                             \
  X(malformed_ip, "port security: shorter than its IP header, or of another version")                  \
  X(malformed_l4, "port security: shorter than the header behind the IP header")                       \
  X(extension_headers, "port security: more than 8 IPv6 extension headers")                            \
  X(no_policy, "the port is secured, and the kernel does not know its addresses")

#ifdef __cplusplus
namespace midonet::datapath::abi {
#define MIDONET_ASSERT_SIZE(type, size) static_assert(sizeof(type) == (size))
#else
#define MIDONET_ASSERT_SIZE(type, size) _Static_assert(sizeof(struct type) == (size), "layout of " #type)
#endif

enum drop_reason {
#define X(name, meaning) drop_##name,
  MIDONET_DROP_REASONS(X)
#undef X
      drop_reasons, /* how many */
};

enum port_flags {
  port_up = 1,          /* the port's administrative state */
  port_bridge_up = 2,   /* its bridge's, kept in each port so that a frame costs one look-up less */
  port_has_mac = 4,     /* `mac` holds the configured MAC */
  port_owns_clsact = 8, /* we made the clsact qdisc of this interface, and delete it in the end */
  port_guarded = 16,    /* what the guest sends passes the guard: see map "guards" */
};

/* Map "ports", by ifindex (__u32): the ports that are plugged here. */
struct port {
  __u32 vni;
  __u32 flags;
  __u32 slot; /* index into "counters" */
  __u8 mac[6];
  __u8 padding[2];
  __u8 id[16]; /* the port's UUID; the programs do not look at it, a restarted agent does */
  __u32 reserved;
};
MIDONET_ASSERT_SIZE(port, 40);

/* Key of "fdb" and "learned". */
struct fdb_key {
  __u32 vni;
  __u8 mac[6];
  __u8 padding[2];
};
MIDONET_ASSERT_SIZE(fdb_key, 12);

/* Map "fdb": configured MACs. Written by the agent alone. */
struct fdb_entry {
  __u32 ifindex;
  __u32 reserved;
};
MIDONET_ASSERT_SIZE(fdb_entry, 8);

/* Map "learned": MACs learned from sources. Written by from_tap; the agent only deletes. */
struct learned_entry {
  __u64 seen_ns; /* CLOCK_MONOTONIC_COARSE, refreshed at most once a second */
  __u32 ifindex;
  __u32 spot; /* the place in the port's ring that this entry stands in */
};
MIDONET_ASSERT_SIZE(learned_entry, 16);

/*
 * Map "rings", by ifindex: the MACs that were learned at a port. It bounds their number without counters
 * or sweeps: a new MAC takes the next spot whose old MAC has aged, moved away or gone. A spot is in use when the
 * "learned" entry of its MAC names this port and this spot.
 */
#define MIDONET_RING_SPOTS 128
struct ring {
  __u32 lock; /* struct bpf_spin_lock, for `next` */
  __u32 next;
  __u8 mac[MIDONET_RING_SPOTS][6];
};
MIDONET_ASSERT_SIZE(ring, 8 + 6 * MIDONET_RING_SPOTS);

/*
 * Map "members": the local ports of a bridge, in chunks 0, 1, 2 … without a gap; the first missing chunk is the end.
 * A 0 is a free place. Places are stable, so no frame misses a port or meets it twice when another one comes or goes.
 */
#define MIDONET_CHUNK_PORTS 64
#define MIDONET_CHUNKS 256 /* per bridge: 16,384 ports */
struct members_key {
  __u32 vni;
  __u32 chunk;
};
MIDONET_ASSERT_SIZE(members_key, 8);
struct members {
  __u32 ifindex[MIDONET_CHUNK_PORTS];
};
MIDONET_ASSERT_SIZE(members, 4 * MIDONET_CHUNK_PORTS);

/* Map "neighbours": the addresses that ARP is answered for. */
struct neighbour_key {
  __u32 vni;
  __be32 ip;
};
MIDONET_ASSERT_SIZE(neighbour_key, 8);
struct neighbour {
  __u8 mac[6];
  __u8 padding[2];
};
MIDONET_ASSERT_SIZE(neighbour, 8);

/*
 * Map "guards": of a port with port_guarded, the first addresses that its guest may send from with the port's own MAC. A 0 is a
 * free place. A frame of a guarded port without an entry is dropped.
 */
struct guard_key {
  __u32 vni;
  __u32 ifindex;
};
MIDONET_ASSERT_SIZE(guard_key, 8);
struct guard {
  __u8 mac[6];
  __u8 padding[2];
  __be32 ip4[2];
  __be32 ip6[3][4];
};
MIDONET_ASSERT_SIZE(guard, 64);

/*
 * Map "allowed", a trie of prefixes: everything else that guests may send as. Its value is `prefix`. IPv4 addresses stand in
 * the first word. For each MAC but the port's own there is also an entry of type 0, without an address.
 */
#define MIDONET_ALLOWED_BITS 128 /* in front of the address */
struct allowed_key {
  __u32 prefix; /* MIDONET_ALLOWED_BITS + the length of the address's prefix */
  __u32 vni;
  __u32 ifindex;
  __u8 mac[6];
  __be16 type; /* ETH_P_IP, ETH_P_IPV6, or 0 */
  __be32 address[4];
};
MIDONET_ASSERT_SIZE(allowed_key, 36);

/* Map "counters", per CPU, by a port's slot: frames that passed. A GSO frame counts once. */
struct counters {
  __u64 rx_packets; /* from the guest into the bridge */
  __u64 rx_bytes;
  __u64 tx_packets; /* to the guest */
  __u64 tx_bytes;
};
MIDONET_ASSERT_SIZE(counters, 32);

/* Map "drops": frames (__u64) that did not pass. An entry is made by the first such frame. */
struct drop_key {
  __u32 ifindex;
  __u32 reason; /* enum drop_reason */
};
MIDONET_ASSERT_SIZE(drop_key, 8);

/*
 * Map "floods", by ifindex: __u64, the CLOCK_MONOTONIC time in ns until which the frames that a port has flooded take at the
 * pace of its limit (flood.h). An entry is made by the first such frame, and goes with the port.
 */

/* The address of a tunnel end point (RFC 7348: VTEP). */
struct vtep {
  __be32 address[4]; /* IPv4: the first alone */
  __u32 family;      /* 4, 6, or 0 for none */
};
MIDONET_ASSERT_SIZE(vtep, 20);

/* Map "remotes": the MACs that are behind other hosts. Key: fdb_key. Written by the agent alone. */
struct remote {
  struct vtep vtep;
  __u32 configured; /* 1: at its port there; 0: learned there */
};
MIDONET_ASSERT_SIZE(remote, 24);

/*
 * Map "peers": the other hosts that serve a bridge, in chunks 0, 1, 2 … without a gap, as in "members". Key: members_key.
 * A place of family 0 is free.
 */
#define MIDONET_CHUNK_PEERS 16 /* 4,096 peers per bridge */
struct peers {
  struct vtep vtep[MIDONET_CHUNK_PEERS];
};
MIDONET_ASSERT_SIZE(peers, 20 * MIDONET_CHUNK_PEERS);

/*
 * Map "admitted": the ends between which a frame may come through the tunnel. Value: __u32, 1. Written by the agent alone.
 *   vni, address                 a host that serves the bridge sends from this address
 *   vni, family 0                the hosts that serve the bridge are not known yet: any address may send
 *   MIDONET_THIS_HOST, address   this host is reached at this address
 */
#define MIDONET_THIS_HOST 0xffffffffU
struct admitted_key {
  __u32 vni;
  struct vtep vtep;
};
MIDONET_ASSERT_SIZE(admitted_key, 24);

/* Map "tunnel", an array of one: this host's part in the overlay. */
struct tunnel {
  __u32 wanted;  /* 0: there is no overlay; what is known of remote MACs and peers is ignored */
  __u32 ifindex; /* of the VXLAN device, while it is complete; else 0 */
  __u32 mtu;     /* of the device: the largest IP packet that fits */
  __u32 flags;   /* MIDONET_MANY_SOURCES */
};
MIDONET_ASSERT_SIZE(tunnel, 16);

#define MIDONET_MANY_SOURCES 1 /* struct tunnel, flags: "peer_sources" is to be asked */

/*
 * Map "sources", an array of two: the address that packets to IPv4 peers (0) and to IPv6 peers (1) are from, a struct vtep.
 * Of family 0: the kernel chooses. Map "peer_sources": for these peers (struct vtep) another one.
 */

/*
 * Map "tunnel_counters", per CPU, an array of one: struct counters, where rx is what came from other hosts, tx what
 * went to them, a copy for each of them. Drops at the device stand in "drops" under its ifindex.
 */

/*
 * Map "news", a ring buffer: the fdb_key of each MAC that was learned or has moved: "look at it again". What did not
 * fit is counted in "news_lost", an array of one __u64, and followed by another try, so that whoever empties the
 * ring sees the count.
 */

/*
 * What from_tap and from_tunnel leave in skb->cb for to_tap, through which every frame to a guest then goes. Nobody else puts this
 * there, so to_tap tells a frame of the bridge from one that the host's own stack sends to the tap.
 */
#define MIDONET_FORWARDED 0x6d69646fU /* cb[0] */
/* cb[1]: the VNI of the bridge. cb[2]: the ifindex that it goes to, or: */
#define MIDONET_FLOODED 0xffffffffU

#ifdef __cplusplus
}  // namespace midonet::datapath::abi
#endif

#endif
