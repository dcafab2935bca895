#include "agent/plan/owners.h"

#include <algorithm>
#include <tuple>

namespace midonet::agent {

namespace {

// The first of them has it, if it is active.
MacOwner owner_of(std::span<const DeclaredMac> ports) {
  const DeclaredMac& first = ports.front();
  MacOwner owner;
  if (!first.active) return owner;
  const auto active = std::count_if(ports.begin(), ports.end(), [](const DeclaredMac& port) { return port.active; });
  const auto bound_before = [&](const DeclaredMac& port) {
    return port.active && std::tie(port.revision, port.port) < std::tie(first.revision, first.port);
  };
  const auto rival = [&](const DeclaredMac& port) { return port.active && !port.host && port.port != first.port; };
  owner.port = first.port;
  owner.contested = active > 1;
  // A port that was bound before may still be heard with it.
  owner.firm = !owner.contested || (first.heard && std::none_of(ports.begin(), ports.end(), bound_before));
  if (first.host)
    owner.vtep = first.vtep;
  else
    // Learning shows whether the guest still speaks. Beside a rival on this host, which could speak too, it would not hold.
    owner.configured = !owner.contested || (owner.firm && std::any_of(ports.begin(), ports.end(), rival));
  return owner;
}

}  // namespace

MacOwners settle_declared(std::vector<DeclaredMac> declared,
                          const std::function<void(std::span<const DeclaredMac>, const MacOwner&)>& each) {
  // A port that moves is here and there for a moment: what is known of the other host is the newer word.
  std::sort(declared.begin(), declared.end(), [](const DeclaredMac& a, const DeclaredMac& b) {
    return std::tie(a.vni, a.mac, a.port, b.host) < std::tie(b.vni, b.mac, b.port, a.host);
  });
  const auto same = [](const DeclaredMac& a, const DeclaredMac& b) {
    return a.vni == b.vni && a.mac == b.mac && a.port == b.port;
  };
  declared.erase(std::unique(declared.begin(), declared.end(), same), declared.end());
  std::sort(declared.begin(), declared.end(), [](const DeclaredMac& a, const DeclaredMac& b) {
    return std::tie(a.vni, a.mac, b.active, b.heard, a.revision, a.port) <
           std::tie(b.vni, b.mac, a.active, a.heard, b.revision, b.port);
  });
  MacOwners out;
  for (auto first = declared.begin(); first != declared.end();) {
    const auto end = std::find_if(first, declared.end(), [&](const DeclaredMac& other) {
      return other.vni != first->vni || other.mac != first->mac;
    });
    const std::span<const DeclaredMac> ports(first, end);
    const MacOwner owner = owner_of(ports);
    each(ports, owner);
    if (first->active) out.emplace_hint(out.end(), std::pair(first->vni, first->mac), owner);
    first = end;
  }
  return out;
}

}  // namespace midonet::agent
