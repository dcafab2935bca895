#include "base/log.h"

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

namespace midonet::log {

namespace {

spdlog::level::level_enum to_spdlog(Level level) {
  switch (level) {
    case Level::debug: return spdlog::level::debug;
    case Level::info: return spdlog::level::info;
    case Level::warning: return spdlog::level::warn;
    case Level::error: return spdlog::level::err;
  }
  return spdlog::level::info;
}

// The process's one log: where a line goes and which lines are wanted. spdlog keeps it behind its own lock.
spdlog::logger& logger() {
  static const std::shared_ptr<spdlog::logger> instance = [] {
    auto made = spdlog::stderr_logger_mt("midonet");
    made->set_formatter(
        std::make_unique<spdlog::pattern_formatter>("%Y-%m-%dT%H:%M:%S.%eZ %-7l %v", spdlog::pattern_time_type::utc));
    made->flush_on(spdlog::level::debug);
    return made;
  }();
  return *instance;
}

}  // namespace

Status set_level(std::string_view level) {
  for (const Level candidate : {Level::debug, Level::info, Level::warning, Level::error}) {
    if (spdlog::level::to_string_view(to_spdlog(candidate)) == spdlog::string_view_t(level.data(), level.size())) {
      logger().set_level(to_spdlog(candidate));
      return {};
    }
  }
  return fail(Code::invalid, "log level '{}': choose debug, info, warning or error", level);
}

bool enabled(Level level) { return logger().should_log(to_spdlog(level)); }

void write(Level level, std::string_view text) { logger().log(to_spdlog(level), "{}", text); }

}  // namespace midonet::log
