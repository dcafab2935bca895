// What this host offers to others, on each bridge, in the chunks that it stands in. Values only.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/uuid.h"
#include "model/offer.h"

namespace midonet::agent {

struct OwnChunk {
  std::string base{};                       // as it was read: keys that this program does not know are kept
  std::vector<model::OfferedPort> ports{};  // none in a damaged one
  std::set<Uuid> unconfirmed{};             // of them those that the store does not have yet as they are bound now
  std::set<Uuid> taken_over{};              // of them those that are bound at another host by now (ADR 9)
};
using OwnChunks = std::map<std::int64_t, OwnChunk>;  // by number
struct OwnBridge {
  std::string base{};  // of the host's record
  OwnChunks chunks{};

  const model::OfferedPort* find(const Uuid& port) const {
    for (const auto& [number, chunk] : chunks)
      for (const model::OfferedPort& one : chunk.ports)
        if (one.port_id == port) return &one;
    return nullptr;
  }
};
using OwnOffers = std::map<Uuid, OwnBridge>;  // by bridge

}  // namespace midonet::agent
