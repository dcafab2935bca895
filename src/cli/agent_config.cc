#include "cli/agent_config.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "base/config_file.h"
#include "base/unique_fd.h"

namespace midonet::cli {

namespace {

// Every key of midolman.conf above its first section (tests/system/config_test.py compares them with `midolman --help`).
const std::vector<std::string>& agent_keys() {
  static const std::vector<std::string> keys{
      "bpffs",         "flood-limit", "hooks",           "host-id-file",
      "log-level",     "overlay-mtu", "release-tap",     "remove-datapath",
      "run-dir",       "store",       "session-timeout", "tunnel-device",
      "tunnel-family", "tunnel-port", "tunnel-sources",  "zookeeper-secret-file"};
  return keys;
}

Result<std::string> read_file(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return fail_errno(errno, "read {}", path);
  std::string text;
  char chunk[4096];
  while (true) {
    const ssize_t got = ::read(fd.get(), chunk, sizeof chunk);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno(errno, "read {}", path);
    if (got == 0) return text;
    text.append(chunk, static_cast<std::size_t>(got));
  }
}

}  // namespace

Result<ReleaseTap> parse_release_tap(std::string_view text) {
  if (text == "auto") return ReleaseTap::automatic;
  if (text == "yes") return ReleaseTap::yes;
  if (text == "no") return ReleaseTap::no;
  return fail(Code::invalid, "release-tap '{}': choose auto, yes or no", text);
}

Result<AgentConfig> parse_agent_config(std::string_view text, const std::string& file) {
  const auto lines = parse_config(text, file);
  if (!lines) return failed(lines);
  AgentConfig config;
  for (const ConfigLine& line : *lines) {
    // Sections belong to midolman's sub-commands.
    if (!line.section.empty() && line.section != "default") continue;
    const auto refuse = [&](std::string_view why) { return fail(Code::invalid, "{}:{}: {}", file, line.number, why); };
    const std::vector<std::string>& keys = agent_keys();
    if (std::find(keys.begin(), keys.end(), line.key) == keys.end()) return refuse(unknown_key(line.key, keys));
    std::string* target = line.key == "store"                   ? &config.store
                          : line.key == "host-id-file"          ? &config.host_id_file
                          : line.key == "run-dir"               ? &config.run_dir
                          : line.key == "zookeeper-secret-file" ? &config.zookeeper_secret_file
                                                                : nullptr;
    const bool release = line.key == "release-tap";
    if (!target && !release) continue;
    if (!line.value || line.value->empty()) return refuse(fmt::format("the key '{}' has no value", line.key));
    if (target) *target = *line.value;
    if (!release) continue;
    const Result<ReleaseTap> choice = parse_release_tap(*line.value);
    if (!choice) return refuse(choice.error().message);
    config.release_tap = *choice;
  }
  return config;
}

Result<AgentConfig> read_agent_config(const std::optional<std::string>& named) {
  const std::string file = named.value_or(default_config_file);
  const Result<std::string> text = read_file(file);
  if (!text) {
    if (!named && text.error().code == Code::not_found) return AgentConfig{};
    return failed(text);
  }
  return parse_agent_config(*text, file);
}

Result<Uuid> parse_host_id(std::string_view text, const std::string& file) {
  const auto trim = [](std::string_view part) {
    constexpr std::string_view blank = " \t\r\v\f";
    const auto first = part.find_first_not_of(blank);
    return first == part.npos ? std::string_view() : part.substr(first, part.find_last_not_of(blank) - first + 1);
  };
  std::optional<Uuid> found;
  for (int number = 1; !text.empty(); ++number) {
    const std::size_t end = text.find('\n');
    const std::string_view line = trim(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    const std::size_t equals = line.find('=');
    if (equals == std::string_view::npos || trim(line.substr(0, equals)) != "host_uuid") continue;
    const Result<Uuid> id = Uuid::parse(trim(line.substr(equals + 1)));
    if (!id) return fail(Code::not_found, "the host id in {}, line {}: {}", file, number, id.error().message);
    found = *id;
  }
  if (!found) return fail(Code::not_found, "there is no host id in {}: a line host_uuid=<uuid> is missing", file);
  return *found;
}

Result<Uuid> read_host_id(const std::string& file) {
  const Result<std::string> text = read_file(file);
  if (text) return parse_host_id(*text, file);
  Error error = text.error();
  error.message = fmt::format("there is no host id: {}", error.message);
  return failed(std::move(error));
}

}  // namespace midonet::cli
