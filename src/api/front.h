// The checks between a request and the routes: which pages may use the server, under which names, and which proxies in front of it are
// believed. Pure. Used by Router.
//
//   * A page of another site has an Origin (RFC 6454), which must be configured; other clients send none.
//   * A name that foreign DNS points to a loopback address (DNS rebinding) is in the Host header: a server on a
//     loopback address answers only to loopback names and to those that are configured. An address is no name. On another
//     address without a login, names are answered that no public DNS has: those without a dot, and the machine's.
//   * Behind a proxy the client has asked another scheme, host and path: X-Forwarded-Proto, -Host, -Prefix, -For, or Forwarded
//     (RFC 7239). They are believed of the addresses of trusted proxies; of a chain, as far as it is trusted.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip.h"
#include "base/result.h"
#include "http/message.h"

namespace midonet::api {

inline const std::string root = "/midonet-api";

struct FrontOptions {
  std::string base_uri{};                      // "https://cloud.example.org/midonet-api"; empty: from each request
  std::string authority{};                     // for a request without Host (HTTP/1.0): "127.0.0.1:8181"
  bool loopback = false;                       // the server listens on a loopback address
  bool login = true;                           // clients have to log in
  std::string machine{};                       // the name of the machine
  std::vector<std::string> allowed_hosts{};    // names that it answers to beside loopback ones; a port is not looked at
  std::vector<std::string> allowed_origins{};  // "https://ui.example.org": sites whose pages may use the API
  std::vector<std::string> trusted_proxies{"127.0.0.0/8", "::1"};  // addresses and prefixes; "none" trusts none
};

// This server as the client of one request sees it.
struct Visit {
  std::string base_uri;                         // "https://cloud.example.org/cloud/midonet-api", no trailing slash
  std::string cookie_path;                      // "/cloud/midonet-api"
  bool secure = false;                          // the client speaks TLS
  std::string client;                           // its address without port, as far as trusted proxies say; "unix"
  std::optional<std::string> foreign_origin{};  // of another site whose page may read the answer (CORS)
};

class Front {
 public:
  Front() = default;  // the default options
  // invalid: an option that is not of its form.
  static Result<Front> make(FrontOptions options);

  // forbidden: a page of another site, or a name that this server does not answer to.
  Result<Visit> admit(const http::Request& request) const;

  void set_authority(std::string authority) { options_.authority = std::move(authority); }

 private:
  struct Prefix {
    Ip ip;
    unsigned length = 0;
    bool contains(const Ip& other) const;
  };
  struct Hop;

  static std::optional<Prefix> parse_prefix(std::string_view text);
  bool trusts(const std::string& address) const;
  bool answers_to(const std::string& host) const;
  Hop described(const http::Request& request, const std::string& peer) const;

  FrontOptions options_;
  std::vector<Prefix> proxies_;
};

}  // namespace midonet::api
