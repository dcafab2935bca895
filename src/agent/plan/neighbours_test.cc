// Which addresses ARP is answered for: by what a port says, between several that say the same, and across hosts.
#include "agent/plan/neighbours.h"

#include <gtest/gtest.h>

#include "agent/testbed.h"
#include "base/json.h"
#include "model/paths.h"

namespace midonet::agent::neighbours_test {
namespace {

namespace paths = model::paths;
using Known = std::map<Ip, Mac>;

Uuid id(int n) { return *Uuid::parse(fmt::format("{:08x}-0000-4000-8000-000000000000", n)); }
Mac mac(int n) { return Mac({2, 0, 0, 0, 0, static_cast<std::uint8_t>(n)}); }
Ip ip(const std::string& text) { return *Ip::parse(text); }
const Uuid net = id(900), zone = id(800);

model::Port port_with(const std::vector<std::string>& addresses) {
  model::Port out;
  out.mac_address = mac(1);
  for (const std::string& address : addresses) out.fixed_ips.push_back({std::nullopt, ip(address)});
  return out;
}

TEST(KnownAddresses, AreThoseOfOneStationInOrder) {
  EXPECT_EQ(known_addresses(port_with({"192.0.2.9", "fd00::1", "192.0.2.1", "192.0.2.9"})),
            (std::vector<Ip>{ip("192.0.2.1"), ip("192.0.2.9"), ip("fd00::1")}));
  EXPECT_EQ(known_addresses(port_with({"0.0.0.0", "224.0.0.1", "255.255.255.255", "::", "ff02::1"})),
            std::vector<Ip>{});
}

TEST(KnownAddresses, ThereAreNoneWithoutAMacAddressOrWhileNothingPasses) {
  model::Port port = port_with({"192.0.2.1"});
  port.mac_address.reset();
  EXPECT_TRUE(known_addresses(port).empty());
  port.mac_address = *Mac::parse("01:00:5e:00:00:01");
  EXPECT_TRUE(known_addresses(port).empty());
  port.mac_address = mac(1);
  EXPECT_FALSE(known_addresses(port).empty());
  port.admin_state_up = false;
  EXPECT_TRUE(known_addresses(port).empty());
}

TEST(KnownAddresses, WhatTheGuestMayUseBesideIsNotKnown) {
  model::Port port = port_with({"192.0.2.1"});
  port.allowed_address_pairs = {{"192.0.2.7", std::nullopt}, {"192.0.2.8", mac(8)}};
  EXPECT_EQ(known_addresses(port), std::vector<Ip>{ip("192.0.2.1")});
}

TEST(KnownAddresses, AreBounded) {
  std::vector<std::string> many;
  for (int n = 0; n < 1000; ++n) many.push_back(fmt::format("10.0.{}.{}", n / 250, n % 250));
  const auto known = known_addresses(port_with(many));
  EXPECT_EQ(known.size(), most_known_addresses);
  EXPECT_EQ(known.front(), ip("10.0.0.0"));
}

model::OfferedPort offer(int n, std::vector<Mac> macs, std::vector<Ip> ips) {
  model::OfferedPort out;
  out.port_id = id(n);
  out.revision = n;
  out.macs = std::move(macs);
  out.ips = std::move(ips);
  return out;
}
Known known_of(const model::OfferedPort& offered) {
  std::vector<Neighbour> claims;
  append_neighbours(offered, id(70), claims);
  Known out;
  settle_neighbours(std::move(claims), out);
  return out;
}

TEST(Neighbours, AnOfferedAddressIsAtTheConfiguredMac) {
  model::OfferedPort offered = offer(1, {mac(1), mac(2)}, {ip("192.0.2.1"), ip("fd00::1")});
  EXPECT_EQ(known_of(offered), Known{}) << "two could be meant";
  offered.learned = {{mac(1), 3}};
  EXPECT_EQ(known_of(offered), (Known{{ip("192.0.2.1"), mac(2)}}));
  offered.learned = {{mac(1), 3}, {mac(2), 3}};
  EXPECT_EQ(known_of(offered), Known{});
  offered.declared = mac(1);
  EXPECT_EQ(known_of(offered), (Known{{ip("192.0.2.1"), mac(1)}}));
  offered.down = true;
  EXPECT_EQ(known_of(offered), Known{});
}

TEST(Neighbours, AnAddressOfSeveralActivePortsIsLeftOutAndWhatIsSetByHandComesFirst) {
  Known known{{ip("192.0.2.9"), mac(99)}};
  const auto conflicts = settle_neighbours({{ip("192.0.2.1"), mac(1), id(1)},
                                            {ip("192.0.2.1"), mac(3), id(3), true, id(70)},
                                            {ip("192.0.2.2"), mac(4), id(4)},
                                            {ip("192.0.2.2"), mac(5), id(5), false, id(70)},
                                            {ip("192.0.2.3"), mac(8), id(8)},
                                            {ip("192.0.2.3"), mac(8), id(9)},
                                            {ip("192.0.2.4"), mac(7), id(7), false},
                                            {ip("192.0.2.9"), mac(6), id(6)}},
                                           known);
  EXPECT_EQ(known, (Known{{ip("192.0.2.2"), mac(4)}, {ip("192.0.2.3"), mac(8)}, {ip("192.0.2.9"), mac(99)}}));
  ASSERT_EQ(conflicts.size(), 2U);
  EXPECT_EQ(conflicts[0].port, id(1));
  EXPECT_EQ(conflicts[0].other.port, id(3));
  EXPECT_EQ(conflicts[0].other.host, id(70));
  EXPECT_EQ(conflicts[1].port, id(4));
  EXPECT_FALSE(conflicts[1].other.active);
}

// Two hosts with a port each, whose addresses are 192.0.2.<port>; mac(<port>) is theirs.
class KnownAcrossHosts : public testing::Test {
 protected:
  KnownAcrossHosts() {
    cloud.create_bridge(net);
    for (int n = 1; n <= 4; ++n) {
      EXPECT_TRUE(cloud.create_port(id(n), net, mac(n)));
      change(n, [&](model::Port& port) { port.fixed_ips = {{std::nullopt, address(n)}}; });
    }
    cloud.join_all(zone);
    cloud.start_all();
    EXPECT_TRUE(cloud.settle());
  }

