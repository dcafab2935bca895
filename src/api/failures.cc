#include "api/failures.h"

#include <algorithm>

namespace midonet::api {

std::chrono::milliseconds Failures::add(const std::string& client, Clock::time_point now) {
  if (clients_.size() >= most_clients)
    std::erase_if(clients_, [now](const auto& one) { return one.second.last + memory < now; });
  if (clients_.size() >= most_clients && !clients_.contains(client)) return longest;
  Count& count = clients_[client];
  if (count.last + memory < now) count.failures = 0;
  count.last = now;
  ++count.failures;
  if (count.failures <= free_of_charge) return std::chrono::milliseconds(0);
  constexpr int enough_doublings = 10;
  const int doublings = std::min(count.failures - free_of_charge - 1, enough_doublings);
  return std::min(shortest * (1 << doublings), longest);
}

}  // namespace midonet::api
