// From what the store says (Snapshot) and what the kernel has (LinkTable) to what the datapath should hold (Desired) and
// what to say about each port that it does not hold. The one place where the words of the model become those of the
// datapath. Pure: no state, no clock, no calls. A plan is of some bridges, or of all: each is planned by itself, from its ports
// here, its records and its peers, and from what all bridges have in common (Underlay, Index).
//
// admission.h says which ports are plugged. Of what other hosts offer each bridge takes:
// * of a port that several hosts have, the one that is not on standby, then the binding with the highest revision, also
//   against a binding of this host;
// * of a MAC that one active port is configured with, that port;
// * of a MAC that several active ports are configured with, the port that it is heard from, then the oldest binding: the
//   address is learned at each of them, and the status of each says that it stands twice (docs/adr/0006);
// * of an IP address that several active ports have, none, after what is set by hand (neighbours.h);
// * then what is set by hand for a port;
// * a learned MAC comes last: the highest mobility sequence number, of those that are equal the host with the lowest vtep.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "agent/observe/observer.h"
#include "agent/plan/admission.h"
#include "agent/plan/overlay.h"
#include "base/uuid.h"
#include "datapath/datapath.h"
#include "netlink/link.h"
#include "netlink/route.h"

namespace midonet::agent {

// A port that another host has taken over and that stays plugged here.
struct LingeringPlan {
  Uuid id;
  Uuid bridge;
  store::Revision revision = 0;  // of the binding that it had here, as it is offered
  std::string interface;
  std::uint32_t ifindex = 0;
  std::optional<Uuid> taken_by;  // nothing: its record is being read
  bool doubtful = false;         // as of a PortPlan
};

struct Plan {
  // The bridges of the plan and their ports, and all of the host that belongs to no bridge.
  datapath::Desired desired;
  std::vector<PortPlan> ports;  // of every binding, ascending by id
  std::vector<LingeringPlan> lingering;
  std::map<Uuid, std::string> over;  // of Snapshot::lingering those that go now, and why
  // MACs that were learned here and are another host's by what it offers, or configured somewhere.
  std::vector<std::pair<Vni, Mac>> lost;
};

Plan make_plan(const Inputs& inputs, const Scope& scope);
// Of everything; `routes` are those to destinations() (underlay.h).
Plan make_plan(const Snapshot& snapshot, const netlink::LinkTable& links, const OverlayOptions& options = {},
               const Learned& learned = {}, const Heard& heard = {}, const netlink::RouteTable& routes = {});

// The highest number that another host offers this learned MAC with, on the bridge with this VNI.
std::optional<Learned::Moves> learned_elsewhere(const Snapshot& snapshot, const Index& index, Vni vni, const Mac& mac);

}  // namespace midonet::agent
