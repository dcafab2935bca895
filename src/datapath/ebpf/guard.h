/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Port security: what a guest sends passes only in the name of its port's addresses. The agent writes these as pairs of a MAC and an
 * address or prefix (maps "guards" and "allowed"). Nothing is learned from a frame that is refused, and none is answered.
 *
 *   any frame     no VLAN tag (a priority tag, of VLAN 0, passes); the source MAC is one of the port's
 *   ARP           (sender MAC, sender address) is allowed, or it is a probe (RFC 5227). The sender MAC is the frame's source; a
 *                 virtual router's MAC (RFC 9568) may be announced from the port's own
 *   RARP          the sender MAC is the frame's source
 *   IPv4, IPv6    (source MAC, source address) is allowed; or it asks for an address: DHCP from 0.0.0.0, and from :: neighbour
 *                 solicitations and multicast listener reports (RFC 4862, 3590)
 *   NS, NA, RS    link-layer addresses in options are the port's, an NA's target is allowed; none is a fragment (RFC 6980)
 *   others        pass
 *
 * Never passes what only a server or a router may say: UDP 67 -> 68, 547 -> 546, ICMPv6 134 and 137.
 */
#pragma once

#include <linux/icmpv6.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>

#include "arp.h"
#include "maps.h"
#include "parse.h"

#define GUARD_MAX_HEADERS 8 /* IPv6 extension headers */
#define GUARD_MAX_OPTIONS 8 /* of a neighbour discovery packet */

#define ND_ROUTER_SOLICITATION 133
#define ND_ROUTER_ADVERTISEMENT 134
#define ND_NEIGHBOUR_SOLICITATION 135
#define ND_NEIGHBOUR_ADVERTISEMENT 136
#define ND_REDIRECT 137
#define MLD_REPORT 131
#define MLD2_REPORT 143

struct udp_ports {
  __be16 source;
  __be16 destination;
};

/* Whether the MAC in `key` is one of the port's. */
static __always_inline int has_mac(const struct guard* guard, struct allowed_key* key) {
  if (mac_equal(guard->mac, key->mac)) return 1;
  key->prefix = MIDONET_ALLOWED_BITS;
  key->type = 0;
  return bpf_map_lookup_elem(&allowed, key) != 0;
}

/* Whether the guest may send from the MAC in `key` with this address. */
static __noinline int allows4(const struct guard* guard, struct allowed_key* key, __be32 ip) {
  if (!ip) return 0;
  if (mac_equal(guard->mac, key->mac) && (ip == guard->ip4[0] || ip == guard->ip4[1])) return 1;
  key->prefix = MIDONET_ALLOWED_BITS + 32;
  key->type = bpf_htons(ETH_P_IP);
  key->address[0] = ip;
  key->address[1] = key->address[2] = key->address[3] = 0;
  return bpf_map_lookup_elem(&allowed, key) != 0;
}

static __always_inline int same6(const __be32* a, const __be32* b) {
  return ((a[0] ^ b[0]) | (a[1] ^ b[1]) | (a[2] ^ b[2]) | (a[3] ^ b[3])) == 0;
}

static __noinline int allows6(const struct guard* guard, struct allowed_key* key, const __be32* ip) {
  if (!(ip[0] | ip[1] | ip[2] | ip[3])) return 0;
  if (mac_equal(guard->mac, key->mac) &&
      (same6(ip, guard->ip6[0]) || same6(ip, guard->ip6[1]) || same6(ip, guard->ip6[2])))
    return 1;
  key->prefix = MIDONET_ALLOWED_BITS + 128;
  key->type = bpf_htons(ETH_P_IPV6);
  key->address[0] = ip[0];
  key->address[1] = ip[1];
  key->address[2] = ip[2];
  key->address[3] = ip[3];
  return bpf_map_lookup_elem(&allowed, key) != 0;
}

/* 00:00:5e:00:01:xx and 00:00:5e:00:02:xx. */
static __always_inline int mac_is_virtual_router(const __u8* mac) {
  return mac[0] == 0 && mac[1] == 0 && mac[2] == 0x5e && mac[3] == 0 && (mac[4] == 1 || mac[4] == 2);
}

/* ARP and RARP, whose packets are alike (RFC 903). */
static __noinline int guard_arp(struct __sk_buff* skb, const struct guard* guard, struct allowed_key* key,
                                int reverse) {
  struct arp_packet arp;
  if (bpf_skb_load_bytes(skb, ETH_HLEN, &arp, sizeof arp)) return drop_spoofed_arp;
  if (arp.hardware != bpf_htons(1) || arp.protocol != bpf_htons(ETH_P_IP) || arp.hardware_length != 6 ||
      arp.protocol_length != 4)
    return drop_spoofed_arp;
  if (!mac_equal(arp.sender_mac, key->mac)) {
    if (reverse || !mac_is_virtual_router(arp.sender_mac) || !mac_equal(guard->mac, key->mac)) return drop_spoofed_arp;
    mac_copy(key->mac, arp.sender_mac);
  }
  if (reverse) return 0;
  __be32 sender;
  __builtin_memcpy(&sender, arp.sender_ip, sizeof sender);
  if (!sender && arp.operation == bpf_htons(1) && has_mac(guard, key)) return 0;
  return allows4(guard, key, sender) ? 0 : drop_spoofed_arp;
}

