// Shared by the mains of the servers (midolman, midonet-api): flags of the log and of the store, and exit codes.
#pragma once

#include <optional>
#include <string>

#include "base/result.h"
#include "store/uri.h"

namespace CLI {
class App;
}

namespace midonet::programs {

inline constexpr int cannot_start = 1;
inline constexpr int wrong_usage = 2;

struct ServerFlags {
  std::string store;
  store::OpenOptions store_options;
  std::string log_level = "info";
};

// --version, --config, --log-level, --zookeeper-secret-file, --session-timeout. --store is the program's own, since its default
// differs. An unknown key of the file is an error.
void add_server_flags(CLI::App& app, ServerFlags& flags, const std::string& config_file,
                      const std::string& config_help);

// Reads the command line, sets the level of the log, and the umask to 0077: files of the process are for its user only, unless the code
// that makes one sets its mode. A value: the exit code of a program that has to end now.
std::optional<int> parse(CLI::App& app, int argc, char** argv, const ServerFlags& flags);

// Logs why `program` cannot start; its exit code.
int refuse(const std::string& program, const Error& error);

}  // namespace midonet::programs
