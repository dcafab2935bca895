// What other hosts have on one bridge: who is to get what is flooded, which of them each MAC address and each port is at, and
// which IP addresses those ports have, by what they offer. A pure function of the offers; agent/plan weighs the outcome
// against what this host has.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <unordered_map>
#include <vector>

#include "agent/observe/snapshot.h"
#include "agent/plan/neighbours.h"
#include "agent/plan/overlay.h"
#include "base/ip.h"
#include "base/mac.h"
#include "base/uuid.h"
#include "model/offer.h"

namespace midonet::agent {

struct RemoteBridge {
  struct Claim {  // that a MAC address was learned there
    Mac mac;
    std::int64_t moves = 0;  // the mobility sequence number
    Ip host_vtep;            // that host's, the same to every reader: decides between claims of one number
    Ip vtep;                 // where this host sends to
    Uuid port;
  };
  struct Declared {  // that a port there is configured with a MAC address
    Mac mac;
    Uuid port;
    Uuid host;
    store::Revision revision = 0;  // of the port's binding
    Ip vtep;
    bool active = true;  // else the port is down
    bool heard = false;  // its guest was heard with it
  };
  std::set<Ip> peers;
  std::set<Ip> sources;                // from where those hosts may send: each of their addresses
  std::vector<Claim> learned;          // ascending by MAC, each once: the best claim
  std::vector<Declared> declared;      // as offered
  std::unordered_map<Uuid, Ip> ports;  // where each port is that is not here
  std::vector<Neighbour> neighbours;   // the addresses that those ports are known to have
};

// `own` is this host's word about a port, as it would offer it (revision and standby alone count); null: it does not have it.
// A host that cannot be reached (no address of a usable family, or one that is this host's own) is as if it were not there.
RemoteBridge remote_bridge(const Peers& peers, const model::BridgeHost& self, TunnelFamily family,
                           const std::function<std::optional<model::OfferedPort>(const Uuid& port)>& own);

}  // namespace midonet::agent
