// Records that turn to garbage: what was read well stays in force, also in the kernel over a restart of the agent.
#include <gtest/gtest.h>

#include <algorithm>

#include "agent/testbed.h"
#include "model/offer.h"
#include "model/paths.h"

namespace midonet::agent::damaged_test {
namespace {

namespace paths = model::paths;
using model::PortState;

Uuid id(int n) { return *Uuid::parse(fmt::format("{:08x}-0000-4000-8000-000000000000", n)); }
const Uuid net = id(900), zone = id(800);

// Two hosts with a port each, on one bridge.
class Damaged : public testing::Test {
 protected:
  Damaged() {
    cloud.create_bridge(net);
    for (int n = 1; n <= 2; ++n)
      EXPECT_TRUE(cloud.create_port(id(n), net, Mac({2, 0, 0, 0, 0, static_cast<std::uint8_t>(n)})));
    cloud.join_all(zone);
    cloud.start_all();
    h(0).links.add("tap1");
    h(1).links.add("tap2");
    EXPECT_TRUE(cloud.take(id(1), h(0), "tap1"));
    EXPECT_TRUE(cloud.take(id(2), h(1), "tap2"));
    EXPECT_TRUE(cloud.settle());
  }
  TestHost& h(std::size_t n) { return *cloud.hosts[n]; }
  bool plugged() { return h(0).kernel.plugged().ports.contains(id(1)); }
  model::PortStatus status() { return *cloud.status(h(0), id(1)); }
  bool offered() {
    const auto node = cloud.node(paths::child(paths::bridge_host(net, h(0).id), "0"));
    return node && model::decode_offer_chunk(node->value)->ports.at(0).port_id == id(1);
  }
  bool warns(const std::string& of) {
    const auto all = h(0).agent->warnings();
    return std::any_of(all.begin(), all.end(), [&](const std::string& one) { return one.find(of) != one.npos; });
  }
  // The value that stood there.
  std::string spoil(const std::string& path) {
    std::string before = cloud.node(path)->value;
    EXPECT_TRUE(cloud.set(path, "garbage"));
    EXPECT_TRUE(cloud.settle());
    return before;
  }

  Cloud cloud{2};
};

class OfAPort : public Damaged, public testing::WithParamInterface<int> {
 protected:
  std::string path() {
    switch (GetParam()) {
      case 0: return paths::binding(h(0).id, id(1));
      case 1: return paths::port(id(1));
      default: return paths::bridge(net);
    }
  }
};

TEST_P(OfAPort, WhatWasReadWellStaysInForceAndTheStatusNamesTheRecord) {
  const std::string before = spoil(path());
  EXPECT_TRUE(plugged());
  EXPECT_TRUE(offered());
  EXPECT_EQ(status().state, PortState::active);
  EXPECT_NE(status().reason.find("the record " + path() + " can't be read"), std::string::npos) << status().reason;
  // What else happens is followed.
  h(0).links.change("tap1", [](netlink::Link& link) { link.carrier = false; });
  ASSERT_TRUE(cloud.settle());
  EXPECT_EQ(status().state, PortState::down);
  h(0).links.change("tap1", [](netlink::Link& link) { link.carrier = true; });
  ASSERT_TRUE(cloud.set(path(), before));
  ASSERT_TRUE(cloud.settle());
  EXPECT_EQ(status().state, PortState::active);
  EXPECT_EQ(status().reason, "");
}

TEST_P(OfAPort, WhatTheKernelHasStaysOverARestartUntilTheRecordIsRepaired) {
  const datapath::Desired kernel = h(0).kernel.plugged();
  const std::string before = spoil(path());
  cloud.restart(h(0));
  ASSERT_TRUE(cloud.settle());
  EXPECT_EQ(h(0).kernel.plugged().ports, kernel.ports);
  EXPECT_EQ(h(0).kernel.plugged().bridges, kernel.bridges) << "with the way to other hosts";
  EXPECT_TRUE(offered()) << "others go on sending here";
  EXPECT_EQ(status().state, PortState::error);
  EXPECT_NE(status().reason.find(path()), std::string::npos) << status().reason;
  ASSERT_TRUE(cloud.set(path(), before));
  ASSERT_TRUE(cloud.settle());
  EXPECT_EQ(status().state, PortState::active);
  EXPECT_EQ(status().reason, "");
  EXPECT_EQ(h(0).kernel.plugged().ports, kernel.ports);
}

TEST_P(OfAPort, WhatWasNeverReadWellStaysClosed) {
  const std::string before = spoil(path());
  cloud.stop(h(0));
  static_cast<void>(h(0).kernel.remove_everything());
  cloud.start(h(0));
  ASSERT_TRUE(cloud.settle());
  EXPECT_FALSE(plugged());
  EXPECT_EQ(status().state, PortState::error);
  ASSERT_TRUE(cloud.set(path(), before));
  ASSERT_TRUE(cloud.settle());
  EXPECT_EQ(status().state, PortState::active);
}

TEST_P(OfAPort, ADetachIsFollowedThoughTheRecordIsDamaged) {
  spoil(path());
  ASSERT_TRUE(cloud.remove(paths::binding(h(0).id, id(1))));
  ASSERT_TRUE(cloud.until([&] { return !plugged(); }));
}

INSTANTIATE_TEST_SUITE_P(Records, OfAPort, testing::Values(0, 1, 2));

TEST_F(Damaged, AMemberOfAZoneKeepsTheTunnelAlsoOverARestart) {
  const std::string path = paths::tunnel_zone_host(zone, h(0).id);
  const auto tunnel = h(0).kernel.plugged().tunnel;
  ASSERT_TRUE(tunnel);
  const std::string before = spoil(path);
  EXPECT_EQ(h(0).kernel.plugged().tunnel, tunnel);
  EXPECT_TRUE(warns(path));
  EXPECT_TRUE(offered());
  cloud.restart(h(0));
  ASSERT_TRUE(cloud.settle());
  EXPECT_EQ(h(0).kernel.plugged().tunnel, tunnel) << "as the host told the others";
  EXPECT_TRUE(warns(path));
  EXPECT_TRUE(offered());
  ASSERT_TRUE(cloud.set(path, before));
  ASSERT_TRUE(cloud.settle());
  EXPECT_FALSE(warns(path));
}

TEST_F(Damaged, AnEntryOfATableStaysInForce) {
  const std::string path = paths::mac_entry(net, Mac({2, 0, 0, 0, 0, 77}));
  ASSERT_TRUE(cloud.set(path, fmt::format(R"({{"portId": "{}"}})", id(1))));
  ASSERT_TRUE(cloud.settle());
  const auto tables = h(0).kernel.plugged().bridges.begin()->second.static_macs;
  ASSERT_EQ(tables.size(), 1U);
  spoil(path);
  EXPECT_EQ(h(0).kernel.plugged().bridges.begin()->second.static_macs, tables);
  EXPECT_TRUE(warns(path));
}

}  // namespace
}  // namespace midonet::agent::damaged_test
