// Sends one frame again and again, as fast as it can, out of an interface of the present namespace and from its own address,
// as a guest does, and prints how many it sent. For benches: `frame_source INTERFACE DESTINATION-MAC SECONDS [BYTES]`. It
// goes past the qdisc (packet(7), PACKET_QDISC_BYPASS), 64 frames a call, so that what is measured is the path behind it.
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "base/mac.h"
#include "base/result.h"
#include "base/unique_fd.h"

namespace {

using midonet::fail_errno;
using midonet::Result;

constexpr std::uint16_t experimental_ethertype = 0x88b5;  // IEEE 802 local experimental

Result<std::uint64_t> send_for(const std::string& interface, const midonet::Mac& to, std::chrono::duration<double> time,
                               std::size_t bytes) {
  const midonet::UniqueFd socket(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0));
  if (!socket) return fail_errno(errno, "open a packet socket");
  const int yes = 1;
  if (::setsockopt(socket.get(), SOL_PACKET, PACKET_QDISC_BYPASS, &yes, sizeof yes) != 0)
    return fail_errno(errno, "go past the qdisc");
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_ifindex = static_cast<int>(::if_nametoindex(interface.c_str()));
  if (address.sll_ifindex == 0) return fail_errno(errno, "find the interface {}", interface);
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return fail_errno(errno, "bind to {}", interface);

  ifreq own{};
  std::strncpy(own.ifr_name, interface.c_str(), sizeof own.ifr_name - 1);
  if (::ioctl(socket.get(), SIOCGIFHWADDR, &own) != 0) return fail_errno(errno, "read the address of {}", interface);
  std::vector<std::uint8_t> frame(bytes);
  std::memcpy(frame.data(), to.bytes().data(), 6);
  std::memcpy(frame.data() + 6, own.ifr_hwaddr.sa_data, 6);
  frame[12] = experimental_ethertype >> 8;
  frame[13] = experimental_ethertype & 0xff;
  iovec piece{frame.data(), frame.size()};
  std::array<mmsghdr, 64> batch{};
  for (mmsghdr& message : batch) {
    message.msg_hdr.msg_iov = &piece;
    message.msg_hdr.msg_iovlen = 1;
  }

  std::uint64_t sent = 0;
  const auto end = std::chrono::steady_clock::now() + time;
  while (std::chrono::steady_clock::now() < end) {
    const int n = ::sendmmsg(socket.get(), batch.data(), batch.size(), 0);
    if (n > 0) sent += static_cast<std::uint64_t>(n);
    // ENOBUFS: the receiving side's queue is full, which counts as not sent.
    if (n < 0 && errno != ENOBUFS && errno != EAGAIN && errno != EINTR) return fail_errno(errno, "send");
  }
  return sent;
}

}  // namespace

int main(int argc, char** argv) {
  const auto to = argc >= 3 ? midonet::Mac::parse(argv[2]) : midonet::fail(midonet::Code::invalid, "no address");
  const double seconds = argc >= 4 ? std::atof(argv[3]) : 0;
  const int bytes = argc >= 5 ? std::atoi(argv[4]) : 64;
  if (argc > 5 || !to || seconds <= 0 || bytes < 60 || bytes > 1514) {
    fmt::print(stderr, "usage: frame_source INTERFACE DESTINATION-MAC SECONDS [BYTES, 60 to 1514]\n");
    return 1;
  }
  const auto sent = send_for(argv[1], *to, std::chrono::duration<double>(seconds), static_cast<std::size_t>(bytes));
  if (!sent) {
    fmt::print(stderr, "frame_source: {}\n", sent.error().message);
    return 3;
  }
  fmt::print("{}\n", *sent);
  return 0;
}
