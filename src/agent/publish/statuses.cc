#include "agent/publish/statuses.h"

#include <utility>

namespace midonet::agent {

using model::PortState;
using model::PortStatus;

Statuses::Statuses(Loop& loop, Report& report, std::function<void()> doubt_over)
    : loop_(loop), report_(report), doubt_over_(std::move(doubt_over)) {}

// Active is what was read back from the kernel, for the interface that carries the name now.
PortStatus Statuses::judge(const PortPlan& port, const datapath::Applied& applied, const Standing& standing) const {
  PortStatus out;
  out.state = port.state;
  out.reason = port.reason;
  out.revision = port.revision;
  out.ifindex = port.ifindex;
  if (standing.overlay) out.mtu = standing.overlay->mtu;
  if (port.state != PortState::active && port.state != PortState::down) return out;
  const auto answer = applied.ports.find(port.id);
  if (answer == applied.ports.end()) {
    out.state = PortState::error;
    out.reason = "the datapath says nothing about it";
  } else if (!answer->second) {
    // An interface that went between the look at the links and now: its event is on the way.
    const bool gone = answer->second.error().code == Code::not_found;
    out.state = gone ? PortState::pending_interface : PortState::error;
    out.reason = answer->second.error().message;
    if (gone) out.ifindex = 0;
  }
  // What is wrong with the tunnel alone leaves the port active: it reaches the others of this host.
  if (out.reason.empty() && standing.overlay && !standing.tunnel)
    out.reason = fmt::format("other hosts are not reached: {}", standing.tunnel.error().message);
  if (const auto before = standing.preceded.find(port.id); before != standing.preceded.end()) {
    out.state = PortState::error;
    out.reason = before->second;
  }
  if (out.reason.empty()) out.reason = port.caveat;
  return out;
}

// Whether the records behind this verdict are to be given a moment to come together.
bool Statuses::waits(const Uuid& port, store::Revision revision, Steady::time_point now) {
  const auto [at, fresh] = doubts_.try_emplace(port, revision, now);
  if (!fresh && at->second.first != revision) at->second = {revision, now};
  const auto left = at->second.second + doubt_time - now;
  if (left <= left.zero()) return false;
  if (!timer_.armed()) timer_ = loop_.after(left, [this] { doubt_over_(); });
  return true;
}

std::vector<Uuid> Statuses::say(const Plan& plan, const datapath::Applied& applied, const Standing& standing,
                                Steady::time_point now) {
  std::vector<Uuid> changed;
  for (const PortPlan& port : plan.ports) {
    if (!port.doubtful) doubts_.erase(port.id);
    // Nothing new to say; what was said stays, marked with the revision that it was about.
    if (port.unknown || (port.doubtful && waits(port.id, port.revision, now))) continue;
    if (report_.port(port.id, judge(port, applied, standing))) changed.push_back(port.id);
  }
  return changed;
}

std::vector<Uuid> Statuses::lost_bindings(const Plan& plan, Steady::time_point now) {
  std::vector<Uuid> out;
  for (const LingeringPlan& port : plan.lingering) {
    if (!port.doubtful)
      doubts_.erase(port.id);
    else if (!waits(port.id, port.revision, now))
      out.push_back(port.id);
  }
  for (const auto& [id, why] : plan.over) doubts_.erase(id);
  return out;
}

void Statuses::unbound(const Uuid& port) {
  doubts_.erase(port);
  report_.unbound(port);
}

std::vector<Uuid> Statuses::doubted() const {
  std::vector<Uuid> out;
  for (const auto& [id, doubt] : doubts_) out.push_back(id);
  return out;
}

}  // namespace midonet::agent
