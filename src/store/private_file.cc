#include "store/private_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <optional>
#include <string_view>

#include "base/unique_fd.h"

namespace midonet::store {
namespace {

constexpr std::size_t max_size = 4096;
constexpr std::size_t password_bytes = 16;
constexpr mode_t others = S_IRWXG | S_IRWXO;

Result<std::string> read_private(const std::string& what, const std::string& path) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return fail_errno(errno, "{} {}", what, path);
  struct ::stat stat {};
  if (::fstat(file.get(), &stat) != 0) return fail_errno(errno, "{} {}", what, path);
  if (!S_ISREG(stat.st_mode)) return fail(Code::invalid, "{} {}: is not a file", what, path);
  if ((stat.st_mode & others) != 0) {
    return fail(Code::forbidden, "{} {}: others than its owner have access to it (mode {:04o}); do: chmod 600 {}", what,
                path, stat.st_mode & 07777u, path);
  }
  std::array<char, max_size + 1> buffer;
  const ssize_t size = ::read(file.get(), buffer.data(), buffer.size());
  if (size < 0) return fail_errno(errno, "{} {}", what, path);
  if (static_cast<std::size_t>(size) > max_size) return fail(Code::invalid, "{} {}: is too long", what, path);
  return std::string(buffer.data(), static_cast<std::size_t>(size));
}

std::string hex(std::string_view bytes) {
  std::string out;
  for (const char c : bytes) out += fmt::format("{:02x}", static_cast<unsigned char>(c));
  return out;
}

std::optional<std::string> from_hex(std::string_view text) {
  std::string out;
  if (text.size() % 2 != 0) return std::nullopt;
  for (; !text.empty(); text.remove_prefix(2)) {
    unsigned char byte = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + 2, byte, 16);
    if (error != std::errc() || end != text.data() + 2) return std::nullopt;
    out += static_cast<char>(byte);
  }
  return out;
}

// The value of the line "key=value".
std::string_view line_of(std::string_view text, std::string_view key) {
  while (!text.empty()) {
    const auto end = text.find('\n');
    const std::string_view line = text.substr(0, end);
    if (line.starts_with(key) && line.substr(key.size()).starts_with('=')) return line.substr(key.size() + 1);
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  }
  return {};
}

}  // namespace

Result<std::string> read_secret(const std::string& path) {
  auto text = read_private("secret file", path);
  if (!text) return text;
  while (text->ends_with('\n') || text->ends_with('\r')) text->pop_back();
  const auto colon = text->find(':');
  if (colon == 0 || colon == std::string::npos || colon + 1 == text->size() || text->find('\n') != std::string::npos) {
    return fail(Code::invalid, "secret file {}: must have one line, \"user:password\"", path);
  }
  return text;
}

Result<ZookeeperSession> read_session(const std::string& path, const std::string& owner) {
  const auto text = read_private("session file", path);
  if (!text && text.error().code == Code::not_found) return ZookeeperSession{};
  if (!text) return failed(text);
  const std::string_view number = line_of(*text, "id");
  std::uint64_t id = 0;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), id, 16);
  const auto password = from_hex(line_of(*text, "password"));
  if (number.empty() || error != std::errc() || end != number.data() + number.size() || id == 0 || !password ||
      password->size() != password_bytes) {
    return fail(Code::invalid, "session file {}: is damaged", path);
  }
  const std::string_view of = line_of(*text, "owner");
  if (!of.empty() && of != owner)
    return fail(Code::conflict, "session file {}: is that of {}, and this is {}", path, of, owner);
  return ZookeeperSession{static_cast<std::int64_t>(id), *password};
}

Status write_session(const std::string& path, const ZookeeperSession& session, const std::string& owner) {
  const std::string text = fmt::format("id={:x}\npassword={}\n{}", static_cast<std::uint64_t>(session.id),
                                       hex(session.password), owner.empty() ? "" : "owner=" + owner + "\n");
  const std::string fresh = path + ".new";
  if (::unlink(fresh.c_str()) != 0 && errno != ENOENT) return fail_errno(errno, "session file {}", fresh);
  const UniqueFd file(::open(fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, S_IRUSR | S_IWUSR));
  if (!file) return fail_errno(errno, "session file {}", fresh);
  if (::write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
    return fail_errno(errno, "session file {}", fresh);
  }
  if (::rename(fresh.c_str(), path.c_str()) != 0) return fail_errno(errno, "session file {}", path);
  return {};
}

}  // namespace midonet::store
