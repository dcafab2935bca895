#include "netlink/link.h"

#include <linux/if_arp.h>

#include <utility>

namespace midonet::netlink {

namespace {

bool link_local(const Ip& ip) { return !ip.is_v4() && ip.bytes()[0] == 0xfe && (ip.bytes()[1] & 0xc0) == 0x80; }

}  // namespace

bool Link::ethernet() const { return hardware_type == ARPHRD_ETHER; }

const Link* LinkTable::find(std::uint32_t ifindex) const {
  const auto it = links_.find(ifindex);
  return it == links_.end() ? nullptr : &it->second;
}

const Link* LinkTable::find(std::string_view name) const {
  const auto it = by_name_.find(std::string(name));
  return it == by_name_.end() ? nullptr : find(it->second);
}

void LinkTable::index(const Link& link) {
  if (link.master != 0) by_master_.emplace(link.master, link.ifindex);
  if (link.lower != 0 && link.kind != "veth" && link.kind != "netkit") by_lower_.emplace(link.lower, link.ifindex);
  if (!link.alias.empty()) with_alias_.insert(link.ifindex);
}

void LinkTable::unindex(const Link& link) {
  const auto erase = [&](auto& index, const auto& key) {
    const auto [first, last] = index.equal_range(key);
    for (auto at = first; at != last; ++at)
      if (at->second == link.ifindex) return static_cast<void>(index.erase(at));
  };
  erase(by_master_, link.master);
  erase(by_lower_, link.lower);
  with_alias_.erase(link.ifindex);
}

std::vector<std::uint32_t> LinkTable::with_address(const Ip& ip) const {
  if (!link_local(ip)) return find_all(by_address_, ip);
  std::vector<std::uint32_t> out;
  for (const auto& [ifindex, link] : links_)
    if (link.addresses.contains(ip)) out.push_back(ifindex);
  return out;
}

void LinkTable::note(const std::string& name) {
  ++version_;
  changes_.push_back(name);
  if (changes_.size() > remembered_changes) changes_.pop_front();
}

std::optional<std::set<std::string>> LinkTable::changed_since(std::uint64_t version) const {
  if (version_ - version > changes_.size()) return {};
  return std::set<std::string>(changes_.end() - static_cast<std::ptrdiff_t>(version_ - version), changes_.end());
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
  const auto [named, new_name] = by_name_.try_emplace(link.name, link.ifindex);
  const bool claimed = !new_name && std::exchange(named->second, link.ifindex) != link.ifindex;
  if (claimed) note(link.name);
  link.addresses = known.addresses;
  if (!fresh && known == link) return claimed;
  if (!fresh) {
    unindex(known);
    if (known.name != link.name) note(known.name);
  }
  known = std::move(link);
  index(known);
  note(known.name);
  return true;
}

bool LinkTable::remove(std::uint32_t ifindex) {
  const auto it = links_.find(ifindex);
  if (it == links_.end()) return false;
  const auto name = by_name_.find(it->second.name);
  if (name != by_name_.end() && name->second == ifindex) by_name_.erase(name);
  unindex(it->second);
  for (const Ip& ip : it->second.addresses) forget_address(ifindex, ip);
  note(it->second.name);
  links_.erase(it);
  return true;
}

bool LinkTable::add_address(std::uint32_t ifindex, const Ip& ip) {
  const auto it = links_.find(ifindex);
  if (it == links_.end() || !it->second.addresses.insert(ip).second) return false;
  if (!link_local(ip)) by_address_.emplace(ip, ifindex);
  note(it->second.name);
  return true;
}

bool LinkTable::remove_address(std::uint32_t ifindex, const Ip& ip) {
  const auto it = links_.find(ifindex);
  if (it == links_.end() || it->second.addresses.erase(ip) == 0) return false;
  forget_address(ifindex, ip);
  note(it->second.name);
  return true;
}

void LinkTable::forget_address(std::uint32_t ifindex, const Ip& ip) {
  const auto [first, last] = by_address_.equal_range(ip);
  for (auto at = first; at != last; ++at)
    if (at->second == ifindex) return static_cast<void>(by_address_.erase(at));
}

}  // namespace midonet::netlink
