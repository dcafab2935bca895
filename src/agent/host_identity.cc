#include "agent/host_identity.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <fstream>
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

Status write_whole(int fd, std::string_view text, const std::string& path, mode_t mode) {
  while (!text.empty()) {
    const ssize_t put = ::write(fd, text.data(), text.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return fail_errno(errno, "write the host id to {}", path);
    text.remove_prefix(static_cast<std::size_t>(put));
  }
  if (::fchmod(fd, mode) != 0 || ::fsync(fd) != 0) return fail_errno(errno, "write the host id to {}", path);
  return {};
}

// Under another name first, then linked: the file is never seen half written, and never replaces another.
Status create(const std::string& path, const Uuid& id) {
  std::string temporary = path + ".XXXXXX";
  const UniqueFd fd(::mkostemp(temporary.data(), O_CLOEXEC));
  if (!fd) return fail_errno(errno, "write the host id to {}", path);
  Status done = write_whole(fd.get(), fmt::format("{}={}\n", key, id), path, 0644);
  if (done && ::link(temporary.c_str(), path.c_str()) != 0 && errno != EEXIST)
    done = fail_errno(errno, "write the host id to {}", path);
  ::unlink(temporary.c_str());
  if (!done) return done;
  const UniqueFd folder(::open(folder_of(path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder || ::fsync(folder.get()) != 0) return fail_errno(errno, "write the host id to {}", path);
  return {};
}

std::string noted_store(const std::string& file) {
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);)
    if (line.starts_with("store=")) return line.substr(6);
  return {};
}

}  // namespace

Status note_store_of_ports(const std::string& file, const std::string& identity) {
  if (file.empty() || identity.empty() || noted_store(file) == identity) return {};
  const std::string fresh = file + ".new";
  {
    const UniqueFd fd(::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    if (!fd) return fail_errno(errno, "write {}", fresh);
    if (auto written = write_whole(fd.get(), fmt::format("store={}\n", identity), fresh, 0600); !written)
      return written;
  }
  if (::rename(fresh.c_str(), file.c_str()) != 0) return fail_errno(errno, "rename {} to {}", fresh, file);
  return {};
}

Status check_store_of_ports(const std::string& file, const std::string& identity, const std::string& uri) {
  if (file.empty() || identity.empty()) return {};
  const std::string noted = noted_store(file);
  if (noted.empty() || noted == identity) return {};
  return fail(
      Code::internal,
      "store {}: it is store {}, and {} says that ports of this host are in store {}. Put that file or a backup of it "
      "back; or, to go on without these ports, start once with --accept-store-loss",
      uri, identity, file, noted);
}

std::vector<std::string> machine_addresses() {
  constexpr std::size_t most = 8;
  std::vector<std::string> out;
  ifaddrs* all = nullptr;
  if (::getifaddrs(&all) != 0) return out;
  for (const ifaddrs* one = all; one != nullptr && out.size() < most; one = one->ifa_next) {
    if (one->ifa_addr == nullptr || (one->ifa_flags & IFF_LOOPBACK) != 0) continue;
    std::array<char, INET6_ADDRSTRLEN> text{};
    if (one->ifa_addr->sa_family == AF_INET) {
      const auto* address = reinterpret_cast<const sockaddr_in*>(one->ifa_addr);
      ::inet_ntop(AF_INET, &address->sin_addr, text.data(), text.size());
    } else if (one->ifa_addr->sa_family == AF_INET6) {
      const auto* address = reinterpret_cast<const sockaddr_in6*>(one->ifa_addr);
      if (!IN6_IS_ADDR_LINKLOCAL(&address->sin6_addr))
        ::inet_ntop(AF_INET6, &address->sin6_addr, text.data(), text.size());
    }
    if (text[0] != '\0') out.emplace_back(text.data());
  }
  ::freeifaddrs(all);
  return out;
}

std::string boot_id() {
  std::string id;
  std::getline(std::ifstream("/proc/sys/kernel/random/boot_id"), id);
  return id;
}

Result<Uuid> host_identity(const std::string& path) {
  auto text = read_file(path);
  if (!text) return failed(std::move(text));
  if (!*text) {
    if (const Status made = create(path, Uuid::random()); !made) return failed(made);
    text = read_file(path);
    if (!text) return failed(std::move(text));
  }
  return parse(text->value_or(""), path);
}

}  // namespace midonet::agent
