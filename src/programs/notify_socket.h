// For tests: the socket on which systemd gets the messages of a service.
#pragma once

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <string>

#include "base/unique_fd.h"
#include "programs/child.h"

namespace midonet::programs {

class NotifySocket {
 public:
  // "@…" is an abstract name.
  explicit NotifySocket(std::string name) : name_(std::move(name)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::copy(name_.begin(), name_.end(), address.sun_path);
    if (name_.front() == '@') address.sun_path[0] = '\0';
    fd_.reset(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name_.size());
    EXPECT_EQ(::bind(fd_.get(), reinterpret_cast<const sockaddr*>(&address), length), 0);
  }
  const std::string& name() const { return name_; }

  // The next datagram; waits for it, ten seconds at most.
  std::string receive() {
    pollfd ready{fd_.get(), POLLIN, 0};
    if (::poll(&ready, 1, 10'000) != 1) {
      ADD_FAILURE() << "systemd is told nothing";
      return {};
    }
    std::array<char, 256> bytes{};
    const ssize_t got = ::recv(fd_.get(), bytes.data(), bytes.size(), 0);
    return {bytes.data(), static_cast<std::size_t>(std::max<ssize_t>(got, 0))};
  }

 private:
  std::string name_;
  UniqueFd fd_;
};

}  // namespace midonet::programs
