// What a host offers to others when commits about it fail, and other processes write meanwhile.
#include "agent/many_hosts_bed.h"
#include "topology/ports.h"

namespace midonet::agent::many_hosts {
namespace {

class OffersTest : public ManyHosts {
 protected:
  void refuse_offers(Error error = {Code::conflict, "another wrote"}) { h(0).store->refuse_paths("/0", error); }
  // Port 1 is plugged at host 0, which cannot offer it, and then bound at host 1.
  void take_over_before_the_offer() {
    refuse_offers();
    plug(1, 0);
    ASSERT_TRUE(cloud.until([&] { return h(0).kernel.plugged().ports.contains(id(1)); }));
    plug(1, 1);
    ASSERT_TRUE(cloud.until([&] { return h(0).agent->lingering().size() == 1; }));
  }
  void take_offers() { h(0).store->refuse_paths("", {}); }
};

TEST_F(OffersTest, AHostThatLeftItsZoneWhileACommitWasRefusedOffersNothing) {
  plug(1, 0);
  ASSERT_TRUE(cloud.settle());
  ASSERT_EQ(offered(0), std::set<Uuid>{id(1)});
  refuse_offers();
  const int before = h(0).store->commits();
  cloud.leave(h(0), zone);
  ASSERT_TRUE(cloud.until([&] { return h(0).store->commits() > before; }));
  take_offers();
  EXPECT_TRUE(cloud.settle());
  EXPECT_FALSE(offered_host(0));
  EXPECT_TRUE(offered(0).empty());
}

// The binding's commit reads where the host is reached a moment before the agent takes that back.
TEST_F(OffersTest, ARecordThatABindingMakesForAHostThatLeavesItsZoneGoes) {
  h(0).links.add("tap1");
  h(0).store->cut();
  cloud.leave(h(0), zone);
  ASSERT_TRUE(cloud.take(id(1), h(0), "tap1"));
  ASSERT_TRUE(offered_host(0));
  h(0).store->restore(false);
  EXPECT_TRUE(cloud.settle());
  EXPECT_FALSE(offered_host(0));
  EXPECT_EQ(cloud.status(h(0), id(1))->state, PortState::active);
}

// While an agent reads what stands, in each of its turns, another port of the bridge is unbound; that takes back the record and
// the index which the bindings made.
TEST_F(OffersTest, WhatIsOfferedIsFoundByTheIndex) {
  for (const int port : {20, 21}) {
    ASSERT_TRUE(cloud.create_port(id(port), net2, mac(port)));
    h(0).links.add(fmt::format("tap{}", port));
  }
  for (int delay = 0; delay < 8; ++delay) {
    cloud.stop(h(0));
    ASSERT_TRUE(cloud.take(id(20), h(0), "tap20"));
    ASSERT_TRUE(cloud.take(id(21), h(0), "tap21"));
    cloud.start(h(0));
    for (int turn = 0; turn < delay; ++turn) cloud.turn();
    ASSERT_TRUE(cloud.detach(id(21)));
    ASSERT_TRUE(cloud.settle()) << delay;
    EXPECT_TRUE(offered_host(0, net2)) << delay;
    EXPECT_TRUE(cloud.node(paths::served_bridge(h(0).id, net2))) << delay;
    ASSERT_TRUE(cloud.detach(id(20)));
    ASSERT_TRUE(cloud.settle()) << delay;
  }
}

// In each turn in which the agent takes back what it offered, another port is bound whose interface is not there. The binding's
// commit may make the host's record while the agent reads the list of the bridge's hosts: the list is the same before and after.
TEST_F(OffersTest, ARecordThatABindingMakesWhileTheLastOfferGoesIsTakenBack) {
  for (int delay = 0; delay < 12; ++delay) {
    plug(1, 0);
    ASSERT_TRUE(cloud.settle());
    ASSERT_TRUE(cloud.detach(id(1)));
    for (int turn = 0; turn < delay; ++turn) cloud.turn();
    ASSERT_TRUE(cloud.take(id(2), h(0), "tap9"));
    ASSERT_TRUE(cloud.settle()) << delay;
    EXPECT_FALSE(offered_host(0)) << delay;
    EXPECT_FALSE(cloud.node(paths::served_bridge(h(0).id, net))) << delay;
    ASSERT_TRUE(cloud.detach(id(2)));
    ASSERT_TRUE(cloud.settle()) << delay;
  }
}

// Its guest runs here until it is heard elsewhere, and others have to find it.
TEST_F(OffersTest, APortThatIsTakenOverBeforeItIsOfferedIsOffered) {
  cloud.stop(h(1));
  take_over_before_the_offer();
  take_offers();
  ASSERT_TRUE(cloud.settle());
  EXPECT_EQ(offered(0), std::set<Uuid>{id(1)});
  cloud.start(h(1));
  plug(2, 2);
  ASSERT_TRUE(cloud.settle());
  EXPECT_TRUE(chunk(1).ports.at(0).standby);
  EXPECT_EQ(where(2, mac(1)), (RemoteMac{vtep(0), true}));
}

// The other host does not wait for an offer that is not there: then the guest counts as being there, and leaves here.
TEST_F(OffersTest, APortThatIsTakenOverBeforeItIsOfferedIsAtOneHost) {
  take_over_before_the_offer();
  take_offers();
  ASSERT_TRUE(cloud.settle());
  EXPECT_EQ(offered(1), std::set<Uuid>{id(1)});
  EXPECT_EQ(chunk(1).ports.at(0).standby, offered(0).contains(id(1)));
  EXPECT_EQ(h(0).kernel.plugged().ports.contains(id(1)), offered(0).contains(id(1)));
}

TEST_F(OffersTest, APortThatIsDeletedAfterItWasTakenOverIsOfferedByNoHost) {
  take_over_before_the_offer();
  ASSERT_TRUE(cloud.verb([](store::Transaction& t) { return topology::delete_port(t, id(1)); }));
  take_offers();
  EXPECT_TRUE(cloud.settle());
  EXPECT_FALSE(offered_host(0));
  EXPECT_FALSE(offered_host(1));
}

}  // namespace
}  // namespace midonet::agent::many_hosts
