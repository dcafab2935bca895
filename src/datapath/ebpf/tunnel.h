/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Into and out of the tunnel: VXLAN (RFC 7348) through one device that takes the VNI and the other end from the frame's
 * metadata (collect-metadata mode).
 *
 *   | outer Ethernet | outer IP: DF, TTL 64 | UDP | VXLAN: VNI | the frame as the guest sent it |
 *                                                              |<- at most ETH_HLEN + mtu -->|
 *
 * The checksum of the outer UDP is zero for IPv4 (RFC 7348 section 5) and there for IPv6 (RFC 8200 section 8.1); the
 * kernel derives it from the inner one, which is there anyway, or leaves it to the card. Nothing is fragmented: what
 * does not fit is dropped here, where it can be counted, since the host's stack would drop it in silence.
 */
#pragma once

#include <linux/if_ether.h>

#include "drop.h"
#include "maps.h"
#include "parse.h"

#define TUNNEL_TTL 64
#define MIDONET_TAGS 4 /* VLAN tags of a GSO frame that can be measured */
/* What Linux 5.15 knows of struct bpf_tunnel_key. It has grown since, by the source address; newer kernels take this size
 * too, and then choose the address by the route. */
#define TUNNEL_KEY_BYTES 28
_Static_assert(__builtin_offsetof(struct bpf_tunnel_key, tunnel_label) + sizeof(__u32) == TUNNEL_KEY_BYTES, "5.15");

static __always_inline const struct tunnel* the_tunnel(void) {
  const __u32 zero = 0;
  return bpf_map_lookup_elem(&tunnel, &zero);
}

/*
 * The largest segment of a tagged GSO frame, without its Ethernet header but with its tags; 0: it has more than MIDONET_TAGS.
 * bpf_check_mtu() knows of no tag.
 */
static __noinline __u32 tagged_segment_bytes(struct __sk_buff* skb) {
  const __u32 largest_headers = 60 + 60; /* when we can't tell */
  __u8 ip[40];
  __u32 ip_bytes = 0;
  __u8 protocol = 0;
  __u8 tcp_offset = 0;
  __u32 headers = largest_headers;
  __u32 tags = skb->vlan_present ? 1 : 0;
  __u32 at = ETH_HLEN; /* behind the tags that are in the frame */
  __be16 type = (__be16)skb->protocol;
  for (int i = 0; i < MIDONET_TAGS && is_tag(type); i++) {
    tags++;
    at += 4;
    if (bpf_skb_load_bytes(skb, at - 2, &type, sizeof type)) return 0;
  }
  if (tags > MIDONET_TAGS || is_tag(type)) return 0;
  if (bpf_skb_load_bytes(skb, at, ip, 20) == 0) {
    if ((ip[0] >> 4) == 4) {
      ip_bytes = (ip[0] & 15) * 4;
      protocol = ip[9];
    } else if ((ip[0] >> 4) == 6) {
      ip_bytes = 40;
      protocol = ip[6];
    }
    if (ip_bytes && protocol == 17) {
      headers = ip_bytes + 8;
    } else if (ip_bytes && protocol == 6 && bpf_skb_load_bytes(skb, at + ip_bytes + 12, &tcp_offset, 1) == 0) {
      headers = ip_bytes + (tcp_offset >> 4) * 4;
    }
  }
  return 4 * tags + headers + skb->gso_size;
}

/* 0 when the frame fits into the tunnel, else the reason why it is dropped. */
static __always_inline int misfit(struct __sk_buff* skb, const struct tunnel* tunnel) {
  const __u32 length = skb->len - ETH_HLEN + (skb->vlan_present ? 4 : 0);
  if (length <= tunnel->mtu) return 0;
  if (!skb->gso_size) return drop_too_big;
  if (skb->vlan_present || is_tag((__be16)skb->protocol)) {
    const __u32 segment = tagged_segment_bytes(skb);
    if (!segment) return drop_too_many_tags;
    return segment <= tunnel->mtu ? 0 : drop_too_big;
  }
  __u32 mtu = 0;
  return bpf_check_mtu(skb, tunnel->ifindex, &mtu, 0, BPF_MTU_CHK_SEGS) == 0 ? 0 : drop_too_big;
}

