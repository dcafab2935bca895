// The routes in a network namespace that each test makes for its own process: it goes with the process.
#include "netlink/routes.h"

#include <gtest/gtest.h>
#include <sched.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

// Of <net/if.h>, which contradicts <linux/if.h>.
extern "C" unsigned int if_nametoindex(const char* name);

namespace midonet::netlink::routes_test {
namespace {

using namespace std::chrono_literals;

Ip address(const char* text) { return *Ip::parse(text); }

class RoutesInNamespace : public testing::Test {
 protected:
  void SetUp() override {
    if (::unshare(CLONE_NEWNET) != 0) GTEST_SKIP() << "no network namespace: " << std::strerror(errno);
    ip("link set lo up");
    ip("link add a0 type veth peer name b0");
    ip("link add a1 type veth peer name b1");
    for (const char* name : {"a0", "b0", "a1", "b1"}) ip(std::string("link set up ") + name);
    ip("addr add 192.0.2.1/24 dev a0");
    ip("addr add 198.18.0.1/24 dev a1");
    ip("addr add fd00::1/64 dev a0 nodad");
    auto opened = Routes::open(loop_, [this] { ++changes_; });
    ASSERT_TRUE(opened) << opened.error().message;
    routes_ = *std::move(opened);
  }
  static void ip(const std::string& arguments) { ASSERT_EQ(std::system(("ip " + arguments).c_str()), 0) << arguments; }
  const Route* to(const char* destination) {
    const std::set<Destination> wanted{{address(destination), {}}};
    const RouteTable& table = routes_->follow(wanted);
    return table.empty() ? nullptr : &table.begin()->second;
  }
  static std::set<std::uint32_t> by(std::initializer_list<const char*> names) {
    std::set<std::uint32_t> out;
    for (const char* name : names) out.insert(::if_nametoindex(name));
    return out;
  }
  bool changes() {
    const int before = changes_;
    return loop_.run_until([&] { return changes_ > before; }, 20s);
  }

  Loop loop_;
  std::unique_ptr<Routes> routes_;
  int changes_ = 0;
};

TEST_F(RoutesInNamespace, SaysByWhichInterfaceAndFromWhichAddress) {
  ASSERT_NE(to("192.0.2.9"), nullptr);
  EXPECT_EQ(to("192.0.2.9")->interfaces, by({"a0"}));
  EXPECT_EQ(to("192.0.2.9")->source, address("192.0.2.1"));
  EXPECT_EQ(to("192.0.2.9")->mtu, 0U);
  ASSERT_NE(to("fd00::9"), nullptr);
  EXPECT_EQ(to("fd00::9")->interfaces, by({"a0"}));
  EXPECT_EQ(to("203.0.113.9"), nullptr) << "unreachable";
}

TEST_F(RoutesInNamespace, TheMtuOfARouteIsFollowed) {
  ip("route add 203.0.113.0/24 via 192.0.2.9 mtu 1400");
  ASSERT_NE(to("203.0.113.9"), nullptr);
  EXPECT_EQ(to("203.0.113.9")->mtu, 1400U);
  ip("route change 203.0.113.0/24 via 192.0.2.9 mtu 1300");
  ASSERT_TRUE(changes());
  EXPECT_EQ(to("203.0.113.9")->mtu, 1300U);
  ip("route del 203.0.113.0/24");
  ASSERT_TRUE(changes());
  EXPECT_EQ(to("203.0.113.9"), nullptr);
  ip("-6 route add 2001:db8:7::/48 via fd00::9 mtu 1390");
  ASSERT_NE(to("2001:db8:7::1"), nullptr);
  EXPECT_EQ(to("2001:db8:7::1")->mtu, 1390U);
}

TEST_F(RoutesInNamespace, ADefaultRouteIsSeenWithAllItsInterfaces) {
  const std::set<Destination> anywhere{Routes::anywhere_v4(), Routes::anywhere_v6()};
  EXPECT_TRUE(routes_->follow(anywhere).empty());
  ip("route add default nexthop via 192.0.2.9 nexthop via 198.18.0.9");
  ASSERT_TRUE(changes());
  const RouteTable& table = routes_->follow(anywhere);
  ASSERT_EQ(table.size(), 1U);
  EXPECT_TRUE(table.begin()->second.is_default);
  EXPECT_EQ(table.begin()->second.interfaces, by({"a0", "a1"}));
  ip("route add 198.51.100.0/24 dev a1");
  ASSERT_TRUE(changes());
  EXPECT_FALSE(routes_->follow(anywhere).at(Routes::anywhere_v4()).is_default) << "a closer one";
  ip("-6 route add default via fd00::9");
  ASSERT_TRUE(changes());
  EXPECT_TRUE(routes_->follow(anywhere).at(Routes::anywhere_v6()).is_default);
  EXPECT_FALSE(routes_->follow(anywhere).at(Routes::anywhere_v6()).advertised);
}

TEST_F(RoutesInNamespace, ASourceDecidesWherePolicyRoutingHasIt) {
  ip("route add 203.0.113.0/24 via 192.0.2.9");
  ip("route add 203.0.113.0/24 via 198.18.0.9 table 7");
  ip("rule add from 198.18.0.1 lookup 7");
  const Destination from{address("203.0.113.9"), address("198.18.0.1")};
  const Destination foreign{address("203.0.113.9"), address("10.9.9.9")};
  const RouteTable& table = routes_->follow({from, foreign});
  ASSERT_EQ(table.size(), 2U);
  EXPECT_EQ(table.at(from).interfaces, by({"a1"}));
  EXPECT_EQ(table.at(foreign).interfaces, by({"a0"})) << "not an address of this host: ignored";
  ip("rule del from 198.18.0.1 lookup 7");
  ASSERT_TRUE(changes());
  EXPECT_EQ(table.at(from).interfaces, by({"a0"}));
}

TEST_F(RoutesInNamespace, NothingIsFollowedThatIsNotWanted) {
  ASSERT_NE(to("192.0.2.9"), nullptr);
  ip("route add 203.0.113.0/24 via 192.0.2.9");
  EXPECT_FALSE(loop_.run_until([&] { return changes_ > 0; }, 200ms));
}

}  // namespace
}  // namespace midonet::netlink::routes_test
