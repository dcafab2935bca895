// What this host offers on a bridge, as it stands in the store. Values only.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "model/offer.h"

namespace midonet::agent {

struct OwnChunk {
  std::int32_t version = 0;
  std::string value;
  std::vector<model::OfferedPort> ports;  // none in a damaged one
};
struct OwnBridge {
  bool indexed = false;
  bool there = false;  // the node of the host
  std::int32_t version = 0;
  std::string value;
  std::map<std::int64_t, OwnChunk> chunks;
};

}  // namespace midonet::agent
