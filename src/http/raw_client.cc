#include "http/raw_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace midonet::http {

using namespace std::chrono_literals;

RawClient::RawClient(Loop& loop, const std::string& endpoint, int receive_buffer_bytes, const std::string& from)
    : loop_(loop) {
  sockaddr_storage storage{};
  socklen_t length = 0;
  if (endpoint.rfind("unix:", 0) == 0) {
    sockaddr_un un{};
    un.sun_family = AF_UNIX;
    endpoint.copy(un.sun_path, sizeof un.sun_path - 1, 5);
    std::memcpy(&storage, &un, sizeof un);
    length = sizeof un;
  } else {
    sockaddr_in in{};
    in.sin_family = AF_INET;
    const std::size_t colon = endpoint.find(':');
    in.sin_port = htons(static_cast<std::uint16_t>(std::atoi(endpoint.c_str() + colon + 1)));
    ::inet_pton(AF_INET, endpoint.substr(0, colon).c_str(), &in.sin_addr);
    std::memcpy(&storage, &in, sizeof in);
    length = sizeof in;
  }
  fd_.reset(::socket(storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (receive_buffer_bytes > 0)
    ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVBUF, &receive_buffer_bytes, sizeof receive_buffer_bytes);
  if (!from.empty()) {
    sockaddr_in own{};
    own.sin_family = AF_INET;
    if (::inet_pton(AF_INET, from.c_str(), &own.sin_addr) != 1 ||
        ::bind(fd_.get(), reinterpret_cast<const sockaddr*>(&own), sizeof own) != 0)
      std::abort();
  }
  // A listening socket's backlog takes the connection: this does not wait for the server.
  if (::connect(fd_.get(), reinterpret_cast<sockaddr*>(&storage), length) != 0) std::abort();
  const int on = 1;
  if (storage.ss_family == AF_INET) ::setsockopt(fd_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  read_again();
}

void RawClient::send(std::string_view bytes) {
  if (send_some(bytes) != bytes.size()) std::abort();
}

std::size_t RawClient::send_some(std::string_view bytes) {
  const ssize_t sent = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
  return sent < 0 ? 0 : static_cast<std::size_t>(sent);
}

void RawClient::end_sending() { ::shutdown(fd_.get(), SHUT_WR); }

void RawClient::reset() {
  const linger hard{1, 0};
  ::setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
  close();
}

void RawClient::close() {
  watch_ = FdWatch();
  fd_.reset();
}

void RawClient::read_again() {
  watch_ = loop_.on_readable(fd_.get(), [this] { read(); });
}

void RawClient::read() {
  std::array<char, 65536> bytes;
  const ssize_t got = ::recv(fd_.get(), bytes.data(), bytes.size(), MSG_DONTWAIT);
  if (got > 0) {
    received_.append(bytes.data(), static_cast<std::size_t>(got));
    return;
  }
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  was_reset_ = got < 0;
  closed_ = true;
  watch_ = FdWatch();
}

// Counts on from `count` and `end`, what was found before.
void RawClient::count_answers(int* count, std::size_t* end) const {
  for (;;) {
    const std::size_t head_end = received_.find("\r\n\r\n", *end);
    if (head_end == std::string::npos) return;
    const std::string_view head = std::string_view(received_).substr(*end, head_end - *end);
    constexpr std::string_view name = "\r\nContent-Length: ";
    const std::size_t at = head.find(name);
    std::size_t body = 0;
    if (at != std::string_view::npos) body = std::strtoul(head.data() + at + name.size(), nullptr, 10);
    if (received_.size() < head_end + 4 + body) return;
    *end = head_end + 4 + body;
    ++*count;
  }
}

std::string RawClient::answers(int count) {
  int complete = 0;
  std::size_t end = 0;
  const auto enough = [&] {
    count_answers(&complete, &end);
    return closed_ || complete >= count;
  };
  (void)loop_.run_until(enough, 10s);
  std::string taken = received_.substr(0, end);
  received_.erase(0, end);
  return taken;
}

std::string RawClient::everything() {
  (void)loop_.run_until([&] { return closed_; }, 10s);
  return std::exchange(received_, {});
}

std::string masked(std::string answer) {
  constexpr std::string_view name = "\r\nDate: ";
  for (std::size_t at = answer.find(name); at != std::string::npos; at = answer.find(name, at + 1)) {
    const std::size_t begin = at + name.size();
    answer.replace(begin, answer.find('\r', begin) - begin, "<date>");
  }
  return answer;
}

}  // namespace midonet::http
