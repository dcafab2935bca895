// For tests of make_plan: a snapshot and a table of links that a test fills, with short words for what came out.
#pragma once

#include <gtest/gtest.h>
#include <linux/if_arp.h>

#include <functional>
#include <memory>
#include <string>

#include "agent/plan/plan.h"

namespace midonet::agent::planning {

using model::PortState;

inline Uuid id(int n) { return *Uuid::parse(fmt::format("{:08x}-0000-4000-8000-000000000000", n)); }
inline Mac mac(int n) { return *Mac::parse(fmt::format("fa:16:3e:00:00:{:02x}", n)); }
inline const Uuid here = id(0xff);

// A host with whatever the tests give it: port n is bound to "tap<n>" with binding revision 100+n.
class Planning : public testing::Test {
 protected:
  Planning() {
    snapshot_.host = here;
    snapshot_.own = Known::complete;
    bridge(900);
  }

  ServedBridge& bridge(int n) {
    ServedBridge& out = snapshot_.bridges[id(n)];
    out.known = true;
    out.created = n;
    out.record.emplace();
    out.record->id = id(n);
    out.record->vni = *Vni::from(static_cast<std::uint64_t>(n));
    return out;
  }

  BoundPort& port(int n, int of_bridge = 900) {
    BoundPort& out = snapshot_.ports[id(n)];
    out.id = id(n);
    out.revision = 100 + n;
    out.interface = "tap" + std::to_string(n);
    out.port_known = true;
    change(out, [&](model::Port& record) {
      record.id = id(n);
      record.bridge_id = id(of_bridge);
      record.host_id = here;
      record.interface_name = out.interface;
    });
    return out;
  }
  static void change(BoundPort& bound, const std::function<void(model::Port&)>& how) {
    model::Port record = bound.port ? *bound.port : model::Port{};
    how(record);
    bound.port = std::make_shared<const model::Port>(record);
  }

  netlink::Link tap(int n) {
    netlink::Link link;
    link.ifindex = static_cast<std::uint32_t>(10 + n);
    link.name = "tap" + std::to_string(n);
    link.hardware_type = ARPHRD_ETHER;
    link.kind = "tun";
    link.up = link.carrier = true;
    return link;
  }

  const Plan& plan() {
    plan_ = make_plan(snapshot_, links_);
    return plan_;
  }
  const PortPlan& of(int n) {
    for (const PortPlan& port : plan_.ports)
      if (port.id == id(n)) return port;
    ADD_FAILURE() << "no plan for port " << n;
    std::abort();
  }
  bool desired(int n) { return plan_.desired.ports.contains(id(n)); }

  Snapshot snapshot_;
  netlink::LinkTable links_;
  Plan plan_;
};

}  // namespace midonet::agent::planning
