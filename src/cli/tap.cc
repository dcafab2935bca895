#include "cli/tap.h"

#include <linux/if.h>
#include <linux/if_link.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <map>
#include <span>
#include <vector>

#include "base/interface_name.h"
#include "base/unique_fd.h"

// rtnetlink by hand, two messages of it: the library that the agent uses for it would have to be loaded at each call.
namespace midonet::cli {

namespace {

constexpr std::size_t aligned(std::size_t length) { return (length + 3) & ~std::size_t{3}; }

using Bytes = std::span<const std::byte>;

template <class T>
T read_as(Bytes bytes) {
  T value{};
  if (bytes.size() >= sizeof value) std::memcpy(&value, bytes.data(), sizeof value);
  return value;
}

// The attributes of a message or of a nest: type -> payload. Stops at the first that does not fit.
std::map<int, Bytes> attributes(Bytes bytes) {
  std::map<int, Bytes> found;
  while (bytes.size() >= sizeof(rtattr)) {
    const auto head = read_as<rtattr>(bytes);
    if (head.rta_len < sizeof(rtattr) || head.rta_len > bytes.size()) break;
    found[head.rta_type & NLA_TYPE_MASK] = bytes.subspan(sizeof(rtattr), head.rta_len - sizeof(rtattr));
    bytes = bytes.subspan(std::min(bytes.size(), aligned(head.rta_len)));
  }
  return found;
}

template <class T>
T value_of(const std::map<int, Bytes>& in, int type) {
  const auto found = in.find(type);
  return found == in.end() ? T{} : read_as<T>(found->second);
}

// One request about a link, named by its number or by its name; the answer's bytes, header and all. The kernel answers in
// the same system call, so the time-out is for a defect only.
Result<std::vector<std::byte>> ask_kernel(std::uint16_t type, std::uint16_t flags, unsigned ifindex,
                                          const std::string& name) {
  struct {
    nlmsghdr header;
    ifinfomsg link;
    rtattr attribute;
    std::array<char, IFNAMSIZ> name;
  } message{};
  static_assert(sizeof message == sizeof(nlmsghdr) + sizeof(ifinfomsg) + sizeof(rtattr) + IFNAMSIZ);
  message.header.nlmsg_len = sizeof message.header + sizeof message.link;
  message.header.nlmsg_type = type;
  message.header.nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | flags);
  message.header.nlmsg_seq = 1;
  message.link.ifi_family = AF_UNSPEC;
  message.link.ifi_index = static_cast<int>(ifindex);
  if (ifindex == 0) {
    message.header.nlmsg_len = sizeof message;
    message.attribute.rta_type = IFLA_IFNAME;
    message.attribute.rta_len = sizeof message.attribute + IFNAMSIZ;
    std::memcpy(message.name.data(), name.data(), name.size());  // shorter than IFNAMSIZ: checked by the caller
  }

