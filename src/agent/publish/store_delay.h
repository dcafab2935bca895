// The delay after the `failures`th failure in a row (from 1 on) of what talks to the store.
#pragma once

#include <algorithm>
#include <chrono>

namespace midonet::agent {

inline std::chrono::milliseconds store_delay(unsigned failures) {
  return std::min(std::chrono::milliseconds(50) * (1 << std::min(failures - 1, 10U)),
                  std::chrono::milliseconds(10'000));
}

}  // namespace midonet::agent
