// Nanoseconds that the BPF programs take for a frame, by BPF_PROG_RUN: a line for each path, "ns name". In namespaces of its own, as
// root; `packet_times [ROUNDS [REPEAT]]`. All paths take turns in each round. A line is the median of the rounds, less that of an
// empty program. What the kernel does around the programs (the hook, the redirect) is not in it.
#include <bpf/bpf.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/bpf.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "base/loop.h"
#include "base/unique_fd.h"
#include "datapath/ebpf/ebpf_datapath.h"

namespace {

using namespace midonet;
using datapath::AllowedAddress;
using datapath::Guard;
using Frame = std::vector<std::uint8_t>;

[[noreturn]] void give_up(const std::string& what) {
  fmt::print(stderr, "packet_times: {}: {}\n", what, std::strerror(errno));
  std::exit(3);
}

UniqueFd tap(const char* name) {
  UniqueFd fd(::open("/dev/net/tun", O_RDWR | O_CLOEXEC));
  ifreq request{};
  std::strncpy(request.ifr_name, name, IFNAMSIZ - 1);
  request.ifr_flags = IFF_TAP | IFF_NO_PI;
  if (!fd || ::ioctl(fd.get(), TUNSETIFF, &request) != 0) give_up(fmt::format("make tap {}", name));
  return fd;
}

Mac mac(std::uint8_t number) { return Mac({2, 0, 0, 0, 0, number}); }

Frame frame(std::uint8_t from, std::uint8_t to, std::uint16_t type, const Frame& payload) {
  Frame out{
      2, 0, 0, 0, 0, to, 2, 0, 0, 0, 0, from, static_cast<std::uint8_t>(type >> 8), static_cast<std::uint8_t>(type)};
  out.insert(out.end(), payload.begin(), payload.end());
  out.resize(std::max<std::size_t>(out.size(), 60));
  return out;
}
// UDP, from 10.0.0.`last`.
Frame ip4(std::uint8_t from, std::uint8_t to, std::uint8_t last) {
  return frame(from, to, 0x0800,
               {0x45, 0, 0, 36, 0, 1, 0, 0, 64, 17, 0, 0, 10, 0, 0, last, 10, 0, 0, 99, 0x10, 0, 0x20, 0, 0, 16, 0, 0});
}
// UDP, from 2001:db8::`last`.
Frame ip6(std::uint8_t from, std::uint8_t to, std::uint8_t last) {
  Frame payload{0x60, 0, 0, 0, 0, 16, 17, 64, 0x20, 1, 0x0d, 0xb8};
  payload.resize(24), payload[23] = last;
  payload.insert(payload.end(), payload.begin() + 8, payload.begin() + 24);
  payload.insert(payload.end(), {0x10, 0, 0x20, 0, 0, 16, 0, 0});
  return frame(from, to, 0x86dd, payload);
}

int empty_program() {
  const std::array<bpf_insn, 2> code{{{BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 0}, {BPF_JMP | BPF_EXIT, 0, 0, 0, 0}}};
  const int fd = ::bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "empty", "GPL", code.data(), code.size(), nullptr);
  if (fd < 0) give_up("load an empty program");
  return fd;
}

struct Path {
  std::string name;
  int program;
  std::uint32_t ifindex;
  Frame frame;
  std::array<std::uint32_t, 2> cb{};
  std::uint32_t verdict = 0;
  std::vector<std::uint32_t> times{};
};

std::uint32_t run(const Path& path, int repeat) {
  __sk_buff context{};
  context.ifindex = path.ifindex;
  context.cb[0] = path.cb[0], context.cb[1] = path.cb[1];
  bpf_test_run_opts options{};
  options.sz = sizeof options;
  options.data_in = path.frame.data();
  options.data_size_in = static_cast<std::uint32_t>(path.frame.size());
  options.ctx_in = &context;
  options.ctx_size_in = sizeof context;
  options.repeat = repeat;
  if (::bpf_prog_test_run_opts(path.program, &options) != 0) give_up("run " + path.name);
  if (options.retval != path.verdict) {
    fmt::print(stderr, "packet_times: {}: the verdict is {}, not {}\n", path.name, options.retval, path.verdict);
    std::exit(3);
  }
  return options.duration;
}

}  // namespace

