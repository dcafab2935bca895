#include "programs/systemd.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdlib>

#include "base/log.h"
#include "base/unique_fd.h"

namespace midonet::programs {

Status notify_systemd(const char* path, std::string_view state) {
  const std::string_view name = path == nullptr ? std::string_view() : std::string_view(path);
  if (name.empty()) return {};
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (name.size() < 2 || name.size() >= sizeof address.sun_path)
    return fail(Code::invalid, "tell systemd {}: '{}' is not the name of a socket", state, name);
  std::copy(name.begin(), name.end(), address.sun_path);
  if (name.front() == '@') address.sun_path[0] = '\0';
  const UniqueFd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!fd) return fail_errno(errno, "tell systemd {}", state);
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
  if (::sendto(fd.get(), state.data(), state.size(), MSG_NOSIGNAL, reinterpret_cast<const sockaddr*>(&address),
               length) < 0)
    return fail_errno(errno, "tell systemd {} at {}", state, name);
  return {};
}

void tell_systemd(std::string_view state) {
  if (const Status told = notify_systemd(std::getenv("NOTIFY_SOCKET"), state); !told)
    log::warning("{}", told.error().message);
}

}  // namespace midonet::programs