  static Ip address(int n) { return ip(fmt::format("10.0.0.{}", n)); }
  TestHost& h(std::size_t n) { return *cloud.hosts[n]; }
  void plug(int n, std::size_t host) {
    const std::string tap = fmt::format("tap{}", n);
    if (!h(host).links.links().find(tap)) h(host).links.add(tap);
    ASSERT_TRUE(cloud.take(id(n), h(host), tap));
  }
  void change(int n, const std::function<void(model::Port&)>& how) {
    const std::string path = paths::port(id(n));
    const auto node = cloud.node(path);
    model::Port port = *model::decode<model::Port>(node->value);
    how(port);
    ASSERT_TRUE(cloud.set(path, model::encode(port, node->value)));
  }
  Known known(std::size_t host) {
    const auto& bridges = h(host).kernel.plugged().bridges;
    return bridges.empty() ? Known{} : bridges.begin()->second.neighbours;
  }
  // What both know.
  Known known() {
    EXPECT_TRUE(cloud.settle());
    EXPECT_EQ(known(0), known(1));
    return known(0);
  }

  Cloud cloud{2};
};

TEST_F(KnownAcrossHosts, APluggedPortsAddressIsKnownHereAndThereUntilItIsDetached) {
  plug(1, 0);
  plug(2, 1);
  EXPECT_EQ(known(), (Known{{address(1), mac(1)}, {address(2), mac(2)}}));
  ASSERT_TRUE(cloud.detach(id(2)));
  ASSERT_TRUE(cloud.settle());
  EXPECT_EQ(known(0), (Known{{address(1), mac(1)}}));
}

TEST_F(KnownAcrossHosts, WhatIsOfferedStandsInTheContractsWords) {
  change(1, [](model::Port& port) { port.fixed_ips.push_back({std::nullopt, ip("fd00::1")}); });
  plug(1, 0);
  ASSERT_TRUE(cloud.settle());
  const auto node = cloud.node(paths::child(paths::bridge_host(net, h(0).id), "0"));
  ASSERT_TRUE(node);
  const auto port = nlohmann::json::parse(node->value)["ports"][0];
  EXPECT_EQ(port, (nlohmann::json{{"portId", id(1).to_string()},
                                  {"revision", cloud.binding_revision(h(0), id(1))},
                                  {"macs", {"02:00:00:00:00:01"}},
                                  {"ips", {"10.0.0.1", "fd00::1"}}}));
}

TEST_F(KnownAcrossHosts, AChangeIsFollowed) {
  plug(1, 0);
  plug(2, 1);
  change(2, [](model::Port& port) { port.fixed_ips = {{std::nullopt, ip("10.0.0.77")}}; });
  EXPECT_EQ(known(), (Known{{address(1), mac(1)}, {ip("10.0.0.77"), mac(2)}}));
  change(2, [](model::Port& port) { port.mac_address = mac(12); });
  EXPECT_EQ(known(), (Known{{address(1), mac(1)}, {ip("10.0.0.77"), mac(12)}}));
  change(2, [](model::Port& port) { port.admin_state_up = false; });
  EXPECT_EQ(known(), (Known{{address(1), mac(1)}}));
}

TEST_F(KnownAcrossHosts, OfTwoActivePortsWithOneAddressNeitherIsAnsweredForAndBothSaySo) {
  change(2, [](model::Port& port) { port.fixed_ips = {{std::nullopt, address(1)}}; });
  plug(1, 0);
  h(1).links.add("tap2");
  h(1).links.change("tap2", [](netlink::Link& link) { link.carrier = false; });
  plug(2, 1);
  EXPECT_EQ(known(), (Known{{address(1), mac(1)}})) << "port 2 is down";
  const std::string fixed = fmt::format("fixed address {} is also that of port ", address(1));
  EXPECT_EQ(cloud.status(h(0), id(1))->reason, fmt::format("{}{} on host {}, which is down", fixed, id(2), h(1).id));
  h(1).links.change("tap2", [](netlink::Link& link) { link.carrier = true; });
  EXPECT_EQ(known(), Known{});
  for (std::size_t n = 0; n < 2; ++n)
    EXPECT_EQ(cloud.status(h(n), id(static_cast<int>(n) + 1))->reason,
              fmt::format("{}{} on host {}: ARP requests for it are left to the guests", fixed,
                          id(2 - static_cast<int>(n)), h(1 - n).id));
  ASSERT_TRUE(cloud.detach(id(1)));
  plug(3, 0);
  EXPECT_EQ(known(), (Known{{address(1), mac(2)}, {address(3), mac(3)}}));
}

TEST_F(KnownAcrossHosts, AMoveChangesNothingThatIsKnown) {
  plug(1, 0);
  plug(2, 1);
  plug(3, 0);
  const Known before = known();
  plug(3, 1);
  EXPECT_EQ(known(), before);
}

TEST_F(KnownAcrossHosts, AHostInNoZoneKnowsItsOwn) {
  plug(1, 0);
  plug(2, 1);
  plug(3, 1);
  ASSERT_TRUE(cloud.settle());
  cloud.leave(h(0), zone);
  ASSERT_TRUE(cloud.settle());
  EXPECT_EQ(known(0), (Known{{address(1), mac(1)}}));
  EXPECT_EQ(known(1), (Known{{address(2), mac(2)}, {address(3), mac(3)}}));
}

// What is offered of full ports is below what a node of ZooKeeper takes (1 MB), and far below with two address families.
TEST_F(KnownAcrossHosts, PortsWithAllTheAddressesThatTheyMayHaveAreOffered) {
  for (int n = 1; n <= 4; ++n) {
    change(n, [&](model::Port& port) {
      port.fixed_ips.clear();
      for (int i = 0; i < 1000; ++i)
        port.fixed_ips.push_back(
            {std::nullopt, ip(fmt::format("fd00:{}:ffff:ffff:ffff:ffff:ffff:{}", 1000 + n, 1000 + i))});
    });
    plug(n, 0);
  }
  ASSERT_TRUE(cloud.settle());
  const auto node = cloud.node(paths::child(paths::bridge_host(net, h(0).id), "0"));
  ASSERT_TRUE(node);
  EXPECT_LT(node->value.size() * model::OfferChunk::max_ports / 4, 256U * 1024);
}

}  // namespace
}  // namespace midonet::agent::neighbours_test
