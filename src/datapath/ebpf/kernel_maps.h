// The pinned maps, each declared once: X(name, entries, type). The name is that in the BPF programs and of the pin; `entries` is
// an expression in `options` (EbpfOptions); the type has the key and value of abi.h. Used by Objects, which makes, adopts,
// pins and removes whatever stands here.
#pragma once

#include <cstdint>

#include "datapath/ebpf/abi.h"
#include "datapath/ebpf/bpf_map.h"

#define MIDONET_MAPS(X)                                                                                   \
  X(ports, options.max_ports, BpfMap<std::uint32_t, abi::port>)                                           \
  X(fdb, options.fdb_entries, BpfMap<abi::fdb_key, abi::fdb_entry>)                                       \
  X(learned, options.learned_entries, BpfMap<abi::fdb_key, abi::learned_entry>)                           \
  X(rings, options.max_ports, BpfMap<std::uint32_t, abi::ring>)                                           \
  X(members, options.max_ports, BpfMap<abi::members_key, abi::members>)                                   \
  X(neighbours, options.neighbour_entries, BpfMap<abi::neighbour_key, abi::neighbour>)                    \
  X(guards, options.max_ports, BpfMap<abi::guard_key, abi::guard>)                                        \
  X(allowed, options.allowed_entries, PrefixMap<abi::allowed_key>)                                        \
  X(counters, options.max_ports, PerCpuMap<std::uint32_t, abi::counters>)                                 \
  X(drops, options.max_ports * 4, BpfMap<abi::drop_key, std::uint64_t>) /* few ports have many reasons */ \
  X(floods, options.max_ports, BpfMap<std::uint32_t, std::uint64_t>)                                      \
  X(remotes, options.remote_entries, BpfMap<abi::fdb_key, abi::remote>)                                   \
  X(peers, options.max_ports, BpfMap<abi::members_key, abi::peers>)                                       \
  X(admitted, options.remote_entries, BpfMap<abi::admitted_key, std::uint32_t>)                           \
  X(tunnel, 1, BpfMap<std::uint32_t, abi::tunnel>)                                                        \
  X(sources, 2, BpfMap<std::uint32_t, abi::vtep>)                                                         \
  X(peer_sources, options.max_ports, BpfMap<abi::vtep, abi::vtep>)                                        \
  X(tunnel_counters, 1, PerCpuMap<std::uint32_t, abi::counters>)                                          \
  X(news, 128 * 1024, RingMap) /* bytes: a power of two, of whole pages */                                \
  X(news_lost, 1, BpfMap<std::uint32_t, std::uint64_t>)

namespace midonet::datapath {

struct Maps {
#define X(name, entries, ...) __VA_ARGS__ name;
  MIDONET_MAPS(X)
#undef X
  std::uint32_t max_ports = 0;
  std::size_t cpus = 0;  // values of an entry of a map per CPU
};

}  // namespace midonet::datapath
