// Two overviews: `midonet show`, the tree host -> port -> interface -> state, and `midonet status`, which says whether all is well, and
// if not, what is wrong. Pure: from the API's JSON to text.
#pragma once

#include <string>

#include "cli/listing.h"

namespace midonet::cli {

// Each host with its ports, then each bridge that has unbound ports with those.
//
//   host cmp1  alive
//     port 3f2504e0  on web  tap3f2504e0-4f  active  3m
//   bridge web  2 unbound ports
//     port 8e1f2233  unbound
std::string tree(const Json& hosts, const Json& bridges, const Json& ports, const Look& look);

// The status of an agent: its host, its store, its tunnel to other hosts, and the bridges that it serves with the other hosts that
// serve them. `hosts` and `bridges` have the names, and may be empty.
//
//   agent here  cmp1 (3f25…), version 0.1.0, pid 7
//   store       zookeeper://10.0.0.1:2181/midonet answers, since 3m
//   tunnel      midonet-vxlan active, from 10.0.0.1 on eth0 (mtu 1600), UDP port 4789, mtu 1550 inside
//   bridges served here:
//     web  vni 7  to cmp2  10.0.0.2  2 ports  3 MACs
std::vector<Row> agent_rows(const Json& agent, const Json& hosts, const Look& look);
std::string served_bridges(const Json& agent, const Json& hosts, const Json& bridges, const Look& look);

struct Health {
  std::string api_url;
  std::string api_version;      // "v5.0"
  std::string api_state;        // of system_state: "ACTIVE READWRITE"
  std::string socket;           // of the local agent
  const Json* agent = nullptr;  // its status; none when it does not answer
  std::string agent_silence;    // why it does not answer
  // Of each tunnel zone its id and "hosts", the ids of its hosts; null: not read.
  const Json* zones = nullptr;
};
struct Verdict {
  std::string text;
  // What is wrong, in short: "1 host down, 2 ports in error". Empty: all is well. A port that is down or waits for its interface is no
  // fault: its guest does not run.
  std::string unwell;
};
Verdict health(const Health& health, const Json& hosts, const Json& bridges, const Json& ports, const Look& look);

// Whether a bridge has ports on more than one host, so that tunnel zones matter.
bool spans_hosts(const Json& ports);

}  // namespace midonet::cli
