#include "agent/observe/reader.h"

#include <algorithm>
#include <utility>

#include "base/interface_name.h"
#include "model/binding.h"
#include "model/bridge_tables.h"
#include "model/paths.h"
#include "model/record.h"
#include "model/tunnel_zone.h"

namespace midonet::agent {

namespace paths = model::paths;

namespace {

void decode_binding(const store::Node& node, BoundPort& out) {
  const auto binding = model::decode<model::Binding>(node.value);
  if (!binding) {
    out.damage = binding.error().message;
  } else if (binding->port_id != out.id) {
    out.damage = fmt::format("damaged binding record: it is about port {}", binding->port_id);
  } else if (const Status name = check_interface_name(binding->interface_name); !name) {
    out.damage = "damaged binding record: " + name.error().message;
  } else {
    out.interface = binding->interface_name;
  }
}

void decode_port(const store::Node& node, BoundPort& out) {
  auto port = model::decode<model::Port>(node.value);
  if (!port) {
    out.port_damage = std::move(port.error().message);
    return;
  }
  port->id = out.id;
  out.taken_from = port->taken_from();
  out.port = std::make_shared<const model::Port>(*std::move(port));
}

// One of a bridge's static tables. False: something is still being read.
template <class Record, class Entry, class Make>
bool read_table(store::View& view, const std::string& folder, const Result<std::vector<std::string>>& names,
                const std::map<std::string, std::optional<Entry>>* old, const Damaged& were_damaged,
                std::map<std::string, std::optional<Entry>>& out, Damaged& damaged, Make make) {
  if (!names) return names.error().code == Code::not_found;
  bool known = true;
  for (const std::string& name : *names) {
    const std::string path = paths::child(folder, name);
    const auto node = view.get(path);
    if (look(node) == Look::unknown) known = false;
    if (look(node) != Look::there) continue;
    const store::Revision revision = (*node)->stat.modified;
    std::optional<Entry>& entry = out[name];
    if (old) {
      const auto at = old->find(name);
      if (at != old->end()) entry = at->second;
      if (entry && entry->revision == revision && !were_damaged.contains(path)) continue;
    }
    if (const auto record = model::decode<Record>((*node)->value))
      entry = make(revision, *record);
    else
      damaged.emplace(path, record.error().message);
  }
  return known;
}

// This host's address in a zone as an earlier agent told it to others.
std::optional<Ip> told_address(store::View& view, const Uuid& host, const Uuid& zone, bool& known) {
  const auto node = view.get(paths::served_bridges(host));
  if (look(node) == Look::unknown) known = false;
  if (look(node) != Look::there) return {};
  const auto place = model::decode_bridge_host((*node)->value);
  if (!place) return {};
  const auto at = place->zones.find(zone);
  return at == place->zones.end() ? std::nullopt : std::optional(at->second);
}

void learn(Known& known, bool complete) {
  if (complete)
    known = Known::complete;
  else if (known == Known::complete)
    known = Known::partial;
}

class PeerReader {
 public:
  PeerReader(store::View& view, const Damaged& were_damaged, Damaged& damaged)
      : view_(view), were_damaged_(were_damaged), damaged_(damaged) {}

  bool complete() const { return complete_; }

  std::shared_ptr<const Peer> peer(const std::string& path, const std::shared_ptr<const Peer>* known) {
    const Peer* old = known ? known->get() : nullptr;
    Peer out;
    const auto node = view_.get(path);
    if (look(node) == Look::unknown) {
      complete_ = false;
      if (old) return *known;
      // Most likely it has this one: asked for now, it saves a round trip.
      static_cast<void>(view_.get(paths::child(path, "0")));
    } else if (look(node) == Look::there) {
      read(path, **node, old ? old->revision : 0, old ? &old->record : nullptr, model::decode_bridge_host, out.revision,
           out.record);
    }
    if (out.record) {
      for (const std::int64_t number : out.record->chunks) {
        const Peer::Chunk* before = nullptr;
        if (old) {
          const auto chunk = old->chunks.find(number);
          if (chunk != old->chunks.end()) before = &chunk->second;
        }
        chunk(paths::child(path, std::to_string(number)), before, out.chunks[number]);
      }
    }
    return old && *old == out ? *known : std::make_shared<const Peer>(std::move(out));
  }

