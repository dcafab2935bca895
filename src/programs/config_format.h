// The configuration file of a program whose flags CLI11 reads: the same keys as the flags, those of a sub-command below a
// line `[sub-command]`. The command line comes before the file, and the file before environment variables.
#pragma once

#include <string>

#include "base/result.h"

namespace CLI {
class App;
}

namespace midonet::programs {

// Adds --config. Wrong lines make `app.parse` throw a CLI::ParseError "FILE:LINE: …", which names the nearest key for an unknown one.
// The app must outlive its parsing.
void add_config(CLI::App& app, const std::string& default_file, const std::string& help);

// forbidden: the file that the app would read is there, and this user may not read it. CLI11 passes over such a default file.
Status config_is_readable(CLI::App& app);

}  // namespace midonet::programs
