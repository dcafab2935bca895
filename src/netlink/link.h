// The network interfaces of one network namespace as the kernel reports them, and a table of them. Values only; monitor.h fills them
// from the kernel, or a test does. Not thread-safe, nothing here fails.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/ip.h"
#include "base/mac.h"

namespace midonet::netlink {

// The kernel's words (rtnetlink(7), include/uapi/linux/if_link.h).
struct Link {
  std::uint32_t ifindex = 0;
  std::string name;
  std::uint16_t hardware_type = 0;  // ARPHRD_ETHER and so on
  bool loopback = false;            // IFF_LOOPBACK
  bool up = false;                  // IFF_UP: it was set up
  bool carrier = false;             // IFF_LOWER_UP: its driver says that there is a link
  std::uint8_t operstate = 0;       // RFC 2863, IF_OPER_UP is 6
  std::uint32_t mtu = 0;
  std::optional<Mac> mac;
  std::string kind;   // "tun", "veth", "vxlan", "bridge" …; "" for hardware
  std::string alias;  // ifalias
  std::uint32_t lower =
      0;  // ifindex of the interface that it stands on (of a VLAN its parent, of a veth the peer); 0 for
          // none, and for one in another namespace
  std::uint32_t master = 0;  // ifindex of the bridge, bond, … that it is a member of; 0 for none
  std::string master_kind;   // "bridge", "bond", "openvswitch" …; "" when the kernel does not tell
  std::set<Ip> addresses;
  bool operator==(const Link&) const = default;

  bool has_link() const { return up && carrier; }  // frames can pass
  bool ethernet() const;
};

class LinkTable {
 public:
  const Link* find(std::uint32_t ifindex) const;
  const Link* find(std::string_view name) const;
  const std::unordered_map<std::uint32_t, Link>& all() const { return links_; }
  std::size_t size() const { return links_.size(); }
  // By ifindex, those that are members of an interface; that stand on it (but for one end of a pair on the other); that have
  // an address; that have an alias.
  std::vector<std::uint32_t> members(std::uint32_t ifindex) const { return find_all(by_master_, ifindex); }
  std::vector<std::uint32_t> above(std::uint32_t ifindex) const { return find_all(by_lower_, ifindex); }
  std::vector<std::uint32_t> with_address(const Ip& ip) const;
  const std::set<std::uint32_t>& with_alias() const { return with_alias_; }

  // Grows with each change. The names of the interfaces that have changed since, the name before and after a change of it;
  // nothing: that is too long ago to tell.
  std::uint64_t version() const { return version_; }
  std::optional<std::set<std::string>> changed_since(std::uint64_t version) const;

  // Each returns whether the table is different afterwards. put() keeps the known addresses.
  bool put(Link link);
  bool remove(std::uint32_t ifindex);
  bool add_address(std::uint32_t ifindex, const Ip& ip);
  bool remove_address(std::uint32_t ifindex, const Ip& ip);

  bool operator==(const LinkTable& other) const { return links_ == other.links_; }

 private:
  static constexpr std::size_t remembered_changes = 4096;

  template <class Index, class Key>
  static std::vector<std::uint32_t> find_all(const Index& index, const Key& key) {
    std::vector<std::uint32_t> out;
    const auto [first, last] = index.equal_range(key);
    for (auto at = first; at != last; ++at) out.push_back(at->second);
    return out;
  }
  void index(const Link& link);
  void unindex(const Link& link);
  void note(const std::string& name);
  void forget_address(std::uint32_t ifindex, const Ip& ip);

  std::unordered_map<std::uint32_t, Link> links_;
  std::unordered_map<std::string, std::uint32_t> by_name_;  // of two with one name, the one that was reported last
  std::unordered_multimap<std::uint32_t, std::uint32_t> by_master_, by_lower_;
  std::multimap<Ip, std::uint32_t> by_address_;  // but for the link-local ones, which each interface has
  std::set<std::uint32_t> with_alias_;
  std::uint64_t version_ = 0;
  std::deque<std::string> changes_;  // the last ones; that of version_ is the last
};

}  // namespace midonet::netlink
