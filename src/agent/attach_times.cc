#include "agent/attach_times.h"

#include "base/log.h"

namespace midonet::agent {

namespace {

Histogram stage(Registry& registry, const char* name) {
  return registry.histogram(
      "midonet_agent_attach_seconds",
      "Time of each stage of an attach; total is from the binding seen to the status written, offer from the binding "
      "seen to the store's word that other hosts can read of it, for ports that could be plugged at once",
      Registry::latency_buckets(), {{"stage", name}});
}

double milliseconds(AttachTimes::Clock::duration took) {
  return std::chrono::duration<double, std::milli>(took).count();
}

}  // namespace

AttachTimes::AttachTimes(Registry& registry)
    : mirror_seconds_(stage(registry, "mirror")),
      plan_seconds_(stage(registry, "plan")),
      apply_seconds_(stage(registry, "apply")),
      report_seconds_(stage(registry, "report")),
      total_seconds_(stage(registry, "total")),
      offer_seconds_(stage(registry, "offer")) {}

void AttachTimes::observe(Histogram& stage, Clock::duration took) {
  stage.observe(std::chrono::duration<double>(took).count());
}

void AttachTimes::bound(const Uuid& id, const BoundPort* port, Clock::time_point seen) {
  const auto old = bound_.find(id);
  if (!port) {
    if (old == bound_.end()) return;
    log::info("unbound port={} revision={}", id, old->second);
    attaches_.erase(id);
    offering_since_.erase(id);
    bound_.erase(old);
    return;
  }
  if (old != bound_.end() && old->second == port->revision) return;
  log::info("bound port={} revision={} interface={}", id, port->revision, port->interface);
  attaches_[id] = Attach{port->revision, seen};
  bound_[id] = port->revision;
}

void AttachTimes::said(const Uuid& port, const model::PortStatus& status, const std::string& interface, bool offered,
                       Clock::time_point now) {
  const auto took = take(port, status, offered, now);
  const std::string line =
      fmt::format("port={} revision={} interface={} ifindex={} state={}{}{}", port, status.revision, interface,
                  status.ifindex, model::name(status.state),
                  status.reason.empty() ? "" : " reason=", status.reason.empty() ? "" : '"' + status.reason + '"');
  if (status.state == model::PortState::error) {
    log::warning("{}", line);
  } else if (took) {
    log::info("{} after={:.2f}ms", line, milliseconds(*took));
  } else {
    log::info("{}", line);
  }
}

std::optional<AttachTimes::Clock::duration> AttachTimes::take(const Uuid& port, const model::PortStatus& status,
                                                              bool offered, Clock::time_point now) {
  const auto attach = attaches_.find(port);
  if (attach == attaches_.end() || attach->second.revision != status.revision) return {};
  const Clock::time_point seen = attach->second.seen;
  if (status.state == model::PortState::active) {
    attach->second.reported = now;
    if (offered) offering_since_[port] = {status.revision, seen};
  } else {
    attaches_.erase(attach);
  }
  return now - seen;
}

void AttachTimes::written(const std::string& path) {
  if (attaches_.empty()) return;
  const auto id = Uuid::parse(std::string_view(path).substr(path.rfind('/') + 1));
  if (!id) return;
  const auto attach = attaches_.find(*id);
  if (attach == attaches_.end() || !attach->second.reported) return;
  const auto now = Clock::now();
  observe(report_seconds_, now - *attach->second.reported);
  observe(total_seconds_, now - attach->second.seen);
  log::debug("written port={} revision={} after={:.2f}ms", *id, attach->second.revision,
             milliseconds(now - attach->second.seen));
  attaches_.erase(attach);
}

void AttachTimes::offered(const Uuid& port, store::Revision revision) {
  const auto at = offering_since_.find(port);
  if (at == offering_since_.end()) return;
  if (at->second.first == revision) {
    const auto took = Clock::now() - at->second.second;
    observe(offer_seconds_, took);
    log::debug("offered port={} revision={} after={:.2f}ms", port, revision, milliseconds(took));
  }
  offering_since_.erase(at);
}

}  // namespace midonet::agent
