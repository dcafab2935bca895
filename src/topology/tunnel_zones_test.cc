#include "topology/tunnel_zones.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/paths.h"
#include "topology/hosts.h"
#include "topology/store_fixture.h"

namespace midonet::topology::tunnel_zones_test {
namespace {

namespace paths = model::paths;
using model::TunnelZone;
using model::TunnelZoneHost;
using store::Transaction;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

Uuid uuid(const char* text) { return *Uuid::parse(text); }
const Uuid zone_1 = uuid("55555555-0000-4000-8000-000000000001");
const Uuid zone_2 = uuid("55555555-0000-4000-8000-000000000002");
const Uuid host_a = uuid("aaaaaaaa-0000-4000-8000-00000000000a");
const Uuid host_b = uuid("bbbbbbbb-0000-4000-8000-00000000000b");
const Uuid nobody = uuid("cccccccc-0000-4000-8000-00000000000c");

struct TunnelZones : ::testing::Test {
  TunnelZones() {
    for (const Uuid& host : {host_a, host_b})
      EXPECT_TRUE(fixture.run([=](Transaction& t) { return register_host(t, host, "h"); }));
    EXPECT_TRUE(create(zone_1, "one"));
  }

  Status create(const Uuid& id, const std::string& name) {
    return fixture.run([=](Transaction& t) { return create_tunnel_zone(t, {id, name}); });
  }
  Status rename(const Uuid& id, const std::string& name) {
    return fixture.run(
        [=](Transaction& t) { return update_tunnel_zone(t, id, [&](TunnelZone& zone) { zone.name = name; }); });
  }
  Status add(const Uuid& zone, const Uuid& host, const char* address) {
    return fixture.run([=](Transaction& t) { return add_tunnel_zone_host(t, zone, {host, *Ip::parse(address)}); });
  }
  Status move(const Uuid& zone, const Uuid& host, const char* address) {
    return fixture.run([=](Transaction& t) {
      return update_tunnel_zone_host(t, zone, host, [&](TunnelZoneHost& member) {
        member.ip_address = *Ip::parse(address);
        member.host_id = nobody;  // is not the client's to change
      });
    });
  }
  Status remove(const Uuid& zone, const Uuid& host) {
    return fixture.run([=](Transaction& t) { return remove_tunnel_zone_host(t, zone, host); });
  }
  std::vector<std::string> addresses(const Uuid& zone) { return fixture.list(paths::tunnel_zone_addresses(zone)); }

  // The call is refused so, and nothing was written.
  void expect_refused(const std::function<Status()>& call, Code code, const std::string& message) {
    const auto before = fixture.dump();
    const Status outcome = call();
    ASSERT_FALSE(outcome);
    EXPECT_EQ(outcome.error(), (Error{code, message}));
    EXPECT_EQ(fixture.dump(), before);
  }

