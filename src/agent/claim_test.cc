// Two agents of one host id.
#include "agent/claim.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/testbed.h"
#include "model/paths.h"

namespace midonet::agent::claim_test {
namespace {

namespace paths = model::paths;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

struct Contender {
  Contender(Cloud& cloud, const Uuid& host, const std::string& place, const std::string& name)
      : store(std::make_unique<CutStore>(cloud.loop, cloud.sessions)),
        claim(cloud.loop, *store, host,
              {.alive = {4711, "test", "2026-01-31T12:00:00.000Z"},
               .place = place,
               .host_name = name,
               .addresses = {"192.0.2.1"}},
              {[this] { ++won; }, [this] { ++disturbed; }}) {
    claim.start();
  }
  std::unique_ptr<CutStore> store;
  Claim claim;
  int won = 0, disturbed = 0;
};

class ClaimTest : public testing::Test {
 protected:
  ClaimTest() {
    EXPECT_TRUE(cloud.verb([this](store::Transaction& t) { return topology::register_host(t, host, "h1"); }));
  }
  // As the agent does when it has won.
  bool write_alive(Contender& of) {
    std::optional<Result<store::Revision>> done;
    of.store->commit({store::Op::create_ephemeral(paths::alive(host), of.claim.record())},
                     [&](Result<store::Revision> result) { done = std::move(result); });
    return cloud.until([&] { return done.has_value(); }) && done->has_value();
  }

  Cloud cloud{1};
  const Uuid host = cloud.hosts.front()->id;
  const std::string contender = paths::child(paths::host(host), "contender");
};

TEST_F(ClaimTest, TheFirstActsTheSecondWaitsAndBothSaySo) {
  Contender first(cloud, host, "boot1 1:1", "one");
  ASSERT_TRUE(cloud.until([&] { return first.won == 1; }));
  ASSERT_TRUE(write_alive(first));
  Contender second(cloud, host, "boot2 1:1", "two");
  ASSERT_TRUE(cloud.until([&] { return !first.claim.warnings().empty() && !second.claim.warnings().empty(); }));
  EXPECT_EQ(second.won, 0);
  EXPECT_FALSE(second.claim.held());
  EXPECT_THAT(second.claim.warnings(), ElementsAre(HasSubstr("in use by the agent of one (192.0.2.1), process 4711")));
  EXPECT_THAT(first.claim.warnings(), ElementsAre(HasSubstr("is also that of the agent of two (192.0.2.1)")));
  EXPECT_EQ(first.disturbed, 0);

  second.store.reset();  // its machine is mended
  EXPECT_TRUE(cloud.until([&] { return first.claim.warnings().empty(); }));
}

TEST_F(ClaimTest, WhenTheFirstEndsTheSecondActs) {
  Contender first(cloud, host, "boot1 1:1", "one");
  ASSERT_TRUE(cloud.until([&] { return first.won == 1; }));
  ASSERT_TRUE(write_alive(first));
  Contender second(cloud, host, "boot2 1:1", "two");
  ASSERT_TRUE(cloud.until([&] { return cloud.node(contender).has_value(); }));
  first.store->cut();
  first.store->restore(true);  // its session has ended
  ASSERT_TRUE(cloud.until([&] { return second.won == 1; }));
  EXPECT_THAT(second.claim.warnings(), IsEmpty());
  EXPECT_TRUE(cloud.until([&] { return !cloud.node(contender); })) << "it does not wait any more";

  // The first one comes back, finds the other's record in its place, and waits in its turn.
  ASSERT_TRUE(write_alive(second));
  ASSERT_TRUE(first.claim.is_rivals(cloud.node(paths::alive(host))->value));
  first.claim.lost(cloud.node(paths::alive(host))->value);
  ASSERT_TRUE(cloud.until([&] { return !second.claim.warnings().empty(); }));
  EXPECT_THAT(first.claim.warnings(), ElementsAre(HasSubstr("in use by the agent of two")));
}

TEST_F(ClaimTest, AProcessBeforeThisOneIsNoRival) {
  Contender first(cloud, host, "boot1 1:1", "one");
  ASSERT_TRUE(cloud.until([&] { return first.won == 1; }));
  ASSERT_TRUE(write_alive(first));
  Contender again(cloud, host, "boot1 1:1", "one");
  EXPECT_TRUE(cloud.until([&] { return again.won == 1; }));
  EXPECT_TRUE(first.claim.warnings().empty());
}

TEST_F(ClaimTest, ARecordOfAnOlderVersionIsNoRivals) {
  ASSERT_TRUE(cloud.set(paths::alive(host), R"({"pid": 1, "version": "0.1", "started": ""})"));
  Contender first(cloud, host, "boot1 1:1", "one");
  EXPECT_TRUE(cloud.until([&] { return first.won == 1; }));
  EXPECT_FALSE(first.claim.is_rivals("garbage"));
}

TEST_F(ClaimTest, ADeeplyNestedRecordIsNoRivals) {
  const Contender first(cloud, host, "boot1 1:1", "one");
  const auto record = [](std::size_t depth) {
    return R"({"place": "boot2 2:2", "more": )" + std::string(depth, '[') + std::string(depth, ']') + "}";
  };
  EXPECT_TRUE(first.claim.is_rivals(record(1)));
  EXPECT_FALSE(first.claim.is_rivals(record(100'000)));
}

TEST_F(ClaimTest, AnAliveNodeThatAnotherProcessRemovesIsNoticed) {
  Contender first(cloud, host, "boot1 1:1", "one");
  ASSERT_TRUE(cloud.until([&] { return first.won == 1; }));
  ASSERT_TRUE(write_alive(first));
  cloud.turn();
  cloud.turn();
  ASSERT_TRUE(cloud.remove(paths::alive(host)));
  EXPECT_TRUE(cloud.until([&] { return first.disturbed == 1; }));
}

// --- the agent --------------------------------------------------------------------------------------------------------

TEST(ClaimOfAnAgent, WhatAnotherProcessRemovesIsWrittenAgain) {
  Testbed bed;
  const Uuid net = Uuid::random(), port = Uuid::random();
  bed.create_bridge(net);
  ASSERT_TRUE(bed.create_port(port, net));
  bed.links.add("tap0");
  bed.start();
  ASSERT_TRUE(bed.settle());
  ASSERT_TRUE(bed.attach(port, "tap0"));
  ASSERT_TRUE(bed.settle());
  ASSERT_TRUE(bed.remove(paths::status(bed.host, port)));
  ASSERT_TRUE(bed.remove(paths::alive(bed.host)));
  EXPECT_TRUE(bed.until([&] { return bed.node(paths::alive(bed.host)) && bed.status(port); }));
}

}  // namespace
}  // namespace midonet::agent::claim_test
