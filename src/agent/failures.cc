#include "agent/failures.h"

#include <utility>

#include "base/log.h"

namespace midonet::agent {

Failures::Failures(Loop& loop, Again again) : loop_(loop), again_(std::move(again)) {}

void Failures::note(const Plan& plan, const Scope& scope, const datapath::Applied& applied, const Snapshot& snapshot,
                    Retry::Time now) {
  note_ports(plan, scope, applied, snapshot);
  std::set<std::string> failed;
  for (const Error& error : applied.errors) {
    if (!retries_.contains(error.message)) log::warning("datapath: {}", error.message);
    failed.insert(error.message);
  }
  const bool all = !failed.empty();
  for (const Uuid& id : failing_) failed.insert("port " + id.to_string());
  for (const auto& [id, what] : preceded_) failed.insert("port " + id.to_string());
  if (!applied.tunnel && applied.tunnel.error().code != Code::invalid) failed.insert("tunnel");
  retries_.attempted(failed, now);
  const auto next = retries_.next();
  if (!next) return timer_.cancel();
  timer_ = loop_.after(*next - now, [this, all] {
    std::set<Uuid> ports = failing_;
    for (const auto& [id, what] : preceded_) ports.insert(id);
    again_(ports, all);
  });
}

// Of the ports that the plan is of; what was known of the others stands.
void Failures::note_ports(const Plan& plan, const Scope& scope, const datapath::Applied& applied,
                          const Snapshot& snapshot) {
  if (scope.all) failing_.clear(), preceded_.clear();
  const auto gone = [&](const Uuid& id) { return !snapshot.ports.contains(id) && !snapshot.lingering.contains(id); };
  std::erase_if(failing_, gone);
  std::erase_if(preceded_, [&](const auto& port) { return gone(port.first); });
  for (const PortPlan& port : plan.ports) failing_.erase(port.id), preceded_.erase(port.id);
  for (const auto& [id, status] : applied.ports) {
    const bool failed = !status && status.error().code != Code::invalid && status.error().code != Code::not_found;
    if (failed)
      failing_.insert(id);
    else
      failing_.erase(id);
    preceded_.erase(id);
  }
  preceded_.insert(applied.preceded.begin(), applied.preceded.end());
}

}  // namespace midonet::agent
