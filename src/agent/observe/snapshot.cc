#include "agent/observe/snapshot.h"

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

// What a node is to a reader: there, known to be absent, or not known yet (being read, or the store does not answer).
enum class Look { there, absent, unknown };

Look look(const Result<store::NodePtr>& node) {
  if (node) return Look::there;
  return node.error().code == Code::not_found ? Look::absent : Look::unknown;
}

void read_binding(const store::Node& node, BoundPort& out) {
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

void read_port(const store::Node& node, BoundPort& out) {
  auto port = model::decode<model::Port>(node.value);
  if (!port) {
    out.port_damage = std::move(port.error().message);
    return;
  }
  port->id = out.id;
  out.taken_from = port->taken_from();
  out.port = std::make_shared<const model::Port>(*std::move(port));
}

class Reader {
 public:
  Reader(store::View& view, const Uuid& host, const Snapshot& before, const OwnOffers* offered)
      : view_(view), host_(host), before_(before), offered_(offered) {
    out_.host = host;
    out_.complete = out_.peers_read = true;
  }

  Result<Snapshot> read() {
    const auto names = view_.list_told(paths::bindings(host_));
    if (!names) return failed(names);
    out_.ports.reserve(names->size());
    for (const std::string& name : *names) {
      if (const auto id = Uuid::parse(name); id && id->to_string() == name)
        port(*id);
      else
        out_.foreign.push_back(name);
    }
    lingering();
    // A view answers what it has and notes what it lacks: everything is asked for before a reader gives up.
    zones();
    for (auto& [id, bridge] : out_.bridges) this->bridge(id, bridge);
    for (auto& [id, bridge] : out_.bridges) {
      // A host in no zone tunnels to no other. A binding's commit may still have made its record on a bridge (ADR 19).
      if (out_.zones.empty())
        find_own(id, paths::bridge_host(id, host_), bridge);
      else
        peers(id, bridge);
    }
    return std::move(out_);
  }

 private:
  void port(const Uuid& id) {
    const auto binding = view_.get(paths::binding(host_, id));
    const auto record = view_.get(paths::port(id));
    if (look(binding) == Look::unknown) out_.complete = false;
    if (look(binding) != Look::there) return;  // absent: unbound since the list was read, which is being read again

    const BoundPort* old = find_port(before_, id);
    BoundPort out;
    out.id = id;
    out.revision = (*binding)->stat.modified;
    if (old) out.interface = old->interface;
    if (old && old->revision == out.revision)
      out.damage = old->damage;
    else
      read_binding(**binding, out);

    read_record(record, old, out);
    if (out.port) out_.bridges.try_emplace(out.port->bridge_id);
    out_.ports.push_back(std::move(out));
  }

  void read_record(const Result<store::NodePtr>& record, const BoundPort* old, BoundPort& out) {
    switch (look(record)) {
      case Look::unknown: out_.complete = false; break;
      case Look::absent: out.port_known = true; break;
      case Look::there:
        out.port_known = true;
        out.port_revision = (*record)->stat.modified;
        if (old) out.port = old->port, out.taken_from = old->taken_from;
        if (old && old->port_known && old->port_revision == out.port_revision)
          out.port_damage = old->port_damage;
        else
          read_port(**record, out);
        break;
    }
  }

  // What this host offers beyond its bindings.
  void lingering() {
    if (offered_) {
      for (const auto& [bridge, own] : *offered_)
        for (const auto& [number, chunk] : own.chunks)
          for (const model::OfferedPort& port : chunk.ports) lingering(port.port_id, bridge, port.revision);
      return;
    }
    for (const BoundPort& port : before_.ports)
      if (port.port) lingering(port.id, port.port->bridge_id, port.revision);
    for (const LingeringPort& port : before_.lingering) lingering(port.id, port.bridge, port.revision);
  }

  void lingering(const Uuid& id, const Uuid& bridge, store::Revision revision) {
    if (find_port(out_, id)) return;
    const auto known = std::find_if(before_.lingering.begin(), before_.lingering.end(),
                                    [&](const LingeringPort& port) { return port.id == id; });
    const BoundPort* old = known != before_.lingering.end() ? &*known : find_port(before_, id);
    LingeringPort out;
    out.id = id;
    out.bridge = bridge;
    out.revision = revision;
    if (old) out.interface = old->interface;
    read_record(view_.get(paths::port(id)), old, out);
    if (out.port_known) {
      if (!out.port || out.port->bridge_id != bridge || !out.port->host_id) return;
      const bool here = out.port->host_id == host_;
      if (!here && (!out.taken_from || out.taken_from->host_id != host_)) return;
      out.doubtful = here;
      out.interface = here ? out.port->interface_name.value_or("") : out.taken_from->interface_name;
    }
    out_.bridges.try_emplace(bridge);
    out_.lingering.push_back(std::move(out));
  }

  void bridge(const Uuid& id, ServedBridge& out) {
    const auto at = before_.bridges.find(id);
    const ServedBridge* old = at == before_.bridges.end() ? nullptr : &at->second;
    const auto node = view_.get(paths::bridge(id));
    const auto macs = view_.list(paths::mac_table(id));
    const auto addresses = view_.list(paths::arp_table(id));
    out.known = true;
    switch (look(node)) {
      case Look::unknown:
        out.known = false;
        if (old) out.created = old->created;
        break;
      case Look::absent: return;
      case Look::there:
        out.created = (*node)->stat.created;
        out.revision = (*node)->stat.modified;
        if (old) out.record = old->record;
        if (old && old->known && old->revision == out.revision) {
          out.damage = old->damage;
        } else if (auto record = model::decode<model::Bridge>((*node)->value)) {
          out.record = *std::move(record);
          out.record->id = id;
        } else {
          out.damage = std::move(record.error().message);
        }
        break;
    }
    bool tables = true;
    table<model::MacEntry>(paths::mac_table(id), macs, old ? &old->mac_table : nullptr, out.mac_table, tables,
                           [](store::Revision revision, const model::MacEntry& entry) {
                             return ServedBridge::MacTarget{revision, entry.port_id};
                           });
    table<model::ArpEntry>(paths::arp_table(id), addresses, old ? &old->arp_table : nullptr, out.arp_table, tables,
                           [](store::Revision revision, const model::ArpEntry& entry) {
                             return ServedBridge::Neighbour{revision, entry.mac};
                           });
    if (!tables) out.known = false;
    if (!out.known) out_.complete = false;
  }

  template <class Record, class Entry, class Make>
  void table(const std::string& folder, const Result<std::vector<std::string>>& names,
             const std::map<std::string, std::optional<Entry>>* old, std::map<std::string, std::optional<Entry>>& out,
             bool& known, Make make) {
    if (!names) {
      if (names.error().code != Code::not_found) known = false;
      return;
    }
    for (const std::string& name : *names) {
      const auto node = view_.get(paths::child(folder, name));
      if (look(node) == Look::unknown) known = false;
      if (look(node) != Look::there) continue;
      const store::Revision revision = (*node)->stat.modified;
      std::optional<Entry>& entry = out[name];
      const std::string path = paths::child(folder, name);
      if (old) {
        const auto at = old->find(name);
        if (at != old->end()) entry = at->second;
        if (entry && entry->revision == revision && !before_.damaged.contains(path)) continue;
      }
      if (const auto record = model::decode<Record>((*node)->value))
        entry = make(revision, *record);
      else
        out_.damaged.emplace(path, record.error().message);
    }
  }

  void zones() {
    const auto ids = view_.list(paths::tunnel_zones);
    if (!ids) {
      if (ids.error().code == Code::not_found) return;
      out_.complete = false;
      out_.zones = before_.zones;
      return;
    }
    for (const std::string& name : *ids) {
      const auto id = Uuid::parse(name);
      if (!id || id->to_string() != name) continue;
      const std::string path = paths::tunnel_zone_host(*id, host_);
      const auto node = view_.get(path);
      const auto old = before_.zones.find(*id);
      if (look(node) == Look::absent) continue;
      if (look(node) == Look::unknown) {
        out_.complete = false;
        if (old != before_.zones.end()) out_.zones.insert(*old);
        continue;
      }
      Membership membership;
      membership.revision = (*node)->stat.modified;
      if (old != before_.zones.end()) membership.address = old->second.address;
      const bool same = old != before_.zones.end() && old->second.revision == membership.revision;
      if (!same || before_.damaged.contains(path)) {
        if (const auto record = model::decode<model::TunnelZoneHost>((*node)->value)) {
          membership.address = record->ip_address;
        } else {
          out_.damaged.emplace(path, record.error().message);
          if (!membership.address) membership.address = told_address(*id);
        }
      }
      out_.zones.emplace(*id, membership);
    }
  }

  // This host's address in a zone as an earlier agent told it to others.
  std::optional<Ip> told_address(const Uuid& zone) {
    const auto node = view_.get(paths::served_bridges(host_));
    if (look(node) == Look::unknown) out_.complete = false;
    if (look(node) != Look::there) return {};
    const auto place = model::decode_bridge_host((*node)->value);
    if (!place) return {};
    const auto at = place->zones.find(zone);
    return at == place->zones.end() ? std::nullopt : std::optional(at->second);
  }

  void peers(const Uuid& id, ServedBridge& out) {
    const auto at = before_.bridges.find(id);
    const ServedBridge* old = at == before_.bridges.end() ? nullptr : &at->second;
    read_peers(id, old, out);
    out.peers_seen = out.peers_known || (old && old->peers_seen);
  }

  void read_peers(const Uuid& id, const ServedBridge* old, ServedBridge& out) {
    const std::string folder = paths::bridge_hosts(id);
    const auto names = view_.list_told(folder);
    if (!names) {
      out.peers_known = out.self_known = names.error().code == Code::not_found;
      if (out.peers_known) return;
      out_.peers_read = false;
      if (old) out.peers = old->peers, out.self = old->self, out.self_known = old->self_known;
      return;
    }
    out.self_known = true;
    const bool others_read = std::exchange(out_.peers_read, true);
    std::map<Uuid, std::shared_ptr<const Peer>> peers;
    for (const std::string& name : *names) {
      const auto host = Uuid::parse(name);
      if (!host || host->to_string() != name) continue;
      if (*host == host_) {
        out.self = true;
        find_own(id, paths::child(folder, name), out);
        continue;
      }
      const std::shared_ptr<const Peer>* known = nullptr;
      if (old) {
        const auto peer = old->peers->hosts.find(*host);
        if (peer != old->peers->hosts.end()) known = &peer->second;
      }
      peers.emplace_hint(peers.end(), *host, peer(paths::child(folder, name), known));
    }
    out.peers = old && old->peers->hosts == peers ? old->peers : std::make_shared<const Peers>(std::move(peers));
    out.peers_known = std::exchange(out_.peers_read, out_.peers_read && others_read);
  }

  void find_own(const Uuid& bridge, const std::string& path, ServedBridge& out) const {
    if (!offered_ || offered_->contains(bridge)) return;
    const auto node = view_.get(path);
    if (node) out.found = *node, out.self = true;
    out.self_known = look(node) != Look::unknown;
  }

  std::shared_ptr<const Peer> peer(const std::string& path, const std::shared_ptr<const Peer>* known) {
    const Peer* old = known ? known->get() : nullptr;
    Peer out;
    const auto node = view_.get(path);
    if (look(node) == Look::unknown) {
      out_.peers_read = false;
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

  void chunk(const std::string& path, const Peer::Chunk* old, Peer::Chunk& out) {
    const auto node = view_.get(path);
    if (look(node) == Look::unknown) {
      out_.peers_read = false;
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
      const auto damage = before_.damaged.find(path);
      if (damage != before_.damaged.end()) out_.damaged.insert(*damage);
      return;
    }
    if (auto record = decode(node.value))
      out = std::make_shared<const Record>(*std::move(record));
    else
      out_.damaged.emplace(path, std::move(record.error().message));
  }

  store::View& view_;
  const Uuid& host_;
  const Snapshot& before_;
  const OwnOffers* offered_;
  Snapshot out_;
};

}  // namespace

Peers::Peers(std::map<Uuid, std::shared_ptr<const Peer>> all) : hosts(std::move(all)) {
  for (const auto& [host, peer] : hosts) {
    if (!peer->record) continue;
    for (const auto& [number, chunk] : peer->chunks)
      if (chunk.offers)
        for (const model::OfferedPort& port : chunk.offers->ports) offers.push_back({&port, peer.get()});
  }
  std::stable_sort(offers.begin(), offers.end(), [](const Offer& a, const Offer& b) {
    return a.port->port_id != b.port->port_id ? a.port->port_id < b.port->port_id : a.port->before(*b.port);
  });
  const auto same = [](const Offer& a, const Offer& b) { return a.port->port_id == b.port->port_id; };
  offers.erase(std::unique(offers.begin(), offers.end(), same), offers.end());
}

const Peers::Offer* Peers::find(const Uuid& port) const {
  const auto at = std::lower_bound(offers.begin(), offers.end(), port,
                                   [](const Offer& offer, const Uuid& id) { return offer.port->port_id < id; });
  return at != offers.end() && at->port->port_id == port ? &*at : nullptr;
}

const BoundPort* find_port(const Snapshot& snapshot, const Uuid& id) {
  const auto at = std::lower_bound(snapshot.ports.begin(), snapshot.ports.end(), id,
                                   [](const BoundPort& port, const Uuid& wanted) { return port.id < wanted; });
  return at != snapshot.ports.end() && at->id == id ? &*at : nullptr;
}

Result<Snapshot> read_snapshot(store::View& view, const Uuid& host, const Snapshot& before, const OwnOffers* offered) {
  return Reader(view, host, before, offered).read();
}

}  // namespace midonet::agent
