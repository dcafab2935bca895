// Which ports are plugged on this host, at which interface and on which bridge, and why others are not. Pure; plan.h says what
// the ports that are plugged have then.
//
//   binding -> record there? -> port here? -> bridge, VNI? -> interface there? -> ours to take? -> plugged
//               error           error         error           pending-interface  error            down / active
//
// A guest that migrates has its port at two hosts for a while (ADR 9). Where it is bound the port is plugged and on standby, its
// address elsewhere, until the guest is heard there; where it was bound it is kept, and offered as before, for as long.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "agent/observe/index.h"
#include "agent/observe/learned.h"
#include "agent/observe/snapshot.h"
#include "agent/plan/underlay.h"
#include "base/uuid.h"
#include "base/vni.h"
#include "model/binding.h"
#include "netlink/link.h"

namespace midonet::agent {

// The bindings, by port and revision, whose guest was heard here.
using Heard = std::map<Uuid, store::Revision>;

// What a plan is made from. `index` is that of the snapshot.
struct Inputs {
  const Snapshot& snapshot;
  const Index& index;
  const netlink::LinkTable& links;
  const Underlay& underlay;
  const OverlayOptions& options;
  const Learned& learned;
  const Heard& heard;
};

struct PortPlan {
  Uuid id;
  store::Revision revision = 0;  // of the binding
  std::string interface;
  std::uint32_t ifindex = 0;
  // `active` and `down` are in Desired, and hold only if the datapath says so; the others are not.
  model::PortState state = model::PortState::error;
  std::string reason;
  std::string caveat;  // what its status says when there is no other reason: nothing is wrong with the port itself
  // It rests on records that are written in one commit and do not fit together: most likely they were read from both
  // sides of such a commit, and the next look shows the truth. Worth waiting for before it is reported.
  bool doubtful = false;
  // A record that this rests on is still being read: nothing is to be said about the port yet.
  bool unknown = false;
  // A record that it rests on is damaged, and this agent has never read it well: what an earlier one plugged stays.
  bool held = false;
  bool contested = false;  // its MAC address is configured at another active port of the bridge too
  bool standby = false;    // taken over from another host that has its guest
  // Or that may have it: what others offer is still being read, and until then nothing is to be offered.
  bool undecided = false;
};

struct Plugged {
  const BoundPort* port = nullptr;
  Uuid bridge{};
  Vni vni{};
  const netlink::Link* link = nullptr;
};

class Admission {
 public:
  explicit Admission(const Inputs& in) : in_(in) {}

  // A port that is bound here. `plugged` is set when it is plugged.
  PortPlan admit(const BoundPort& bound, std::optional<Plugged>& plugged) const;
  // A port that was taken over stays plugged as it was, if its guest runs here: its interface has link, and its guest was not
  // heard elsewhere. Returns why it goes; empty when it stays, `plugged` or until more of it is known.
  std::string keep(const BoundPort& port, const Uuid& bridge, std::optional<Plugged>& plugged) const;
  // The VNI of a bridge; nothing: it has none, or it is another bridge's.
  std::optional<Vni> vni_of(const Uuid& bridge) const;

 private:
  bool find_record(const BoundPort& bound, PortPlan& out) const;
  const ServedBridge* find_bridge(const BoundPort& bound, PortPlan& out) const;
  bool on_standby(const BoundPort& bound, const ServedBridge& bridge) const;
  void remark(const BoundPort& bound, const ServedBridge& bridge, PortPlan& out) const;

  const Inputs& in_;
};

}  // namespace midonet::agent
