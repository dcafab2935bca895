// From what the store says (Snapshot) and what the kernel has (LinkTable) to what the datapath should hold (Desired) and
// what to say about each port that it does not hold. The one place where the words of the model become those of the
// datapath. Pure: no state, no clock, no calls. The agent runs it after every change.
//
//   binding -> record there? -> port here? -> bridge, VNI? -> interface there? -> ours to take? -> Desired
//               error           error         error           pending-interface  error            down / active
//
// A guest that migrates has its port at two hosts for a while (ADR 9). Where it is bound the port is plugged and on standby, its
// address elsewhere, until the guest is heard there; where it was bound it is kept, and offered as before, for as long.
//
// Of what other hosts offer it takes, for each bridge that has a port here:
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

#include "agent/observe/learned.h"
#include "agent/observe/snapshot.h"
#include "agent/plan/overlay.h"
#include "base/uuid.h"
#include "datapath/datapath.h"
#include "model/binding.h"
#include "netlink/link.h"
#include "netlink/route.h"

namespace midonet::agent {

struct PortPlan {
  Uuid id;
  store::Revision revision = 0;  // of the binding
  std::string interface;
  std::uint32_t ifindex = 0;
  // `active` and `down` are in Desired, and hold only if the datapath says so; the others are not.
  model::PortState state = model::PortState::error;
  std::string reason;
  std::string hint;  // to be said when there is no other reason: nothing is wrong with the port itself
  // It rests on records that are written in one commit and do not fit together: most likely they were read from both
  // sides of such a commit, and the next look shows the truth. Worth waiting for before it is reported.
  bool doubtful = false;
  // A record that this rests on is still being read: nothing is to be said about the port yet.
  bool unknown = false;
  // A record that it rests on is damaged, and this agent has never read it well: what an earlier one plugged stays.
  bool held = false;
  bool contested = false;  // its MAC address is configured at another active port of the bridge too
  bool standby = false;    // taken over from another host that has its guest
  bool undecided =
      false;  // or may have it: what others offer is still being read, and until then nothing is to be offered
};

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
  datapath::Desired desired;
  std::vector<PortPlan> ports;  // of every binding, ascending by id
  std::vector<LingeringPlan> lingering;
  std::map<Uuid, std::string> over;  // of Snapshot::lingering those that go now, and why
  std::optional<Overlay> overlay;    // none: the host is in no tunnel zone
  // MACs that were learned here and are another host's by what it offers, or configured somewhere.
  std::vector<std::pair<Vni, Mac>> lost;
  std::vector<std::string> warnings;  // about the host as a whole, a sentence each
};

// The bindings, by port and revision, whose guest was heard here.
using Heard = std::map<Uuid, store::Revision>;

// `routes` are those to destinations() (underlay.h).
Plan make_plan(const Snapshot& snapshot, const netlink::LinkTable& links, const OverlayOptions& options = {},
               const Learned& learned = {}, const Heard& heard = {}, const netlink::RouteTable& routes = {});
// What make_plan() has to know of the host's routes.
std::set<netlink::Destination> routes_for(const Snapshot& snapshot, const netlink::LinkTable& links,
                                          const OverlayOptions& options);

// The highest number that another host offers this learned MAC with, on the bridge with this VNI.
std::optional<Learned::Moves> learned_elsewhere(const Snapshot& snapshot, Vni vni, const Mac& mac);

}  // namespace midonet::agent
