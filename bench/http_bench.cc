// How long the REST API takes for a GET, over one kept connection and with a connection each, as clients see it. The
// server is a process of its own (midonet-api, with its access log off the terminal).
//
//   build/release/bin/http_bench http://127.0.0.1:8181 [GETS]
#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "http/listener.h"

namespace {

using namespace midonet;
using Clock = std::chrono::steady_clock;

const std::string request = "GET /midonet-api/system_state HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n";

UniqueFd connect_to(const http::Endpoint& endpoint) {
  sockaddr_in in{};
  in.sin_family = AF_INET;
  in.sin_port = htons(endpoint.port);
  std::memcpy(&in.sin_addr, endpoint.ip.bytes().data(), 4);
  UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int on = 1;
  ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&in), sizeof in) != 0) {
    fmt::print(stderr, "http_bench: no process listens on {}\n", endpoint.to_string());
    std::exit(1);
  }
  return fd;
}

// Sends and reads one whole answer; its body ends with '}'.
void ask(int fd, const std::string& bytes) {
  std::array<char, 4096> buffer;
  std::string got;
  if (::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL) < 0) std::exit(1);
  while (!got.ends_with("}")) {
    const ssize_t count = ::recv(fd, buffer.data(), buffer.size(), 0);
    if (count <= 0) break;
    got.append(buffer.data(), static_cast<std::size_t>(count));
  }
  if (!got.starts_with("HTTP/1.1 200 ")) {
    fmt::print(stderr, "http_bench: unexpected answer: {}\n", got.substr(0, 200));
    std::exit(1);
  }
}

void measure(const char* what, int gets, const std::function<void()>& one) {
  for (int i = 0; i < gets / 10; ++i) one();
  std::vector<double> microseconds;
  const auto begin = Clock::now();
  for (int i = 0; i < gets; ++i) {
    const auto start = Clock::now();
    one();
    microseconds.push_back(std::chrono::duration<double, std::micro>(Clock::now() - start).count());
  }
  const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  std::sort(microseconds.begin(), microseconds.end());
  const auto quantile = [&](double q) { return microseconds[static_cast<std::size_t>(q * (gets - 1))]; };
  fmt::print("{:<28} p50 {:7.1f} us   p99 {:7.1f} us   {:8.0f}/s\n", what, quantile(0.5), quantile(0.99),
             gets / seconds);
}

}  // namespace

int main(int argc, char** argv) {
  const std::string uri = argc > 1 ? argv[1] : "";
  const int gets = argc > 2 ? std::atoi(argv[2]) : 5000;
  const auto endpoint = http::Endpoint::parse(uri.starts_with("http://") ? uri.substr(7) : uri);
  if (argc > 3 || gets < 10 || !endpoint || !endpoint->ip.is_v4()) {
    fmt::print(stderr, "usage: http_bench http://127.0.0.1:8181 [GETS]\n");
    return 2;
  }
  const UniqueFd kept = connect_to(*endpoint);
  measure("GET on a kept connection", gets, [&] { ask(kept.get(), request + "\r\n"); });
  measure("GET on a connection each", gets, [&] {
    const UniqueFd fresh = connect_to(*endpoint);
    ask(fresh.get(), request + "Connection: close\r\n\r\n");
  });
  return 0;
}
