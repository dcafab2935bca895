#include "topology/removal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/paths.h"
#include "store/flaky_store.h"
#include "topology/attach.h"
#include "topology/bridges.h"
#include "topology/contradictions.h"
#include "topology/hosts.h"
#include "topology/ports.h"
#include "topology/tunnel_zones.h"

namespace midonet::topology::removal_test {
namespace {

namespace paths = model::paths;
using store::FlakyStore;
using store::Op;
using store::Transaction;
using ::testing::IsEmpty;

constexpr std::size_t max_ops = 500;
constexpr std::size_t max_bytes = 256 * 1024;

const Uuid net = *Uuid::parse("11111111-0000-4000-8000-000000000001");
const Uuid zone = *Uuid::parse("55555555-0000-4000-8000-000000000001");
const Uuid host_a = *Uuid::parse("aaaaaaaa-0000-4000-8000-00000000000a");
const Uuid host_b = *Uuid::parse("bbbbbbbb-0000-4000-8000-00000000000b");

Uuid port(int n) { return *Uuid::parse(fmt::format("22222222-0000-4000-8000-{:012}", n)); }

struct Removal : ::testing::Test {
  Removal() {
    auto flaky = std::make_unique<FlakyStore>([this] {
      return std::move(*store::open(fixture.loop, "embedded::memory:", {.patience = std::chrono::seconds(1)}));
    });
    store = flaky.get();
    fixture.store = std::move(flaky);
    for (const Uuid& host : {host_a, host_b})
      EXPECT_TRUE(fixture.run([=](Transaction& t) { return register_host(t, host, "h"); }));
    model::Bridge bridge;
    bridge.id = net;
    EXPECT_TRUE(fixture.run([=](Transaction& t) { return create_bridge(t, bridge); }));
  }

  void stage(const std::vector<Op>& ops) {
    EXPECT_TRUE(fixture.run([&ops](Transaction& t) -> Status {
      for (const Op& op : ops) t.create(op.path, op.value);
      return {};
    }));
  }
  Status make_port(const Uuid& id) {
    model::Port made;
    made.id = id;
    made.bridge_id = net;
    return fixture.run([made](Transaction& t) { return create_port(t, made); });
  }
  // Every third port is bound, some here and some there.
  void make_ports(int number) {
    for (int n = 0; n < number; ++n) {
      ASSERT_TRUE(make_port(port(n)));
      if (n % 3 != 0) continue;
      const AttachRequest request{port(n), n % 2 == 0 ? host_a : host_b, fmt::format("tap{}", n)};
      ASSERT_TRUE(fixture.run<Attached>([=](Transaction& t) { return attach(t, request); }));
    }
  }
  void make_tables(int entries) {
    std::vector<Op> ops;
    for (int n = 0; n < entries; ++n) {
      const Mac mac({2, 0, 0, 0, static_cast<std::uint8_t>(n >> 8), static_cast<std::uint8_t>(n)});
      const Ip ip = Ip::v4({10, 0, static_cast<std::uint8_t>(n >> 8), static_cast<std::uint8_t>(n)});
      ops.push_back(Op::create(paths::mac_entry(net, mac), "{}"));
      ops.push_back(Op::create(paths::arp_entry(net, ip), "{}"));
    }
    stage(ops);
  }
  void make_offers(const Uuid& bridge, const Uuid& host, int chunks) {
    const std::string offers = paths::bridge_host(bridge, host);
    std::vector<Op> ops = {Op::create(offers, "{}"), Op::create(paths::served_bridge(host, bridge), "")};
    for (int n = 0; n < chunks; ++n) ops.push_back(Op::create(paths::child(offers, std::to_string(n)), "{}"));
    stage(ops);
  }
  void count_commits() {
    store->before_commit([this] {
      ++commits;
      std::size_t bytes = 0;
      for (const Op& op : store->last_commit) bytes += op.path.size() + op.value.size() + 32;
      EXPECT_LE(store->last_commit.size(), max_ops);
      EXPECT_LE(bytes, max_bytes);
    });
  }
  Status remove_bridge() {
    return fixture.run_steps([](Transaction& t) { return delete_bridge(t, net); });
  }

