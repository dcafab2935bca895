#include "store/zookeeper_address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <cstring>

#include "store/path.h"

namespace midonet::store {
namespace {

constexpr std::uint16_t default_port = 2181;
constexpr std::string_view default_root = "/midonet";

bool is_ipv6(const std::string& host) {
  in6_addr address{};
  return ::inet_pton(AF_INET6, host.c_str(), &address) == 1;
}

bool is_host_name(std::string_view host) {
  return !host.empty() && host.size() <= 253 && std::all_of(host.begin(), host.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
           c == '_';
  });
}

Result<ZookeeperAddress::Server> parse_server(std::string_view uri, std::string_view text) {
  const auto wrong = [&](std::string_view why) { return fail(Code::invalid, "store \"{}\": {}", uri, why); };
  if (text.empty()) return wrong("a server is missing; what is expected is zookeeper://host:port,host:port/root");
  std::string host;
  std::string_view rest;
  if (text.front() == '[') {
    const auto end = text.find(']');
    if (end == std::string_view::npos) return wrong(fmt::format("\"{}\" lacks a \"]\"", text));
    host = text.substr(1, end - 1);
    rest = text.substr(end + 1);
    if (!is_ipv6(host)) return wrong(fmt::format("\"{}\" is not an IPv6 address", host));
  } else {
    const auto colon = text.find(':');
    host = text.substr(0, colon);
    rest = colon == std::string_view::npos ? std::string_view() : text.substr(colon);
    if (rest.find(':', 1) != std::string_view::npos) {
      return wrong(fmt::format("\"{}\" has several colons; an IPv6 address stands in brackets", text));
    }
    if (!is_host_name(host)) return wrong(fmt::format("\"{}\" is not the name of a host", host));
  }
  if (rest.empty()) return ZookeeperAddress::Server{std::move(host), default_port};
  rest.remove_prefix(rest.front() == ':' ? 1 : 0);
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), port);
  if (error != std::errc() || end != rest.data() + rest.size() || port == 0) {
    return wrong(fmt::format("\"{}\" is not a port", rest));
  }
  return ZookeeperAddress::Server{std::move(host), port};
}

}  // namespace

Result<ZookeeperAddress> ZookeeperAddress::parse(std::string_view uri) {
  if (!uri.starts_with(scheme)) return fail(Code::invalid, "store \"{}\": does not begin with {}", uri, scheme);
  std::string_view servers = uri.substr(scheme.size());
  const auto slash = servers.find('/');
  const std::string_view root = slash == std::string_view::npos ? std::string_view() : servers.substr(slash);
  servers = servers.substr(0, slash);

  if (const auto comma = root.find(','); comma != std::string_view::npos) {
    std::string right = fmt::format("{}{}", scheme, servers);
    for (std::string_view rest = root.substr(comma); !rest.empty();) {
      rest.remove_prefix(1);
      right += fmt::format(",{}", rest.substr(0, rest.find_first_of("/,")));
      rest.remove_prefix(std::min(rest.find(','), rest.size()));
    }
    return fail(Code::invalid, "store \"{}\": the root stands once, behind all servers: {}{}", uri, right,
                root.substr(0, comma));
  }

  ZookeeperAddress address;
  address.root = root.empty() || root == "/" ? default_root : root;
  if (auto well_formed = check_path(address.root); !well_formed) {
    return fail(Code::invalid, "store \"{}\": the root {}", uri, well_formed.error().message);
  }
  // Servers forbid what is below their own node.
  if (address.root == "/zookeeper" || address.root.starts_with("/zookeeper/")) {
    return fail(Code::invalid, "store \"{}\": /zookeeper belongs to the servers; choose another root", uri);
  }
  while (true) {
    const auto comma = servers.find(',');
    auto server = parse_server(uri, servers.substr(0, comma));
    if (!server) return failed(std::move(server));
    address.servers.push_back(*std::move(server));
    if (comma == std::string_view::npos) return address;
    servers.remove_prefix(comma + 1);
  }
}

std::string ZookeeperAddress::uri() const {
  std::string out(scheme);
  for (const Server& server : servers) {
    if (out.size() > scheme.size()) out += ',';
    out += is_ipv6(server.host) ? fmt::format("[{}]:{}", server.host, server.port)
                                : fmt::format("{}:{}", server.host, server.port);
  }
  return out + root;
}

bool is_ip_address(const std::string& host) {
  in_addr address{};
  return is_ipv6(host) || ::inet_pton(AF_INET, host.c_str(), &address) == 1;
}

}  // namespace midonet::store
