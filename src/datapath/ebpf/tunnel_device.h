// The one VXLAN device of this host: made, adopted, repaired and removed. Used by EbpfDatapath, on its thread.
//
// Ours is the device whose ifalias is `midolman PIN_DIR`; so several agents, each in its own network namespace or with its
// own name and port, know their own. The kernel takes an alias only after the device is made, so a device of our name and
// of the MAC that follows from our alias, and without any alias, is ours too: we were killed in between. No other is
// touched, whatever its name.
//
//   collect-metadata mode   the programs set the destination of each frame, and see its source
//   no learning             remote MACs come from the other hosts' agents
//   no IPv6 address         no program talks to the device itself
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/loop.h"
#include "netlink/vxlan.h"

namespace midonet::datapath {

using netlink::LinkWatch;
using netlink::VxlanLink;
using netlink::VxlanLinks;

class TunnelDevice {
 public:
  struct Settings {
    std::string name;
    std::uint16_t udp_port = 0;
    std::string pin_dir;
  };
  // `drifted` is called from the loop when the device that ensure() gave is no longer as it was left.
  static Result<std::unique_ptr<TunnelDevice>> open(Loop& loop, Settings settings,
                                                    std::function<void(const std::string& what)> drifted);

  // Makes the device as it should be, and reads it back: right properties stay, others are changed where the kernel can, else the device
  // is made again. Returns its ifindex. Code::conflict: the name is a foreign device's, or the UDP port is taken.
  Result<std::uint32_t> ensure(std::uint32_t mtu);
  // Removes our device. No drift is reported from here on.
  Status remove();

  const std::string& name() const { return settings_.name; }

 private:
  TunnelDevice(Settings settings, VxlanLinks links, std::function<void(const std::string&)> drifted);
  bool ours(const VxlanLink& link) const;
  bool fits(const VxlanLink& link) const;
  Result<std::optional<VxlanLink>> adopt();
  Status make(std::uint32_t mtu);
  Status finish(const VxlanLink& link, std::uint32_t mtu);
  std::string damage(const std::optional<VxlanLink>& link, std::uint32_t mtu) const;
  void look();

  Settings settings_;
  std::string alias_;
  Mac mac_;
  VxlanLinks links_;
  std::function<void(const std::string&)> drifted_;
  std::uint32_t ifindex_ = 0;  // of the device that is complete
  std::uint32_t mtu_ = 0;
  std::unique_ptr<LinkWatch> watch_;
};

}  // namespace midonet::datapath