static __noinline int guard_ip4(struct __sk_buff* skb, const struct guard* guard, struct allowed_key* key) {
  struct iphdr ip;
  if (bpf_skb_load_bytes(skb, ETH_HLEN, &ip, sizeof ip) || ip.version != 4 || ip.ihl < 5) return drop_malformed_ip;
  struct udp_ports udp = {};
  if (ip.protocol == IPPROTO_UDP && !(ip.frag_off & bpf_htons(0x1fff)) &&
      bpf_skb_load_bytes(skb, ETH_HLEN + ip.ihl * 4, &udp, sizeof udp))
    return drop_malformed_l4;
  const int asks =
      !ip.saddr && ip.daddr == 0xffffffff && udp.source == bpf_htons(68) && udp.destination == bpf_htons(67);
  if (!asks && !allows4(guard, key, ip.saddr)) return drop_spoofed_ip;
  if (udp.source == bpf_htons(67) && udp.destination == bpf_htons(68)) return drop_server_reply;
  return 0;
}

/* The upper-layer header of an IPv6 packet. */
struct upper {
  __u32 offset;    /* of the header, in the frame */
  __u32 end;       /* of the packet */
  __u8 protocol;   /* IPPROTO_NONE in a later fragment, too */
  __u8 fragmented; /* there is a fragment header */
};

/* Walks the extension headers (RFC 8200). 0, or the reason why the frame is dropped. */
static __noinline int find_upper(struct __sk_buff* skb, struct upper* upper) {
  /* Unrolled, here and below: Linux 6.1 refuses a loop whose body falls through into its head, as clang lays it out. */
#pragma clang loop unroll(full)
  for (int i = 0; i <= GUARD_MAX_HEADERS; i++) {
    struct {
      __u8 next;
      __u8 length;
      __be16 fragment;
    } header;
    const __u8 protocol = upper->protocol;
    if (protocol != IPPROTO_HOPOPTS && protocol != IPPROTO_ROUTING && protocol != IPPROTO_DSTOPTS &&
        protocol != IPPROTO_FRAGMENT && protocol != IPPROTO_AH)
      return 0;
    if (i == GUARD_MAX_HEADERS) break;
    if (bpf_skb_load_bytes(skb, upper->offset, &header, sizeof header)) return drop_malformed_l4;
    upper->protocol = header.next;
    if (protocol == IPPROTO_FRAGMENT) {
      upper->fragmented = 1;
      upper->offset += 8;
      if (header.fragment & bpf_htons(0xfff8)) {
        upper->protocol = IPPROTO_NONE;
        return 0;
      }
    } else if (protocol == IPPROTO_AH) {
      upper->offset += (header.length + 2) * 4;
    } else {
      upper->offset += (header.length + 1) * 8;
    }
  }
  return drop_extension_headers;
}

/* The link-layer addresses in the options of a neighbour discovery packet (RFC 4861, 4.6). */
static __noinline int guard_options(struct __sk_buff* skb, const struct guard* guard, struct allowed_key* key,
                                    const struct upper* upper) {
  __u32 at = upper->offset;
#pragma clang loop unroll(full)
  for (int i = 0; i < GUARD_MAX_OPTIONS; i++) {
    struct {
      __u8 type;
      __u8 length; /* in 8 bytes */
      __u8 mac[6];
    } option;
    if (at == upper->end) return 0;
    if (at > upper->end || bpf_skb_load_bytes(skb, at, &option, sizeof option) || !option.length)
      return drop_spoofed_nd;
    if (option.type == 1 || option.type == 2) { /* of the source, of the target */
      mac_copy(key->mac, option.mac);
      if (!has_mac(guard, key)) return drop_spoofed_nd;
    }
    at += option.length * 8;
  }
  return at == upper->end ? 0 : drop_spoofed_nd;
}

static __noinline int guard_icmp6(struct __sk_buff* skb, const struct guard* guard, struct allowed_key* key,
                                  struct upper* upper, __u8 type) {
  if (upper->fragmented) return drop_spoofed_nd;
  upper->offset += type == ND_ROUTER_SOLICITATION ? 8 : 24;
  if (type == ND_NEIGHBOUR_ADVERTISEMENT) {
    __be32 target[4];
    if (bpf_skb_load_bytes(skb, upper->offset - 16, target, sizeof target)) return drop_malformed_l4;
    if (!allows6(guard, key, target)) return drop_spoofed_nd;
  }
  return guard_options(skb, guard, key, upper);
}