  StoreFixture fixture;
};

TEST_F(TunnelZones, ANameIsGivenOnce) {
  expect_refused([&] { return create(zone_2, "one"); }, Code::conflict, "Tunnel zone name already exists.");
  expect_refused([&] { return create(zone_1, "two"); }, Code::conflict,
                 fmt::format("A(n) TunnelZone with ID {} already exists.", zone_1));
  ASSERT_TRUE(create(zone_2, "two"));
  expect_refused([&] { return rename(zone_2, "one"); }, Code::conflict, "Tunnel zone name already exists.");
  EXPECT_TRUE(rename(zone_2, "two"));  // its own
  ASSERT_TRUE(rename(zone_2, "three"));
  EXPECT_TRUE(rename(zone_1, "two"));
  expect_refused([&] { return rename(nobody, "x"); }, Code::not_found,
                 fmt::format("There is no TunnelZone with ID {}.", nobody));
}

TEST_F(TunnelZones, OfManyWhoWantANameAtOnceOneGetsIt) {
  std::vector<Result<store::Revision>> outcomes;
  constexpr std::size_t clients = 8;
  for (std::size_t i = 0; i < clients; ++i)
    store::transact(
        *fixture.store,
        [id = Uuid::random()](Transaction& t) {
          return create_tunnel_zone(t, {id, "wanted"});
        },
        [&outcomes](Result<store::Revision> outcome) { outcomes.push_back(std::move(outcome)); });
  ASSERT_TRUE(fixture.loop.run_until([&] { return outcomes.size() == clients; }, std::chrono::seconds(10)));
  EXPECT_EQ(std::count_if(outcomes.begin(), outcomes.end(), [](const auto& one) { return one.has_value(); }), 1);
  for (const auto& outcome : outcomes) {
    if (outcome) continue;
    EXPECT_EQ(outcome.error(), (Error{Code::conflict, "Tunnel zone name already exists."}));
  }
  EXPECT_EQ(fixture.list(paths::tunnel_zones).size(), 2U);
}

TEST_F(TunnelZones, AHostIsAMemberOnceAndAnAddressIsOneMembers) {
  ASSERT_TRUE(add(zone_1, host_a, "192.0.2.1"));
  EXPECT_EQ(*fixture.value(paths::tunnel_zone_host(zone_1, host_a)), R"({"ipAddress":"192.0.2.1"})");
  expect_refused([&] { return add(zone_1, host_a, "192.0.2.2"); }, Code::conflict,
                 fmt::format("A(n) TunnelZoneHost with ID {} already exists.", host_a));
  expect_refused([&] { return add(zone_1, host_b, "192.0.2.1"); }, Code::conflict,
                 fmt::format("Address 192.0.2.1 is already used by host {} in tunnel zone {}.", host_a, zone_1));
  ASSERT_TRUE(create(zone_2, "two"));
  EXPECT_TRUE(add(zone_2, host_b, "192.0.2.1"));  // another zone is another network
  EXPECT_TRUE(add(zone_1, host_b, "2001:db8::1"));
}

TEST_F(TunnelZones, WhatIsUnknownIsNamed) {
  expect_refused([&] { return add(nobody, nobody, "192.0.2.1"); }, Code::not_found,
                 fmt::format("There is no TunnelZone with ID {}.", nobody));
  expect_refused([&] { return add(zone_1, nobody, "192.0.2.1"); }, Code::not_found,
                 fmt::format("There is no Host with ID {}.", nobody));
  for (const auto& call : std::vector<std::function<Status(const Uuid&)>>{
           [&](const Uuid& zone) { return move(zone, host_a, "192.0.2.1"); },
           [&](const Uuid& zone) { return remove(zone, host_a); }}) {
    expect_refused([&] { return call(nobody); }, Code::not_found,
                   fmt::format("There is no TunnelZone with ID {}.", nobody));
    expect_refused([&] { return call(zone_1); }, Code::not_found,
                   fmt::format("There is no TunnelZoneHost with ID {}.", host_a));
  }
}

TEST_F(TunnelZones, AnAddressThatIsGivenUpIsFree) {
  ASSERT_TRUE(add(zone_1, host_a, "192.0.2.1"));
  ASSERT_TRUE(add(zone_1, host_b, "192.0.2.2"));
  expect_refused([&] { return move(zone_1, host_b, "192.0.2.1"); }, Code::conflict,
                 fmt::format("Address 192.0.2.1 is already used by host {} in tunnel zone {}.", host_a, zone_1));
  EXPECT_TRUE(move(zone_1, host_a, "192.0.2.1"));  // its own
  ASSERT_TRUE(move(zone_1, host_a, "192.0.2.3"));
  ASSERT_TRUE(move(zone_1, host_b, "192.0.2.1"));
  EXPECT_THAT(addresses(zone_1), ElementsAre("192.0.2.1", "192.0.2.3"));
  ASSERT_TRUE(remove(zone_1, host_a));
  EXPECT_THAT(addresses(zone_1), ElementsAre("192.0.2.1"));
  EXPECT_TRUE(add(zone_1, host_a, "192.0.2.3"));
}

TEST_F(TunnelZones, AZoneGoesWithItsMembersAndLeavesTheHosts) {
  const auto hosts = fixture.list(paths::hosts);
  ASSERT_TRUE(add(zone_1, host_a, "192.0.2.1"));
  ASSERT_TRUE(fixture.run_steps([](Transaction& t) { return delete_tunnel_zone(t, zone_1); }));
  EXPECT_THAT(fixture.list(paths::tunnel_zones), IsEmpty());
  EXPECT_EQ(fixture.list(paths::hosts), hosts);
  expect_refused([&] { return fixture.run_steps([](Transaction& t) { return delete_tunnel_zone(t, zone_1); }); },
                 Code::not_found, fmt::format("There is no TunnelZone with ID {}.", zone_1));
}

TEST_F(TunnelZones, AHostThatIsDeletedLeavesItsZonesAndFreesItsAddresses) {
  ASSERT_TRUE(create(zone_2, "two"));
  ASSERT_TRUE(add(zone_1, host_a, "192.0.2.1"));
  ASSERT_TRUE(add(zone_2, host_a, "2001:db8::1"));
  ASSERT_TRUE(add(zone_1, host_b, "192.0.2.2"));
  ASSERT_TRUE(fixture.run_steps([](Transaction& t) { return delete_host(t, host_a); }));
  EXPECT_THAT(fixture.list(paths::tunnel_zone_hosts(zone_1)), ElementsAre(host_b.to_string()));
  EXPECT_THAT(fixture.list(paths::tunnel_zone_hosts(zone_2)), IsEmpty());
  EXPECT_THAT(addresses(zone_1), ElementsAre("192.0.2.2"));
  EXPECT_THAT(addresses(zone_2), IsEmpty());
}

// In whatever order the two commit, there is no membership of a host that does not exist.
TEST_F(TunnelZones, AHostThatIsDeletedWhileItEntersAZoneIsNotLeftThere) {
  for (const bool enter_first : {true, false}) {
    ASSERT_TRUE(fixture.run([](Transaction& t) { return register_host(t, host_a, "h"); }));
    int answers = 0;
    const auto count = [&answers](const Result<store::Revision>&) { ++answers; };
    const auto enter = [&] {
      store::transact(
          *fixture.store,
          [](Transaction& t) {
            return add_tunnel_zone_host(t, zone_1, {host_a, *Ip::parse("192.0.2.1")});
          },
          count);
    };
    if (enter_first) enter();
    run_steps(
        *fixture.store, [](Transaction& t) { return delete_host(t, host_a); },
        [&answers](const Status&) { ++answers; });
    if (!enter_first) enter();
    ASSERT_TRUE(fixture.loop.run_until([&] { return answers == 2; }, std::chrono::seconds(10)));
    EXPECT_FALSE(fixture.get(paths::host(host_a)));
    EXPECT_THAT(fixture.list(paths::tunnel_zone_hosts(zone_1)), IsEmpty());
    EXPECT_THAT(addresses(zone_1), IsEmpty());
  }
}

TEST_F(TunnelZones, ADamagedZoneHoldsNoNameAndADamagedMemberGoesWithItsHost) {
  fixture.put(paths::tunnel_zone(zone_2), "damage");
  EXPECT_TRUE(rename(zone_1, "other"));
  fixture.put(paths::tunnel_zone_host(zone_1, host_a), "damage");
  ASSERT_TRUE(fixture.run_steps([](Transaction& t) { return delete_host(t, host_a); }));
  EXPECT_THAT(fixture.list(paths::tunnel_zone_hosts(zone_1)), IsEmpty());
}

}  // namespace
}  // namespace midonet::topology::tunnel_zones_test
