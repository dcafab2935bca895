// Logging: one line per event to stderr, `2026-01-31T12:00:00.123Z info  attach port=… interface=tap0 revision=17`.
// Under systemd the journal takes stderr. Any thread may call it. `log::info("attach port={} interface={}", id, name)`.
#pragma once

#include <fmt/format.h>

#include <string_view>

#include "base/result.h"

namespace midonet::log {

enum class Level { debug, info, warning, error };

// "debug", "info", "warning" or "error"; Code::invalid names the choices.
Status set_level(std::string_view level);
bool enabled(Level level);
void write(Level level, std::string_view text);

template <class... Args>
void debug(fmt::format_string<Args...> format, Args&&... args) {
  if (enabled(Level::debug)) write(Level::debug, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void info(fmt::format_string<Args...> format, Args&&... args) {
  if (enabled(Level::info)) write(Level::info, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void warning(fmt::format_string<Args...> format, Args&&... args) {
  if (enabled(Level::warning)) write(Level::warning, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void error(fmt::format_string<Args...> format, Args&&... args) {
  if (enabled(Level::error)) write(Level::error, fmt::format(format, std::forward<Args>(args)...));
}

}  // namespace midonet::log
