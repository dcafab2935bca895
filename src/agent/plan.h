// From what the store says (Snapshot) and what the kernel has (LinkTable) to what the datapath should hold (Desired) and
// what to say about each port that it does not hold. The one place where the words of the model become those of the
// datapath. Pure: no state, no clock, no calls. The agent runs it after every change.
//
//   binding -> record there? -> port here? -> bridge, VNI? -> interface there? -> ours to take? -> Desired
//               error           error         error           pending-interface  error            down / active
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "agent/snapshot.h"
#include "base/uuid.h"
#include "datapath/datapath.h"
#include "model/binding.h"
#include "netlink/link.h"

namespace midonet::agent {

struct PortPlan {
  Uuid id;
  store::Revision revision = 0;  // of the binding
  std::string interface;
  std::uint32_t ifindex = 0;
  // `active` and `down` are in Desired, and hold only if the datapath says so; the others are not.
  model::PortState state = model::PortState::error;
  std::string reason;
  // It rests on records that are written in one commit and do not fit together: most likely they were read from both
  // sides of such a commit, and the next look shows the truth. Worth waiting for before it is reported.
  bool doubtful = false;
  // A record that this rests on is still being read: nothing is to be said about the port yet.
  bool unknown = false;
};

struct Plan {
  datapath::Desired desired;
  std::vector<PortPlan> ports;  // of every binding, ascending by id
};

Plan make_plan(const Snapshot& snapshot, const netlink::LinkTable& links);

}  // namespace midonet::agent