static __noinline int guard_ip6(struct __sk_buff* skb, const struct guard* guard, struct allowed_key* key) {
  struct ipv6hdr ip;
  if (bpf_skb_load_bytes(skb, ETH_HLEN, &ip, sizeof ip) || ip.version != 6) return drop_malformed_ip;
  __be32 source[4], destination;
  __builtin_memcpy(source, &ip.saddr, sizeof source);
  __builtin_memcpy(&destination, &ip.daddr, sizeof destination);
  struct upper upper = {
      .offset = ETH_HLEN + sizeof ip,
      .end = ETH_HLEN + sizeof ip + bpf_ntohs(ip.payload_len),
      .protocol = ip.nexthdr,
  };
  const int reason = find_upper(skb, &upper);
  if (reason) return reason;
  __u8 type = 0;
  struct udp_ports udp = {};
  if (upper.protocol == IPPROTO_ICMPV6 && bpf_skb_load_bytes(skb, upper.offset, &type, sizeof type))
    return drop_malformed_l4;
  if (upper.protocol == IPPROTO_UDP && bpf_skb_load_bytes(skb, upper.offset, &udp, sizeof udp))
    return drop_malformed_l4;

  const int asks = !(source[0] | source[1] | source[2] | source[3]) &&
                   (destination & bpf_htonl(0xffff0000)) == bpf_htonl(0xff020000) &&
                   (type == MLD_REPORT || type == ND_NEIGHBOUR_SOLICITATION || type == MLD2_REPORT);
  if (!asks && !allows6(guard, key, source)) return drop_spoofed_ip;
  if (udp.source == bpf_htons(547) && udp.destination == bpf_htons(546)) return drop_server_reply;
  if (type == ND_ROUTER_ADVERTISEMENT || type == ND_REDIRECT) return drop_router_advertisement;
  if (type == ND_ROUTER_SOLICITATION || type == ND_NEIGHBOUR_SOLICITATION || type == ND_NEIGHBOUR_ADVERTISEMENT)
    return guard_icmp6(skb, guard, key, &upper, type);
  return 0;
}

/*
 * Whether the frame is as most are: from the port's own MAC and one of its first addresses, without options or extension headers.
 * 1: it passes; 0: all of the guard decides.
 */
static __always_inline int plainly_own(const struct __sk_buff* skb, const struct guard* guard) {
  const void* data = (const void*)(long)skb->data;
  const void* end = (const void*)(long)skb->data_end;
  const struct ethhdr* eth = data;
  const struct iphdr* ip4 = data + ETH_HLEN;
  const struct ipv6hdr* ip6 = data + ETH_HLEN;
  if (skb->vlan_present || (const void*)(ip4 + 1) + sizeof(struct udp_ports) > end) return 0;
  if (!mac_equal(guard->mac, eth->h_source)) return 0;
  if (eth->h_proto == bpf_htons(ETH_P_IP)) {
    const struct udp_ports* udp = (const void*)(ip4 + 1);
    if (ip4->version != 4 || ip4->ihl != 5 || !ip4->saddr) return 0;
    if (ip4->saddr != guard->ip4[0] && ip4->saddr != guard->ip4[1]) return 0;
    return ip4->protocol != IPPROTO_UDP || udp->source != bpf_htons(67);
  }
  if (eth->h_proto != bpf_htons(ETH_P_IPV6) || (const void*)(ip6 + 1) + sizeof(struct udp_ports) > end) return 0;
  const struct udp_ports* udp = (const void*)(ip6 + 1);
  const __be32* source = (const __be32*)&ip6->saddr;
  if (ip6->version != 6 || !(source[0] | source[1] | source[2] | source[3])) return 0;
  if (!same6(source, guard->ip6[0]) && !same6(source, guard->ip6[1]) && !same6(source, guard->ip6[2])) return 0;
  return ip6->nexthdr == IPPROTO_TCP || (ip6->nexthdr == IPPROTO_UDP && udp->source != bpf_htons(547));
}

/* 0, or the reason why a frame of a guarded port is dropped. */
static __noinline int guard(struct __sk_buff* skb, const struct port* port, __u32 ifindex) {
  const struct guard_key port_key = {.vni = port->vni, .ifindex = ifindex};
  const struct guard* guard = bpf_map_lookup_elem(&guards, &port_key);
  if (!guard) return drop_no_policy;
  if (plainly_own(skb, guard)) return 0;
  struct ethhdr eth;
  if (bpf_skb_load_bytes(skb, 0, &eth, sizeof eth)) return drop_malformed_ip;
  if ((skb->vlan_present && (skb->vlan_tci & 0x0fff)) || is_tag(eth.h_proto)) return drop_vlan_tag;

  struct allowed_key key = {.vni = port->vni, .ifindex = ifindex};
  mac_copy(key.mac, eth.h_source);
  if (!has_mac(guard, &key)) return drop_spoofed_mac;
  if (eth.h_proto == bpf_htons(ETH_P_IP)) return guard_ip4(skb, guard, &key);
  if (eth.h_proto == bpf_htons(ETH_P_IPV6)) return guard_ip6(skb, guard, &key);
  if (eth.h_proto == bpf_htons(ETH_P_ARP)) return guard_arp(skb, guard, &key, 0);
  if (eth.h_proto == bpf_htons(ETH_P_RARP)) return guard_arp(skb, guard, &key, 1);
  return 0;
}
