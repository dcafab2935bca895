// A guest for tests and the quickstart: a network namespace behind a tap. It does what a hypervisor does with a vNIC. It opens the
// host's tap with virtio headers and offloads, and carries each frame to and from the guest's own interface (a second tap, inside the
// guest's namespace) together with its virtio header. So GSO frames of up to 64 KB with partial checksums pass between guests exactly
// as between virtual machines.
//
//   host namespace                                                guest namespace
//   the datapath ── tap0 ◄── this program: read, write ──► eth0 ── the guest's kernel
//
// Runs on one thread until SIGTERM or SIGINT, or until one of its two taps is deleted (exit 4). Prints "ready" when both
// ends are open and the guest's interface is up. A tap that it made goes when it ends, one that it found stays.
#include <fcntl.h>
#include <getopt.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "base/interface_name.h"
#include "base/mac.h"
#include "base/result.h"
#include "base/unique_fd.h"

namespace {

using midonet::fail;
using midonet::fail_errno;
using midonet::Result;
using midonet::Status;
using midonet::UniqueFd;

constexpr int exit_usage = 1;
constexpr int exit_failed = 3;
constexpr int exit_tap_deleted = 4;

// virtio_net_hdr_v1, as QEMU with mergeable buffers uses it; then the frame: 64 KB of payload and its headers.
constexpr int header_bytes = 12;
constexpr std::size_t frame_bytes = header_bytes + 65536 + 256;
// Frames taken from one side before the other side is looked at.
constexpr int burst = 64;

struct Options {
  std::string host_netns;  // "": the namespace that the program was started in
  std::string guest_netns;
  std::string tap;
  std::string guest_interface = "eth0";
  std::string guest_mac;
  bool existing = false;
};

constexpr const char* usage =
    "usage: tap_guest --tap NAME --guest-netns FILE [--host-netns FILE] [--existing]\n"
    "                 [--guest-interface NAME] [--guest-mac MAC]\n"
    "  --tap NAME              the tap on the host: made, and removed at the end\n"
    "  --existing              NAME is a persistent tap that is there already and stays\n"
    "  --guest-netns FILE      the namespace of the guest, for example /run/netns/guest1\n"
    "  --host-netns FILE       the namespace of the tap (default: that of the caller)\n"
    "  --guest-interface NAME  the guest's interface, made there and brought up (default eth0)\n"
    "  --guest-mac MAC         its hardware address (default: what the kernel draws)\n"
    "Prints \"ready\" and runs until SIGTERM. Exit 1: usage, 3: failed, 4: a tap was deleted under it.\n";

struct End {
  UniqueFd fd;
  std::string name;
  std::uint64_t dropped = 0;  // frames that this end did not take: it is down, or out of memory
};

Status enter_netns(const std::string& file) {
  UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return fail_errno(errno, "open the namespace {}", file);
  if (::setns(fd.get(), CLONE_NEWNET) != 0) return fail_errno(errno, "enter the namespace {}", file);
  return {};
}

ifreq request_for(const std::string& name) {
  ifreq request{};
  std::memcpy(request.ifr_name, name.data(), std::min<std::size_t>(name.size(), IFNAMSIZ - 1));
  return request;
}

// Opens a tap in the present namespace.
Result<End> open_tap(const std::string& name, bool existing) {
  if (auto valid = midonet::check_interface_name(name); !valid) return failed(valid);
  const bool exists = ::if_nametoindex(name.c_str()) != 0;
  if (exists && !existing) return fail(midonet::Code::conflict, "{} exists already; --existing opens it", name);
  if (!exists && existing) return fail(midonet::Code::not_found, "there is no {}", name);
  End end{UniqueFd(::open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC)), name};
  if (!end.fd) return fail_errno(errno, "open /dev/net/tun");
  ifreq request = request_for(name);
  request.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;
  if (::ioctl(end.fd.get(), TUNSETIFF, &request) != 0) return fail_errno(errno, "open the tap {}", name);
  if (::ioctl(end.fd.get(), TUNSETVNETHDRSZ, &header_bytes) != 0)
    return fail_errno(errno, "set the header size of {}", name);
  if (::ioctl(end.fd.get(), TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN) != 0)
    return fail_errno(errno, "switch on the offloads of {}", name);
  return end;
}

// Sets the hardware address, if one is given, and brings the interface up. In the present namespace.
Status bring_up(const std::string& name, const std::string& mac) {
  UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket) return fail_errno(errno, "open a socket");
  ifreq request = request_for(name);
  if (!mac.empty()) {
    const auto parsed = midonet::Mac::parse(mac);
    if (!parsed) return failed(parsed);
    request.ifr_hwaddr.sa_family = ARPHRD_ETHER;
    std::memcpy(request.ifr_hwaddr.sa_data, parsed->bytes().data(), parsed->bytes().size());
    if (::ioctl(socket.get(), SIOCSIFHWADDR, &request) != 0)
      return fail_errno(errno, "give {} the address {}", name, mac);
  }
  request = request_for(name);
  if (::ioctl(socket.get(), SIOCGIFFLAGS, &request) != 0) return fail_errno(errno, "read the flags of {}", name);
  request.ifr_flags = static_cast<short>(request.ifr_flags | IFF_UP);
  if (::ioctl(socket.get(), SIOCSIFFLAGS, &request) != 0) return fail_errno(errno, "bring {} up", name);
  return {};
}

