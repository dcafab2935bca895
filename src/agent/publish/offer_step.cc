#include "agent/publish/offer_step.h"

#include <algorithm>

#include "model/latest.h"
#include "model/paths.h"

namespace midonet::agent {

namespace paths = model::paths;
using model::OfferChunk;
using model::OfferedPort;
using store::Op;

namespace {

class Step {
 public:
  Step(const Uuid& host, const Uuid& bridge, OwnBridge& own, const std::optional<model::BridgeHost>& self,
       const WantedBridge& wanted, bool may_remove, const OfferLimits& limits)
      : host_(host),
        bridge_(bridge),
        node_(paths::bridge_host(bridge, host)),
        own_(own),
        self_(self),
        wanted_(wanted),
        may_remove_(may_remove),
        limits_(limits),
        placed_(wanted.ports.size(), false) {}

  OfferStep run() {
    for (auto& [number, chunk] : own_.chunks) look_through(number, chunk);
    if (self_) place();
    write();
    out_.ops.insert(out_.ops.begin(), checks_.begin(), checks_.end());
    return std::move(out_);
  }

 private:
  // Index, host and the folder's news may all have to be written or removed, beside what was counted.
  bool full() const {
    return checks_.size() + touched_.size() + 5 >= limits_.ops || (bytes_ >= limits_.bytes && !touched_.empty());
  }

  void touch(std::int64_t number, const OwnChunk& chunk) {
    if (touched_.insert(number).second) bytes_ += chunk.value.size();
  }

  void fence(const OfferedPort& port) {
    checks_.push_back(Op::check(paths::binding(host_, port.port_id)));
    out_.offered.emplace_back(port.port_id, port.revision);
  }

  // What stands there: as wanted, to be changed, or to go.
  void look_through(std::int64_t number, OwnChunk& chunk) {
    for (auto port = chunk.ports.begin(); port != chunk.ports.end();) {
      const auto at = std::lower_bound(wanted_.ports.begin(), wanted_.ports.end(), port->port_id,
                                       [](const OfferedPort& one, const Uuid& id) { return one.port_id < id; });
      const bool is_wanted = self_ && at != wanted_.ports.end() && at->port_id == port->port_id;
      const auto index = static_cast<std::size_t>(at - wanted_.ports.begin());
      const bool twice = is_wanted && placed_[index];
      if (is_wanted && !twice) {
        placed_[index] = true;
        if (*port != *at) {
          if (full()) {
            out_.more = true;
          } else {
            touch(number, chunk);
            if (port->revision != at->revision || port->standby != at->standby) fence(*at);
            bytes_ += 64 * at->macs.size() + 48 * at->ips.size();
            *port = *at;
          }
        }
        ++port;
        continue;
      }
      if (!may_remove_ || (!twice && wanted_.keep.contains(port->port_id))) {
        ++port;
      } else if (full()) {
        out_.more = true;
        ++port;
      } else {
        touch(number, chunk);
        port = chunk.ports.erase(port);
      }
    }
    // One that is empty, or damaged, with nothing to say.
    if (chunk.ports.empty() && may_remove_ && !touched_.contains(number)) {
      if (full())
        out_.more = true;
      else
        touch(number, chunk);
    }
  }

  void place() {
    auto room = own_.chunks.begin();
    for (std::size_t index = 0; index < wanted_.ports.size(); ++index) {
      if (placed_[index]) continue;
      if (full()) {
        out_.more = true;
        return;
      }
      while (room != own_.chunks.end() && room->second.ports.size() >= OfferChunk::max_ports) ++room;
      if (room == own_.chunks.end()) room = add_chunk();
      touch(room->first, room->second);
      fence(wanted_.ports[index]);
      bytes_ += 160 + 64 * wanted_.ports[index].macs.size() + 48 * wanted_.ports[index].ips.size();
      room->second.ports.push_back(wanted_.ports[index]);
    }
  }

  std::map<std::int64_t, OwnChunk>::iterator add_chunk() {
    std::int64_t number = 0;
    for (const auto& [taken, chunk] : own_.chunks) {
      if (taken != number) break;
      ++number;
    }
    new_.insert(number);
    return own_.chunks.emplace(number, OwnChunk{}).first;
  }

  void write() {
    std::vector<Op> chunks;
    for (const std::int64_t number : touched_) {
      OwnChunk& chunk = own_.chunks.at(number);
      const std::string path = paths::child(node_, std::to_string(number));
      if (chunk.ports.empty()) {
        chunks.push_back(Op::remove(path, chunk.version));
        own_.chunks.erase(number);
        continue;
      }
      std::string value = encode(OfferChunk{chunk.ports}, chunk.value);
      out_.bytes += value.size();
      if (new_.contains(number)) {
        chunks.push_back(Op::create(path, value));
        chunk.version = 0;
      } else {
        chunks.push_back(Op::set(path, value, chunk.version));
        ++chunk.version;
      }
      chunk.value = std::move(value);
    }

    if (own_.chunks.empty()) {
      out_.ops = std::move(chunks);
      if (may_remove_) remove_host();
      return;
    }
    // The host before its first chunk.
    write_host(chunks);
    out_.ops.insert(out_.ops.end(), std::make_move_iterator(chunks.begin()), std::make_move_iterator(chunks.end()));
  }

  void write_host(const std::vector<Op>& chunks) {
    if (!self_) return;  // the rest of what goes is for the next commit
    model::BridgeHost record = *self_;
    record.chunks.clear();
    for (const auto& [number, chunk] : own_.chunks) record.chunks.push_back(number);
    if (!own_.indexed) out_.ops.push_back(Op::create(paths::served_bridge(host_, bridge_), ""));
    own_.indexed = true;
    std::string value = encode(record, own_.value);
    if (!own_.there) {
      model::Latest latest{{node_, value}};
      for (const Op& chunk : chunks) latest.emplace(chunk.path, chunk.value);
      out_.ops.push_back(Op::create(node_, value));
      out_.ops.push_back(Op::set(paths::bridge_hosts(bridge_), model::encode_latest(latest)));
      own_.version = 0;
    } else if (value != own_.value) {
      out_.ops.push_back(Op::set(node_, value, own_.version));
      ++own_.version;
    }
    own_.there = true;
    own_.value = std::move(value);
  }

  void remove_host() {
    if (own_.there) out_.ops.push_back(Op::remove(node_, own_.version));
    if (own_.indexed) out_.ops.push_back(Op::remove(paths::served_bridge(host_, bridge_)));
    own_ = {};
  }

  const Uuid& host_;
  const Uuid& bridge_;
  const std::string node_;
  OwnBridge& own_;
  const std::optional<model::BridgeHost>& self_;
  const WantedBridge& wanted_;
  const bool may_remove_;
  const OfferLimits& limits_;
  std::vector<bool> placed_;
  std::set<std::int64_t> touched_, new_;
  std::size_t bytes_ = 0;  // about
  std::vector<Op> checks_;
  OfferStep out_;
};

}  // namespace

OfferStep offer_step(const Uuid& host, const Uuid& bridge, OwnBridge& own, const std::optional<model::BridgeHost>& self,
                     const WantedBridge& wanted, bool may_remove, const OfferLimits& limits) {
  return Step(host, bridge, own, self, wanted, may_remove, limits).run();
}

}  // namespace midonet::agent