  const UniqueFd fd(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
  if (!fd) return fail_errno(errno, "open a netlink socket");
  timeval patience{};
  patience.tv_sec = 1;
  (void)::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  sockaddr_nl kernel{};
  kernel.nl_family = AF_NETLINK;
  if (::sendto(fd.get(), &message, message.header.nlmsg_len, 0, reinterpret_cast<const sockaddr*>(&kernel),
               sizeof kernel) < 0)
    return fail_errno(errno, "ask the kernel about {}", name);
  std::vector<std::byte> answer(32 * 1024);
  const ssize_t got = ::recv(fd.get(), answer.data(), answer.size(), 0);
  if (got < 0) return fail_errno(errno, "ask the kernel about {}", name);
  answer.resize(static_cast<std::size_t>(got));
  const auto header = read_as<nlmsghdr>(answer);
  if (answer.size() < sizeof header) return fail(Code::internal, "ask the kernel about {}: an answer cut short", name);
  if (header.nlmsg_type == NLMSG_ERROR) {
    const auto error = read_as<nlmsgerr>(Bytes(answer).subspan(sizeof header));
    if (error.error != 0) return fail_errno(-error.error, "{}", name);
  }
  return answer;
}

// The minor and major number in "libvirt.so.0.9000.0", as 9000; 0 if it is no such name.
int libvirt_version(std::string_view target) {
  constexpr std::string_view stem = "libvirt.so.0.";
  const std::size_t slash = target.rfind('/');
  if (slash != std::string_view::npos) target.remove_prefix(slash + 1);
  if (!target.starts_with(stem)) return 0;
  target.remove_prefix(stem.size());
  int version = 0;
  (void)std::from_chars(target.data(), target.data() + target.size(), version);
  return version;
}

}  // namespace

Result<Tap> find_tap(const std::string& interface_name) {
  if (const Status valid = check_interface_name(interface_name); !valid) return failed(valid);
  const auto answer = ask_kernel(RTM_GETLINK, 0, 0, interface_name);
  if (!answer) return failed(answer);
  const Bytes payload = Bytes(*answer).subspan(sizeof(nlmsghdr));
  if (payload.size() < sizeof(ifinfomsg)) return fail(Code::internal, "{}: an answer cut short", interface_name);

  const auto link = attributes(payload.subspan(sizeof(ifinfomsg)));
  const auto info = attributes(link.contains(IFLA_LINKINFO) ? link.at(IFLA_LINKINFO) : Bytes{});
  const auto tun = attributes(info.contains(IFLA_INFO_DATA) ? info.at(IFLA_INFO_DATA) : Bytes{});
  const Bytes kind = info.contains(IFLA_INFO_KIND) ? info.at(IFLA_INFO_KIND) : Bytes{};
  const std::string_view kind_text(reinterpret_cast<const char*>(kind.data()), kind.size());
  if (kind_text.substr(0, kind_text.find('\0')) != "tun" || value_of<std::uint8_t>(tun, IFLA_TUN_TYPE) != IFF_TAP)
    return fail(Code::conflict, "{} is not a tap", interface_name);

  Tap tap;
  tap.ifindex = static_cast<unsigned>(read_as<ifinfomsg>(payload).ifi_index);
  tap.persistent = value_of<std::uint8_t>(tun, IFLA_TUN_PERSIST) != 0;
  // Queues are told for a tap of several only; with a single one, the carrier tells. Either of them is enough to stay away.
  tap.open = value_of<std::uint8_t>(link, IFLA_CARRIER) != 0 ||
             value_of<std::uint32_t>(tun, IFLA_TUN_NUM_QUEUES) != 0 ||
             value_of<std::uint32_t>(tun, IFLA_TUN_NUM_DISABLED_QUEUES) != 0;
  return tap;
}

Status release_tap(const std::string& interface_name) {
  const Result<Tap> tap = find_tap(interface_name);
  if (!tap) {
    if (tap.error().code == Code::not_found || tap.error().code == Code::conflict) return {};
    return failed(tap);
  }
  if (!tap->persistent || tap->open) return {};
  const auto deleted = ask_kernel(RTM_DELLINK, NLM_F_ACK, tap->ifindex, interface_name);
  if (!deleted && deleted.error().code != Code::not_found) return failed(deleted);
  return {};
}

std::string nova_tap_name(const Uuid& port_id) { return "tap" + port_id.to_string().substr(0, 11); }

bool libvirt_makes_its_taps(const std::string& root) {
  // Where distributions put the library: Debian's multi-arch folders, Fedora's lib64, and the plain one.
  for (const char* folder : {"/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib/riscv64-linux-gnu",
                             "/usr/lib/powerpc64le-linux-gnu", "/usr/lib/s390x-linux-gnu", "/usr/lib64", "/usr/lib",
                             "/usr/local/lib64", "/usr/local/lib"}) {
    const std::string link = root + folder + "/libvirt.so.0";
    std::array<char, 256> target{};
    const ssize_t length = ::readlink(link.c_str(), target.data(), target.size());
    if (length > 0) return libvirt_version({target.data(), static_cast<std::size_t>(length)}) >= 9000;
  }
  return false;
}

}  // namespace midonet::cli