// Carries up to `burst` frames. An error means that `from` is gone.
Status carry(End& from, End& to, std::vector<char>& buffer) {
  for (int i = 0; i < burst; ++i) {
    const ssize_t got = ::read(from.fd.get(), buffer.data(), buffer.size());
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return {};
    // A tap that is down refuses reads with EIO and comes back later.
    if (got < 0 && errno == EIO) return {};
    if (got < 0) return fail_errno(errno, "read from {}", from.name);
    if (::write(to.fd.get(), buffer.data(), static_cast<std::size_t>(got)) != got) ++to.dropped;
  }
  return {};
}

Status open_ends(const Options& options, std::array<End, 2>& ends) {
  if (!options.host_netns.empty()) {
    if (auto entered = enter_netns(options.host_netns); !entered) return entered;
  }
  auto host = open_tap(options.tap, options.existing);
  if (!host) return failed(host);
  if (!options.existing) {
    if (auto up = bring_up(options.tap, ""); !up) return up;
  }
  if (auto entered = enter_netns(options.guest_netns); !entered) return entered;
  auto guest = open_tap(options.guest_interface, false);
  if (!guest) return failed(guest);
  if (auto up = bring_up(options.guest_interface, options.guest_mac); !up) return up;
  ends = {std::move(*host), std::move(*guest)};
  return {};
}

int run(std::array<End, 2>& ends, int signals) {
  std::vector<char> buffer(frame_bytes);
  for (;;) {
    std::array<pollfd, 3> polled{pollfd{ends[0].fd.get(), POLLIN, 0}, pollfd{ends[1].fd.get(), POLLIN, 0},
                                 pollfd{signals, POLLIN, 0}};
    if (::poll(polled.data(), polled.size(), -1) < 0) {
      if (errno == EINTR) continue;
      fmt::print(stderr, "tap_guest: {}\n", fail_errno(errno, "wait for frames").value().message);
      return exit_failed;
    }
    if (polled[2].revents != 0) break;
    for (std::size_t i = 0; i < 2; ++i) {
      if (polled[i].revents == 0) continue;
      // A deleted tap shows as POLLERR and nothing else.
      const bool gone = (polled[i].revents & (POLLERR | POLLHUP | POLLNVAL)) != 0;
      if (auto carried = carry(ends[i], ends[1 - i], buffer); !carried || gone) {
        fmt::print(stderr, "tap_guest: {} was deleted\n", ends[i].name);
        return exit_tap_deleted;
      }
    }
  }
  for (const End& end : ends) {
    if (end.dropped != 0) fmt::print(stderr, "tap_guest: {} refused {} frames\n", end.name, end.dropped);
  }
  return 0;
}

bool parse(int argc, char** argv, Options& options) {
  const std::array<option, 8> known{{{"tap", required_argument, nullptr, 't'},
                                     {"existing", no_argument, nullptr, 'e'},
                                     {"guest-netns", required_argument, nullptr, 'g'},
                                     {"host-netns", required_argument, nullptr, 'n'},
                                     {"guest-interface", required_argument, nullptr, 'i'},
                                     {"guest-mac", required_argument, nullptr, 'm'},
                                     {"help", no_argument, nullptr, 'h'},
                                     {nullptr, 0, nullptr, 0}}};
  for (int c = 0; (c = ::getopt_long(argc, argv, "h", known.data(), nullptr)) != -1;) {
    switch (c) {
      case 't': options.tap = optarg; break;
      case 'e': options.existing = true; break;
      case 'g': options.guest_netns = optarg; break;
      case 'n': options.host_netns = optarg; break;
      case 'i': options.guest_interface = optarg; break;
      case 'm': options.guest_mac = optarg; break;
      case 'h': fmt::print("{}", usage); std::exit(0);
      default: return false;
    }
  }
  return optind == argc && !options.tap.empty() && !options.guest_netns.empty();
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  if (!parse(argc, argv, options)) {
    fmt::print(stderr, "{}", usage);
    return exit_usage;
  }
  // Signals are read like frames.
  sigset_t stop;
  ::sigemptyset(&stop);
  ::sigaddset(&stop, SIGTERM);
  ::sigaddset(&stop, SIGINT);
  ::sigprocmask(SIG_BLOCK, &stop, nullptr);
  UniqueFd signals(::signalfd(-1, &stop, SFD_CLOEXEC));

  std::array<End, 2> ends;
  if (auto opened = open_ends(options, ends); !opened) {
    fmt::print(stderr, "tap_guest: {}\n", opened.error().message);
    return exit_failed;
  }
  fmt::print("ready\n");
  std::fflush(stdout);
  return run(ends, signals.get());
}
