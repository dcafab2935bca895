#include "agent/host_identity.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <optional>
#include <string_view>

#include "base/unique_fd.h"

namespace midonet::agent {

namespace {

constexpr std::string_view key = "host_uuid";
constexpr std::size_t largest_file = 64 * 1024;

std::string_view trim(std::string_view text) {
  constexpr std::string_view blank = " \t\r\n\v\f";
  const auto first = text.find_first_not_of(blank);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(blank) - first + 1);
}

Result<std::optional<std::string>> read_file(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd && errno == ENOENT) return std::optional<std::string>();
  if (!fd) return fail_errno(errno, "read the host id from {}", path);
  std::string text(largest_file + 1, '\0');
  std::size_t length = 0;
  while (length < text.size()) {
    const ssize_t got = ::read(fd.get(), text.data() + length, text.size() - length);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno(errno, "read the host id from {}", path);
    if (got == 0) break;
    length += static_cast<std::size_t>(got);
  }
  if (length > largest_file) return fail(Code::invalid, "{} is too large to be a file with the host id", path);
  text.resize(length);
  return std::optional(std::move(text));
}

Result<Uuid> parse(std::string_view text, const std::string& path) {
  std::optional<Uuid> found;
  for (int number = 1; !text.empty(); ++number) {
    const std::size_t end = text.find('\n');
    const std::string_view line = trim(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    const std::size_t equals = line.find('=');
    if (line.empty() || line.front() == '#' || line.front() == '!' || equals == std::string_view::npos) continue;
    if (trim(line.substr(0, equals)) != key) continue;
    const std::string_view value = trim(line.substr(equals + 1));
    const auto id = Uuid::parse(value);
    if (!id || id->is_nil())
      return fail(Code::invalid, "{} line {}: '{}' is not a host id (a UUID)", path, number, value.substr(0, 64));
    if (found && *found != *id) return fail(Code::invalid, "{} line {}: a second, different host id", path, number);
    found = *id;
  }
  if (!found) return fail(Code::invalid, "{}: no line '{}=<uuid>'; remove the file to draw a new host id", path, key);
  return *found;
}

std::string folder_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
}

Status write_whole(int fd, std::string_view text, const std::string& path) {
  while (!text.empty()) {
    const ssize_t put = ::write(fd, text.data(), text.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return fail_errno(errno, "write the host id to {}", path);
    text.remove_prefix(static_cast<std::size_t>(put));
  }
  if (::fchmod(fd, 0644) != 0 || ::fsync(fd) != 0) return fail_errno(errno, "write the host id to {}", path);
  return {};
}

// Under another name first, then linked: the file is never seen half written, and never replaces another.
Status create(const std::string& path, const Uuid& id) {
  std::string temporary = path + ".XXXXXX";
  const UniqueFd fd(::mkostemp(temporary.data(), O_CLOEXEC));
  if (!fd) return fail_errno(errno, "write the host id to {}", path);
  Status done = write_whole(fd.get(), fmt::format("{}={}\n", key, id), path);
  if (done && ::link(temporary.c_str(), path.c_str()) != 0 && errno != EEXIST)
    done = fail_errno(errno, "write the host id to {}", path);
  ::unlink(temporary.c_str());
  if (!done) return done;
  const UniqueFd folder(::open(folder_of(path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder || ::fsync(folder.get()) != 0) return fail_errno(errno, "write the host id to {}", path);
  return {};
}

}  // namespace

Result<Uuid> host_identity(const std::string& path) {
  auto text = read_file(path);
  if (!text) return tl::unexpected<Error>(std::move(text).error());
  if (!*text) {
    if (const Status made = create(path, Uuid::random()); !made) return tl::unexpected<Error>(made.error());
    text = read_file(path);
    if (!text) return tl::unexpected<Error>(std::move(text).error());
  }
  return parse(text->value_or(""), path);
}

}  // namespace midonet::agent
