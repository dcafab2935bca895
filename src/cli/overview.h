// The two looks at everything: `midonet show`, the tree host -> port -> interface -> state, and `midonet status`, whether
// all is well and if not, what is not. Pure: from the API's JSON to text.
#pragma once

#include <string>

#include "cli/listing.h"

namespace midonet::cli {

// Each host with its ports, then each bridge that has unbound ports with those.
//
//   host cmp1  alive
//     port 3f25…  on web  tap3f2504e0-4f  active  3m
//   bridge web  2 unbound ports
//     port 8e1f…  unbound
std::string tree(const Json& hosts, const Json& bridges, const Json& ports, const Look& look);

// What an agent says of itself, on one line. `hosts` gives it its host's name, and may be empty.
std::string agent_line(const Json& agent, const Json& hosts);

struct Health {
  std::string api_url;
  std::string api_version;      // "v5.0"
  std::string api_state;        // of system_state: "ACTIVE READWRITE"
  std::string socket;           // of the local agent
  const Json* agent = nullptr;  // what it says; none when it is silent
  std::string agent_silence;    // why it says nothing
};
std::string health(const Health& health, const Json& hosts, const Json& bridges, const Json& ports, const Look& look);

}  // namespace midonet::cli
