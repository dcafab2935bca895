#include "agent/plan/admission.h"

#include <tuple>
#include <utility>

#include "model/paths.h"

namespace midonet::agent {

namespace paths = model::paths;
using model::PortState;
using netlink::Link;

namespace {

void refuse(PortPlan& out, std::string reason, bool doubtful = false) {
  out.state = PortState::error;
  out.reason = std::move(reason);
  out.doubtful = doubtful;
}

void unread(PortPlan& out, std::string reason) {
  out.unknown = true;
  refuse(out, std::move(reason));
}

// A port of which nothing was ever read well. In the kernel stays what an earlier agent plugged; nothing new is plugged.
void hold(PortPlan& out, const std::string& path, const std::string& how) {
  out.held = true;
  refuse(out,
         fmt::format("the record {} can't be read ({}): what the agent finds plugged stays so, nothing new is plugged",
                     path, how));
}

std::string damaged(const std::string& path, const std::string& how) {
  return fmt::format("the record {} can't be read ({}): what was read there before stays in force", path, how);
}

}  // namespace

PortPlan Admission::admit(const BoundPort& bound, std::optional<Plugged>& plugged) const {
  PortPlan out;
  out.id = bound.id;
  out.revision = bound.revision;
  out.interface = bound.interface;
  if (bound.interface.empty()) {
    hold(out, paths::binding(in_.snapshot.host, bound.id), bound.damage);
    return out;
  }
  // The store lets an interface be bound once; if two bindings are there all the same, the first one keeps it.
  if (const BoundPort* holder = in_.index.holder(in_.snapshot, bound.interface); holder != &bound) {
    refuse(out, fmt::format("{} carries port {}, which was bound before", bound.interface, holder->id), true);
    return out;
  }
  if (!find_record(bound, out)) {
    // Taken over, and the binding is about to be seen to go.
    if (bound.port && bound.port->host_id && bound.port->host_id != in_.snapshot.host &&
        bound.taken_from == model::TakenFrom{in_.snapshot.host, bound.interface})
      static_cast<void>(keep(bound, bound.port->bridge_id, plugged));
    return out;
  }
  const ServedBridge* bridge = find_bridge(bound, out);
  if (!bridge) return out;

  out.standby = on_standby(bound, *bridge);
  out.undecided = out.standby && bridge->peers_known != Known::complete;
  const Link* link = in_.links.find(bound.interface);
  if (!link) {
    out.state = PortState::pending_interface;
    return out;
  }
  out.ifindex = link->ifindex;
  if (std::string reason = obstacle(*link, in_.links, in_.underlay.uplinks); !reason.empty()) {
    refuse(out, std::move(reason));
    return out;
  }
  out.state = link->has_link() ? PortState::active : PortState::down;
  remark(bound, *bridge, out);
  plugged = Plugged{&bound, bound.port->bridge_id, *bridge->record->vni, link};
  return out;
}

// False: the port's record does not say that it is bound here.
bool Admission::find_record(const BoundPort& bound, PortPlan& out) const {
  if (!bound.port_known) {
    unread(out, "its record is being read");
  } else if (!bound.port && !bound.port_damage.empty()) {
    hold(out, paths::port(bound.id), bound.port_damage);
  } else if (!bound.port) {
    refuse(out, fmt::format("there is no Port with ID {}", bound.id), true);
  } else if (const auto& host = bound.port->host_id; host != in_.snapshot.host) {
    refuse(out,
           host ? fmt::format("the port's record says that it is bound on host {}", *host)
                : "the port's record says that it is not bound",
           true);
  } else if (const auto& interface = bound.port->interface_name; interface != bound.interface) {
    refuse(out,
           interface ? fmt::format("the port's record says that it is bound to {}", *interface)
                     : "the port's record names no interface",
           true);
  } else {
    return true;
  }
  return false;
}

// Null: the port's bridge cannot be served. One that can has a VNI.
const ServedBridge* Admission::find_bridge(const BoundPort& bound, PortPlan& out) const {
  const Uuid& id = bound.port->bridge_id;
  const ServedBridge& bridge = in_.snapshot.bridges.at(id);
  if (!bridge.known) {
    unread(out, "its bridge is being read");
  } else if (!bridge.record && !bridge.damage.empty()) {
    hold(out, paths::bridge(id), bridge.damage);
  } else if (!bridge.record) {
    refuse(out, fmt::format("there is no Bridge with ID {}", id), true);
  } else if (!bridge.record->vni) {
    refuse(out, fmt::format("bridge {} has no VNI", id));
  } else if (const auto holder = in_.index.vni_holder(in_.snapshot, *bridge.record->vni); holder != id) {
    // Two bridges with one VNI would be one network.
    refuse(out, fmt::format("VNI {} of bridge {} is that of bridge {}", *bridge.record->vni, id, *holder));
  } else {
    return &bridge;
  }
  return nullptr;
}

std::optional<Vni> Admission::vni_of(const Uuid& id) const {
  const auto at = in_.snapshot.bridges.find(id);
  if (at == in_.snapshot.bridges.end() || !at->second.record || !at->second.record->vni) return {};
  const Vni vni = *at->second.record->vni;
  return in_.index.vni_holder(in_.snapshot, vni) == id ? std::optional(vni) : std::nullopt;
}

void Admission::remark(const BoundPort& bound, const ServedBridge& bridge, PortPlan& out) const {
  const model::Port& record = *bound.port;
  if (!record.admin_state_up)
    out.reason = "the port's adminStateUp is false: no frame passes";
  else if (!bridge.record->admin_state_up)
    out.reason = "the bridge's adminStateUp is false: no frame passes";
  else if (!bound.damage.empty())
    out.reason = damaged(paths::binding(in_.snapshot.host, bound.id), bound.damage);
  else if (!bound.port_damage.empty())
    out.reason = damaged(paths::port(bound.id), bound.port_damage);
  else if (!bridge.damage.empty())
    out.reason = damaged(paths::bridge(record.bridge_id), bridge.damage);
  if (record.port_security.value_or(false) && !record.mac_address)
    out.caveat = "portSecurityEnabled without macAddress: its guest can send from allowedAddressPairs alone";
  else if (record.port_security.value_or(false) && !record.security_group_ids.empty())
    out.caveat = "its security groups are not enforced yet: what comes from its own addresses is not filtered";
}

// Whether the guest of a port that is bound here is still where the port was taken over from, as far as is known.
bool Admission::on_standby(const BoundPort& bound, const ServedBridge& bridge) const {
  if (!in_.underlay.overlay || !bound.taken_from || bound.taken_from->host_id == in_.snapshot.host) return false;
  const auto heard = in_.heard.find(bound.id);
  if (heard != in_.heard.end() && heard->second == bound.revision) return false;
  if (bridge.peers_known != Known::complete) return true;
  const Peers::Offer* offer = bridge.peers->find(bound.id);
  return offer && !offer->port->standby && offer->port->revision < bound.revision;
}

std::string Admission::keep(const BoundPort& port, const Uuid& of, std::optional<Plugged>& plugged) const {
  if (!in_.underlay.overlay) return "the host is in no tunnel zone";
  const auto at = in_.snapshot.bridges.find(of);
  if (at == in_.snapshot.bridges.end() || !at->second.known) return {};
  const ServedBridge& bridge = at->second;
  const auto vni = vni_of(of);
  if (!vni) return "its bridge is not available";
  if (const BoundPort* holder = in_.index.holder(in_.snapshot, port.interface); holder && holder->id != port.id)
    return fmt::format("{} carries port {}", port.interface, holder->id);
  const Link* link = in_.links.find(port.interface);
  if (!link || !link->has_link()) return fmt::format("{} has no link any more", port.interface);
  if (std::string reason = obstacle(*link, in_.links, in_.underlay.uplinks); !reason.empty()) return reason;
  if (const Peers::Offer* offer = bridge.peers->find(port.id);
      offer && !offer->port->standby && offer->port->revision > port.revision)
    return "its guest was heard on another host";
  // Of several that were taken over, the one that was bound last.
  for (const auto& [id, other] : in_.snapshot.lingering)
    if (id != port.id && other.interface == port.interface &&
        std::tie(port.revision, port.id) < std::tie(other.revision, other.id))
      return fmt::format("{} carries another port", port.interface);
  plugged = Plugged{&port, of, *vni, link};
  return {};
}

}  // namespace midonet::agent