  StoreFixture fixture;
  FlakyStore* store = nullptr;
  int commits = 0;
};

TEST_F(Removal, ALargeBridgeGoesInBoundedCommitsEachOfWhichIsConsistent) {
  make_ports(350);
  make_tables(600);
  make_offers(net, host_a, 500);
  make_offers(net, host_b, 3);
  count_commits();
  for (Progress progress = Progress::more; progress == Progress::more;) {
    const auto step = fixture.run<Progress>([](Transaction& t) { return delete_bridge(t, net); });
    ASSERT_TRUE(step);
    progress = *step;
    EXPECT_THAT(contradictions(fixture), IsEmpty());
    for (const Uuid& host : {host_a, host_b})
      EXPECT_EQ(fixture.get(paths::bridge_host(net, host)) != nullptr,
                fixture.get(paths::served_bridge(host, net)) != nullptr);
  }
  EXPECT_GE(commits, 8);  // (350 * 4 + 500 + 600 * 2) / 400
  for (const std::string& folder :
       {paths::bridges, paths::ports, paths::vnis, paths::bindings(host_a), paths::bindings(host_b),
        paths::bound_interfaces(host_a), paths::served_bridges(host_a), paths::served_bridges(host_b)})
    EXPECT_THAT(fixture.list(folder), IsEmpty()) << folder;
}

TEST_F(Removal, WhatBrokeOffIsASmallerBridgeAndAskingAgainFinishesIt) {
  make_ports(350);
  store->before_commit([this] {
    if (++commits == 3) store->fail_next(Code::unavailable);
  });
  const Status broken = remove_bridge();
  ASSERT_FALSE(broken);
  EXPECT_EQ(broken.error().code, Code::unavailable);
  EXPECT_EQ(fixture.list(paths::bridge_ports(net)).size(), 350U - 2U * 99U);  // the room for 400 nodes, less the VNI
  EXPECT_THAT(contradictions(fixture), IsEmpty());
  EXPECT_TRUE(remove_bridge());
  EXPECT_THAT(fixture.list(paths::ports), IsEmpty());
  EXPECT_THAT(fixture.list(paths::bridges), IsEmpty());
}

TEST_F(Removal, APortThatIsMadeMeanwhileGoesWithTheBridgeOrIsRefused) {
  make_ports(250);
  model::Port late;
  late.bridge_id = net;
  std::vector<Result<store::Revision>> outcomes;
  // One more before each commit of the deletion, among them the last.
  store->before_commit([&] {
    if (store->last_commit.front().kind != Op::Kind::remove) return;
    late.id = port(1000 + commits++);
    store::transact(
        *store, [late](Transaction& t) { return create_port(t, late); },
        [&](Result<store::Revision> outcome) { outcomes.push_back(std::move(outcome)); });
  });
  EXPECT_TRUE(remove_bridge());
  ASSERT_TRUE(fixture.loop.run_until([&] { return outcomes.size() == static_cast<std::size_t>(commits); },
                                     std::chrono::seconds(10)));
  EXPECT_GE(commits, 3);
  EXPECT_THAT(contradictions(fixture), IsEmpty());
  EXPECT_THAT(fixture.list(paths::ports), IsEmpty());
  EXPECT_THAT(fixture.list(paths::bridges), IsEmpty());
  for (const auto& outcome : outcomes) {
    if (outcome) continue;
    EXPECT_EQ(outcome.error(), (Error{Code::not_found, fmt::format("There is no Bridge with ID {}.", net)}));
  }
}

TEST_F(Removal, OfTwoWhoDeleteTheSameBridgeOneMayFindThatItHasGone) {
  make_ports(250);
  std::vector<Status> outcomes;
  for (int n = 0; n < 2; ++n)
    run_steps(
        *store, [](Transaction& t) { return delete_bridge(t, net); },
        [&](Status outcome) { outcomes.push_back(std::move(outcome)); });
  ASSERT_TRUE(fixture.loop.run_until([&] { return outcomes.size() == 2; }, std::chrono::seconds(30)));
  EXPECT_TRUE(outcomes[0] || outcomes[1]);
  for (const Status& outcome : outcomes) EXPECT_TRUE(outcome || outcome.error().code == Code::not_found);
  EXPECT_THAT(fixture.list(paths::bridges), IsEmpty());
  const Status again = remove_bridge();
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, Code::not_found);
}

TEST_F(Removal, AHostThatServedManyBridgesAndAZoneWithManyHostsGoInBoundedCommits) {
  std::vector<Op> ops;
  for (int n = 0; n < 450; ++n) {
    const Uuid bridge = Uuid::random();
    ops.push_back(Op::create(paths::bridge(bridge), "{}"));
    ops.push_back(Op::create(paths::bridge_hosts(bridge), ""));
    ops.push_back(Op::create(paths::bridge_host(bridge, host_a), "{}"));
    ops.push_back(Op::create(paths::child(paths::bridge_host(bridge, host_a), "0"), "{}"));
    ops.push_back(Op::create(paths::served_bridge(host_a, bridge), ""));
  }
  stage(ops);
  ASSERT_TRUE(fixture.run([](Transaction& t) { return create_tunnel_zone(t, {zone, "z"}); }));
  ops.clear();
  for (int n = 0; n < 450; ++n) {
    const Ip ip = Ip::v4({10, 0, static_cast<std::uint8_t>(n >> 8), static_cast<std::uint8_t>(n)});
    const Uuid host = Uuid::random();
    ops.push_back(Op::create(paths::tunnel_zone_host(zone, host), fmt::format(R"({{"ipAddress":"{}"}})", ip)));
    ops.push_back(Op::create(paths::tunnel_zone_address(zone, ip), fmt::format(R"({{"hostId":"{}"}})", host)));
  }
  stage(ops);
  ASSERT_TRUE(fixture.run([](Transaction& t) {
    return add_tunnel_zone_host(t, zone, {host_a, *Ip::parse("192.0.2.1")});
  }));
  count_commits();
  ASSERT_TRUE(fixture.run_steps([](Transaction& t) { return delete_host(t, host_a); }));
  EXPECT_GE(commits, 4);  // 450 * 3 / 400
  EXPECT_FALSE(fixture.get(paths::host(host_a)));
  EXPECT_FALSE(fixture.get(paths::tunnel_zone_host(zone, host_a)));
  for (const std::string& bridge : fixture.list(paths::bridges))
    EXPECT_THAT(fixture.list(paths::bridge_hosts(*Uuid::parse(bridge))), IsEmpty());
  commits = 0;
  ASSERT_TRUE(fixture.run_steps([](Transaction& t) { return delete_tunnel_zone(t, zone); }));
  EXPECT_GE(commits, 3);  // 450 * 2 / 400
  EXPECT_THAT(fixture.list(paths::tunnel_zones), IsEmpty());
}

}  // namespace
}  // namespace midonet::topology::removal_test
