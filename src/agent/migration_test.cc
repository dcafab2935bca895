// A guest that migrates between hosts, as the agents of all of them see it: its port is bound at the destination before it
// runs there (contract: plug, mm-ctl).
#include "agent/many_hosts_bed.h"
#include "topology/attach.h"
#include "topology/ports.h"

namespace midonet::agent::many_hosts {
namespace {

constexpr std::size_t source = 0, destination = 1, third = 2;

// Port 1 is at the source, with other guests at each host; its guest is mac(1).
class Migration : public ManyHosts {
 protected:
  void SetUp() override {
    plug(1, source);
    plug(2, source);
    plug(3, destination);
    plug(4, third);
    ASSERT_TRUE(cloud.settle());
    first_ = cloud.binding_revision(h(source), id(1));
  }
  void take_over(std::size_t at = destination) {
    plug(1, at);
    ASSERT_TRUE(cloud.settle());
  }
  void speak(std::size_t at = destination) {
    learn(at, 1, mac(1));
    ASSERT_TRUE(cloud.settle());
  }
  // What mm-ctl --unbind-port does on that host.
  void unbind(std::size_t at) {
    ASSERT_TRUE(cloud.verb([host = h(at).id](store::Transaction& t) -> Status {
      const auto detached = topology::detach(t, id(1), host);
      if (!detached) return failed(detached);
      return {};
    }));
    ASSERT_TRUE(cloud.settle());
  }
  void restart(std::size_t at) {
    cloud.restart(h(at));
    ASSERT_TRUE(cloud.settle());
  }

  bool plugged(std::size_t at) { return h(at).kernel.plugged().ports.contains(id(1)); }
  // Whether frames for the guest that are on this host already go to its tap here.
  bool has_mac(std::size_t at) { return plugged(at) && h(at).kernel.plugged().ports.at(id(1)).mac == mac(1); }
  std::optional<model::OfferedPort> offer(std::size_t at) {
    for (const std::string& name : cloud.children(paths::bridge_host(net, h(at).id)))
      for (const auto& port : chunk(at, std::stoi(name)).ports)
        if (port.port_id == id(1)) return port;
    return {};
  }
  model::Port record() { return *model::decode<model::Port>(cloud.node(paths::port(id(1)))->value); }
  std::optional<model::TakenFrom> taken_from() {
    return model::decode<model::Port>(cloud.node(paths::port(id(1)))->value)->taken_from();
  }

  void guest_is_at_the_source() {
    EXPECT_TRUE(has_mac(source));
    EXPECT_EQ(where(destination, mac(1)), (RemoteMac{vtep(source), false})) << "not configured: heard here, it is here";
    EXPECT_EQ(where(third, mac(1)), (RemoteMac{vtep(source), true}));
    EXPECT_EQ(where(source, mac(1)), std::nullopt);
    EXPECT_TRUE(plugged(destination));
    EXPECT_FALSE(has_mac(destination));
    ASSERT_TRUE(offer(source));
    EXPECT_EQ(offer(source)->revision, first_);
    EXPECT_FALSE(offer(source)->standby);
    ASSERT_TRUE(offer(destination));
    EXPECT_TRUE(offer(destination)->standby);
    EXPECT_EQ(cloud.status(h(destination), id(1))->state, PortState::active);
    EXPECT_FALSE(cloud.status(h(source), id(1))) << "its status is that of where it is bound";
    EXPECT_EQ(h(source).agent->lingering().size(), 1u);
  }
  void guest_is_at_the_destination() {
    EXPECT_FALSE(plugged(source));
    EXPECT_FALSE(offer(source));
    EXPECT_TRUE(has_mac(destination));
    EXPECT_EQ(where(destination, mac(1)), std::nullopt);
    EXPECT_EQ(where(source, mac(1)), (RemoteMac{vtep(destination), true}));
    EXPECT_EQ(where(third, mac(1)), (RemoteMac{vtep(destination), true}));
    ASSERT_TRUE(offer(destination));
    EXPECT_FALSE(offer(destination)->standby);
    EXPECT_EQ(cloud.status(h(destination), id(1))->state, PortState::active);
    EXPECT_EQ(cloud.status(h(destination), id(1))->reason, "");
    EXPECT_TRUE(h(source).agent == nullptr || h(source).agent->lingering().empty());
  }

