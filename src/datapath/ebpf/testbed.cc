#include "datapath/ebpf/testbed.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>

namespace midonet::datapath::testing {
namespace {

// A testbed that can't be built is no finding about the datapath: end at once, with the reason.
void must(bool done, const std::string& what) {
  if (done) return;
  std::perror(what.c_str());
  std::abort();
}

}  // namespace

Tap::Tap(const std::string& name, Headers headers) : name_(name) {
  fd_.reset(::open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC));
  must(static_cast<bool>(fd_), "open /dev/net/tun");
  ifreq request{};
  std::strncpy(request.ifr_name, name.c_str(), IFNAMSIZ - 1);
  request.ifr_flags = static_cast<short>(IFF_TAP | IFF_NO_PI | (headers == Headers::virtio ? IFF_VNET_HDR : 0));
  must(::ioctl(fd_.get(), TUNSETIFF, &request) == 0, "make tap " + name);
  if (headers == Headers::virtio) {
    const unsigned offload = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6;
    must(::ioctl(fd_.get(), TUNSETOFFLOAD, offload) == 0, "let tap " + name + " take GSO frames");
  }
  const UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  request.ifr_flags = IFF_UP;
  must(::ioctl(socket.get(), SIOCSIFFLAGS, &request) == 0, "set tap " + name + " up");
  ifindex_ = ::if_nametoindex(name.c_str());
}

void Tap::send(const Frame& frame) const {
  must(::write(fd_.get(), frame.data(), frame.size()) == static_cast<ssize_t>(frame.size()), "send from " + name_);
}

std::optional<Frame> Tap::receive(std::chrono::milliseconds wait) const {
  pollfd poll_fd{.fd = fd_.get(), .events = POLLIN, .revents = 0};
  if (::poll(&poll_fd, 1, static_cast<int>(wait.count())) != 1) return std::nullopt;
  Frame frame(70 * 1024);
  const ssize_t length = ::read(fd_.get(), frame.data(), frame.size());
  if (length < 0) return std::nullopt;
  frame.resize(static_cast<std::size_t>(length));
  return frame;
}

std::vector<Frame> Tap::drain() const {
  std::vector<Frame> frames;
  while (auto frame = receive(std::chrono::milliseconds(0))) frames.push_back(std::move(*frame));
  return frames;
}

void Tap::leave() const { must(::ioctl(fd_.get(), TUNSETPERSIST, 1) == 0, "make tap " + name_ + " persistent"); }

std::string Testbed::impossible() {
  if (::geteuid() != 0) return "needs root: namespaces, taps and BPF programs";
  if (::access("/dev/net/tun", R_OK | W_OK) != 0) return "needs /dev/net/tun";
  return {};
}

Testbed::Testbed() {
  net_before_.reset(::open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
  mount_before_.reset(::open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC));
  must(::unshare(CLONE_NEWNET | CLONE_NEWNS) == 0, "make namespaces");
  must(::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0, "keep mounts private");
  std::array<char, 32> folder{"/tmp/midolman-bpffs-XXXXXX"};
  must(::mkdtemp(folder.data()) != nullptr, "make a temporary folder");
  bpffs_ = folder.data();
  must(::mount("bpf", bpffs_.c_str(), "bpf", 0, nullptr) == 0, "mount a BPF file system");
  // The kernel would greet each new interface with router solicitations.
  std::ofstream("/proc/sys/net/ipv6/conf/default/disable_ipv6") << "1\n";
  rlimit files{};
  must(::getrlimit(RLIMIT_NOFILE, &files) == 0, "read the limit of open files");
  files.rlim_cur = files.rlim_max;
  must(::setrlimit(RLIMIT_NOFILE, &files) == 0, "raise the limit of open files");
}

Testbed::~Testbed() {
  ::umount2(bpffs_.c_str(), MNT_DETACH);
  ::rmdir(bpffs_.c_str());
  must(::setns(net_before_.get(), CLONE_NEWNET) == 0, "go back to the network namespace");
  must(::setns(mount_before_.get(), CLONE_NEWNS) == 0, "go back to the mount namespace");
}

EbpfOptions Testbed::options() const {
  EbpfOptions options;
  options.pin_dir = bpffs_ + "/midolman/test";
  return options;
}

void Testbed::run(const std::string& command) const { must(std::system(command.c_str()) == 0, command); }

