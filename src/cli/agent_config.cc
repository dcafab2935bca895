#include "cli/agent_config.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "base/unique_fd.h"

namespace midonet::cli {

namespace {

constexpr std::string_view blank = " \t\r\n\v\f";

std::string_view trim(std::string_view text) {
  const auto first = text.find_first_not_of(blank);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(blank) - first + 1);
}

std::string_view unquote(std::string_view text) {
  if (text.size() > 1 && (text.front() == '"' || text.front() == '\'') && text.front() == text.back())
    return text.substr(1, text.size() - 2);
  return text;
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

// Calls `line(text, number)` for each line that is neither blank nor a comment, until one fails.
template <class F>
Status each_line(std::string_view text, F&& line) {
  for (int number = 1; !text.empty(); ++number) {
    const std::size_t end = text.find('\n');
    const std::string_view content = trim(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (content.empty() || content.front() == '#' || content.front() == ';') continue;
    if (Status status = line(content, number); !status) return status;
  }
  return {};
}

}  // namespace

Result<ReleaseTap> parse_release_tap(std::string_view text) {
  if (text == "auto") return ReleaseTap::automatic;
  if (text == "yes") return ReleaseTap::yes;
  if (text == "no") return ReleaseTap::no;
  return fail(Code::invalid, "release_tap '{}': choose auto, yes or no", text);
}

Result<AgentConfig> parse_agent_config(std::string_view text) {
  AgentConfig config;
  bool for_agent = true;  // false in sections, which belong to midolman's sub-commands
  const Status status = each_line(text, [&](std::string_view line, int number) -> Status {
    if (line.front() == '[' && line.back() == ']') {
      for_agent = line == "[default]";
      return {};
    }
    const std::size_t equals = line.find('=');
    if (!for_agent || equals == std::string_view::npos) return {};  // a switch, of no use here
    const std::string_view key = unquote(trim(line.substr(0, equals)));
    std::string_view value = line.substr(equals + 1);
    value = unquote(trim(value.substr(0, value.find('#'))));
    std::string* target = key == "store"                   ? &config.store
                          : key == "host-id-file"          ? &config.host_id_file
                          : key == "run-dir"               ? &config.run_dir
                          : key == "zookeeper-secret-file" ? &config.zookeeper_secret_file
                                                           : nullptr;
    if (target != nullptr) {
      if (value.empty()) return fail(Code::invalid, "line {}: {} has no value", number, key);
      *target = value;
    } else if (key == "release_tap" || key == "release-tap") {
      const Result<ReleaseTap> choice = parse_release_tap(value);
      if (!choice) return fail(Code::invalid, "line {}: {}", number, choice.error().message);
      config.release_tap = *choice;
    }
    return {};
  });
  if (!status) return tl::unexpected<Error>(status.error());
  return config;
}

Result<AgentConfig> read_agent_config(const std::optional<std::string>& named) {
  const std::string file = named.value_or(default_config_file);
  const Result<std::string> text = read_file(file);
  if (!text) {
    if (!named && text.error().code == Code::not_found) return AgentConfig{};
    return tl::unexpected<Error>(text.error());
  }
  Result<AgentConfig> config = parse_agent_config(*text);
  if (!config) config.error().message = fmt::format("{}: {}", file, config.error().message);
  return config;
}

Result<Uuid> parse_host_id(std::string_view text, const std::string& file) {
  std::optional<Uuid> found;
  const Status status = each_line(text, [&](std::string_view line, int number) -> Status {
    const std::size_t equals = line.find('=');
    if (equals == std::string_view::npos || trim(line.substr(0, equals)) != "host_uuid") return {};
    const Result<Uuid> id = Uuid::parse(trim(line.substr(equals + 1)));
    if (!id) return fail(Code::not_found, "the host id in {}, line {}: {}", file, number, id.error().message);
    found = *id;
    return {};
  });
  if (!status) return tl::unexpected<Error>(status.error());
  if (!found) return fail(Code::not_found, "there is no host id in {}: a line host_uuid=<uuid> is missing", file);
  return *found;
}

Result<Uuid> read_host_id(const std::string& file) {
  const Result<std::string> text = read_file(file);
  if (text) return parse_host_id(*text, file);
  Error error = text.error();
  error.message = fmt::format("there is no host id: {}", error.message);
  return tl::unexpected<Error>(std::move(error));
}

}  // namespace midonet::cli
