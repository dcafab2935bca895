// Logins that failed lately, by client (http::Request::client), and the delay of the answer to the next failure. The first few are
// answered at once, then the delay doubles up to some seconds; it ends when a client has not failed for a minute. A login that
// succeeds is never delayed.
//
// No clock, no I/O.
#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <string>

namespace midonet::api {

class Failures {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr unsigned free_of_charge = 3;
  static constexpr std::chrono::milliseconds shortest{100};
  static constexpr std::chrono::milliseconds longest{5000};
  static constexpr std::chrono::seconds memory{60};
  static constexpr std::size_t most_clients = 4096;

  // One more.
  std::chrono::milliseconds add(const std::string& client, Clock::time_point now);
  std::size_t clients() const { return clients_.size(); }

 private:
  struct Count {
    unsigned failures = 0;
    Clock::time_point last{};
  };
  std::map<std::string, Count> clients_;
};

}  // namespace midonet::api
