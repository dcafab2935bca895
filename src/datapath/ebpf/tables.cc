#include "datapath/ebpf/tables.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>

#include <iterator>
#include <set>

namespace midonet::datapath {
namespace {

std::uint32_t wire_order(const Ip& ip) {
  std::uint32_t number = 0;
  std::memcpy(&number, ip.bytes().data(), sizeof number);
  return number;
}

// The places of a table of chunks once it holds `wanted`: what stays keeps its place, T{} is a free one.
template <class T>
std::vector<T> settled(std::vector<T> places, std::set<T> wanted, std::size_t chunk) {
  for (T& place : places) {
    if (wanted.erase(place) == 0) place = T{};  // not wanted, or there twice
  }
  std::size_t next = 0;
  for (const T& missing : wanted) {
    while (next < places.size() && places[next] != T{}) next++;
    if (next == places.size()) places.resize(places.size() + chunk);
    places[next] = missing;
  }
  const auto last = std::find_if(places.rbegin(), places.rend(), [](const T& place) { return place != T{}; });
  const auto used = static_cast<std::size_t>(places.rend() - last);
  places.resize((used + chunk - 1) / chunk * chunk);
  return places;
}

// fill(value, first) for each chunk of the places.
template <class Table, class T, class Fill>
void chunk_up(std::uint32_t vni, const std::vector<T>& places, std::size_t chunk, Wanted<Table>& wanted, Fill fill) {
  for (std::size_t at = 0; at < places.size(); at += chunk) {
    typename Table::Value value{};
    fill(value, places.begin() + static_cast<std::ptrdiff_t>(at));
    wanted.emplace_back(typename Table::Key{.vni = vni, .chunk = static_cast<std::uint32_t>(at / chunk)}, value);
  }
}

}  // namespace

void Fdb::want(const BridgeView& view, const Entries<Fdb>& /*known*/, Wanted<Fdb>& wanted) {
  const auto here = [&](std::uint32_t ifindex) {
    return std::binary_search(view.members.begin(), view.members.end(), ifindex);
  };
  const auto want = [&](const Mac& mac, std::uint32_t ifindex) {
    wanted.emplace_back(fdb_key(view.vni, mac), Value{.ifindex = ifindex, .reserved = 0});
  };
  if (view.spec != nullptr) {
    for (const auto& [mac, id] : view.spec->static_macs) {
      const auto ifindex = view.ifindexes.find(id);
      if (ifindex != view.ifindexes.end() && here(ifindex->second)) want(mac, ifindex->second);
    }
  }
  std::vector<const PortSpec*> specs;
  for (const std::uint32_t ifindex : view.members) {
    const auto claim = view.claims.find(ifindex);
    if (claim != view.claims.end() && claim->second->mac) specs.push_back(claim->second);
  }
  std::sort(specs.begin(), specs.end(), [](const PortSpec* a, const PortSpec* b) { return a->id < b->id; });
  for (const PortSpec* spec : specs) want(*spec->mac, spec->ifindex);
}

bool Fdb::goes(const BridgeView& view, const Key& /*key*/, const Value& value) {
  return view.sweeps || !std::binary_search(view.members.begin(), view.members.end(), value.ifindex);
}

void Neighbours::want(const BridgeView& view, const Entries<Neighbours>& /*known*/, Wanted<Neighbours>& wanted) {
  if (view.spec == nullptr) return;
  for (const auto& [ip, mac] : view.spec->neighbours) {
    if (!ip.is_v4()) continue;
    Value neighbour{};
    std::copy(mac.bytes().begin(), mac.bytes().end(), neighbour.mac);
    wanted.emplace_back(Key{.vni = view.vni, .ip = wire_order(ip)}, neighbour);
  }
}

namespace {

// What a secured port may send from, in the kernel's form: the first addresses of its own MAC, and all others.
struct GuardEntries {
  abi::guard guard{};
  Wanted<Allowed> allowed{};
};

// The link-local address that a MAC gives (RFC 4291, appendix A).
Ip link_local(const Mac& mac) {
  const auto& m = mac.bytes();
  return Ip::v6(
      {0xfe, 0x80, 0, 0, 0, 0, 0, 0, static_cast<std::uint8_t>(m[0] ^ 2), m[1], m[2], 0xff, 0xfe, m[3], m[4], m[5]});
}

GuardEntries guard_entries(std::uint32_t vni, const PortSpec& spec) {
  GuardEntries out;
  const Mac own = spec.guard->mac.value_or(Mac());
  std::copy(own.bytes().begin(), own.bytes().end(), out.guard.mac);
  std::set<AllowedAddress> addresses = spec.guard->addresses;
  std::set<Mac> macs;
  if (spec.guard->mac) macs.insert(own);
  for (const AllowedAddress& address : addresses) macs.insert(address.mac);
  for (const Mac& mac : macs) addresses.insert({mac, link_local(mac), 128});

  const auto allow = [&](const Mac& mac, std::uint16_t type, const Ip* ip, std::uint32_t length) {
    abi::allowed_key key{};
    key.prefix = MIDONET_ALLOWED_BITS + length;
    key.vni = vni;
    key.ifindex = spec.ifindex;
    std::copy(mac.bytes().begin(), mac.bytes().end(), key.mac);
    key.type = htons(type);
    if (ip != nullptr) {
      // Of an address the bits of its prefix, so that one prefix is one key.
      std::array<std::uint8_t, sizeof key.address> bits{};
      std::copy(ip->bytes().begin(), ip->bytes().end(), bits.begin());
      for (std::size_t bit = length; bit < bits.size() * 8; ++bit)
        bits[bit / 8] = static_cast<std::uint8_t>(bits[bit / 8] & ~(0x80U >> bit % 8));
      std::memcpy(key.address, bits.data(), bits.size());
    }
    out.allowed.emplace_back(key, key.prefix);
  };
  std::size_t v4 = 0, v6 = 0;
  for (const AllowedAddress& address : addresses) {
    const bool own_single = spec.guard->mac && address.mac == own && address.length == (address.ip.is_v4() ? 32 : 128);
    if (own_single && address.ip.is_v4() && v4 < std::size(out.guard.ip4))
      std::memcpy(&out.guard.ip4[v4++], address.ip.bytes().data(), address.ip.bytes().size());
    else if (own_single && !address.ip.is_v4() && v6 < std::size(out.guard.ip6))
      std::memcpy(out.guard.ip6[v6++], address.ip.bytes().data(), address.ip.bytes().size());
    else
      allow(address.mac, address.ip.is_v4() ? ETH_P_IP : ETH_P_IPV6, &address.ip, address.length);
  }
  for (const Mac& mac : macs)
    if (mac != own) allow(mac, 0, nullptr, 0);
  return out;
}

// For each secured port of the bridge whose spec is at hand.
template <class Use>
void each_guarded(const BridgeView& view, Use use) {
  for (const std::uint32_t ifindex : view.members) {
    const auto claim = view.claims.find(ifindex);
    if (claim != view.claims.end() && claim->second->guard) use(*claim->second);
  }
}

// Of a port that is no member of the bridge any more, or whose spec says otherwise.
bool guard_goes(const BridgeView& view, std::uint32_t ifindex) {
  return view.claims.contains(ifindex) || !std::binary_search(view.members.begin(), view.members.end(), ifindex);
}

}  // namespace

void Guards::want(const BridgeView& view, const Entries<Guards>& /*known*/, Wanted<Guards>& wanted) {
  each_guarded(view, [&](const PortSpec& spec) {
    wanted.emplace_back(Key{.vni = view.vni, .ifindex = spec.ifindex}, guard_entries(view.vni, spec).guard);
  });
}

bool Guards::goes(const BridgeView& view, const Key& key, const Value& /*value*/) {
  return guard_goes(view, key.ifindex);
}

void Allowed::want(const BridgeView& view, const Entries<Allowed>& /*known*/, Wanted<Allowed>& wanted) {
  each_guarded(view, [&](const PortSpec& spec) {
    auto entries = guard_entries(view.vni, spec).allowed;
    wanted.insert(wanted.end(), entries.begin(), entries.end());
  });
}

bool Allowed::goes(const BridgeView& view, const Key& key, const Value& /*value*/) {
  return guard_goes(view, key.ifindex);
}

void Remotes::want(const BridgeView& view, const Entries<Remotes>& /*known*/, Wanted<Remotes>& wanted) {
  if (view.spec == nullptr) return;
  for (const auto& [mac, remote] : view.spec->remote_macs) {
    if (view.reachable(remote.vtep))
      wanted.emplace_back(fdb_key(view.vni, mac), Value{.vtep = vtep_of(remote.vtep), .configured = remote.configured});
  }
}

bool Remotes::valid(const Key& /*key*/, const Value& value) { return ip_of(value.vtep).has_value(); }

void Members::want(const BridgeView& view, const Entries<Members>& known, Wanted<Members>& wanted) {
  std::vector<std::uint32_t> places;
  for (const auto& [key, chunk] : known)
    places.insert(places.end(), std::begin(chunk.ifindex), std::end(chunk.ifindex));
  places = settled(std::move(places), {view.members.begin(), view.members.end()}, MIDONET_CHUNK_PORTS);
  chunk_up<Members>(view.vni, places, MIDONET_CHUNK_PORTS, wanted,
                    [](Value& value, auto first) { std::copy_n(first, MIDONET_CHUNK_PORTS, value.ifindex); });
}

void Peers::want(const BridgeView& view, const Entries<Peers>& known, Wanted<Peers>& wanted) {
  std::set<std::optional<Ip>> peers;
  if (view.spec != nullptr) {
    for (const Ip& peer : view.spec->peers) {
      if (view.reachable(peer)) peers.emplace(peer);
    }
  }
  std::vector<std::optional<Ip>> places;
  for (const auto& [key, chunk] : known)
    std::transform(std::begin(chunk.vtep), std::end(chunk.vtep), std::back_inserter(places), ip_of);
  if (!view.sweeps) {
    std::copy_if(places.begin(), places.end(), std::inserter(peers, peers.end()),
                 [](const auto& place) { return place.has_value(); });
  }
  places = settled(std::move(places), std::move(peers), MIDONET_CHUNK_PEERS);
  chunk_up<Peers>(view.vni, places, MIDONET_CHUNK_PEERS, wanted, [](Value& value, auto first) {
    std::transform(first, first + MIDONET_CHUNK_PEERS, std::begin(value.vtep), vtep_of);
  });
}

namespace {

bool sources_unknown(const BridgeView& view) {
  return view.spec != nullptr && view.tunnel && !view.spec->sources_known;
}

}  // namespace

void Admitted::want(const BridgeView& view, const Entries<Admitted>& known, Wanted<Admitted>& wanted) {
  if (view.spec == nullptr) return;
  for (const auto* addresses : {&view.spec->sources, &view.spec->peers}) {
    for (const Ip& address : *addresses) {
      if (view.reachable(address)) wanted.emplace_back(admitted_key(view.vni, address), 1);
    }
  }
  // Until the hosts that serve the bridge were read for the first time, any may send.
  if (sources_unknown(view) && known.empty()) wanted.emplace_back(admitted_key(view.vni, std::nullopt), 1);
}

bool Admitted::goes(const BridgeView& view, const Key& /*key*/, const Value& /*value*/) {
  return view.sweeps && !sources_unknown(view);
}

bool Admitted::valid(const Key& key, const Value& value) {
  if (value != 1) return false;
  return ip_of(key.vtep) || (key.vtep.family == 0 && key.vni != MIDONET_THIS_HOST);
}

}  // namespace midonet::datapath
