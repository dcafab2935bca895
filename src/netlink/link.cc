#include "netlink/link.h"

#include <linux/if_arp.h>

namespace midonet::netlink {

bool Link::ethernet() const { return hardware_type == ARPHRD_ETHER; }

const Link* LinkTable::find(std::uint32_t ifindex) const {
  const auto it = links_.find(ifindex);
  return it == links_.end() ? nullptr : &it->second;
}

const Link* LinkTable::find(std::string_view name) const {
  const auto it = by_name_.find(std::string(name));
  return it == by_name_.end() ? nullptr : find(it->second);
}

bool LinkTable::put(Link link) {
  const auto [it, fresh] = links_.try_emplace(link.ifindex);
  Link& known = it->second;
  if (!fresh && known.name != link.name) {
    const auto old = by_name_.find(known.name);
    if (old != by_name_.end() && old->second == link.ifindex) by_name_.erase(old);
  }
  // Also when the name is not new: another link may have claimed it in between and be gone by a message still
  // to come.
  by_name_[link.name] = link.ifindex;
  link.addresses = known.addresses;
  if (!fresh && known == link) return false;
  known = std::move(link);
  return true;
}

bool LinkTable::remove(std::uint32_t ifindex) {
  const auto it = links_.find(ifindex);
  if (it == links_.end()) return false;
  const auto name = by_name_.find(it->second.name);
  if (name != by_name_.end() && name->second == ifindex) by_name_.erase(name);
  links_.erase(it);
  return true;
}

bool LinkTable::add_address(std::uint32_t ifindex, const Ip& ip) {
  const auto it = links_.find(ifindex);
  return it != links_.end() && it->second.addresses.insert(ip).second;
}

bool LinkTable::remove_address(std::uint32_t ifindex, const Ip& ip) {
  const auto it = links_.find(ifindex);
  return it != links_.end() && it->second.addresses.erase(ip) > 0;
}

}  // namespace midonet::netlink
