#include "topology/migration.h"

#include <string>
#include <vector>

#include "model/offer.h"
#include "model/paths.h"

namespace midonet::topology {

namespace paths = model::paths;
using model::Port;
using model::TakenFrom;

namespace {

// Whether a race with the agents, which write what they offer, is to be lost. A bind is not to fail for that: it would go on with
// an origin that was right a moment ago.
enum class Guarded { no, yes };

// What a host offers of a port; nothing where it does not, or where its offers cannot be read.
Result<std::optional<model::OfferedPort>> find_offer(store::Transaction& t, const Uuid& bridge, const Uuid& host,
                                                     const Uuid& port, Guarded guarded) {
  const std::optional<model::OfferedPort> nothing;
  const std::string folder = paths::bridge_host(bridge, host);
  const Result<store::NodePtr> node = t.get(folder);
  if (!node && node.error().code == Code::not_found) return nothing;
  if (!node) return failed(node);
  const auto record = model::decode_bridge_host((*node)->value);
  if (!record) return nothing;

  Steps steps;
  std::optional<model::OfferedPort> found;
  for (const std::int64_t number : record->chunks) {
    const std::string path = paths::child(folder, std::to_string(number));
    const Result<store::NodePtr> chunk = t.get(path);
    if (!chunk && chunk.error().code == Code::not_found) continue;
    if (!steps.add(chunk)) continue;
    const auto offers = model::decode_offer_chunk((*chunk)->value);
    if (!offers) continue;
    for (const model::OfferedPort& offer : offers->ports) {
      if (offer.port_id != port) continue;
      found = offer;
      if (guarded == Guarded::yes) t.guard(path);
    }
  }
  if (!steps.outcome()) return failed(steps.outcome());
  return found;
}

// Whether the guest of a port that was taken over still runs where it was taken from.
Result<bool> unfinished(store::Transaction& t, const Port& port, const TakenFrom& from, Guarded guarded) {
  const auto there = find_offer(t, port.bridge_id, from.host_id, port.id, guarded);
  const auto here = find_offer(t, port.bridge_id, *port.host_id, port.id, guarded);
  Steps steps;
  steps.add(there);
  steps.add(here);
  if (!steps.outcome()) return failed(steps.outcome());
  const bool heard_here = *here && !(*here)->standby;
  return *there && !(*there)->standby && !heard_here;
}

}  // namespace

Result<std::optional<TakenFrom>> origin_of(store::Transaction& t, const Stored<Port>& stored, const Uuid& host) {
  const Port& port = stored.record;
  if (!port.host_id || !port.interface_name) return std::optional<TakenFrom>();
  std::optional<TakenFrom> from = port.taken_from();
  if (from) {
    const auto still_there = unfinished(t, port, *from, Guarded::no);
    if (!still_there) return failed(still_there);
    if (!*still_there) from.reset();
  }
  if (!from) from = TakenFrom{*port.host_id, *port.interface_name};
  if (from->host_id == host) from.reset();
  return from;
}

Result<std::optional<TakenFrom>> way_back(store::Transaction& t, const Stored<Port>& stored) {
  const std::optional<TakenFrom> none;
  const Port& port = stored.record;
  const std::optional<TakenFrom> from = port.taken_from();
  if (!from || !port.host_id || from->host_id == *port.host_id) return none;
  const Result<bool> there = unfinished(t, port, *from, Guarded::yes);
  const Result<bool> taken = exists(t, paths::bound_interface(from->host_id, from->interface_name));
  const Result<bool> host = exists(t, paths::host(from->host_id));
  Steps steps;
  steps.add(there);
  steps.add(taken);
  steps.add(host);
  if (!steps.outcome()) return failed(steps.outcome());
  return *there && !*taken && *host ? from : none;
}

}  // namespace midonet::topology
