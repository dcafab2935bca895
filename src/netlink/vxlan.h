// VXLAN devices over rtnetlink, as far as the tunnel needs them. Used by tunnel_device.h. It does not know which devices are ours;
// mechanism only. On the loop's thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/loop.h"
#include "base/mac.h"
#include "base/result.h"
#include "netlink/rtnetlink.h"

namespace midonet::netlink {

// A network interface; the members below `kind` are of VXLAN devices only.
struct VxlanLink {
  std::uint32_t ifindex = 0;
  std::string name;
  std::string alias;
  std::optional<Mac> mac{};
  std::uint32_t mtu = 0;
  bool up = false;
  bool ethernet = false;
  std::uint32_t master = 0;
  std::string kind;
  std::uint16_t udp_port = 0;
  bool collect_metadata = false;
  bool learning = false;
  bool takes_zero_checksum6 = false;  // from the underlay, in UDP over IPv6
};

class VxlanLinks {
 public:
  // Talks to the network namespace that the calling thread is in.
  static Result<VxlanLinks> open();

  // Of whatever kind.
  Result<std::optional<VxlanLink>> find(const std::string& name);
  Result<std::optional<VxlanLink>> find(std::uint32_t ifindex);
  // All VXLAN devices.
  Result<std::vector<VxlanLink>> all();

  // A device in collect-metadata mode that learns nothing; it is down. Code::conflict: the name is taken, or another device
  // in this mode has the port.
  Status add(const std::string& name, std::uint16_t udp_port, const Mac& mac, std::uint32_t mtu);
  Status set_alias(std::uint32_t ifindex, const std::string& alias);
  Status set_mtu(std::uint32_t ifindex, std::uint32_t mtu);
  // Without IPv6 addresses that the kernel would give it. Code::conflict: the UDP port is taken.
  Status set_up(std::uint32_t ifindex);
  Status remove(std::uint32_t ifindex);

 private:
  explicit VxlanLinks(Rtnetlink kernel) : kernel_(std::move(kernel)) {}

  Rtnetlink kernel_;
};

// Notices every change and the deletion of one interface, and of no other: the kernel filters.
class LinkWatch {
 public:
  // `changed` is called from the loop, once for several changes in a row; also after changes of our own.
  static Result<std::unique_ptr<LinkWatch>> open(Loop& loop, std::function<void()> changed);

  Status follow(std::uint32_t ifindex);  // from now on this one; 0: none

 private:
  LinkWatch(NetlinkSocket socket, std::function<void()> changed)
      : socket_(std::move(socket)), changed_(std::move(changed)) {}
  void drain();

  NetlinkSocket socket_;
  std::function<void()> changed_;
  std::uint32_t followed_ = 0;
  FdWatch watch_;
};

}  // namespace midonet::netlink
