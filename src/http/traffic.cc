#include "http/traffic.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "base/log.h"

namespace midonet::http {

namespace {

// Clients may invent methods; labels must stay few.
std::string known_method(const std::string& method) {
  static constexpr std::array<std::string_view, 7> known = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"};
  return std::find(known.begin(), known.end(), method) != known.end() ? method : "other";
}

// A target as it may stand in a log line: one line, of bounded length, without quotes that end it.
std::string printable(std::string_view target) {
  constexpr std::size_t longest = 512;
  std::string out;
  for (const char c : target.substr(0, longest)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte <= ' ' || byte >= 0x7f || c == '"' || c == '\\')
      out += fmt::format("\\x{:02x}", byte);
    else
      out += c;
  }
  if (target.size() > longest) out += "…";
  return out;
}

}  // namespace

Traffic::Traffic(Registry& registry, std::string server, bool log)
    : registry_(registry),
      server_(std::move(server)),
      log_(log),
      connections_(registry.gauge("midonet_http_connections", "Connections that are open", {{"server", server_}})),
      in_flight_(
          registry.gauge("midonet_http_requests_in_flight", "Requests that are being answered", {{"server", server_}})),
      queued_(registry.counter("midonet_http_requests_queued_total",
                               "Requests that waited for others, of which as many were worked on as may be",
                               {{"server", server_}})) {}

void Traffic::opened() { connections_.set(static_cast<double>(++connection_count_)); }
void Traffic::closed() { connections_.set(static_cast<double>(--connection_count_)); }

void Traffic::refused(const std::string& reason) {
  registry_
      .counter("midonet_http_connections_refused_total", "Connections closed at accept",
               {{"server", server_}, {"reason", reason}})
      .add();
}

void Traffic::cut_off(const std::string& reason) {
  registry_
      .counter("midonet_http_cut_off_total", "Connections that gave way to others when there was no room for all",
               {{"server", server_}, {"reason", reason}})
      .add();
}

void Traffic::queued() { queued_.add(); }

void Traffic::started() { in_flight_.set(static_cast<double>(++in_flight_count_)); }

void Traffic::finished(const Exchange& exchange) {
  in_flight_.set(static_cast<double>(--in_flight_count_));
  const std::string method = known_method(exchange.method);
  const std::string& route = exchange.route.empty() ? "none" : exchange.route;

  auto counter = requests_.find({method, route, exchange.status});
  if (counter == requests_.end()) {
    const Registry::Labels labels = {
        {"server", server_}, {"method", method}, {"route", route}, {"status", std::to_string(exchange.status)}};
    counter = requests_
                  .emplace(std::tuple(method, route, exchange.status),
                           registry_.counter("midonet_http_requests_total",
                                             "Requests answered; status 499: the client went away first", labels))
                  .first;
  }
  counter->second.add();

  const double seconds = std::chrono::duration<double>(exchange.duration).count();
  auto histogram = seconds_.find({method, route});
  if (histogram == seconds_.end()) {
    const Registry::Labels labels = {{"server", server_}, {"method", method}, {"route", route}};
    histogram = seconds_
                    .emplace(std::tuple(method, route),
                             registry_.histogram("midonet_http_request_seconds",
                                                 "Time from the complete request to the end of its answer",
                                                 Registry::latency_buckets(), labels))
                    .first;
  }
  histogram->second.observe(seconds);

  if (log_)
    log::info("http server={} peer={} method={} target=\"{}\" status={} ms={:.3f} bytes={}", server_, exchange.peer,
              method == "other" ? printable(exchange.method.substr(0, 32)) : method, printable(exchange.target),
              exchange.status, seconds * 1000, exchange.bytes);
}

}  // namespace midonet::http
