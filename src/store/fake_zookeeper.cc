#include "store/fake_zookeeper.h"

#include <arpa/inet.h>
#include <endian.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <optional>
#include <stdexcept>

namespace midonet::store {

namespace {

constexpr std::int32_t close_session = -11, ping = 11, set_watches = 101;
constexpr std::size_t longest_request = 16 * 1024 * 1024;

std::int32_t read32(std::string_view bytes) {
  std::uint32_t value = 0;
  std::memcpy(&value, bytes.data(), sizeof value);
  return static_cast<std::int32_t>(be32toh(value));
}

std::string framed(std::string bytes) {
  return JuteWriter().number32(static_cast<std::int32_t>(bytes.size())).raw(bytes).take();
}

}  // namespace

JuteWriter& JuteWriter::number32(std::int32_t value) {
  const std::uint32_t wire = htobe32(static_cast<std::uint32_t>(value));
  out_.append(reinterpret_cast<const char*>(&wire), sizeof wire);
  return *this;
}

JuteWriter& JuteWriter::number64(std::int64_t value) {
  const std::uint64_t wire = htobe64(static_cast<std::uint64_t>(value));
  out_.append(reinterpret_cast<const char*>(&wire), sizeof wire);
  return *this;
}

JuteWriter& JuteWriter::buffer(std::string_view bytes) {
  return number32(static_cast<std::int32_t>(bytes.size())).raw(bytes);
}

JuteWriter& JuteWriter::stat(std::int64_t zxid, std::int32_t version) {
  number64(zxid).number64(zxid).number64(0).number64(0);  // czxid, mzxid, ctime, mtime
  number32(version).number32(0).number32(0).number64(0);  // versions of data, children and access list; ephemeral owner
  return number32(0).number32(0).number64(zxid);          // length of the data, number of children, pzxid
}

JuteWriter& JuteWriter::raw(std::string_view bytes) {
  out_ += bytes;
  return *this;
}

FakeZookeeper::FakeZookeeper(Answers answers) : answers_(std::move(answers)) {
  listener_.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if (::bind(listener_.get(), generic, size) != 0 || ::listen(listener_.get(), 8) != 0 ||
      ::getsockname(listener_.get(), generic, &size) != 0)
    throw std::runtime_error(fmt::format("listen on loopback: {}", std::strerror(errno)));
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { run(); });
}

FakeZookeeper::~FakeZookeeper() {
  ended_ = true;
  thread_.join();
}

std::string FakeZookeeper::address() const { return fmt::format("127.0.0.1:{}", port_); }

void FakeZookeeper::run() {
  while (!ended_) {
    pollfd wait{listener_.get(), POLLIN, 0};
    if (::poll(&wait, 1, 20) <= 0) continue;
    const UniqueFd connection(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (connection) serve(connection.get());
  }
}

void FakeZookeeper::serve(int fd) {
  const auto read = [&](std::size_t bytes) -> std::optional<std::string> {
    std::string out(bytes, '\0');
    for (std::size_t got = 0; got < bytes;) {
      pollfd wait{fd, POLLIN, 0};
      if (ended_) return {};
      if (::poll(&wait, 1, 20) == 0) continue;
      const ssize_t size = ::recv(fd, out.data() + got, bytes - got, 0);
      if (size <= 0) return {};
      got += static_cast<std::size_t>(size);
    }
    return out;
  };
  const auto read_frame = [&]() -> std::optional<std::string> {
    const auto length = read(4);
    if (!length || static_cast<std::size_t>(read32(*length)) > longest_request) return {};
    return read(static_cast<std::size_t>(read32(*length)));
  };
  const auto send = [&](const std::string& body) {
    const std::string bytes = framed(body);
    return ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size());
  };

  if (!read_frame()) return;
  // Protocol version, session time-out in ms, session id, password, not read-only.
  if (!send(JuteWriter().number32(0).number32(30'000).number64(1).buffer(std::string(16, 'p')).raw({"\0", 1}).take()))
    return;
  std::int64_t zxid = 1;
  while (const auto request = read_frame()) {
    if (request->size() < 8) return;
    const std::string_view bytes = *request;
    const std::int32_t xid = read32(bytes), operation = read32(bytes.substr(4));
    const bool own = operation == ping || operation == set_watches || operation == close_session;
    const Answer answer = own ? Answer{} : answers_(operation, bytes.substr(8));
    if (!send(JuteWriter().number32(xid).number64(++zxid).number32(answer.error).raw(answer.body).take())) return;
    if (operation == close_session) return;
  }
}

}  // namespace midonet::store
