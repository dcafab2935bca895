#include "cli/age.h"

#include <fmt/format.h>

namespace midonet::cli {

namespace {

// Exactly `length` digits at the front of `text`, which is shortened by them.
std::optional<int> digits(std::string_view& text, std::size_t length) {
  int value = 0;
  if (text.size() < length) return std::nullopt;
  for (const char c : text.substr(0, length)) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + (c - '0');
  }
  text.remove_prefix(length);
  return value;
}

bool skip(std::string_view& text, char c) {
  if (text.empty() || text.front() != c) return false;
  text.remove_prefix(1);
  return true;
}

}  // namespace

std::optional<WallTime> parse_rfc3339(std::string_view text) {
  using namespace std::chrono;
  const auto y = digits(text, 4);
  if (!y || !skip(text, '-')) return std::nullopt;
  const auto mo = digits(text, 2);
  if (!mo || !skip(text, '-')) return std::nullopt;
  const auto d = digits(text, 2);
  if (!d || !skip(text, 'T')) return std::nullopt;
  const auto h = digits(text, 2);
  if (!h || !skip(text, ':')) return std::nullopt;
  const auto mi = digits(text, 2);
  if (!mi || !skip(text, ':')) return std::nullopt;
  const auto s = digits(text, 2);
  if (!s || *h > 23 || *mi > 59 || *s > 60) return std::nullopt;
  const year_month_day date{year{*y}, month{static_cast<unsigned>(*mo)}, day{static_cast<unsigned>(*d)}};
  if (!date.ok()) return std::nullopt;
  nanoseconds fraction{0};
  if (skip(text, '.')) {
    nanoseconds unit{100'000'000};
    bool any = false;
    for (auto digit = digits(text, 1); digit; digit = digits(text, 1), any = true) {
      fraction += *digit * unit;
      unit /= 10;
    }
    if (!any) return std::nullopt;
  }
  if (!skip(text, 'Z') || !text.empty()) return std::nullopt;
  return time_point_cast<WallTime::duration>(sys_days{date} + hours{*h} + minutes{*mi} + seconds{*s} + fraction);
}

std::string age(std::string_view since, WallTime now) {
  using namespace std::chrono;
  const auto begin = parse_rfc3339(since);
  if (!begin) return "-";
  const auto passed = std::max(0s, duration_cast<seconds>(now - *begin));
  if (passed < 2min) return fmt::format("{}s", passed.count());
  if (passed < 2h) return fmt::format("{}m", passed / 1min);
  if (passed < 48h) return fmt::format("{}h", passed / 1h);
  return fmt::format("{}d", passed / 24h);
}

}  // namespace midonet::cli
