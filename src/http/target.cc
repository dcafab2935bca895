#include "http/target.h"

#include <algorithm>
#include <array>

namespace midonet::http {

namespace {

int hex(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool is_alphanumeric(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

Result<std::string> decode(std::string_view text, bool plus_is_space) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '%') {
      const int high = i + 2 < text.size() ? hex(text[i + 1]) : -1;
      const int low = i + 2 < text.size() ? hex(text[i + 2]) : -1;
      if (high < 0 || low < 0) return fail(Code::invalid, "ill-formed percent-encoding in the request target");
      c = static_cast<char>(high << 4 | low);
      i += 2;
    } else if (c == '+' && plus_is_space) {
      c = ' ';
    }
    if (c == '\0') return fail(Code::invalid, "a NUL byte in the request target");
    out += c;
  }
  if (!is_utf8(out)) return fail(Code::invalid, "the request target is not UTF-8");
  return out;
}

}  // namespace

bool is_utf8(std::string_view text) {
  // RFC 3629 section 4: no overlong forms, no surrogates, nothing above U+10FFFF.
  const auto at = [&](std::size_t i) { return static_cast<unsigned char>(i < text.size() ? text[i] : 0); };
  for (std::size_t i = 0; i < text.size();) {
    const unsigned char lead = at(i);
    std::size_t more = 0;
    unsigned char low = 0x80;
    unsigned char high = 0xbf;
    if (lead < 0x80) {
      more = 0;
    } else if (lead >= 0xc2 && lead <= 0xdf) {
      more = 1;
    } else if (lead >= 0xe0 && lead <= 0xef) {
      more = 2;
      if (lead == 0xe0) low = 0xa0;
      if (lead == 0xed) high = 0x9f;
    } else if (lead >= 0xf0 && lead <= 0xf4) {
      more = 3;
      if (lead == 0xf0) low = 0x90;
      if (lead == 0xf4) high = 0x8f;
    } else {
      return false;
    }
    for (std::size_t k = 1; k <= more; ++k) {
      const unsigned char byte = at(i + k);
      if (byte < (k == 1 ? low : 0x80) || byte > (k == 1 ? high : 0xbf)) return false;
    }
    i += more + 1;
  }
  return true;
}

Result<std::string> percent_decode(std::string_view text) { return decode(text, false); }

Result<Query> parse_query(std::string_view text) {
  Query query;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('&'), text.size());
    const std::string_view pair = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (pair.empty()) continue;
    const std::size_t equals = std::min(pair.find('='), pair.size());
    Result<std::string> key = decode(pair.substr(0, equals), true);
    if (!key) return failed(key);
    Result<std::string> value = decode(pair.substr(std::min(equals + 1, pair.size())), true);
    if (!value) return failed(value);
    query.emplace(*std::move(key), *std::move(value));
  }
  return query;
}

Result<std::vector<std::string>> split_path(std::string_view path) {
  if (path.empty() || path.front() != '/') return fail(Code::invalid, "a path begins with '/'");
  std::vector<std::string> segments;
  while (!path.empty()) {
    path.remove_prefix(1);
    const std::size_t end = std::min(path.find('/'), path.size());
    Result<std::string> segment = percent_decode(path.substr(0, end));
    if (!segment) return failed(segment);
    segments.push_back(*std::move(segment));
    path.remove_prefix(end);
  }
  return segments;
}

Result<Target> parse_target(std::string_view text) {
  Target target;
  if (text == "*") {
    target.origin = target.path = "*";
    return target;
  }
  constexpr std::string_view scheme = "http://";
  if (text.substr(0, scheme.size()) == scheme) {
    text.remove_prefix(scheme.size());
    const std::size_t end = std::min(text.find_first_of("/?"), text.size());
    target.authority = text.substr(0, end);
    if (!is_authority(target.authority)) return fail(Code::invalid, "ill-formed authority in the request target");
    text.remove_prefix(end);
    target.origin = text.empty() || text.front() == '?' ? "/" : "";
  }
  target.origin += text;
  const std::string_view origin = target.origin;
  if (origin.empty() || origin.front() != '/')
    return fail(Code::invalid, "the request target is neither a path nor an http URI");
  // A fragment is the client's own and never part of a request (RFC 9110 section 7.1).
  if (origin.find('#') != std::string_view::npos) return fail(Code::invalid, "a '#' in the request target");
  const std::size_t mark = std::min(origin.find('?'), origin.size());
  Result<std::string> path = percent_decode(origin.substr(0, mark));
  if (!path) return failed(path);
  Result<Query> query = parse_query(origin.substr(std::min(mark + 1, origin.size())));
  if (!query) return failed(query);
  target.path = *std::move(path);
  target.query = *std::move(query);
  return target;
}

bool is_authority(std::string_view text) {
  if (text.empty() || text.size() > 300) return false;
  return std::all_of(text.begin(), text.end(), [](char c) {
    return is_alphanumeric(c) || c == '.' || c == '-' || c == '_' || c == ':' || c == '[' || c == ']';
  });
}

}  // namespace midonet::http
