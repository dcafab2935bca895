// HTTP requests and responses as our handlers see them. No library type shows here.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace midonet::http {

// Header names compare without case (RFC 9110 section 5.1).
struct HeaderLess {
  using is_transparent = void;
  bool operator()(std::string_view a, std::string_view b) const;
};
using Headers = std::multimap<std::string, std::string, HeaderLess>;

struct Request {
  std::string method{};  // "GET"
  // As received, "/midonet-api/ports?tenant_id=x", or "*" (OPTIONS). An absolute form is reduced to this.
  std::string target{};
  std::string path{};                                            // percent-decoded, without query
  std::multimap<std::string, std::string, std::less<>> query{};  // percent-decoded
  Headers headers{};
  std::string body{};
  std::string peer{};  // "127.0.0.1:34567" or "unix"

  // The first value, if there is one.
  std::optional<std::string> header(std::string_view name) const;
  std::optional<std::string> parameter(std::string_view name) const;
};

struct Response {
  int status = 200;
  Headers headers{};  // Content-Length, Connection and Date are the server's
  std::string body{};
  std::string route{};  // for metrics and the log: which of few routes it was, "/midonet-api/ports/{id}"; never sent
};

// Called exactly once per request, on the loop's thread, now or later.
using Responder = std::function<void(Response)>;
using Handler = std::function<void(const Request&, Responder)>;

// The standard reason phrase (RFC 9110 section 15), "" for an unknown code.
std::string_view reason_phrase(int status);

}  // namespace midonet::http
