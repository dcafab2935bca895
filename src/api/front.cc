#include "api/front.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "api/header_value.h"
#include "http/target.h"

namespace midonet::api {

// What one proxy said of the request that it got: empty where it said nothing.
struct Front::Hop {
  std::string client{};  // address without port
  std::string proto{};   // "http" or "https"
  std::string host{};
  std::string prefix{};
};

namespace {

// "[::1]:80" -> "::1", "a:80" -> "a", "::1" -> "::1"; lower case, without a trailing dot.
std::string host_of(std::string_view authority) {
  std::string_view host = authority;
  if (host.starts_with('[')) {
    host = host.substr(1, host.find(']') - 1);
  } else if (std::count(host.begin(), host.end(), ':') == 1) {
    host = host.substr(0, host.find(':'));
  }
  if (host.ends_with('.')) host.remove_suffix(1);
  return lower_case(host);
}

// An address, an IPv4 address that is written as one of IPv6 as what it is.
std::optional<Ip> address_of(const std::string& host) {
  const Result<Ip> ip = Ip::parse(host);
  if (!ip) return std::nullopt;
  static constexpr std::array<std::uint8_t, 12> mapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  const auto bytes = ip->bytes();
  if (ip->is_v4() || !std::equal(mapped.begin(), mapped.end(), bytes.begin())) return *ip;
  return Ip::v4({bytes[12], bytes[13], bytes[14], bytes[15]});
}

bool is_loopback(const Ip& ip) {
  const auto bytes = ip.bytes();
  if (ip.is_v4()) return bytes[0] == 127;
  return bytes.back() == 1 && std::all_of(bytes.begin(), bytes.end() - 1, [](std::uint8_t b) { return b == 0; });
}

// Scheme and authority, without the scheme's own port; nothing when it is no http or https URI.
std::optional<std::pair<std::string, std::string>> origin_of(std::string_view uri) {
  const std::string text = lower_case(uri);
  for (const auto& [scheme, port] : {std::pair("http", ":80"), std::pair("https", ":443")}) {
    const std::string begin = std::string(scheme) + "://";
    if (!text.starts_with(begin)) continue;
    std::string authority = text.substr(begin.size(), text.find('/', begin.size()) - begin.size());
    if (!http::is_authority(authority)) return std::nullopt;
    if (authority.ends_with(port)) authority.resize(authority.size() - std::string_view(port).size());
    return std::pair(std::string(scheme), authority);
  }
  return std::nullopt;
}

bool same_authority(const std::pair<std::string, std::string>& origin, std::string_view authority) {
  if (authority.empty()) return false;
  const auto own = origin_of(origin.first + "://" + std::string(authority));
  return own && own->second == origin.second;
}

bool is_prefix(std::string_view path) {
  if (!path.starts_with('/') || path.find("//") != std::string_view::npos || path.find("..") != std::string_view::npos)
    return false;
  constexpr std::string_view marks = "/-._~%";
  return std::all_of(path.begin(), path.end(), [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           marks.find(c) != std::string_view::npos;
  });
}

std::vector<std::string> list_of(const http::Request& request, std::string_view name) {
  std::vector<std::string> out;
  const auto value = joined_header(request.headers, name);
  if (!value) return out;
  for (std::string_view rest = *value; !rest.empty();) out.push_back(unquoted(next_part(rest, ',')));
  return out;
}

}  // namespace

bool Front::Prefix::contains(const Ip& other) const {
  const auto a = ip.bytes(), b = other.bytes();
  if (a.size() != b.size()) return false;
  for (unsigned bit = 0; bit < length; ++bit)
    if (((a[bit / 8] ^ b[bit / 8]) >> (7 - bit % 8) & 1) != 0) return false;
  return true;
}

std::optional<Front::Prefix> Front::parse_prefix(std::string_view text) {
  const std::size_t slash = text.find('/');
  const auto ip = address_of(std::string(text.substr(0, slash)));
  if (!ip) return std::nullopt;
  const auto bits = static_cast<unsigned>(ip->bytes().size() * 8);
  if (slash == std::string_view::npos) return Prefix{*ip, bits};
  const std::string_view digits = text.substr(slash + 1);
  unsigned length = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), length);
  if (error != std::errc() || end != digits.data() + digits.size() || length > bits) return std::nullopt;
  return Prefix{*ip, length};
}

Result<Front> Front::make(FrontOptions options) {
  while (options.base_uri.ends_with('/')) options.base_uri.pop_back();
  if (!options.base_uri.empty() && !origin_of(options.base_uri))
    return fail(Code::invalid, "the base URI '{}' is not an http or https URI", options.base_uri);
  Front front;
  for (const std::string& proxy : options.trusted_proxies) {
    if (proxy == "none") continue;
    const auto prefix = parse_prefix(proxy);
    if (!prefix)
      return fail(Code::invalid, "the trusted proxy '{}' is not an address, a prefix like 10.0.0.0/8, or none", proxy);
    front.proxies_.push_back(*prefix);
  }
  for (const std::string& host : options.allowed_hosts)
    if (!http::is_authority(host)) return fail(Code::invalid, "the allowed host '{}' is not a name or address", host);
  for (const std::string& origin : options.allowed_origins) {
    const auto parsed = origin_of(origin);
    if (!parsed || std::count(origin.begin(), origin.end(), '/') != 2)
      return fail(Code::invalid, "the allowed origin '{}' is not of the form https://ui.example.org", origin);
  }
  front.options_ = std::move(options);
  return front;
}

