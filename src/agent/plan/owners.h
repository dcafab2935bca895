// Which port of a bridge a MAC address belongs to, of those that are configured with it. Pure; agent/plan uses it.
// The rules, and why they are these: docs/adr/0006.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "base/ip.h"
#include "base/mac.h"
#include "base/uuid.h"
#include "base/vni.h"
#include "store/store.h"

namespace midonet::agent {

// That a port is configured with a MAC address.
struct DeclaredMac {
  Vni vni;
  Mac mac;
  Uuid port;
  store::Revision revision = 0;  // of the port's binding
  bool active = false;           // else the port is down
  bool heard = false;            // from this port
  std::optional<Uuid> host{};    // nothing: this one
  Ip vtep{};                     // of another host
};

// Of the active ports that are configured with a MAC address, the one that has it.
struct MacOwner {
  Uuid port;
  std::optional<Ip> vtep{};  // where it is; nothing: here
  bool contested = false;    // there is more than one
  bool configured = false;   // here, and in the FDB without being heard
  bool firm = false;         // another port that speaks with it does not get it
};
using MacOwners = std::map<std::pair<Vni, Mac>, MacOwner>;

// One MAC address is at one port of a bridge. A port that is down has none. If several active ports are configured with one address,
// none of them has it by that: the address is learned, and goes to the port that it is heard from. Of two such ports the one that was
// bound first has it, and no other port can take it.
//
// `each` is called for every MAC address of a bridge with the ports that are configured with it, the owner first. If none of them is
// active, the owner is empty, and is not in the result.
MacOwners settle_declared(std::vector<DeclaredMac> declared,
                          const std::function<void(std::span<const DeclaredMac> ports, const MacOwner& owner)>& each);

}  // namespace midonet::agent
