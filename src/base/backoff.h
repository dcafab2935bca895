// The delays between attempts that fail: a first one, then twice as long each time, up to a longest one. Arithmetic only: no
// clock and no timer.
#pragma once

#include <algorithm>
#include <chrono>
#include <random>

namespace midonet {

class Backoff {
 public:
  using Delay = std::chrono::milliseconds;

  constexpr Backoff(Delay first, Delay last) : first_(first), last_(last) {}

  // How long to wait after one more failure.
  constexpr Delay next() { return after(++failures_); }
  // The same, less up to a half of it at random, so that clients that failed together do not come back together.
  template <class Random>
  Delay next(Random& random) {
    return after(++failures_, random);
  }
  // After a success.
  constexpr void reset() { failures_ = 0; }

  // How long to wait after that many failures in a row; after none, not at all.
  constexpr Delay after(unsigned failures) const {
    constexpr unsigned most_doublings = 20;
    if (failures == 0) return Delay(0);
    return std::min(first_ * (Delay::rep{1} << std::min(failures - 1, most_doublings)), last_);
  }
  template <class Random>
  Delay after(unsigned failures, Random& random) const {
    const Delay delay = after(failures);
    return Delay(std::uniform_int_distribution<Delay::rep>(delay.count() / 2, delay.count())(random));
  }

 private:
  Delay first_, last_;
  unsigned failures_ = 0;
};

}  // namespace midonet
