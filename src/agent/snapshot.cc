#include "agent/snapshot.h"

#include <algorithm>
#include <utility>

#include "base/interface_name.h"
#include "model/binding.h"
#include "model/bridge_tables.h"
#include "model/paths.h"
#include "model/record.h"

namespace midonet::agent {

namespace paths = model::paths;

namespace {

// What a node is to a reader: there, known to be absent, or not known yet (being read, or the store does not answer).
enum class Look { there, absent, unknown };

Look look(const Result<store::NodePtr>& node) {
  if (node) return Look::there;
  return node.error().code == Code::not_found ? Look::absent : Look::unknown;
}

const BoundPort* find(const Snapshot& snapshot, const Uuid& id) {
  const auto at = std::lower_bound(snapshot.ports.begin(), snapshot.ports.end(), id,
                                   [](const BoundPort& port, const Uuid& wanted) { return port.id < wanted; });
  return at != snapshot.ports.end() && at->id == id ? &*at : nullptr;
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
  out.port = std::make_shared<const model::Port>(*std::move(port));
}

class Reader {
 public:
  Reader(store::View& view, const Uuid& host, const Snapshot& before) : view_(view), host_(host), before_(before) {
    out_.host = host;
    out_.complete = true;
  }

  Result<Snapshot> read() {
    const auto names = view_.list(paths::bindings(host_));
    if (!names) return tl::unexpected<Error>(names.error());
    out_.ports.reserve(names->size());
    for (const std::string& name : *names) {
      if (const auto id = Uuid::parse(name); id && id->to_string() == name)
        port(*id);
      else
        out_.foreign.push_back(name);
    }
    // A view answers what it has and notes what it lacks: everything is asked for before anybody gives up.
    for (auto& [id, bridge] : out_.bridges) this->bridge(id, bridge);
    return std::move(out_);
  }

 private:
  void port(const Uuid& id) {
    const auto binding = view_.get(paths::binding(host_, id));
    const auto record = view_.get(paths::port(id));
    if (look(binding) == Look::unknown) out_.complete = false;
    if (look(binding) != Look::there) return;  // absent: unbound since the list was read, which is being read anew

    const BoundPort* old = find(before_, id);
    BoundPort out;
    out.id = id;
    out.revision = (*binding)->stat.modified;
    if (old && old->revision == out.revision) {
      out.interface = old->interface;
      out.damage = old->damage;
    } else {
      read_binding(**binding, out);
    }

    switch (look(record)) {
      case Look::unknown: out_.complete = false; break;
      case Look::absent: out.port_known = true; break;
      case Look::there:
        out.port_known = true;
        out.port_revision = (*record)->stat.modified;
        if (old && old->port_known && old->port_revision == out.port_revision) {
          out.port = old->port;
          out.port_damage = old->port_damage;
        } else {
          read_port(**record, out);
        }
        break;
    }
    if (out.port) out_.bridges.try_emplace(out.port->bridge_id);
    out_.ports.push_back(std::move(out));
  }

  void bridge(const Uuid& id, ServedBridge& out) {
    const auto at = before_.bridges.find(id);
    const ServedBridge* old = at == before_.bridges.end() ? nullptr : &at->second;
    const auto node = view_.get(paths::bridge(id));
    const auto macs = view_.list(paths::mac_table(id));
    const auto addresses = view_.list(paths::arp_table(id));
    out.known = true;
    switch (look(node)) {
      case Look::unknown: out.known = false; break;
      case Look::absent: return;
      case Look::there:
        out.created = (*node)->stat.created;
        out.revision = (*node)->stat.modified;
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
    table<model::MacEntry>(paths::mac_table(id), macs, old ? &old->mac_table : nullptr, out.mac_table, out.known,
                           [](store::Revision revision, const model::MacEntry& entry) {
                             return ServedBridge::MacTarget{revision, entry.port_id};
                           });
    table<model::ArpEntry>(paths::arp_table(id), addresses, old ? &old->arp_table : nullptr, out.arp_table, out.known,
                           [](store::Revision revision, const model::ArpEntry& entry) {
                             return ServedBridge::Neighbour{revision, entry.mac};
                           });
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
      if (old) {
        const auto at = old->find(name);
        if (at != old->end() && at->second && at->second->revision == revision) {
          entry = at->second;
          continue;
        }
      }
      if (const auto record = model::decode<Record>((*node)->value)) entry = make(revision, *record);
    }
  }

  store::View& view_;
  const Uuid& host_;
  const Snapshot& before_;
  Snapshot out_;
};

}  // namespace

Result<Snapshot> read_snapshot(store::View& view, const Uuid& host, const Snapshot& before) {
  return Reader(view, host, before).read();
}

}  // namespace midonet::agent
