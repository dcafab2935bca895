#include "base/time.h"

#include <fmt/format.h>

#include <ctime>

namespace midonet {

std::string rfc3339(WallTime time) {
  using namespace std::chrono;
  const auto whole = floor<milliseconds>(time.time_since_epoch());
  const auto seconds_only = floor<seconds>(whole);
  const std::time_t t = seconds_only.count();
  std::tm parts{};
  ::gmtime_r(&t, &parts);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", parts.tm_year + 1900, parts.tm_mon + 1,
                     parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec, (whole - seconds_only).count());
}

}  // namespace midonet
