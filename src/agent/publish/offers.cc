#include "agent/publish/offers.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "model/paths.h"
#include "store/hint.h"
#include "store/path.h"

namespace midonet::agent {

namespace paths = model::paths;
using store::NodeWriter;
using store::Op;

namespace {

std::optional<std::int64_t> number(std::string_view name) {
  if (name.empty() || name.size() > 9 || name.find_first_not_of("0123456789") != std::string_view::npos) return {};
  return std::stoll(std::string(name));
}

std::string chunk_path(const Uuid& bridge, const Uuid& host, std::int64_t number) {
  return paths::child(paths::bridge_host(bridge, host), std::to_string(number));
}

// The place of a node among those of its bridge: the index stands for as long as there is something that it leads to.
constexpr std::uint8_t index_order = 0;
constexpr std::uint8_t host_order = 1;

}  // namespace

Offers::Offers(Loop& loop, store::Store& store, Registry& registry, const Uuid& host, Events events)
    : host_(host),
      index_(paths::served_bridges(host)),
      events_(std::move(events)),
      bridges_(registry.gauge("midonet_agent_offered_bridges", "Bridges on which this host offers ports to others")),
      writer_(loop, store,
              registry.counter("midonet_agent_offer_commits_total", "Commits of what this host offers to others"),
              registry.counter("midonet_agent_offer_failures_total",
                               "Commits of what this host offers that the store refused"),
              {{.path = index_, .kind = {.life = NodeWriter::Life::given}, .self = true},
               {.path = index_, .kind = {.order = index_order}, .children = true}},
              {.looking = [this] { looking(); },
               .found = [this](const std::string& path, const store::Node& node) { found(path, node); },
               .looked = [this] { looked(); },
               .missing =
                   [this](const std::string& path) {
                     if (path == index_ && events_.lost) events_.lost();
                   },
               .written = [this](const std::string& path) { written(path); },
               .committing = [this](std::vector<Op>& ops) { tell(ops); }}) {}

void Offers::start() {
  writer_.start();
  if (!has_index_) writer_.look_again();
}

void Offers::stop() { writer_.pause(); }

NodeWriter::Kind Offers::kind(const Uuid& bridge, std::uint8_t order) {
  return {.life = NodeWriter::Life::durable,
          .group = std::make_shared<const std::string>(bridge.to_string()),
          .order = order};
}

std::optional<std::pair<Uuid, std::optional<std::int64_t>>> Offers::parse(std::string_view path) const {
  const std::string_view parent = store::parent_of(path);
  const bool chunk = parent.ends_with(host_.to_string());
  const std::string_view host = chunk ? parent : path;
  if (!chunk && !path.ends_with(host_.to_string())) return {};
  const auto bridge = Uuid::parse(store::name_of(store::parent_of(store::parent_of(host))));
  if (!bridge || host != paths::bridge_host(*bridge, host_)) return {};
  if (!chunk) return std::pair(*bridge, std::optional<std::int64_t>());
  const auto at = number(store::name_of(path));
  if (!at) return {};
  return std::pair(*bridge, at);
}

// The bridges that the index names, and those that it may lack.
void Offers::looking() {
  has_index_ = false;
  seen_.clear();
  for (const auto& [bridge, own] : own_) look_at(bridge);
}

void Offers::look_at(const Uuid& bridge) {
  if (!seen_.try_emplace(bridge).second) return;
  writer_.look_at(
      {.path = paths::bridge_host(bridge, host_), .kind = kind(bridge, host_order), .self = true, .children = true});
}

void Offers::found(const std::string& path, const store::Node& node) {
  if (path == index_) {
    has_index_ = true;
    return write_place();
  }
  if (store::parent_of(path) == index_) {
    const auto bridge = Uuid::parse(store::name_of(path));
    if (!bridge || bridge->to_string() != store::name_of(path)) return;
    if (own_.try_emplace(*bridge).second) again_.insert(*bridge);
    writer_.put(path, kind(*bridge, index_order), node.value);
    return look_at(*bridge);
  }
  const auto at = parse(path);
  if (!at) return;
  if (at->second)
    found_chunk(at->first, *at->second, node);
  else
    own_[at->first].base = node.value;
}

void Offers::found_chunk(const Uuid& bridge, std::int64_t number, const store::Node& node) {
  seen_[bridge].insert(number);
  auto stands = model::decode_offer_chunk(node.value);
  if (!stands) log::warning("{}: {}: it is written again", chunk_path(bridge, host_, number), stands.error().message);
  const auto [at, fresh] = own_[bridge].chunks.try_emplace(number);
  OwnChunk& own = at->second;
  own.base = node.value;
  if (fresh) {
    again_.insert(bridge);
    if (stands) own.ports = std::move(stands->ports);
    return;
  }
  own.unconfirmed.clear();
  for (const model::OfferedPort& port : own.ports) {
    const auto same = [&](const model::OfferedPort& other) {
      return other.port_id == port.port_id && other.revision == port.revision && other.standby == port.standby;
    };
    if (!stands || std::none_of(stands->ports.begin(), stands->ports.end(), same)) own.unconfirmed.insert(port.port_id);
  }
}

void Offers::looked() {
  for (auto& [bridge, own] : own_) {
    std::set<std::int64_t> all;
    for (auto& [number, chunk] : own.chunks) {
      all.insert(number);
      if (seen_[bridge].contains(number)) continue;
      for (const model::OfferedPort& port : chunk.ports) chunk.unconfirmed.insert(port.port_id);
    }
    write(bridge, own, all);
  }
  seen_.clear();
  bridges_.set(static_cast<double>(own_.size()));
  if (events_.known) events_.known(std::exchange(again_, {}));
}

void Offers::want(const std::optional<model::BridgeHost>& self, bool complete) {
  told_ = true;
  complete_ = complete;
  if (self != self_) {
    self_ = self;
    for (auto& [bridge, own] : own_) write(bridge, own, {});
  }
  write_place();
}

bool Offers::adopt(const Uuid& bridge, const store::Node& record) {
  if (own_.contains(bridge)) return true;
  if (!writer_.known()) {
    again_.insert(bridge);
    return false;
  }
  const auto host = model::decode_bridge_host(record.value);
  if (!host || !host->chunks.empty()) {
    look_again();  // it is more than a binding's commit makes
    return false;
  }
  own_[bridge].base = record.value;
  writer_.adopt(paths::served_bridge(host_, bridge), kind(bridge, index_order), {});
  writer_.adopt(paths::bridge_host(bridge, host_), kind(bridge, host_order), record);
  return true;
}

void Offers::want(const Uuid& bridge, const WantedBridge& wanted) {
  auto at = own_.find(bridge);
  if (at == own_.end()) {
    if (wanted.ports.empty() || !self_) return;
    at = own_.emplace(bridge, OwnBridge{}).first;
  }
  if (complete_)
    held_back_.erase(bridge);
  else
    held_back_.insert(bridge);
  static const WantedBridge nothing;
  const auto changed = place(at->second.chunks, self_ ? wanted : nothing, complete_);
  // Of a record that was adopted: what is to be offered may be known in a moment.
  if (self_ && at->second.chunks.empty() && changed.empty() && !wanted.keep.empty()) return;
  write(bridge, at->second, changed);
  if (at->second.chunks.empty() && complete_) own_.erase(at);
  bridges_.set(static_cast<double>(own_.size()));
}

void Offers::write(const Uuid& bridge, OwnBridge& own, const std::set<std::int64_t>& changed) {
  for (const std::int64_t number : changed) {
    const std::string path = chunk_path(bridge, host_, number);
    OwnChunk& chunk = own.chunks.at(number);
    if (chunk.ports.empty() && complete_) {
      writer_.remove(path);
      own.chunks.erase(number);
      continue;
    }
    if (chunk.ports.empty()) continue;
    std::vector<std::string> guards;
    guards.reserve(chunk.unconfirmed.size());
    for (const Uuid& port : chunk.unconfirmed)
      guards.push_back(chunk.taken_over.contains(port) ? paths::port(port) : paths::binding(host_, port));
    chunk.base = encode(model::OfferChunk{chunk.ports}, chunk.base);
    writer_.put(path, kind(bridge, host_order), chunk.base, std::move(guards));
  }
  if (own.chunks.empty()) {
    if (!complete_) return;
    writer_.remove(paths::bridge_host(bridge, host_));
    writer_.remove(paths::served_bridge(host_, bridge));
    return;
  }
  if (!self_) return;  // the rest of what goes follows
  model::BridgeHost record = *self_;
  record.chunks.clear();
  for (const auto& [number, chunk] : own.chunks) record.chunks.push_back(number);
  own.base = encode(record, own.base);
  writer_.put(paths::served_bridge(host_, bridge), kind(bridge, index_order), "");
  writer_.put(paths::bridge_host(bridge, host_), kind(bridge, host_order), own.base);
}

// Where this host is reached, for the process that binds a port here and tells the others (topology/attach.cc).
void Offers::write_place() {
  if (!told_ || !has_index_ || (!self_ && !complete_)) return;
  std::string place;
  if (self_) {
    model::BridgeHost self = *self_;
    self.adopts = true;
    place = encode(self);
  }
  writer_.put(index_, {.life = NodeWriter::Life::given}, std::move(place));
}

void Offers::written(const std::string& path) {
  const auto at = parse(path);
  if (!at || !at->second) return;
  const auto own = own_.find(at->first);
  if (own == own_.end()) return;
  const auto chunk = own->second.chunks.find(*at->second);
  if (chunk == own->second.chunks.end()) return;
  const auto confirmed = std::exchange(chunk->second.unconfirmed, {});
  if (!events_.offered) return;
  for (const model::OfferedPort& port : chunk->second.ports)
    if (confirmed.contains(port.port_id)) events_.offered(port.port_id, port.revision);
}

// A host that begins to serve a bridge is hinted at in the folder of the bridge's hosts. Its index, where it stood already, must
// still do so: the commit that unbinds a port takes it back together with the host's record (topology/attach.cc).
void Offers::tell(std::vector<Op>& ops) const {
  const auto begins = std::find_if(ops.begin(), ops.end(), [this](const Op& op) {
    if (op.kind != Op::Kind::create) return false;
    const auto at = parse(op.path);
    return at && !at->second;
  });
  if (begins == ops.end()) return;
  const std::string host = begins->path;
  store::Hint hint;
  for (const Op& op : ops)
    if ((op.kind == Op::Kind::create || op.kind == Op::Kind::set) && op.path.starts_with(host))
      hint.emplace(op.path, op.value);
  ops.push_back(Op::set(std::string(store::parent_of(host)), store::encode_hint(hint)));
  const std::string index = paths::served_bridge(host_, parse(host)->first);
  if (std::none_of(ops.begin(), ops.end(), [&](const Op& op) { return op.path == index; }))
    ops.push_back(Op::check(index));
}

}  // namespace midonet::agent
