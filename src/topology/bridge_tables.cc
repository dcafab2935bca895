#include "topology/bridge_tables.h"

#include <algorithm>
#include <map>
#include <tuple>

#include "model/offer.h"
#include "model/paths.h"
#include "topology/bridges.h"
#include "topology/ports.h"

namespace midonet::topology {

namespace paths = model::paths;
using model::ArpEntry;
using model::Ip4Mac;
using model::MacEntry;
using model::MacPort;

namespace {

// The records of a folder by what their names say; damaged ones and foreign names are left out.
template <class Record, class Key>
Result<std::map<Key, Record>> read_table(store::View& view, const std::string& folder) {
  const auto names = list_ids(view, folder);
  if (!names) return failed(names);
  Steps steps;
  std::map<Key, Record> out;
  for (const std::string& name : *names) {
    const Result<Key> key = Key::parse(name);
    if (!key) continue;
    auto found = find<Record>(view, paths::child(folder, name));
    if (!found && found.error().code == Code::internal) continue;
    if (steps.add(found) && *found) out.emplace(*key, (*found)->record);
  }
  if (!steps.outcome()) return failed(steps.outcome());
  return out;
}

// What a host has learned, and how it stands against what others have.
struct Claim {
  Uuid port;
  std::int64_t moves = 0;
  store::Revision revision = 0;
  Ip vtep;