/* The address of this host that packets to this peer are from; 0 where the kernel chooses. */
static __always_inline const struct vtep* source_to(const struct vtep* to, const struct tunnel* tunnel) {
  const __u32 family = to->family == 6;
  const struct vtep* from = 0;
  if (tunnel->flags & MIDONET_MANY_SOURCES) from = bpf_map_lookup_elem(&peer_sources, to);
  if (!from) from = bpf_map_lookup_elem(&sources, &family);
  return from && from->family == to->family ? from : 0;
}

/* Says where the device is to send the frame, and from which address. 0, or a negative error. */
static __always_inline long set_key(struct __sk_buff* skb, __u32 vni, const struct vtep* to,
                                    const struct tunnel* tunnel) {
  struct bpf_tunnel_key key = {.tunnel_id = vni, .tunnel_ttl = TUNNEL_TTL};
  __u64 flags = BPF_F_DONT_FRAGMENT;
  const struct vtep* from = source_to(to, tunnel);
  if (from && from->family == 6) {
    key.local_ipv6[0] = from->address[0];
    key.local_ipv6[1] = from->address[1];
    key.local_ipv6[2] = from->address[2];
    key.local_ipv6[3] = from->address[3];
  } else if (from) {
    key.local_ipv4 = bpf_ntohl(from->address[0]);
  }
  if (to->family == 6) {
    key.remote_ipv6[0] = to->address[0];
    key.remote_ipv6[1] = to->address[1];
    key.remote_ipv6[2] = to->address[2];
    key.remote_ipv6[3] = to->address[3];
    flags |= BPF_F_TUNINFO_IPV6;
  } else {
    key.remote_ipv4 = bpf_ntohl(to->address[0]); /* the helper wants the host's order */
    flags |= BPF_F_ZERO_CSUM_TX;
  }
  return bpf_skb_set_tunnel_key(skb, &key, tunnel_key_bytes == sizeof key ? sizeof key : TUNNEL_KEY_BYTES, flags);
}

/* Between which addresses a frame came through the tunnel, as keys of "admitted". */
struct ends {
  struct admitted_key from; /* with the frame's VNI */
  struct admitted_key to;   /* family 0: the kernel does not tell (before 6.0) */
};

/* 0, or -1 when the frame did not come through the tunnel. */
static __always_inline int ends_of(struct __sk_buff* skb, struct ends* ends) {
  struct bpf_tunnel_key key = {};
  __u32 tells_local = 1;
  __u32 family = 4;
  if (bpf_skb_get_tunnel_key(skb, &key, sizeof key, 0)) {
    family = 6;
    if (bpf_skb_get_tunnel_key(skb, &key, sizeof key, BPF_F_TUNINFO_IPV6)) {
      tells_local = 0;
      if (bpf_skb_get_tunnel_key(skb, &key, TUNNEL_KEY_BYTES, BPF_F_TUNINFO_IPV6)) {
        family = 4;
        if (bpf_skb_get_tunnel_key(skb, &key, TUNNEL_KEY_BYTES, 0)) return -1;
      }
    }
  }
  ends->from.vni = key.tunnel_id; /* 24 bits */
  ends->from.vtep.family = family;
  ends->to.vni = MIDONET_THIS_HOST;
  ends->to.vtep.family = tells_local ? family : 0;
  if (family == 4) { /* the helper has the host's order */
    ends->from.vtep.address[0] = bpf_htonl(key.remote_ipv4);
    ends->to.vtep.address[0] = bpf_htonl(key.local_ipv4);
  } else {
    __builtin_memcpy(ends->from.vtep.address, key.remote_ipv6, sizeof key.remote_ipv6);
    __builtin_memcpy(ends->to.vtep.address, key.local_ipv6, sizeof key.local_ipv6);
  }
  return 0;
}

/* Whether the bridge takes frames from this end. */
static __always_inline int takes_from(const struct admitted_key* from) {
  if (!check_sources || bpf_map_lookup_elem(&admitted, from)) return 1;
  const struct admitted_key anybody = {.vni = from->vni};
  return bpf_map_lookup_elem(&admitted, &anybody) != 0;
}