std::string Testbed::output(const std::string& command) const {
  std::string text;
  std::FILE* pipe = ::popen(command.c_str(), "r");
  must(pipe != nullptr, command);
  std::array<char, 4096> buffer;
  while (std::size_t got = std::fread(buffer.data(), 1, buffer.size(), pipe)) text.append(buffer.data(), got);
  must(::pclose(pipe) == 0, command);
  return text;
}

std::uint32_t Testbed::veth(const std::string& name) const {
  run(fmt::format(
      "ip link add name {0} type veth peer name {0}-peer && ip link set dev {0} up && ip link set dev {0}-peer up",
      name));
  return ::if_nametoindex(name.c_str());
}

Host::Host(const Testbed& bed, int number) : bed_(bed), number_(number) {
  const UniqueFd before(::open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
  must(::unshare(CLONE_NEWNET) == 0, "make a host's namespace");
  namespace_.reset(::open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC));
  must(::setns(before.get(), CLONE_NEWNET) == 0, "leave a host's namespace");
  if (number == 1) bed.run("ip link add switch type bridge && ip link set switch up");
  bed.run(
      fmt::format("ip link add {0} type veth peer name eth0 netns /proc/{1}/fd/{2} && "
                  "ip link set {0} up master switch",
                  underlay(), ::getpid(), namespace_.get()));
  // IPv6 on eth0 alone: each other interface would greet the world with router solicitations.
  run("echo 1 >/proc/sys/net/ipv6/conf/default/disable_ipv6; ip link set lo up");
  run(fmt::format("ip link set eth0 up && ip addr add {}/24 dev eth0 && ip -6 addr add {}/64 dev eth0 nodad",
                  address(4), address(6)));
}

Host::Inside::Inside(const Host& host) : before_(::open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC)) {
  must(::setns(host.namespace_.get(), CLONE_NEWNET) == 0, "enter a host's namespace");
}

Host::Inside::~Inside() { must(::setns(before_.get(), CLONE_NEWNET) == 0, "leave a host's namespace"); }

Tap Host::tap(const std::string& name, Tap::Headers headers) const {
  const Inside inside(*this);
  return Tap(name, headers);
}

void Host::run(const std::string& command) const {
  const Inside inside(*this);
  bed_.run(command);
}

std::string Host::output(const std::string& command) const {
  const Inside inside(*this);
  return bed_.output(command);
}

Ip Host::address(int family) const {
  const std::string text = fmt::format("{}{}", family == 4 ? "192.0.2." : "2001:db8::", number_);
  return Ip::parse(text).value();
}

EbpfOptions Host::options() const {
  EbpfOptions options;
  options.pin_dir = fmt::format("{}/midolman/host{}", bed_.bpffs(), number_);
  options.look_every = std::chrono::hours(1);  // the loop runs in another namespace
  return options;
}