  bool better_than(const Claim& other) const {
    return std::tie(moves, revision, other.vtep) > std::tie(other.moves, other.revision, vtep);
  }
};

// A node that another program writes: null where there is none, or a damaged one, which its writer makes again.
Result<store::NodePtr> node_if_any(store::View& view, const std::string& path) {
  Result<store::NodePtr> node = view.get(path);
  if (!node && node.error().code == Code::not_found) return store::NodePtr();
  return node;
}

Status read_offers_of(store::View& view, const std::string& path, std::map<Mac, Claim>& learned) {
  const Result<store::NodePtr> node = node_if_any(view, path);
  if (!node) return failed(node);
  const auto host = *node ? model::decode_bridge_host((*node)->value) : model::BridgeHost{};
  if (!host) return {};
  Steps steps;
  for (const std::int64_t number : host->chunks) {
    const Result<store::NodePtr> value = node_if_any(view, paths::child(path, std::to_string(number)));
    if (!steps.add(value) || !*value) continue;
    const auto chunk = model::decode_offer_chunk((*value)->value);
    if (!chunk) continue;
    for (const model::OfferedPort& port : chunk->ports)
      for (const auto& [mac, moves] : port.learned) {
        const Claim claim{port.port_id, moves, port.revision, host->vtep};
        const auto [at, fresh] = learned.try_emplace(mac, claim);
        if (!fresh && claim.better_than(at->second)) at->second = claim;
      }
  }
  return steps.outcome();
}

Result<std::map<Mac, Claim>> read_learned(store::View& view, const Uuid& bridge) {
  const auto hosts = list_ids(view, paths::bridge_hosts(bridge));
  if (!hosts) return failed(hosts);
  Steps steps;
  std::map<Mac, Claim> learned;
  for (const std::string& name : *hosts)
    if (Uuid::parse(name)) steps.add(read_offers_of(view, paths::child(paths::bridge_hosts(bridge), name), learned));
  if (!steps.outcome()) return failed(steps.outcome());
  return learned;
}

template <class... Args>
tl::unexpected<Error> refused(Code code, std::string property, fmt::format_string<Args...> format, Args&&... args) {
  return failed(Error{code, fmt::format(format, std::forward<Args>(args)...), std::move(property)});
}

}  // namespace

Result<std::vector<MacAtPort>> mac_table(store::View& view, const Uuid& bridge) {
  const auto set = read_table<MacEntry, Mac>(view, paths::mac_table(bridge));
  const auto learned = read_learned(view, bridge);
  if (const auto known = read_bridge(view, bridge); !known) return failed(known);
  if (!set) return failed(set);
  if (!learned) return failed(learned);
  std::vector<MacAtPort> out;
  for (const auto& [mac, entry] : *set) out.push_back({{mac, entry.port_id}, false});
  for (const auto& [mac, claim] : *learned)
    if (!set->contains(mac)) out.push_back({{mac, claim.port}, true});
  std::sort(out.begin(), out.end(), [](const MacAtPort& a, const MacAtPort& b) { return a.mac < b.mac; });
  return out;
}

Status add_mac(store::Transaction& t, const Uuid& bridge, const MacPort& entry) {
  const std::string path = paths::mac_entry(bridge, entry.mac);
  read_ahead(t, {paths::port(entry.port_id), path});
  if (const auto known = read_bridge(t, bridge); !known) return failed(known);
  const auto port = read_port(t, entry.port_id);
  if (!port) return failed(port);
  if (port->record.bridge_id != bridge)
    return refused(Code::invalid, "portId", "port {} is one of bridge {}", entry.port_id, port->record.bridge_id);
  const auto taken = find<MacEntry>(t, path);
  if (!taken) return failed(taken);
  if (*taken)
    return fail(Code::conflict, "MAC address {} is set to be behind port {} already.", entry.mac,
                (*taken)->record.port_id);
  t.guard(paths::port(entry.port_id));
  t.create(path, encode(MacEntry{entry.port_id}));
  return {};
}

Status remove_mac(store::Transaction& t, const Uuid& bridge, const MacPort& entry) {
  const auto all = mac_table(t, bridge);
  if (!all) return failed(all);
  const auto at = std::find_if(all->begin(), all->end(), [&](const MacAtPort& one) {
    return one.mac == entry.mac && one.port_id == entry.port_id;
  });
  if (at == all->end()) return {};
  if (at->learned)
    return fail(Code::conflict, "MAC address {} was learned behind port {}, not set; its host forgets it by itself.",
                entry.mac, entry.port_id);
  t.remove(paths::mac_entry(bridge, entry.mac));
  return {};
}

Status remove_macs_of(store::Transaction& t, const Uuid& bridge, const Uuid& port) {
  const auto set = read_table<MacEntry, Mac>(t, paths::mac_table(bridge));
  if (!set) return failed(set);
  for (const auto& [mac, entry] : *set)
    if (entry.port_id == port) t.remove(paths::mac_entry(bridge, mac));
  return {};
}

Result<std::vector<Ip4Mac>> arp_table(store::View& view, const Uuid& bridge) {
  const auto set = read_table<ArpEntry, Ip>(view, paths::arp_table(bridge));
  if (const auto known = read_bridge(view, bridge); !known) return failed(known);
  if (!set) return failed(set);
  std::vector<Ip4Mac> out;
  for (const auto& [ip, entry] : *set) out.push_back({ip, entry.mac});
  return out;
}

Status add_neighbour(store::Transaction& t, const Uuid& bridge, const Ip4Mac& entry) {
  const std::string path = paths::arp_entry(bridge, entry.ip);
  read_ahead(t, {path});
  if (const auto known = read_bridge(t, bridge); !known) return failed(known);
  const auto taken = find<ArpEntry>(t, path);
  if (!taken) return failed(taken);
  if (*taken)
    return fail(Code::conflict, "IP address {} is set to have MAC address {} already.", entry.ip, (*taken)->record.mac);
  t.create(path, encode(ArpEntry{entry.mac}));
  return {};
}

Status remove_neighbour(store::Transaction& t, const Uuid& bridge, const Ip4Mac& entry) {
  const std::string path = paths::arp_entry(bridge, entry.ip);
  read_ahead(t, {path});
  if (const auto known = read_bridge(t, bridge); !known) return failed(known);
  const auto found = find<ArpEntry>(t, path);
  if (!found) return failed(found);
  if (*found && (*found)->record.mac == entry.mac) t.remove(path);
  return {};
}

}  // namespace midonet::topology