  store::Revision first_ = 0;
};

TEST_F(Migration, TheGuestKeepsItsNetworkUntilItIsHeardAtTheDestination) {
  take_over();
  guest_is_at_the_source();
  EXPECT_EQ(taken_from(), (model::TakenFrom{h(source).id, "tap1"}));
  EXPECT_EQ(h(destination).agent->standby(), (std::map<Uuid, Uuid>{{id(1), h(source).id}}));
  const auto status = cloud.node(paths::status(h(destination).id, id(1)))->stat;
  speak();
  guest_is_at_the_destination();
  EXPECT_TRUE(h(destination).agent->standby().empty());
  EXPECT_EQ(cloud.node(paths::status(h(destination).id, id(1)))->stat, status)
      << "no listener is told a second time that the port is active";
  unbind(source);
  guest_is_at_the_destination();
  EXPECT_EQ(record().host_id, h(destination).id);
}

TEST_F(Migration, TheSourceIsNotTouchedByTheTakeOver) {
  const auto touched = h(source).kernel.touched().size();
  const auto chunk_before = cloud.node(chunk_path(source, 0))->stat;
  take_over();
  EXPECT_EQ(h(source).kernel.touched().size(), touched);
  EXPECT_EQ(cloud.node(chunk_path(source, 0))->stat, chunk_before);
}

TEST_F(Migration, ADestinationThatDidNotServeTheBridgeOffersNothingBeforeItHasReadWhatOthersOffer) {
  ASSERT_TRUE(cloud.detach(id(3)));
  ASSERT_TRUE(cloud.settle());
  ASSERT_FALSE(offered_host(destination));
  plug(1, destination);
  // In every turn until all is settled: the source has it.
  for (int turns = 0; turns < 200; ++turns) {
    cloud.turn();
    ASSERT_TRUE(has_mac(source));
    ASSERT_EQ(where(third, mac(1)), (RemoteMac{vtep(source), true}));
    ASSERT_FALSE(has_mac(destination));
  }
  ASSERT_TRUE(cloud.settle());
  guest_is_at_the_source();
  speak();
  guest_is_at_the_destination();
}

TEST_F(Migration, APortThatWasNotTakenOverIsOfferedWithoutWaitingForAnybody) {
  plug(5, destination);
  ASSERT_TRUE(cloud.settle());
  for (const auto& port : chunk(destination).ports) EXPECT_FALSE(port.standby);
  EXPECT_EQ(cloud.status(h(destination), id(5))->reason, "");
}

TEST_F(Migration, AnyFrameOfTheGuestWakesTheDestination) {
  take_over();
  learn(destination, 1, mac(66));
  ASSERT_TRUE(cloud.settle());
  guest_is_at_the_destination();
}

TEST_F(Migration, ARestartOfTheSourceInTheMiddleChangesNothing) {
  take_over();
  const auto touched = h(source).kernel.touched().size();
  restart(source);
  guest_is_at_the_source();
  EXPECT_EQ(h(source).kernel.touched().size(), touched) << "no frame is lost";
  cloud.stop(h(source));
  speak();
  EXPECT_EQ(where(third, mac(1)), (RemoteMac{vtep(destination), true}));
  cloud.start(h(source));
  ASSERT_TRUE(cloud.settle());
  guest_is_at_the_destination();
}

TEST_F(Migration, ARestartOfTheDestinationInTheMiddleChangesNothing) {
  take_over();
  restart(destination);
  guest_is_at_the_source();
  speak();
  const auto written = cloud.node(chunk_path(destination, 0))->stat;
  restart(destination);
  guest_is_at_the_destination();
  EXPECT_EQ(cloud.node(chunk_path(destination, 0))->stat, written);
}

TEST_F(Migration, AGuestThatSpokeWhileTheAgentWasAwayIsFoundByTheNextOne) {
  take_over();
  cloud.stop(h(destination));
  h(destination).kernel.learn({.vni = vni(), .mac = mac(1), .port = id(1)});
  cloud.start(h(destination));
  ASSERT_TRUE(cloud.settle());
  guest_is_at_the_destination();
}

TEST_F(Migration, AGuestThatWasHeardIsNotForgottenWhenItsAddressAges) {
  cloud.stop(h(source));
  take_over();
  speak();
  EXPECT_FALSE(offer(destination)->standby);
  h(destination).links.tell();
  ASSERT_TRUE(cloud.settle());
  EXPECT_TRUE(has_mac(destination));
  h(destination).store->cut();
  h(destination).store->restore(true);
  ASSERT_TRUE(cloud.settle());
  EXPECT_TRUE(has_mac(destination));
  EXPECT_FALSE(offer(destination)->standby) << "though the dead host still offers it";
  EXPECT_TRUE(offer(source));
}

TEST_F(Migration, ASourceWithoutAnAgentGoesOnUntilTheGuestIsHeardElsewhere) {
  cloud.stop(h(source));
  take_over();
  EXPECT_EQ(where(third, mac(1)), (RemoteMac{vtep(source), true}));
  EXPECT_EQ(where(destination, mac(1)), (RemoteMac{vtep(source), false}));
  speak();
  EXPECT_EQ(where(third, mac(1)), (RemoteMac{vtep(destination), true}));
  EXPECT_TRUE(has_mac(destination));
  cloud.start(h(source));
  ASSERT_TRUE(cloud.settle());
  guest_is_at_the_destination();
}

TEST_F(Migration, ASourceWhoseTapIsGoneOrHasNoLinkGivesUpAndTheDestinationHasIt) {
  take_over();
  h(source).links.change("tap1", [](netlink::Link& link) { link.carrier = false; });
  ASSERT_TRUE(cloud.settle());
  guest_is_at_the_destination();
  h(source).links.change("tap1", [](netlink::Link& link) { link.carrier = true; });
  ASSERT_TRUE(cloud.settle());
  guest_is_at_the_destination();
}

TEST_F(Migration, APortThatIsUnboundDeletedOrTakenOverWithoutALinkLeavesTheSourceAtOnce) {
  take_over();
  ASSERT_TRUE(cloud.detach(id(1)));
  ASSERT_TRUE(cloud.settle());
  EXPECT_FALSE(plugged(source));
  EXPECT_FALSE(offer(source));
  EXPECT_FALSE(record().host_id);
  EXPECT_FALSE(taken_from());

  plug(5, source);
  ASSERT_TRUE(cloud.settle());
  ASSERT_TRUE(cloud.take(id(5), h(destination), "tap5"));
  ASSERT_TRUE(cloud.settle());
  EXPECT_TRUE(h(source).kernel.plugged().ports.contains(id(5)));
  ASSERT_TRUE(cloud.verb([](store::Transaction& t) { return topology::delete_port(t, id(5)); }));
  ASSERT_TRUE(cloud.settle());
  EXPECT_FALSE(h(source).kernel.plugged().ports.contains(id(5)));

  plug(6, source);
  h(source).links.change("tap6", [](netlink::Link& link) { link.carrier = false; });
  ASSERT_TRUE(cloud.settle());
  plug(6, destination);
  ASSERT_TRUE(cloud.settle());
  EXPECT_FALSE(h(source).kernel.plugged().ports.contains(id(6)));
  EXPECT_EQ(where(third, mac(6)), (RemoteMac{vtep(destination), true}));
}

TEST_F(Migration, AnotherPortAtTheSourcesInterfaceEndsIt) {
  take_over();
  ASSERT_TRUE(cloud.take(id(5), h(source), "tap1"));
  ASSERT_TRUE(cloud.settle());
  guest_is_at_the_destination();
  EXPECT_EQ(cloud.status(h(source), id(5))->state, PortState::active);
}

TEST_F(Migration, AnUnbindAtTheDestinationGivesThePortBackToItsGuest) {
  take_over();
  unbind(destination);
  EXPECT_EQ(record().host_id, h(source).id);
  EXPECT_EQ(record().interface_name, "tap1");
  EXPECT_FALSE(taken_from());
  EXPECT_TRUE(has_mac(source));
  EXPECT_FALSE(plugged(destination));
  EXPECT_FALSE(offer(destination));
  EXPECT_EQ(where(third, mac(1)), (RemoteMac{vtep(source), true}));
  EXPECT_EQ(where(destination, mac(1)), (RemoteMac{vtep(source), true}));
  EXPECT_EQ(cloud.status(h(source), id(1))->state, PortState::active);
  EXPECT_GT(offer(source)->revision, first_);
  EXPECT_TRUE(h(source).agent->lingering().empty());
  // And it is bound here as it was before: an unbind here unbinds it, another take-over begins again.
  take_over();
  EXPECT_TRUE(offer(destination)->standby);
  EXPECT_TRUE(has_mac(source));
  speak();
  guest_is_at_the_destination();
}

TEST_F(Migration, AnUnbindAtTheDestinationBeforeItsTapCameGivesThePortBackToo) {
  ASSERT_TRUE(cloud.take(id(1), h(destination), "tap1"));
  ASSERT_TRUE(cloud.settle());
  EXPECT_FALSE(offer(destination));
  EXPECT_TRUE(has_mac(source));
  EXPECT_TRUE(where(destination, mac(1))) << "guests there need not flood what is for it";
  EXPECT_EQ(cloud.status(h(destination), id(1))->state, PortState::pending_interface);
  unbind(destination);
  EXPECT_EQ(record().host_id, h(source).id);
  EXPECT_TRUE(has_mac(source));
}

TEST_F(Migration, AnUnbindOfAMigratedPortUnbindsIt) {
  take_over();
  speak();
  unbind(destination);
  EXPECT_FALSE(record().host_id);
  EXPECT_FALSE(plugged(destination));
  EXPECT_FALSE(plugged(source));
}

TEST_F(Migration, AnUnbindOfAMigratedPortUnbindsItAlsoWhenTheSourceIsDead) {
  cloud.stop(h(source));
  take_over();
  speak();
  ASSERT_TRUE(offer(source));
  unbind(destination);
  EXPECT_FALSE(record().host_id);
}

TEST_F(Migration, AnUnbindDoesNotGiveAPortBackToAnInterfaceThatCarriesAnother) {
  cloud.stop(h(source));  // so that it does not withdraw its offer
  take_over();
  ASSERT_TRUE(cloud.take(id(5), h(source), "tap1"));
  unbind(destination);
  EXPECT_FALSE(record().host_id);
}

TEST_F(Migration, ASecondDestinationTakesOverFromWhereTheGuestIs) {
  take_over();
  take_over(third);
  EXPECT_EQ(taken_from(), (model::TakenFrom{h(source).id, "tap1"}));
  EXPECT_TRUE(has_mac(source));
  EXPECT_FALSE(plugged(destination));
  EXPECT_TRUE(offer(third)->standby);
  EXPECT_EQ(where(third, mac(1)), (RemoteMac{vtep(source), false}));
  EXPECT_EQ(where(destination, mac(1)), (RemoteMac{vtep(source), true}));
  speak(third);
  EXPECT_FALSE(plugged(source));
  EXPECT_TRUE(has_mac(third));
  EXPECT_EQ(where(destination, mac(1)), (RemoteMac{vtep(third), true}));
}

TEST_F(Migration, AndBackAgain) {
  take_over();
  speak();
  take_over(source);
  EXPECT_TRUE(has_mac(destination));
  EXPECT_TRUE(offer(source)->standby);
  EXPECT_EQ(where(third, mac(1)), (RemoteMac{vtep(destination), true}));
  EXPECT_EQ(where(source, mac(1)), (RemoteMac{vtep(destination), false}));
  speak(source);
  EXPECT_TRUE(has_mac(source));
  EXPECT_FALSE(plugged(destination));
  EXPECT_EQ(where(third, mac(1)), (RemoteMac{vtep(source), true}));
}

TEST_F(Migration, ABindAtTheSourceWhileItsGuestIsThereEndsTheTakeOver) {
  take_over();
  take_over(source);
  EXPECT_TRUE(has_mac(source));
  EXPECT_FALSE(taken_from());
  EXPECT_FALSE(offer(source)->standby);
  EXPECT_FALSE(plugged(destination));
  EXPECT_EQ(where(third, mac(1)), (RemoteMac{vtep(source), true}));
}

TEST_F(Migration, WhatWasLearnedAtTheSourceStaysThereUntilTheGuestIsHeardElsewhere) {
  learn(source, 1, mac(66));
  ASSERT_TRUE(cloud.settle());
  take_over();
  EXPECT_EQ(where(third, mac(66)), (RemoteMac{vtep(source), false}));
  EXPECT_EQ(where(destination, mac(66)), (RemoteMac{vtep(source), false}));
  learn(destination, 1, mac(66));
  ASSERT_TRUE(cloud.settle());
  EXPECT_EQ(where(third, mac(66)), (RemoteMac{vtep(destination), false}));
  guest_is_at_the_destination();
}

TEST_F(Migration, ASourceThatIsCutOffKeepsThePortUntilItHearsOfTheGuestElsewhere) {
  h(source).store->cut();
  plug(1, destination);
  ASSERT_TRUE(cloud.until([&] { return offer(destination).has_value(); }));
  EXPECT_TRUE(offer(destination)->standby);
  learn(destination, 1, mac(1));
  ASSERT_TRUE(cloud.until([&] { return where(third, mac(1)) == RemoteMac{vtep(destination), true}; }));
  EXPECT_TRUE(plugged(source));
  h(source).store->restore(true);
  ASSERT_TRUE(cloud.settle());
  guest_is_at_the_destination();
}

TEST_F(Migration, AfterItTheSourceFollowsThePortNoMore) {
  const auto followed = h(source).agent->followed();
  take_over();
  EXPECT_EQ(h(source).agent->followed(), followed - 1) << "the binding";
  speak();
  plug(5, source);  // whatever makes it look again
  ASSERT_TRUE(cloud.settle());
  EXPECT_EQ(h(source).agent->followed(), followed)
      << "without the binding and the port that went, with those that came";
}

}  // namespace
}  // namespace midonet::agent::many_hosts
