// Wall-clock times as they stand in records and answers: RFC 3339, UTC, milliseconds ("2026-01-31T12:00:00.123Z").
#pragma once

#include <chrono>
#include <string>

namespace midonet {

using WallTime = std::chrono::system_clock::time_point;

std::string rfc3339(WallTime time);

}  // namespace midonet