 private:
  void chunk(const std::string& path, const Peer::Chunk* old, Peer::Chunk& out) {
    const auto node = view_.get(path);
    if (look(node) == Look::unknown) {
      complete_ = false;
      if (old) out = *old;
    } else if (look(node) == Look::there) {
      read(path, **node, old ? old->revision : 0, old ? &old->offers : nullptr, model::decode_offer_chunk, out.revision,
           out.offers);
    }
  }

  // A record of another host: what was read at this revision already, else what the node says; one that is damaged leaves
  // what was read before.
  template <class Record>
  void read(const std::string& path, const store::Node& node, store::Revision old_revision,
            const std::shared_ptr<const Record>* old, Result<Record> (*decode)(std::string_view),
            store::Revision& revision, std::shared_ptr<const Record>& out) {
    revision = node.stat.modified;
    if (old) out = *old;
    if (old && old_revision == revision) {
      const auto damage = were_damaged_.find(path);
      if (damage != were_damaged_.end()) damaged_.insert(*damage);
      return;
    }
    if (auto record = decode(node.value))
      out = std::make_shared<const Record>(*std::move(record));
    else
      damaged_.emplace(path, std::move(record.error().message));
  }

  store::View& view_;
  const Damaged& were_damaged_;
  Damaged& damaged_;
  bool complete_ = true;
};

}  // namespace

Look look(const Result<store::NodePtr>& node) {
  if (node) return Look::there;
  return node.error().code == Code::not_found ? Look::absent : Look::unknown;
}

std::optional<BoundPort> read_binding(const Uuid& id, const Result<store::NodePtr>& binding,
                                      const Result<store::NodePtr>& record, const BoundPort* old) {
  if (look(binding) != Look::there) return {};
  BoundPort out;
  out.id = id;
  out.revision = (*binding)->stat.modified;
  if (old) out.interface = old->interface;
  if (old && old->revision == out.revision)
    out.damage = old->damage;
  else
    decode_binding(**binding, out);
  read_port_record(record, old, out);
  return out;
}

void read_port_record(const Result<store::NodePtr>& record, const BoundPort* old, BoundPort& out) {
  switch (look(record)) {
    case Look::unknown: break;
    case Look::absent: out.port_known = true; break;
    case Look::there:
      out.port_known = true;
      out.port_revision = (*record)->stat.modified;
      if (old) out.port = old->port, out.taken_from = old->taken_from;
      if (old && old->port_known && old->port_revision == out.port_revision)
        out.port_damage = old->port_damage;
      else
        decode_port(**record, out);
      break;
  }
}

bool read_bridge(store::View& view, const Uuid& id, const ServedBridge* old, ServedBridge& out, Damaged& damaged) {
  const auto node = view.get(paths::bridge(id));
  const auto macs = view.list(paths::mac_table(id));
  const auto addresses = view.list(paths::arp_table(id));
  const Damaged were_damaged = std::exchange(damaged, {});
  out.known = true;
  switch (look(node)) {
    case Look::unknown:
      out.known = false;
      if (old) out.created = old->created;
      break;
    case Look::absent: return true;
    case Look::there:
      out.created = (*node)->stat.created;
      out.revision = (*node)->stat.modified;
      if (old) out.record = old->record;
      if (old && old->known && old->revision == out.revision) {
        out.record = old->record;
        out.damage = old->damage;
      } else if (auto record = model::decode<model::Bridge>((*node)->value)) {
        out.record = *std::move(record);
        out.record->id = id;
      } else {
        out.damage = std::move(record.error().message);
      }
      break;
  }
  const bool has_macs =
      read_table<model::MacEntry>(view, paths::mac_table(id), macs, old ? &old->mac_table : nullptr, were_damaged,
                                  out.mac_table, damaged, [](store::Revision revision, const model::MacEntry& entry) {
                                    return ServedBridge::MacTarget{revision, entry.port_id};
                                  });
  const bool has_addresses =
      read_table<model::ArpEntry>(view, paths::arp_table(id), addresses, old ? &old->arp_table : nullptr, were_damaged,
                                  out.arp_table, damaged, [](store::Revision revision, const model::ArpEntry& entry) {
                                    return ServedBridge::Neighbour{revision, entry.mac};
                                  });
  const bool read = look(node) != Look::unknown && has_macs && has_addresses;
  if (!has_macs || !has_addresses) out.known = false;
  return read;
}

void find_own(store::View& view, const Uuid& host, const Uuid& id, const OwnOffers* offered, ServedBridge& bridge) {
  bridge.self = bridge.self_known = false;
  bridge.found.reset();
  if (!offered || offered->contains(id)) return;
  const auto node = view.get(paths::bridge_host(id, host));
  if (node) bridge.found = *node;
  bridge.self = node.has_value();
  bridge.self_known = look(node) != Look::unknown;
}

bool read_peers(store::View& view, const Uuid& host, const Uuid& id, const OwnOffers* offered, ServedBridge& bridge,
                Damaged& damaged) {
  const std::string folder = paths::bridge_hosts(id);
  const auto names = view.list_told(folder);
  if (!names) {
    const bool none = names.error().code == Code::not_found;
    learn(bridge.peers_known, none);
    if (!none) return false;
    bridge.self_known = true;
    bridge.self = false;
    bridge.found.reset();
    bridge.peers = std::make_shared<const Peers>();
    damaged.clear();
    return true;
  }
  const Damaged were_damaged = std::exchange(damaged, {});
  PeerReader reader(view, were_damaged, damaged);
  std::map<Uuid, std::shared_ptr<const Peer>> peers;
  bridge.self = false;
  bridge.self_known = true;
  bridge.found.reset();
  for (const std::string& name : *names) {
    const auto named = Uuid::parse(name);
    if (!named || named->to_string() != name) continue;
    if (*named == host) {
      find_own(view, host, id, offered, bridge);
      bridge.self = true;
      if (!offered || offered->contains(id)) bridge.self_known = true;
      continue;
    }
    const auto old = bridge.peers->hosts.find(*named);
    const auto* known = old != bridge.peers->hosts.end() ? &old->second : nullptr;
    peers.emplace_hint(peers.end(), *named, reader.peer(paths::child(folder, name), known));
  }
  if (bridge.peers->hosts != peers) bridge.peers = std::make_shared<const Peers>(std::move(peers), bridge.peers.get());
  learn(bridge.peers_known, reader.complete());
  return reader.complete();
}

bool read_zones(store::View& view, const Uuid& host, std::map<Uuid, Membership>& zones, Damaged& damaged) {
  const auto ids = view.list(paths::tunnel_zones);
  if (!ids && ids.error().code != Code::not_found) return false;
  const auto before = std::exchange(zones, {});
  const Damaged were_damaged = std::exchange(damaged, {});
  if (!ids) return true;
  bool known = true;
  for (const std::string& name : *ids) {
    const auto id = Uuid::parse(name);
    if (!id || id->to_string() != name) continue;
    const std::string path = paths::tunnel_zone_host(*id, host);
    const auto node = view.get(path);
    const auto old = before.find(*id);
    if (look(node) == Look::absent) continue;
    if (look(node) == Look::unknown) {
      known = false;
      if (old != before.end()) zones.insert(*old);
      continue;
    }
    Membership membership;
    membership.revision = (*node)->stat.modified;
    if (old != before.end()) membership.address = old->second.address;
    const bool same = old != before.end() && old->second.revision == membership.revision;
    if (!same || were_damaged.contains(path)) {
      if (const auto record = model::decode<model::TunnelZoneHost>((*node)->value)) {
        membership.address = record->ip_address;
      } else {
        damaged.emplace(path, record.error().message);
        if (!membership.address) membership.address = told_address(view, host, *id, known);
      }
    }
    zones.emplace(*id, membership);
  }
  return known;
}

}  // namespace midonet::agent