Capture::Capture(const std::string& interface) {
  fd_.reset(::socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  must(static_cast<bool>(fd_), "open a packet socket");
  sockaddr_ll address{};
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(ETH_P_ALL);
  address.sll_ifindex = static_cast<int>(::if_nametoindex(interface.c_str()));
  must(address.sll_ifindex != 0, "find " + interface);
  must(::bind(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0, "capture at " + interface);
}

std::vector<Frame> Capture::drain() const {
  std::vector<Frame> frames;
  for (;;) {
    Frame frame(70 * 1024);
    const ssize_t length = ::recv(fd_.get(), frame.data(), frame.size(), 0);
    if (length < 0) return frames;
    frame.resize(static_cast<std::size_t>(length));
    frames.push_back(std::move(frame));
  }
}

Wanted& Wanted::bridge(std::uint32_t number) {
  desired.bridges.try_emplace(vni(number), BridgeSpec{.vni = vni(number)});
  return *this;
}

Wanted& Wanted::port(std::uint32_t number, const std::string& name, std::uint32_t ifindex, std::optional<Mac> mac) {
  bridge(number);
  const Uuid id = id_named(name);
  desired.ports[id] = PortSpec{.id = id, .vni = vni(number), .ifindex = ifindex, .interface = name, .mac = mac};
  return *this;
}

Uuid id_named(const std::string& name) {
  std::array<std::uint8_t, 16> bytes{};
  std::copy_n(name.begin(), std::min(name.size(), bytes.size()), bytes.begin());
  return Uuid(bytes);
}

Mac mac(const char* text) { return Mac::parse(text).value(); }

Mac mac_number(std::uint32_t number) {
  return Mac({2, 0, static_cast<std::uint8_t>(number >> 24), static_cast<std::uint8_t>(number >> 16),
              static_cast<std::uint8_t>(number >> 8), static_cast<std::uint8_t>(number)});
}

Ip ip(const char* text) { return Ip::parse(text).value(); }

Vni vni(std::uint32_t number) { return Vni::from(number).value(); }

Frame ethernet(const Mac& to, const Mac& from, std::uint8_t mark, std::uint16_t type, std::size_t length) {
  Frame frame(to.bytes().begin(), to.bytes().end());
  frame.insert(frame.end(), from.bytes().begin(), from.bytes().end());
  frame.push_back(static_cast<std::uint8_t>(type >> 8));
  frame.push_back(static_cast<std::uint8_t>(type));
  while (frame.size() < length) frame.push_back(static_cast<std::uint8_t>(frame.size() ^ mark));
  return frame;
}

Frame gso_frame(const Mac& to, const Mac& from, std::uint16_t segment_bytes, const std::vector<std::uint16_t>& tags) {
  Frame frame = ethernet(to, from, 9, 0x0800, 14 + 64000);
  const Frame ip_tcp{
      0x45, 0,    0xfa, 0,  0, 1, 0x40, 0, 64, 6, 0, 0, 192,  0,    2,    1,    192, 0, 2, 2,  // total length 64000
      0x30, 0x39, 0,    80, 0, 0, 0,    1, 0,  0, 0, 1, 0x50, 0x10, 0xff, 0xff, 0,   0, 0, 0};
  std::copy(ip_tcp.begin(), ip_tcp.end(), frame.begin() + 14);
  const auto sum = [&](std::size_t begin, std::size_t end, std::uint32_t start) {
    for (std::size_t i = begin; i < end; i += 2) start += static_cast<std::uint32_t>(frame[i] << 8 | frame[i + 1]);
    while (start > 0xffff) start = (start & 0xffff) + (start >> 16);
    return start;
  };
  const std::uint32_t ip_sum = ~sum(14, 34, 0) & 0xffff;
  frame[24] = static_cast<std::uint8_t>(ip_sum >> 8), frame[25] = static_cast<std::uint8_t>(ip_sum);
  const std::uint32_t pseudo = sum(26, 34, 6 + 64000 - 20);
  frame[50] = static_cast<std::uint8_t>(pseudo >> 8), frame[51] = static_cast<std::uint8_t>(pseudo);
  std::uint8_t before_ip = 14;
  for (auto type = tags.rbegin(); type != tags.rend(); ++type) {
    const Frame tag{static_cast<std::uint8_t>(*type >> 8), static_cast<std::uint8_t>(*type), 0, 5};
    frame.insert(frame.begin() + 12, tag.begin(), tag.end());
    before_ip += 4;
  }
  // virtio_net_hdr: needs a checksum, TCP over IPv4, bytes of headers and of a segment, checksum 16 bytes into TCP.
  Frame sent{1,
             1,
             static_cast<std::uint8_t>(before_ip + 40),
             0,
             static_cast<std::uint8_t>(segment_bytes),
             static_cast<std::uint8_t>(segment_bytes >> 8),
             static_cast<std::uint8_t>(before_ip + 20),
             0,
             16,
             0};
  sent.insert(sent.end(), frame.begin(), frame.end());
  return sent;
}

Frame arp(std::uint16_t operation, const Mac& sender, const Ip& sender_ip, const Mac& target, const Ip& target_ip,
          std::optional<Mac> to) {
  Frame frame = ethernet(to.value_or(broadcast), sender, 0, 0x0806, 14);
  const auto add = [&](auto bytes) { frame.insert(frame.end(), bytes.begin(), bytes.end()); };
  add(std::array<std::uint8_t, 6>{0, 1, 8, 0, 6, 4});
  add(std::array<std::uint8_t, 2>{0, static_cast<std::uint8_t>(operation)});
  add(sender.bytes());
  add(sender_ip.bytes());
  add(target.bytes());
  add(target_ip.bytes());
  return frame;
}

}  // namespace midonet::datapath::testing
