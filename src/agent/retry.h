// When to try again what failed: each failure has its own growing delay, so that a port that has been failing for an hour
// does not slow down one that failed just now. Pure bookkeeping; the agent owns the timer.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "base/backoff.h"

namespace midonet::agent {

class Retry {
 public:
  using Time = std::chrono::steady_clock::time_point;
  static constexpr std::chrono::milliseconds first_delay{100};
  static constexpr std::chrono::milliseconds last_delay{30'000};

  // An attempt ended at `now` with these failures; all that is not named has succeeded or is not wanted any more.
  void attempted(const std::set<std::string>& failed, Time now) {
    std::erase_if(failing_, [&](const auto& known) { return !failed.contains(known.first); });
    for (const std::string& what : failed) {
      const auto [at, fresh] = failing_.try_emplace(what, Failure{Backoff(first_delay, last_delay)});
      if (!fresh && at->second.next > now) continue;  // not due yet: this attempt had another cause
      at->second.next = now + at->second.backoff.next();
    }
  }

  std::optional<Time> next() const {
    std::optional<Time> soonest;
    for (const auto& [what, failure] : failing_)
      if (!soonest || failure.next < *soonest) soonest = failure.next;
    return soonest;
  }
  bool contains(const std::string& what) const { return failing_.contains(what); }
  bool empty() const { return failing_.empty(); }

 private:
  struct Failure {
    Backoff backoff;
    Time next{};
  };
  std::map<std::string, Failure> failing_;
};

}  // namespace midonet::agent
