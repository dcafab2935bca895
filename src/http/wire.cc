#include "http/wire.h"

#include <fmt/format.h>
#include <strings.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <string_view>

namespace midonet::http {

bool equal_without_case(std::string_view a, std::string_view b) {
  return a.size() == b.size() && ::strncasecmp(a.data(), b.data(), a.size()) == 0;
}

namespace {

// "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110 section 5.6.7); not with strftime, whose names follow the locale.
std::string imf_fixdate(std::chrono::system_clock::time_point now) {
  static constexpr std::array<const char*, 7> days = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr std::array<const char*, 12> months = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                         "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const std::time_t seconds = std::chrono::system_clock::to_time_t(now);
  std::tm parts{};
  ::gmtime_r(&seconds, &parts);
  return fmt::format("{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT", days[static_cast<std::size_t>(parts.tm_wday)],
                     parts.tm_mday, months[static_cast<std::size_t>(parts.tm_mon)], parts.tm_year + 1900, parts.tm_hour,
                     parts.tm_min, parts.tm_sec);
}

bool ours(std::string_view name) {
  return equal_without_case(name, "content-length") || equal_without_case(name, "connection") ||
         equal_without_case(name, "date") || equal_without_case(name, "transfer-encoding");
}

bool fits_on_a_line(std::string_view text) {
  return std::none_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (byte < ' ' && c != '\t') || byte == 0x7f;
  });
}

}  // namespace

bool may_have_body(int status) { return status >= 200 && status != 204 && status != 304; }

std::string head_of(const Response& response, const HeadOptions& options, std::chrono::system_clock::time_point now) {
  std::string out;
  out.reserve(256);
  const std::string_view phrase = reason_phrase(response.status);
  out.append("HTTP/1.1 ").append(std::to_string(response.status)).append(" ").append(phrase).append("\r\n");
  for (const auto& [name, value] : response.headers) {
    if (ours(name) || name.empty() || !fits_on_a_line(name) || !fits_on_a_line(value)) continue;
    out.append(name).append(": ").append(value).append("\r\n");
  }
  out.append("Date: ").append(imf_fixdate(now)).append("\r\n");
  if (may_have_body(response.status) && options.framing == Framing::chunked)
    out.append("Transfer-Encoding: chunked\r\n");
  if (may_have_body(response.status) && options.framing == Framing::length)
    out.append("Content-Length: ").append(std::to_string(response.body.size())).append("\r\n");
  if (options.close)
    out.append("Connection: close\r\n");
  else if (options.announce_keep_alive)
    out.append("Connection: keep-alive\r\n");
  return out.append("\r\n");
}

Response plain_error(int status, const std::string& message, const std::string& media_type) {
  std::string text = message;
  for (char& c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < ' ' || byte >= 0x7f) c = '?';
    if (c == '"' || c == '\\') c = '\'';
  }
  Response response;
  response.status = status;
  response.headers.emplace("Content-Type", media_type);
  if (status == 503) response.headers.emplace("Retry-After", "1");
  response.body =
      fmt::format(R"({{"message":"{}","code":{}{}}})", text, status, status == 400 ? R"(,"violations":[])" : "");
  return response;
}

}  // namespace midonet::http
