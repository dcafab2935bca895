#include "agent/publish/placement.h"

#include <algorithm>

namespace midonet::agent {

using model::OfferChunk;
using model::OfferedPort;

namespace {

class Placement {
 public:
  Placement(OwnChunks& chunks, const WantedBridge& wanted, bool may_remove)
      : chunks_(chunks), wanted_(wanted), may_remove_(may_remove), placed_(wanted.ports.size(), false) {}

  std::set<std::int64_t> run() {
    for (auto& [number, chunk] : chunks_) look_through(number, chunk);
    place_others();
    return std::move(touched_);
  }

 private:
  // What stands there: as wanted, to be changed, or to go.
  void look_through(std::int64_t number, OwnChunk& chunk) {
    for (auto port = chunk.ports.begin(); port != chunk.ports.end();) {
      const auto at = std::lower_bound(wanted_.ports.begin(), wanted_.ports.end(), port->port_id,
                                       [](const OfferedPort& one, const Uuid& id) { return one.port_id < id; });
      const bool is_wanted = at != wanted_.ports.end() && at->port_id == port->port_id;
      const auto index = static_cast<std::size_t>(at - wanted_.ports.begin());
      const bool twice = is_wanted && placed_[index];
      if (is_wanted && !twice) {
        placed_[index] = true;
        chunk.taken_over.erase(port->port_id);
        if (*port != *at) {
          touched_.insert(number);
          if (port->revision != at->revision || port->standby != at->standby) chunk.unconfirmed.insert(at->port_id);
          *port = *at;
        }
        ++port;
      } else if (!twice && wanted_.taken_over.contains(port->port_id)) {
        // What it is written under is different from now on.
        if (chunk.taken_over.insert(port->port_id).second && chunk.unconfirmed.contains(port->port_id))
          touched_.insert(number);
        ++port;
      } else if (!may_remove_ || (!twice && wanted_.keep.contains(port->port_id))) {
        ++port;
      } else {
        touched_.insert(number);
        chunk.unconfirmed.erase(port->port_id);
        chunk.taken_over.erase(port->port_id);
        port = chunk.ports.erase(port);
      }
    }
    // One that is empty, or damaged, with nothing to say.
    if (chunk.ports.empty() && may_remove_) touched_.insert(number);
  }

  void place_others() {
    auto room = chunks_.begin();
    for (std::size_t index = 0; index < wanted_.ports.size(); ++index) {
      if (placed_[index]) continue;
      while (room != chunks_.end() && room->second.ports.size() >= OfferChunk::max_ports) ++room;
      if (room == chunks_.end()) room = add_chunk();
      touched_.insert(room->first);
      room->second.ports.push_back(wanted_.ports[index]);
      room->second.unconfirmed.insert(wanted_.ports[index].port_id);
    }
  }

  OwnChunks::iterator add_chunk() {
    std::int64_t number = 0;
    for (const auto& [taken, chunk] : chunks_) {
      if (taken != number) break;
      ++number;
    }
    return chunks_.emplace(number, OwnChunk{}).first;
  }

  OwnChunks& chunks_;
  const WantedBridge& wanted_;
  const bool may_remove_;
  std::vector<bool> placed_;
  std::set<std::int64_t> touched_;
};

}  // namespace

std::set<std::int64_t> place(OwnChunks& chunks, const WantedBridge& wanted, bool may_remove) {
  return Placement(chunks, wanted, may_remove).run();
}

}  // namespace midonet::agent
