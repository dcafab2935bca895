#include "cli/agent_socket.h"

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>

#include "base/unique_fd.h"

namespace midonet::cli {

namespace {

// What is left until the deadline becomes the time-out of the next call on the socket (SO_SNDTIMEO bounds connect(2) on
// a unix socket too, which waits while the listener's queue is full). False when there is nothing left.
bool arm(int fd, int option, Deadline deadline) {
  const auto left =
      std::chrono::duration_cast<std::chrono::microseconds>(deadline - std::chrono::steady_clock::now()).count();
  if (left <= 0) return false;
  timeval value{};
  value.tv_sec = left / 1'000'000;
  value.tv_usec = left % 1'000'000;
  return ::setsockopt(fd, SOL_SOCKET, option, &value, sizeof value) == 0;
}

tl::unexpected<Error> silent(const std::string& path) {
  return fail(Code::unavailable, "the agent at {} does not answer in time", path);
}

// An errno of the connection. All that is not a lack of permission means that no agent is there to answer.
tl::unexpected<Error> unanswered(const std::string& path, int error_number) {
  if (error_number == EAGAIN || error_number == EINPROGRESS) return silent(path);
  auto error = fail_errno(error_number, "the agent at {} does not answer", path);
  if (error.value().code != Code::forbidden) error.value().code = Code::unavailable;
  return error;
}

}  // namespace

Result<HttpAnswer> ask_agent(const std::string& socket_path, const AgentRequest& request, Deadline deadline) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (socket_path.empty() || socket_path.size() >= sizeof address.sun_path)
    return fail(Code::invalid, "'{}' cannot be the path of a socket: it must have 1 to {} bytes", socket_path,
                sizeof address.sun_path - 1);
  std::memcpy(address.sun_path, socket_path.data(), socket_path.size());

  const UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) return fail_errno(errno, "make a socket");
  if (!arm(fd.get(), SO_SNDTIMEO, deadline)) return silent(socket_path);
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return unanswered(socket_path, errno);

  const std::string bytes =
      request.body.empty()
          ? fmt::format("{} {} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", request.method,
                        request.target)
          : fmt::format(
                "{} {} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\n"
                "Content-Length: {}\r\n\r\n{}",
                request.method, request.target, request.body.size(), request.body);
  // A peer that has closed its reading half may still have sent an answer, so EPIPE is left to the read below.
  for (std::string_view left = bytes; !left.empty();) {
    if (!arm(fd.get(), SO_SNDTIMEO, deadline)) return silent(socket_path);
    const ssize_t sent = ::send(fd.get(), left.data(), left.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && (errno == EPIPE || errno == ECONNRESET)) break;
    if (sent < 0) return unanswered(socket_path, errno);
    left.remove_prefix(static_cast<std::size_t>(sent));
  }

  std::string received;
  char chunk[4096];
  while (true) {
    if (!arm(fd.get(), SO_RCVTIMEO, deadline)) return silent(socket_path);
    const ssize_t got = ::recv(fd.get(), chunk, sizeof chunk, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return unanswered(socket_path, errno);
    received.append(chunk, static_cast<std::size_t>(got));
    Result<std::optional<HttpAnswer>> answer = read_http_answer(received, got == 0);
    if (!answer) return fail(answer.error().code, "the agent at {}: {}", socket_path, answer.error().message);
    if (*answer) return **std::move(answer);
  }
}

}  // namespace midonet::cli
