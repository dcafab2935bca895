// The target of a request and its parts: percent-encoding (RFC 3986 section 2.1), path segments, query. Pure.
//
// Strict: an ill-formed target is refused, never guessed at. Decoded text is UTF-8 without NUL, so that it may stand in
// a JSON message and in a log line.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace midonet::http {

using Query = std::multimap<std::string, std::string, std::less<>>;

// "%C3%A4" -> "ä". invalid: a '%' without two hexadecimal digits, NUL, or what is not UTF-8.
Result<std::string> percent_decode(std::string_view text);

bool is_utf8(std::string_view text);

// "a=1&b=x+y" -> {a: "1", b: "x y"}; a key without '=' has the value "".
Result<Query> parse_query(std::string_view text);

// "/a/b%2Fc/" -> {"a", "b/c", ""}. invalid when it does not begin with '/'.
Result<std::vector<std::string>> split_path(std::string_view path);

// A request target as it stands on the request line (RFC 9112 section 3.2): origin form, absolute form or "*".
struct Target {
  std::string authority{};  // of the absolute form: "127.0.0.1:8181"; else ""
  std::string origin{};     // "/midonet-api/ports?x=y", or "*"
  std::string path{};       // percent-decoded; "*" for "*"
  Query query{};
};
Result<Target> parse_target(std::string_view text);

// What may stand in a Host header: a name or address with an optional port, nothing that could break a URI.
bool is_authority(std::string_view text);

}  // namespace midonet::http
