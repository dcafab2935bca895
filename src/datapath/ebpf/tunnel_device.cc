#include "datapath/ebpf/tunnel_device.h"

#include <array>
#include <utility>

#include "base/log.h"

namespace midonet::datapath {
namespace {

// FNV-1a: the same alias has the same address, which is all that is asked of it. Locally administered.
Mac mac_from(const std::string& text) {
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  for (const char c : text) hash = (hash ^ static_cast<std::uint8_t>(c)) * 0x100000001b3ULL;
  std::array<std::uint8_t, 6> bytes{0x02};
  for (std::size_t i = 1; i < bytes.size(); i++) bytes[i] = static_cast<std::uint8_t>(hash >> (8 * i));
  return Mac(bytes);
}

}  // namespace

TunnelDevice::TunnelDevice(Settings settings, VxlanLinks links, std::function<void(const std::string&)> drifted)
    : settings_(std::move(settings)),
      alias_("midolman " + settings_.pin_dir),
      mac_(mac_from(alias_)),
      links_(std::move(links)),
      drifted_(std::move(drifted)) {}

Result<std::unique_ptr<TunnelDevice>> TunnelDevice::open(Loop& loop, Settings settings,
                                                         std::function<void(const std::string&)> drifted) {
  auto links = VxlanLinks::open();
  if (!links) return failed(links);
  std::unique_ptr<TunnelDevice> device(new TunnelDevice(std::move(settings), std::move(*links), std::move(drifted)));
  auto watch = LinkWatch::open(loop, [self = device.get()] { self->look(); });
  if (!watch) return failed(watch);
  device->watch_ = std::move(*watch);
  return device;
}

bool TunnelDevice::ours(const VxlanLink& link) const {
  return link.kind == "vxlan" &&
         (link.alias == alias_ || (link.alias.empty() && link.name == settings_.name && link.mac == mac_));
}

// What can't be changed once the device is made.
bool TunnelDevice::fits(const VxlanLink& link) const {
  return link.name == settings_.name && link.udp_port == settings_.udp_port && link.collect_metadata &&
         !link.learning && link.takes_zero_checksum6;
}

// The device of ours that may stay; others of ours go.
Result<std::optional<VxlanLink>> TunnelDevice::adopt() {
  const auto named = links_.find(settings_.name);
  if (!named) return failed(named);
  if (*named && !ours(**named))
    return fail(Code::conflict,
                "tunnel device {}: there is a device of this name that is not ours (kind \"{}\", alias \"{}\")",
                settings_.name, (*named)->kind, (*named)->alias);
  auto all = links_.all();
  if (!all) return failed(all);
  std::optional<VxlanLink> kept;
  for (const VxlanLink& link : *all) {
    if (!ours(link)) continue;
    if (fits(link)) {
      kept = link;
      continue;
    }
    log::info("tunnel device {}: made again, its name, UDP port or mode is not what it should be", link.name);
    if (auto removed = links_.remove(link.ifindex); !removed) return failed(removed);
  }
  return kept;
}

Status TunnelDevice::make(std::uint32_t mtu) {
  auto made = links_.add(settings_.name, settings_.udp_port, mac_, mtu);
  if (made) {
    log::info("tunnel device {}: made, UDP port {}", settings_.name, settings_.udp_port);
    return {};
  }
  if (made.error().code != Code::conflict) return made;
  return fail(Code::conflict, "tunnel device {}: another VXLAN device in collect-metadata mode has UDP port {}",
              settings_.name, settings_.udp_port);
}

Status TunnelDevice::finish(const VxlanLink& link, std::uint32_t mtu) {
  if (link.alias != alias_) {
    if (auto set = links_.set_alias(link.ifindex, alias_); !set) return set;
  }
  if (link.mtu != mtu) {
    if (auto set = links_.set_mtu(link.ifindex, mtu); !set) return set;
  }
  if (link.up) return {};
  auto set = links_.set_up(link.ifindex);
  if (!set && set.error().code == Code::conflict)
    return fail(Code::conflict, "tunnel device {}: UDP port {} is taken by another VXLAN device or a process",
                settings_.name, settings_.udp_port);
  return set;
}

// What is not as it should be; empty when all is well.
std::string TunnelDevice::damage(const std::optional<VxlanLink>& link, std::uint32_t mtu) const {
  if (!link) return "deleted";
  if (link->name != settings_.name) return fmt::format("renamed to {}", link->name);
  if (!link->up) return "set down";
  if (link->mtu != mtu) return fmt::format("given an MTU of {}", link->mtu);
  if (link->alias != alias_) return fmt::format("given the alias \"{}\"", link->alias);
  return fits(*link) ? "" : "changed";
}

Result<std::uint32_t> TunnelDevice::ensure(std::uint32_t mtu) {
  ifindex_ = 0;
  auto link = adopt();
  if (!link) return failed(link);
  if (!*link) {
    if (auto made = make(mtu); !made) return failed(made);
    link = links_.find(settings_.name);
    if (!link) return failed(link);
    if (!*link) return fail(Code::unavailable, "tunnel device {}: it was not there when read back", settings_.name);
  }
  const std::uint32_t ifindex = (*link)->ifindex;
  if (auto finished = finish(**link, mtu); !finished) return failed(finished);
  // From before the last look, so that no change is missed.
  if (auto followed = watch_->follow(ifindex); !followed) return failed(followed);
  const auto back = links_.find(ifindex);
  if (!back) return failed(back);
  if (const std::string what = damage(*back, mtu); !what.empty())
    return fail(Code::unavailable, "tunnel device {}: it was {} when read back", settings_.name, what);
  ifindex_ = ifindex;
  mtu_ = mtu;
  return ifindex;
}

void TunnelDevice::look() {
  if (ifindex_ == 0) return;
  const auto link = links_.find(ifindex_);
  if (!link) {
    drifted_(link.error().message);
    return;
  }
  const std::string what = damage(*link, mtu_);
  if (what.empty()) return;
  ifindex_ = 0;  // one report is enough
  drifted_(fmt::format("the tunnel device {} was {}", settings_.name, what));
}

Status TunnelDevice::remove() {
  ifindex_ = 0;
  const auto all = links_.all();
  if (!all) return failed(all);
  for (const VxlanLink& link : *all) {
    if (!ours(link)) continue;
    if (auto removed = links_.remove(link.ifindex); !removed) return removed;
    log::info("tunnel device {}: removed", link.name);
  }
  return {};
}

}  // namespace midonet::datapath
