#include "api/failures.h"

#include <map>

#include "base/backoff.h"

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
  return Backoff(shortest, longest).after(count.failures - free_of_charge);
}

}  // namespace midonet::api
