// The MACs that were learned at this host's ports, with the mobility sequence number of each (RFC 7432 section 7.7), and
// which of them are to be offered to other hosts now. Pure bookkeeping: the agent hands in what the datapath says, and the
// time. On the loop's thread.
//
// A guest can invent MACs as fast as it sends. How many are kept per port is the kernel's quota; how often what is
// offered of a port may change is limited here, per port, so that such a guest delays its own addresses alone.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "base/mac.h"
#include "base/uuid.h"
#include "base/vni.h"
#include "datapath/datapath.h"

namespace midonet::agent {

class Learned {
 public:
  using Time = std::chrono::steady_clock::time_point;
  using Moves = std::int64_t;
  using Macs = std::map<Mac, Moves>;
  // So many changes of what a port offers at once, and then one more each `refill`.
  static constexpr unsigned burst = 8;
  static constexpr std::chrono::milliseconds refill{1000};

  struct Entry {
    Uuid port;
    Moves moves = 0;
  };
  // The highest number that another host offers a MAC with; nothing: none does.
  using Elsewhere = std::function<std::optional<Moves>(Vni vni, const Mac& mac)>;
  // The number that this host's offers in the store have for a MAC of a port; nothing: it is not offered.
  using Stored = std::function<std::optional<Moves>(const Uuid& port, const Mac& mac)>;

  // A MAC was heard at a port of this host just now. Who learns a MAC that another host offers with n has it with n + 1.
  void heard(const datapath::FdbEntry& entry, const Elsewhere& elsewhere);
  // All that the datapath has. What is not among it has aged. What is new was heard some time ago, it is unknown when: it keeps
  // the number that the store has; without one, another host that offers the MAC has it. Returns those.
  std::vector<std::pair<Vni, Mac>> aged(const std::vector<datapath::FdbEntry>& fdb, const Stored& stored,
                                        const Elsewhere& elsewhere);
  // Another host has it now.
  void lost(Vni vni, const Mac& mac);
  void keep_ports(const std::function<bool(const Uuid& port)>& stays);
  void forget_ports(const std::set<Uuid>& ports);
  void clear();

  bool empty() const { return entries_.empty(); }
  const Entry* find(Vni vni, const Mac& mac) const;
  bool any(const Uuid& port) const;  // learned at this port
  const std::map<std::pair<Vni, Mac>, Entry>& all() const { return entries_; }

  // Lets what has changed since be offered, for each port as far as its limit allows.
  struct Released {
    std::set<Uuid> ports;      // of which something else is offered now
    std::optional<Time> next;  // when to ask again; nothing: all is offered
  };
  Released release(Time now);
  const Macs& offered(const Uuid& port) const;

 private:
  struct AtPort {
    Macs now;
    Macs offered;
    unsigned spent = 0;  // of the burst
    Time since{};        // the last of it was given back
  };
  void put(Vni vni, const Mac& mac, const Uuid& port, Moves moves);
  void erase(std::map<std::pair<Vni, Mac>, Entry>::iterator at);

  std::map<std::pair<Vni, Mac>, Entry> entries_;
  std::map<Uuid, AtPort> ports_;
  std::set<Uuid> changed_;
};

}  // namespace midonet::agent
