// mm-ctl: what OpenStack's compute service runs, as root, right after it made a tap and before it deletes it.
//
//   mm-ctl --bind-port <portId> <interfaceName>
//   mm-ctl --unbind-port <portId>
//
// It asks the agent of this host over its unix socket. When no agent answers, it writes the same records into the store itself. Nova
// waits for the process without a timeout, ignores the exit status of a bind, leaks the tap when an unbind fails, and runs several at
// once. Hence one deadline for everything, no child, and no lock of our own.
//
// One thread, blocking; nothing here runs on an agent's loop.
#pragma once

#include <chrono>
#include <optional>
#include <span>
#include <string>

#include "base/result.h"
#include "base/uuid.h"
#include "cli/agent_config.h"

namespace midonet::cli {

// The exit statuses that its callers know.
namespace mm_ctl_exit {
inline constexpr int success = 0;
inline constexpr int usage = 1;
inline constexpr int no_host_id = 2;
inline constexpr int failure = 3;
inline constexpr int not_permitted = 13;
}  // namespace mm_ctl_exit

struct MmCtlCommand {
  enum class Verb { bind, unbind, help, version };
  Verb verb = Verb::help;
  std::string port_id;         // as given
  std::string interface_name;  // bind only
  // Options that replace keys of the agent's configuration.
  std::optional<std::string> config_file, socket, run_dir, store, host_id_file;
  std::optional<ReleaseTap> release_tap;
  std::chrono::milliseconds timeout{10'000};
};

extern const char* const mm_ctl_usage;  // two lines
extern const char* const mm_ctl_help;

// The arguments without the program's name. Code::invalid for wrong usage.
Result<MmCtlCommand> parse_mm_ctl(std::span<const char* const> arguments);

// Runs the command. Silent on success; otherwise one line on stderr (wrong usage: two). Returns the exit status.
int mm_ctl(std::span<const char* const> arguments);

}  // namespace midonet::cli
