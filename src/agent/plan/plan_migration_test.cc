// The plans of both hosts while a guest migrates (ADR 9).
#include "agent/plan/plan_bed.h"

namespace midonet::agent::planning {
namespace {

class PlanningMigration : public Planning {
 protected:
  PlanningMigration() {
    snapshot_.zones[id(800)] = {1, *Ip::parse("192.0.2.1")};
    netlink::Link underlay = tap(100);
    underlay.name = "eth0";
    links_.put(underlay);
    links_.add_address(underlay.ifindex, *Ip::parse("192.0.2.1"));
    links_.put(tap(1));
    snapshot_.bridges[id(900)].peers_known = Known::complete;
  }
  // Another host offers port 1, with mac(1).
  void offer(store::Revision revision, bool standby) {
    model::OfferedPort port;
    port.port_id = id(1);
    port.revision = revision;
    port.standby = standby;
    port.macs = {mac(1)};
    auto peer = std::make_shared<Peer>();
    peer->record = std::make_shared<model::BridgeHost>(model::BridgeHost{*Ip::parse("192.0.2.2"), {}, {0}});
    peer->chunks[0].offers = std::make_shared<model::OfferChunk>(model::OfferChunk{{port}});
    snapshot_.bridges[id(900)].peers =
        std::make_shared<const Peers>(std::map<Uuid, std::shared_ptr<const Peer>>{{id(77), peer}});
  }
  // Port 1 was taken over from here by host 77, whose binding has revision 200.
  LingeringPort& linger() {
    port(1).taken_from = model::TakenFrom{here, "tap1"};
    change(snapshot_.ports.at(id(1)), [](model::Port& record) {
      record.host_id = id(77);
      record.interface_name = "far";
      record.mac_address = mac(1);
    });
    LingeringPort& out = snapshot_.lingering[id(1)];
    static_cast<BoundPort&>(out) = snapshot_.ports.at(id(1));
    out.bridge = id(900);
    snapshot_.ports.clear();
    return out;
  }
  // And now it is here, bound to tap1 with revision 101, and came from host 77.
  BoundPort& arrive() {
    BoundPort& out = port(1);
    out.taken_from = model::TakenFrom{id(77), "far"};
    change(out, [](model::Port& record) { record.mac_address = mac(1); });
    return out;
  }
  const datapath::BridgeSpec& spec() { return plan_.desired.bridges.begin()->second; }
  std::string over() { return plan_.over.contains(id(1)) ? plan_.over.at(id(1)) : ""; }
};

TEST_F(PlanningMigration, APortThatWasTakenOverStaysAsItWasWhileItsGuestIsNotHeardElsewhere) {
  linger();
  offer(200, true);
  plan();
  ASSERT_TRUE(desired(1));
  EXPECT_EQ(plan_.desired.ports.at(id(1)).mac, mac(1));
  EXPECT_TRUE(spec().remote_macs.empty());
  EXPECT_TRUE(plan_.ports.empty()) << "it has no status";
  ASSERT_EQ(plan_.lingering.size(), 1u);
  EXPECT_EQ(plan_.lingering[0].taken_by, id(77));
  EXPECT_EQ(plan_.lingering[0].revision, 101);
  EXPECT_EQ(plan_.lingering[0].ifindex, 11u);
  EXPECT_EQ(over(), "");
}

TEST_F(PlanningMigration, ItStaysFromBothSidesOfTheCommitThatTakesItOver) {
  linger().doubtful = true;  // the binding is gone, the record still says that it is here
  change(snapshot_.lingering.at(id(1)), [](model::Port& record) { record.host_id = here; });
  plan();
  EXPECT_TRUE(desired(1));
  EXPECT_TRUE(plan_.lingering[0].doubtful);
  EXPECT_FALSE(plan_.lingering[0].taken_by);

  snapshot_.lingering.clear();
  arrive().taken_from = model::TakenFrom{here, "tap1"};  // and the other way round
  change(snapshot_.ports.at(id(1)), [](model::Port& record) { record.host_id = id(77); });
  plan();
  EXPECT_TRUE(desired(1));
  EXPECT_TRUE(of(1).doubtful);
  EXPECT_EQ(plan_.desired.ports.at(id(1)).mac, mac(1));
}

TEST_F(PlanningMigration, ItGoesWhenItsGuestIsSeenToHaveGone) {
  linger();
  offer(200, false);
  plan();
  EXPECT_EQ(over(), "its guest was heard on another host");
  EXPECT_FALSE(desired(1));
  offer(100, false);
  plan();
  EXPECT_EQ(over(), "") << "the older offer of a host that is dead says nothing";
  EXPECT_TRUE(desired(1));
  netlink::Link down = tap(1);
  down.carrier = false;
  links_.put(down);
  plan();
  EXPECT_EQ(over(), "tap1 has no link any more");
  links_.put(tap(1));
  BoundPort& other = port(2);
  other.interface = "tap1";
  change(other, [](model::Port& record) { record.interface_name = "tap1"; });
  plan();
  EXPECT_EQ(over(), fmt::format("tap1 carries port {}", id(2)));
  EXPECT_TRUE(desired(2));
  snapshot_.ports.clear();
  snapshot_.zones.clear();
  plan();
  EXPECT_EQ(over(), "the host is in no tunnel zone");
}

TEST_F(PlanningMigration, APortWhoseGuestIsElsewhereIsPluggedWithoutItsMac) {
  const store::Revision revision = arrive().revision;
  offer(50, false);
  plan();
  ASSERT_TRUE(desired(1));
  EXPECT_TRUE(of(1).standby);
  EXPECT_FALSE(of(1).undecided);
  EXPECT_EQ(of(1).state, PortState::active);
  EXPECT_FALSE(plan_.desired.ports.at(id(1)).mac);
  EXPECT_EQ(spec().remote_macs, (std::map<Mac, datapath::RemoteMac>{{mac(1), {*Ip::parse("192.0.2.2"), false}}}));

  plan_ = make_plan(snapshot_, links_, {}, {}, {{id(1), revision - 1}});
  EXPECT_TRUE(of(1).standby) << "heard at an earlier binding";
  plan_ = make_plan(snapshot_, links_, {}, {}, {{id(1), revision}});
  EXPECT_FALSE(of(1).standby);
  EXPECT_EQ(plan_.desired.ports.at(id(1)).mac, mac(1));
  EXPECT_TRUE(spec().remote_macs.empty());
}

TEST_F(PlanningMigration, NobodyElseIsWaitedFor) {
  arrive();
  snapshot_.bridges[id(900)].peers_known = Known::partial;
  plan();
  EXPECT_TRUE(of(1).undecided) << "it may be that the guest is elsewhere";
  EXPECT_FALSE(plan_.desired.ports.at(id(1)).mac);
  snapshot_.bridges[id(900)].peers_known = Known::complete;
  plan();
  EXPECT_FALSE(of(1).standby) << "no host offers it";
  offer(50, true);
  plan();
  EXPECT_FALSE(of(1).standby) << "nor does the other host that waits for it";
  offer(50, false);
  snapshot_.ports.at(id(1)).taken_from.reset();
  plan();
  EXPECT_FALSE(of(1).standby) << "it was not taken over: the host that still offers it is late";
  EXPECT_EQ(plan_.desired.ports.at(id(1)).mac, mac(1));
}

}  // namespace
}  // namespace midonet::agent::planning
