// Counts, times and logs the requests of a server: metrics midonet_http_*{server="…"}, and one log line per request.
// On the loop's thread. Internal to http/.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <tuple>

#include "base/metrics.h"

namespace midonet::http {

class Traffic {
 public:
  struct Exchange {
    std::string method;
    std::string target;
    std::string peer;
    std::string route;  // "" when the handler named none
    int status = 0;     // status_of_closed: the client went away before its answer was sent
    std::size_t bytes = 0;
    std::chrono::nanoseconds duration{};  // from the complete request to the last byte given to the kernel
  };
  static constexpr int status_of_closed = 499;

  Traffic(Registry& registry, std::string server, bool log);

  void opened();
  void closed();
  void refused(const std::string& reason);  // a connection that was closed at accept
  // A connection gave way to others: for want of "connections", of "descriptors", or of "memory".
  void cut_off(const std::string& reason);
  void queued();   // a request that has to wait for its turn
  void started();  // a request; finished() follows
  void finished(const Exchange& exchange);

 private:
  Registry& registry_;
  std::string server_;
  bool log_;
  Gauge connections_;
  Gauge in_flight_;
  Counter queued_;
  std::int64_t connection_count_ = 0;
  std::int64_t in_flight_count_ = 0;
  // Looking a metric up by its labels costs more than answering; these are few, by the routes of the table.
  std::map<std::tuple<std::string, std::string, int>, Counter> requests_;
  std::map<std::tuple<std::string, std::string>, Histogram> seconds_;
};

}  // namespace midonet::http