bool Front::trusts(const std::string& address) const {
  const auto ip = address_of(address);
  return ip && std::any_of(proxies_.begin(), proxies_.end(), [&](const Prefix& one) { return one.contains(*ip); });
}

bool Front::answers_to(const std::string& host) const {
  if (host == "localhost" || host.ends_with(".localhost")) return true;
  const auto ip = address_of(host);
  if (ip && is_loopback(*ip)) return true;
  const auto is_allowed = [&](const std::string& allowed) { return host_of(allowed) == host; };
  if (std::any_of(options_.allowed_hosts.begin(), options_.allowed_hosts.end(), is_allowed)) return true;
  if (const auto base = origin_of(options_.base_uri); base && host_of(base->second) == host) return true;
  if (options_.loopback) return false;
  if (ip) return true;
  if (!options_.allowed_hosts.empty()) return false;
  return options_.login || host.find('.') == std::string::npos || host == host_of(options_.machine);
}

// What the nearest of the proxies that the client's request came through unchanged says: the chain is followed from its end, for
// as long as the next client in it is a trusted proxy itself.
Front::Hop Front::described(const http::Request& request, const std::string& peer) const {
  if (!trusts(peer)) return {.client = peer};
  std::vector<Hop> hops;  // the nearest proxy first
  const auto set = [&hops](const std::vector<std::string>& values, std::string Hop::*member) {
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (hops.size() <= i) hops.emplace_back();
      hops[i].*member = values[values.size() - 1 - i];
    }
  };
  if (const auto forwarded = joined_header(request.headers, "forwarded")) {
    for (std::string_view rest = *forwarded; !rest.empty();) {
      Hop hop;
      for (std::string_view element = next_part(rest, ','); !element.empty();) {
        const std::string_view pair = next_part(element, ';');
        const std::size_t equals = std::min(pair.find('='), pair.size());
        const std::string name = lower_case(trimmed(pair.substr(0, equals)));
        const std::string value = unquoted(trimmed(pair.substr(std::min(equals + 1, pair.size()))));
        if (name == "for") hop.client = value;
        if (name == "proto") hop.proto = value;
        if (name == "host") hop.host = value;
      }
      hops.insert(hops.begin(), std::move(hop));
    }
  }
  set(list_of(request, "x-forwarded-for"), &Hop::client);
  set(list_of(request, "x-forwarded-proto"), &Hop::proto);
  set(list_of(request, "x-forwarded-host"), &Hop::host);
  set(list_of(request, "x-forwarded-prefix"), &Hop::prefix);

  Hop out{.client = peer};
  for (Hop& hop : hops) {
    hop.proto = lower_case(hop.proto);
    if (hop.proto == "http" || hop.proto == "https") out.proto = std::move(hop.proto);
    if (http::is_authority(hop.host)) out.host = std::move(hop.host);
    while (hop.prefix.ends_with('/')) hop.prefix.pop_back();
    if (is_prefix(hop.prefix)) out.prefix = std::move(hop.prefix);
    const auto client = address_of(host_of(hop.client));
    if (!client) break;
    out.client = client->to_string();
    if (!trusts(out.client)) break;
  }
  return out;
}

Result<Visit> Front::admit(const http::Request& request) const {
  const std::string host = request.header("host").value_or("");
  if (!host.empty() && !answers_to(host_of(host)))
    return fail(Code::forbidden, "This server does not answer to the name {}; its option allow-host adds a name.",
                host_of(host).substr(0, 253));
  const auto peer = address_of(host_of(request.peer));
  const Hop hop = described(request, peer ? peer->to_string() : request.peer);
  Visit visit;
  visit.client = hop.client;
  const std::string authority = !hop.host.empty() ? hop.host : !host.empty() ? host : options_.authority;
  visit.base_uri = !options_.base_uri.empty()
                       ? options_.base_uri
                       : (hop.proto.empty() ? "http" : hop.proto) + "://" + authority + hop.prefix + root;
  visit.secure = hop.proto == "https" || visit.base_uri.starts_with("https://");
  const std::size_t path = visit.base_uri.find('/', visit.base_uri.find("://") + 3);
  visit.cookie_path = path == std::string::npos ? "/" : visit.base_uri.substr(path);

  const auto origin = request.header("origin");
  if (!origin) return visit;
  const auto parsed = origin_of(*origin);
  if (parsed) {
    const auto base = origin_of(visit.base_uri);
    if (same_authority(*parsed, host) || same_authority(*parsed, base ? base->second : "")) return visit;
    for (const std::string& allowed : options_.allowed_origins) {
      if (origin_of(allowed) != parsed) continue;
      visit.foreign_origin = *origin;
      return visit;
    }
  }
  return fail(Code::forbidden, "Pages of {} may not use this server; its option allow-origin names those that may.",
              origin->substr(0, 253));
}

}  // namespace midonet::api