int main(int argc, char** argv) {
  const int rounds = argc > 1 ? std::atoi(argv[1]) : 9;
  const int repeat = argc > 2 ? std::atoi(argv[2]) : 1'000'000;
  if (rounds < 1 || repeat < 1) {
    fmt::print(stderr, "usage: packet_times [ROUNDS [REPEAT]]\n");
    return 1;
  }
  std::array<char, 32> folder{"/tmp/midonet-packet-XXXXXX"};
  if (::unshare(CLONE_NEWNET | CLONE_NEWNS) != 0 || ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
      ::mkdtemp(folder.data()) == nullptr || ::mount("bpf", folder.data(), "bpf", 0, nullptr) != 0)
    give_up("make namespaces and mount a BPF file system");

  Loop loop;
  datapath::EbpfOptions options;
  options.pin_dir = std::string(folder.data()) + "/midolman/bench";
  const auto opened = datapath::EbpfDatapath::open(loop, options);
  const std::array<UniqueFd, 3> taps{tap("open0"), tap("secured0"), tap("far0")};
  datapath::Desired desired;
  const Vni vni = *Vni::from(7);
  desired.bridges.emplace(vni, datapath::BridgeSpec{.vni = vni});
  std::array<std::uint32_t, 3> ifindexes{};
  for (std::uint8_t n = 0; n < 3; n++) {
    const char* name = std::array{"open0", "secured0", "far0"}[n];
    ifindexes[n] = ::if_nametoindex(name);
    const Uuid id(std::array<std::uint8_t, 16>{static_cast<std::uint8_t>(n + 1)});
    desired.ports.emplace(
        id, datapath::PortSpec{.id = id, .vni = vni, .ifindex = ifindexes[n], .interface = name, .mac = mac(n)});
    if (n != 1) continue;
    Guard guard{mac(1), {}};
    for (std::uint8_t last = 1; last <= 9; last++) {
      guard.addresses.insert({mac(1), *Ip::parse(fmt::format("10.0.0.{}", last)), 32});
      guard.addresses.insert({mac(1), *Ip::parse(fmt::format("2001:db8::{}", last)), 128});
    }
    desired.ports.at(id).guard = guard;
  }
  int status = 0;
  if (!opened || (*opened)->apply(desired, datapath::Sweep::yes).retry()) {
    fmt::print(stderr, "packet_times: {}\n", opened ? "the ports are not plugged" : opened.error().message);
    status = 3;
  } else {
    const auto& objects = (*opened)->objects();
    constexpr std::uint32_t redirect = 7, pass = 0xffffffff;
    const auto other = [](std::uint8_t from) { return frame(from, 2, 0x88b5, Frame(46)); };
    std::vector<Path> paths{
        {"empty program", empty_program(), ifindexes[0], other(0)},
        {"from_tap to a port here, open, other type", objects.from_tap(), ifindexes[0], other(0), {}, redirect},
        {"from_tap to a port here, open, IPv4", objects.from_tap(), ifindexes[0], ip4(0, 2, 1), {}, redirect},
        {"from_tap to a port here, open, IPv6", objects.from_tap(), ifindexes[0], ip6(0, 2, 1), {}, redirect},
        {"from_tap to a port here, secured, other type", objects.from_tap(), ifindexes[1], other(1), {}, redirect},
        {"from_tap to a port here, secured, IPv4, its first address",
         objects.from_tap(),
         ifindexes[1],
         ip4(1, 2, 1),
         {},
         redirect},
        {"from_tap to a port here, secured, IPv4, its ninth address",
         objects.from_tap(),
         ifindexes[1],
         ip4(1, 2, 9),
         {},
         redirect},
        {"from_tap to a port here, secured, IPv6, its first address",
         objects.from_tap(),
         ifindexes[1],
         ip6(1, 2, 1),
         {},
         redirect},
        {"from_tap to a port here, secured, IPv6, its ninth address",
         objects.from_tap(),
         ifindexes[1],
         ip6(1, 2, 9),
         {},
         redirect},
        {"to_tap", objects.to_tap(), ifindexes[2], other(0), {MIDONET_FORWARDED, 7}, pass},
    };
    for (int round = 0; round < rounds; round++)
      for (Path& path : paths) path.times.push_back(run(path, repeat));
    for (Path& path : paths) std::sort(path.times.begin(), path.times.end());
    const auto median = [](const Path& path) { return static_cast<double>(path.times[path.times.size() / 2]); };
    for (const Path& path : paths)
      fmt::print("{:.0f} {}\n", median(path) - (&path == paths.data() ? 0 : median(paths[0])), path.name);
  }
  ::umount2(folder.data(), MNT_DETACH);
  ::rmdir(folder.data());
  return status;
}
