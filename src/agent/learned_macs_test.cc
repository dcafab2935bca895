// Agents of several hosts on one store: the addresses that their guests are heard with, told, moved and taken back.
#include "agent/many_hosts_bed.h"

namespace midonet::agent::many_hosts {
namespace {

using namespace std::chrono_literals;

TEST_F(ManyHosts, ALearnedMacIsToldAndTakenOverAndCountsItsMoves) {
  plug(1, 0);
  plug(2, 1);
  plug(3, 2);
  ASSERT_TRUE(cloud.settle());
  learn(0, 1, mac(66));
  ASSERT_TRUE(cloud.settle());
  EXPECT_EQ(where(1, mac(66)), (RemoteMac{vtep(0), false}));
  EXPECT_EQ(chunk(0).ports[0].macs, (std::vector<Mac>{mac(1), mac(66)}));
  EXPECT_EQ(chunk(0).ports[0].learned, (std::map<Mac, std::int64_t>{{mac(66), 0}}));

  learn(1, 2, mac(66));
  ASSERT_TRUE(cloud.settle());
  EXPECT_EQ(where(2, mac(66)), (RemoteMac{vtep(1), false}));
  EXPECT_EQ(where(0, mac(66)), (RemoteMac{vtep(1), false}));
  EXPECT_EQ(where(1, mac(66)), std::nullopt);
  EXPECT_TRUE(chunk(0).ports[0].learned.empty()) << "the host that lost it takes it back";
  EXPECT_EQ(chunk(1).ports[0].learned, (std::map<Mac, std::int64_t>{{mac(66), 1}}));
  const auto fdb = h(0).kernel.fdb();
  EXPECT_TRUE(std::none_of(fdb.begin(), fdb.end(), [](const auto& entry) { return entry.mac == mac(66); }));

  learn(0, 1, mac(66));
  ASSERT_TRUE(cloud.settle());
  EXPECT_EQ(where(1, mac(66)), (RemoteMac{vtep(0), false}));
  EXPECT_EQ(chunk(0).ports[0].learned, (std::map<Mac, std::int64_t>{{mac(66), 2}}));
}

TEST_F(ManyHosts, AConfiguredMacComesBeforeALearnedOne) {
  plug(1, 0);
  plug(2, 1);
  plug(3, 2);
  ASSERT_TRUE(cloud.settle());
  learn(0, 1, mac(2));
  ASSERT_TRUE(cloud.settle());
  EXPECT_EQ(where(2, mac(2)), (RemoteMac{vtep(1), true}));
  EXPECT_EQ(where(0, mac(2)), (RemoteMac{vtep(1), true}));
  EXPECT_TRUE(chunk(0).ports[0].learned.empty());
}

TEST_F(ManyHosts, WhatWasLearnedGoesWithItsPort) {
  plug(1, 0);
  plug(2, 0);
  plug(3, 1);
  ASSERT_TRUE(cloud.settle());
  learn(0, 1, mac(66));
  ASSERT_TRUE(cloud.settle());
  ASSERT_TRUE(cloud.detach(id(1)));
  ASSERT_TRUE(cloud.settle());
  EXPECT_EQ(where(1, mac(66)), std::nullopt);
  EXPECT_EQ(offered(0), std::set<Uuid>{id(2)});
}

TEST_F(ManyHosts, AnAgedMacIsTakenBack) {
  plug(1, 0);
  plug(2, 1);
  cloud.stop(h(0));
  h(0).mac_ageing = 1s;
  cloud.start(h(0));
  ASSERT_TRUE(cloud.settle());
  learn(0, 1, mac(66));
  ASSERT_TRUE(cloud.settle());
  ASSERT_EQ(where(1, mac(66)), (RemoteMac{vtep(0), false}));
  h(0).kernel.forget(vni(), mac(66));
  ASSERT_TRUE(cloud.until([&] { return !where(1, mac(66)); }));
}

TEST_F(ManyHosts, ARestartedAgentKeepsTheNumbersOfWhatWasLearned) {
  plug(1, 0);
  plug(2, 1);
  ASSERT_TRUE(cloud.settle());
  learn(0, 1, mac(66));
  ASSERT_TRUE(cloud.settle());
  learn(1, 2, mac(66));
  ASSERT_TRUE(cloud.settle());
  const auto before = cloud.node(chunk_path(1, 0))->stat;
  cloud.restart(h(1));
  ASSERT_TRUE(cloud.settle());
  EXPECT_EQ(cloud.node(chunk_path(1, 0))->stat, before) << "nothing was written";
  EXPECT_EQ(where(0, mac(66)), (RemoteMac{vtep(1), false}));
  // And one that moved meanwhile is found to be elsewhere.
  cloud.stop(h(1));
  learn(0, 1, mac(66));
  ASSERT_TRUE(cloud.settle());
  cloud.start(h(1));
  ASSERT_TRUE(cloud.settle());
  EXPECT_EQ(where(1, mac(66)), (RemoteMac{vtep(0), false}));
  EXPECT_TRUE(chunk(1).ports[0].learned.empty());
}

TEST_F(ManyHosts, AGuestThatInventsMacsIsWrittenOfSeldom) {
  plug(1, 0);
  plug(2, 0);
  plug(3, 1);
  ASSERT_TRUE(cloud.settle());
  const int commits = h(0).store->commits();
  const auto reconciles = h(0).agent->reconciles();
  for (int n = 0; n < 120; ++n) {
    learn(0, 1, Mac({2, 1, 0, 0, 0, static_cast<std::uint8_t>(n)}));
    for (int turns = 0; turns < 5; ++turns) cloud.turn();
  }
  EXPECT_LE(h(0).store->commits() - commits, static_cast<int>(Learned::burst) + 3);
  EXPECT_LE(h(0).agent->reconciles() - reconciles, 2u * Learned::burst + 6);
  learn(0, 2, mac(66));
  ASSERT_TRUE(cloud.until([&] { return where(1, mac(66)).has_value(); })) << "another port is not held up";
  ASSERT_TRUE(cloud.until([&] { return where(1, Mac({2, 1, 0, 0, 0, 119})).has_value(); })) << "in the end all is told";
}

}  // namespace
}  // namespace midonet::agent::many_hosts
