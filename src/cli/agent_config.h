// The agent's configuration as far as mm-ctl needs it: the agent's socket, its store, the id of this host, and whether mm-ctl releases
// Nova's tap. The same file and the same format (base/config_file.h) as midolman's own --config. Other keys of the agent are passed
// over; an unknown key is refused, as by the agent.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/uuid.h"

namespace midonet::cli {

enum class ReleaseTap { automatic, yes, no };
Result<ReleaseTap> parse_release_tap(std::string_view text);  // "auto", "yes", "no"

struct AgentConfig {
  std::string store = "embedded:/var/lib/midolman/midonet.db";
  std::string host_id_file = "/etc/midonet_host_id.properties";
  std::string run_dir = "/var/run/midolman";
  std::string zookeeper_secret_file;  // empty: none
  ReleaseTap release_tap = ReleaseTap::automatic;

  std::string socket() const { return run_dir + "/midolman.sock"; }
};

// Keys that the text does not have get their defaults. Code::invalid: "FILE:LINE: what is wrong"; an unknown key with the nearest one.
Result<AgentConfig> parse_agent_config(std::string_view text, const std::string& file);

// The default file may be absent; then every key has its default. A file that is named on the command line must exist.
// Code::forbidden when this user may not read it.
Result<AgentConfig> read_agent_config(const std::optional<std::string>& named);

inline constexpr const char* default_config_file = "/etc/midolman/midolman.conf";

// The id of this host: the line `host_uuid=<uuid>` of a file of properties. Code::not_found when there is no file or no
// such line, or no UUID in it; Code::forbidden when this user may not read it.
Result<Uuid> parse_host_id(std::string_view text, const std::string& file);
Result<Uuid> read_host_id(const std::string& file);

}  // namespace midonet::cli
