#include "cli/credentials.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/unique_fd.h"

namespace midonet::cli {

namespace {

constexpr std::size_t longest_password = 4096;

bool is_visible(const std::string& text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7f; });
}

bool is_one_line(const std::string& text) {
  return std::none_of(text.begin(), text.end(),
                      [](char c) { return static_cast<unsigned char>(c) < ' ' || c == 0x7f; });
}

}  // namespace

Status check(const Credentials& credentials) {
  if (!is_visible(credentials.token))
    return fail(Code::invalid, "the token is none: it has a blank or a sign that no token has");
  if (!credentials.token.empty() || credentials.user.empty()) return {};
  if (credentials.user.find(':') != std::string::npos)
    return fail(Code::invalid, "the user '{}' has a colon in its name, with which no user can log in",
                credentials.user);
  if (!is_one_line(credentials.project)) return fail(Code::invalid, "the project is not the name of one");
  if (credentials.password.empty())
    return fail(Code::invalid, "the password of '{}' is missing: say --password-file FILE, or set MIDONET_PASSWORD",
                credentials.user);
  return {};
}

Result<std::string> read_password(const std::string& path) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return fail_errno(errno, "password file {}", path);
  struct stat is {};
  if (::fstat(file.get(), &is) != 0) return fail_errno(errno, "password file {}", path);
  if (S_ISREG(is.st_mode) && (is.st_mode & 077) != 0)
    return fail(Code::forbidden, "password file {}: others than its owner may open it: chmod 600 {}", path, path);
  std::string text;
  std::array<char, 512> some{};
  while (text.find('\n') == std::string::npos && text.size() <= longest_password) {
    const ssize_t count = ::read(file.get(), some.data(), some.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail_errno(errno, "password file {}", path);
    if (count == 0) break;
    text.append(some.data(), static_cast<std::size_t>(count));
  }
  text.resize(std::min(text.find('\n'), text.size()));
  if (text.empty() || text.size() > longest_password)
    return fail(Code::invalid, "password file {}: its first line is not a password", path);
  return text;
}

std::string basic_authorization(std::string_view user, std::string_view password) {
  static constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const std::string text = std::string(user) + ":" + std::string(password);
  std::string out = "Basic ";
  for (std::size_t i = 0; i < text.size(); i += 3) {
    const std::size_t count = std::min<std::size_t>(3, text.size() - i);
    std::uint32_t bits = 0;
    for (std::size_t k = 0; k < 3; ++k) bits = bits << 8 | (k < count ? static_cast<unsigned char>(text[i + k]) : 0U);
    for (std::size_t k = 0; k < 4; ++k) out += k <= count ? digits[bits >> (18 - 6 * k) & 63] : '=';
  }
  return out;
}

}  // namespace midonet::cli
