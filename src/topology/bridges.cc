#include "topology/bridges.h"

#include "model/paths.h"
#include "model/port.h"
#include "topology/attach.h"
#include "topology/hosts.h"
#include "topology/ports.h"
#include "topology/references.h"

namespace midonet::topology {

namespace paths = model::paths;
using model::Bridge;
using model::Port;

namespace {

Result<Vni> free_vni(store::View& view, const Uuid& bridge) {
  for (std::uint32_t attempt = 0; attempt < max_vni_attempts; ++attempt) {
    const Vni candidate = vni_candidate(bridge, attempt);
    const Result<bool> taken = exists(view, paths::vni(candidate));
    if (!taken) return failed(taken);
    if (!*taken) return candidate;
  }
  return fail(Code::exhausted, "bridge {}: no free VNI found in {} attempts", bridge, max_vni_attempts);
}

}  // namespace

Vni vni_candidate(const Uuid& bridge, std::uint32_t attempt) {
  // FNV-1a over the id and the number of the attempt, folded (http://www.isthe.com/chongo/tech/comp/fnv, xor-folding).
  std::uint64_t hash = 0xcbf29ce484222325U;
  const auto mix = [&hash](std::uint8_t byte) { hash = (hash ^ byte) * 0x100000001b3U; };
  for (const std::uint8_t byte : bridge.bytes()) mix(byte);
  for (int shift = 0; shift < 32; shift += 8) mix(static_cast<std::uint8_t>(attempt >> shift));
  return *Vni::from((hash ^ hash >> 32) % Vni::max + 1);
}

Result<Stored<Bridge>> read_bridge(store::View& view, const Uuid& id) {
  return read<Bridge>(view, paths::bridge(id), id);
}

Status create_bridge(store::Transaction& t, Bridge bridge) {
  const std::string path = paths::bridge(bridge.id);
  Steps steps;
  const Result<bool> used = exists(t, path);
  if (steps.add(used) && *used)
    steps.add(Status(fail(Code::conflict, "A(n) Bridge with ID {} already exists.", bridge.id)));
  steps.add(check_references(t, bridge));
  const Result<Vni> vni = free_vni(t, bridge.id);
  steps.add(vni);
  if (!steps.outcome()) return steps.outcome();
  bridge.vni = *vni;
  t.create(paths::vni(*vni), fmt::format(R"({{"bridgeId":"{}"}})", bridge.id));
  t.create(path, encode(bridge));
  for (const std::string& folder : {paths::bridge_ports(bridge.id), paths::bridge_hosts(bridge.id),
                                    paths::mac_table(bridge.id), paths::arp_table(bridge.id)})
    t.create(folder, "");
  return {};
}

Status update_bridge(store::Transaction& t, const Uuid& id, const std::function<void(Bridge&)>& change) {
  Result<Stored<Bridge>> stored = read_bridge(t, id);
  if (!stored) return failed(stored);
  change(stored->record);
  if (Status references = check_references(t, stored->record); !references) return references;
  t.set(paths::bridge(id), encode(stored->record, stored->node->value));
  return {};
}

namespace {

// The binding, the interface's index node, the port, and its place in the bridge's index.
constexpr std::size_t nodes_of_port = 4;

Result<Progress> remove_ports(store::Transaction& t, const Uuid& bridge, Room& room) {
  const auto names = list_ids(t, paths::bridge_ports(bridge));
  if (!names) return failed(names);
  Steps steps;
  Progress progress = Progress::done;
  for (const std::string& name : *names) {
    const Result<Uuid> id = Uuid::parse(name);
    if (!id) continue;
    if (!room.take(nodes_of_port)) {
      progress = Progress::more;
      break;
    }
    const Result<Stored<Port>> port = read_port(t, *id);
    const bool absent = !port && port.error().code == Code::not_found;  // an entry of the index alone, or a race
    if (!absent && (!steps.add(port) || !steps.add(unbind(t, port->record)))) continue;
    if (!absent) t.remove(paths::port(*id));
    t.remove(paths::bridge_port(bridge, *id));
  }
  if (!steps.outcome()) return failed(steps.outcome());
  return progress;
}

Result<Progress> remove_offers(store::Transaction& t, const Uuid& bridge, Room& room) {
  const auto names = list_ids(t, paths::bridge_hosts(bridge));
  if (!names) return failed(names);
  Steps steps;
  for (const std::string& name : *names) {
    const Result<Uuid> host = Uuid::parse(name);
    if (!host) continue;
    const Result<Progress> withdrawn = withdraw_offer(t, *host, bridge, room);
    if (steps.add(withdrawn) && *withdrawn == Progress::more) return more(steps);
  }
  if (!steps.outcome()) return failed(steps.outcome());
  return Progress::done;
}

}  // namespace

Result<Progress> delete_bridge(store::Transaction& t, const Uuid& id) {
  const Result<Stored<Bridge>> stored = read_bridge(t, id);
  if (!stored) return failed(stored);
  Room room;
  room.take();  // for the VNI
  if (const auto ports = remove_ports(t, id, room); !ports || *ports == Progress::more) return ports;
  if (const auto offers = remove_offers(t, id, room); !offers || *offers == Progress::more) return offers;
  const Result<Progress> rest = remove_tree(t, paths::bridge(id), room);
  if (!rest || *rest == Progress::more) return rest;
  if (stored->record.vni) t.remove(paths::vni(*stored->record.vni));
  return Progress::done;
}

}  // namespace midonet::topology
