#include "agent/plan/plan_bed.h"

namespace midonet::agent::planning {
namespace {

TEST_F(Planning, ABoundPortWhoseInterfaceIsUpIsDesired) {
  BoundPort& bound = port(1);
  change(bound, [](model::Port& record) { record.mac_address = mac(1); });
  links_.put(tap(1));
  plan();
  EXPECT_EQ(of(1).state, PortState::active);
  EXPECT_EQ(of(1).reason, "");
  EXPECT_EQ(of(1).revision, 101);
  EXPECT_EQ(of(1).ifindex, 11u);
  const datapath::PortSpec& spec = plan_.desired.ports.at(id(1));
  EXPECT_EQ(spec.ifindex, 11u);
  EXPECT_EQ(spec.vni.number(), 900u);
  EXPECT_EQ(spec.mac, mac(1));
  EXPECT_TRUE(spec.admin_up);
  ASSERT_EQ(plan_.desired.bridges.size(), 1u);
  EXPECT_TRUE(plan_.desired.bridges.begin()->second.admin_up);
}

TEST_F(Planning, APortWithoutInterfaceIsPendingAndNotDesired) {
  port(1);
  plan();
  EXPECT_EQ(of(1).state, PortState::pending_interface);
  EXPECT_EQ(of(1).ifindex, 0u);
  EXPECT_FALSE(desired(1));
  EXPECT_TRUE(plan_.desired.bridges.empty());
}

TEST_F(Planning, AnInterfaceWithoutLinkIsDownAndPlugged) {
  port(1);
  port(2);
  netlink::Link down = tap(1);
  down.up = false;
  links_.put(down);
  netlink::Link unplugged = tap(2);
  unplugged.carrier = false;
  links_.put(unplugged);
  plan();
  EXPECT_EQ(of(1).state, PortState::down);
  EXPECT_EQ(of(2).state, PortState::down);
  EXPECT_TRUE(desired(1));
  EXPECT_TRUE(desired(2));
}

TEST_F(Planning, AnInterfaceThatAnotherSwitchHasIsAnErrorThatNamesIt) {
  for (int n = 1; n <= 4; ++n) port(n);
  netlink::Link br = tap(50), ovs = tap(51), bond = tap(52);
  br.name = "br0", br.kind = "bridge";
  ovs.name = "ovs-system", ovs.kind = "openvswitch";
  bond.name = "bond0", bond.kind = "bond";
  for (const netlink::Link& master : {br, ovs, bond}) links_.put(master);
  netlink::Link member = tap(1);
  member.master = br.ifindex, member.master_kind = "bridge";
  links_.put(member);
  member = tap(2);
  member.master = ovs.ifindex;  // without master_kind: the master's own kind tells
  links_.put(member);
  member = tap(3);
  member.master = bond.ifindex, member.master_kind = "bond";
  links_.put(member);
  member = tap(4);
  member.master = 4711;  // in another namespace
  links_.put(member);
  plan();
  EXPECT_EQ(of(1).reason, "tap1 is a member of Linux bridge br0");
  EXPECT_EQ(of(2).reason, "tap2 is a member of Open vSwitch datapath ovs-system");
  EXPECT_EQ(of(3).reason, "tap3 is a member of bond bond0");
  EXPECT_EQ(of(4).reason, "tap4 is a member of interface with ifindex 4711");
  for (int n = 1; n <= 4; ++n) {
    EXPECT_EQ(of(n).state, PortState::error) << n;
    EXPECT_FALSE(of(n).doubtful) << n;
    EXPECT_FALSE(desired(n)) << n;
  }
}

TEST_F(Planning, WhatIsNoEthernetInterfaceIsRefused) {
  BoundPort& lo = port(1);
  lo.interface = "lo";
  change(lo, [](model::Port& record) { record.interface_name = "lo"; });
  port(2);
  netlink::Link loopback = tap(1);
  loopback.name = "lo", loopback.loopback = true, loopback.hardware_type = ARPHRD_LOOPBACK;
  links_.put(loopback);
  netlink::Link tun = tap(2);
  tun.hardware_type = ARPHRD_NONE;
  links_.put(tun);
  plan();
  EXPECT_EQ(of(1).reason, "lo is the loopback interface");
  EXPECT_EQ(of(2).reason, "tap2 is not an Ethernet interface");
  EXPECT_TRUE(plan_.desired.ports.empty());
}

TEST_F(Planning, ASecuredPortSaysWhatIsNotEnforced) {
  change(port(1), [](model::Port& record) {
    record.port_security = true;
    record.mac_address = mac(1);
    record.security_group_ids = {id(7)};
  });
  change(port(2), [](model::Port& record) { record.security_group_ids = {id(7)}; });
  change(port(3), [](model::Port& record) {
    record.port_security = true;
    record.mac_address.reset();
  });
  for (int n = 1; n <= 3; ++n) links_.put(tap(n));
  plan();
  EXPECT_EQ(of(1).state, PortState::active);
  EXPECT_EQ(of(1).caveat,
            "its security groups are not enforced yet: what comes from its own addresses is not filtered");
  EXPECT_TRUE(plan_.desired.ports.at(id(1)).guard);
  EXPECT_EQ(of(2).caveat, "") << "it was not asked for";
  EXPECT_FALSE(plan_.desired.ports.at(id(2)).guard);
  EXPECT_EQ(of(3).caveat, "portSecurityEnabled without macAddress: its guest can send from allowedAddressPairs alone");
}

TEST_F(Planning, OfTwoBindingsOnOneInterfaceTheLaterGetsAnErrorThatNamesTheHolder) {
  BoundPort& first = port(1);
  first.revision = 300;
  BoundPort& second = port(2);
  second.revision = 200;
  second.interface = "tap1";
  change(second, [](model::Port& record) { record.interface_name = "tap1"; });
  links_.put(tap(1));
  plan();
  EXPECT_EQ(of(2).state, PortState::active) << "it was bound before";
  EXPECT_EQ(of(1).state, PortState::error);
  EXPECT_EQ(of(1).reason, fmt::format("tap1 carries port {}, which was bound before", id(2)));
  EXPECT_TRUE(of(1).doubtful) << "one commit may have been read from both sides";
  EXPECT_EQ(plan_.desired.ports.size(), 1u);
}

TEST_F(Planning, RecordsThatContradictTheBindingAreDoubtfulErrors) {
  change(port(1), [](model::Port& record) { record.host_id.reset(); });
  change(port(2), [](model::Port& record) { record.host_id = id(77); });
  change(port(3), [](model::Port& record) { record.interface_name = "other"; });
  port(4).port = nullptr;
  port(5, 901);
  snapshot_.bridges[id(901)].known = true;  // looked up, and absent
  for (int n = 1; n <= 5; ++n) links_.put(tap(n));
  plan();
  for (int n = 1; n <= 5; ++n) {
    EXPECT_EQ(of(n).state, PortState::error) << n;
    EXPECT_TRUE(of(n).doubtful) << n;
    EXPECT_FALSE(desired(n)) << n;
  }
  EXPECT_NE(of(2).reason.find(id(77).to_string()), std::string::npos);
  EXPECT_EQ(of(4).reason, fmt::format("there is no Port with ID {}", id(4)));
  EXPECT_EQ(of(5).reason, fmt::format("there is no Bridge with ID {}", id(901)));
}

TEST_F(Planning, ADamagedRecordHarmsItsOwnPortsOnly) {
  BoundPort& first = port(1);
  first.damage = "damaged HostInterfacePort record: it is not a JSON object";
  first.interface.clear();
  BoundPort& second = port(2);
  second.port = nullptr;
  second.port_damage = "damaged Port record: 'bridgeId' must be a UUID";
  port(3, 901);
  ServedBridge& bad = snapshot_.bridges[id(901)];
  bad.known = true;
  bad.damage = "damaged Bridge record: it is not a JSON object";
  port(4, 902);
  bridge(902).record->vni.reset();
  port(5);
  for (int n = 1; n <= 5; ++n) links_.put(tap(n));
  plan();
  for (int n = 1; n <= 4; ++n) {
    EXPECT_EQ(of(n).state, PortState::error) << n;
    EXPECT_FALSE(of(n).doubtful) << n;
    EXPECT_NE(of(n).reason, "") << n;
  }
  EXPECT_EQ(of(5).state, PortState::active);
  EXPECT_EQ(plan_.desired.ports.size(), 1u);
}

TEST_F(Planning, TwoBridgesWithOneVniAreNotJoined) {
  bridge(901).record->vni = *Vni::from(900);
  port(1, 901);
  port(2, 900);
  links_.put(tap(1));
  links_.put(tap(2));
  plan();
  EXPECT_EQ(of(2).state, PortState::active) << "its bridge was there first";
  EXPECT_EQ(of(1).reason, fmt::format("VNI 900 of bridge {} is that of bridge {}", id(901), id(900)));
  EXPECT_FALSE(desired(1));
}

TEST_F(Planning, WhatIsStillBeingReadIsUnknownAndNotDesired) {
  BoundPort& first = port(1);
  first.port_known = false;
  first.port = nullptr;
  port(2, 901);
  snapshot_.bridges[id(901)];
  port(3);
  for (int n = 1; n <= 3; ++n) links_.put(tap(n));
  plan();
  EXPECT_TRUE(of(1).unknown);
  EXPECT_TRUE(of(2).unknown);
  EXPECT_FALSE(of(3).unknown);
  EXPECT_EQ(plan_.desired.ports.size(), 1u);
}

TEST_F(Planning, AdminDownReachesTheDatapathAndTheReason) {
  change(port(1), [](model::Port& record) { record.admin_state_up = false; });
  port(2, 901);
  bridge(901).record->admin_state_up = false;
  links_.put(tap(1));
  links_.put(tap(2));
  plan();
  EXPECT_FALSE(plan_.desired.ports.at(id(1)).admin_up);
  EXPECT_TRUE(plan_.desired.ports.at(id(2)).admin_up);
  EXPECT_FALSE(plan_.desired.bridges.at(*Vni::from(901)).admin_up);
  EXPECT_EQ(of(1).state, PortState::active);
  EXPECT_NE(of(1).reason.find("port's adminStateUp"), std::string::npos);
  EXPECT_NE(of(2).reason.find("bridge's adminStateUp"), std::string::npos);
}

TEST_F(Planning, AMacThatActivePortsOfABridgeShareIsNoOnesByThat) {
  for (int n = 1; n <= 3; ++n) change(port(n), [](model::Port& record) { record.mac_address = mac(7); });
  change(port(4, 901), [](model::Port& record) { record.mac_address = mac(7); });
  bridge(901);
  for (int n = 1; n <= 4; ++n) links_.put(tap(n));
  plan();
  for (int n = 1; n <= 3; ++n) {
    EXPECT_EQ(plan_.desired.ports.at(id(n)).mac, std::nullopt) << n;
    EXPECT_EQ(of(n).state, PortState::active);
    EXPECT_TRUE(of(n).contested);
  }
  EXPECT_EQ(plan_.desired.ports.at(id(4)).mac, mac(7)) << "another bridge";
  EXPECT_FALSE(of(4).contested);
  EXPECT_EQ(of(1).reason,
            fmt::format("macAddress {} is also that of port {} on tap2 of this host, and of 1 more: its frames "
                        "come here, which was bound first",
                        mac(7), id(2)));
  EXPECT_NE(of(3).reason.find(id(1).to_string()), std::string::npos);
}

TEST_F(Planning, AMacOfAPortThatIsDownIsNoOnes) {
  for (int n = 1; n <= 2; ++n) change(port(n), [](model::Port& record) { record.mac_address = mac(7); });
  netlink::Link down = tap(2);
  down.carrier = false;
  links_.put(tap(1));
  links_.put(down);
  plan();
  EXPECT_EQ(plan_.desired.ports.at(id(1)).mac, mac(7)) << "though port 2 was bound later";
  EXPECT_EQ(plan_.desired.ports.at(id(2)).mac, std::nullopt);
  EXPECT_FALSE(of(1).contested);
  EXPECT_EQ(of(1).reason,
            fmt::format("macAddress {} is also that of port {} on tap2 of this host, which is down: its frames "
                        "come here",
                        mac(7), id(2)));
  EXPECT_EQ(of(2).state, PortState::down);
  EXPECT_NE(of(2).reason, "");
}

TEST_F(Planning, AnAddressThatActivePortsShareIsAnsweredForByNoOne) {
  for (int n = 1; n <= 3; ++n)
    change(port(n), [&](model::Port& record) {
      record.mac_address = mac(n);
      record.fixed_ips = {{std::nullopt, *Ip::parse(n == 3 ? "192.0.2.3" : "192.0.2.1")}};
    });
  for (int n = 1; n <= 3; ++n) links_.put(tap(n));
  plan();
  const auto known = [this] { return plan_.desired.bridges.at(*Vni::from(900)).neighbours; };
  EXPECT_EQ(known(), (std::map<Ip, Mac>{{*Ip::parse("192.0.2.3"), mac(3)}}));
  EXPECT_EQ(of(1).reason,
            fmt::format("fixed address 192.0.2.1 is also that of port {} on tap2 of this host: ARP requests for it "
                        "are left to the guests",
                        id(2)));
  EXPECT_NE(of(2).reason, "");
  EXPECT_EQ(of(3).reason, "");
  netlink::Link down = tap(2);
  down.up = false;
  links_.put(down);
  plan();
  EXPECT_EQ(known().at(*Ip::parse("192.0.2.1")), mac(1)) << "the other one is down";
  EXPECT_NE(of(1).reason, "");
  snapshot_.bridges.at(id(900)).arp_table["192.0.2.1"] = ServedBridge::Neighbour{1, mac(33)};
  plan();
  EXPECT_EQ(known().at(*Ip::parse("192.0.2.1")), mac(33));
  EXPECT_EQ(of(1).reason, "") << "decided by hand";
}

TEST_F(Planning, AMacThatIsNoStationsIsLeftOut) {
  change(port(1), [](model::Port& record) { record.mac_address = *Mac::parse("ff:ff:ff:ff:ff:ff"); });
  change(port(2), [](model::Port& record) { record.mac_address = Mac{}; });
  links_.put(tap(1));
  links_.put(tap(2));
  plan();
  EXPECT_EQ(plan_.desired.ports.at(id(1)).mac, std::nullopt);
  EXPECT_EQ(plan_.desired.ports.at(id(2)).mac, std::nullopt);
  EXPECT_NE(of(1).reason, "");
}

TEST_F(Planning, StaticEntriesStayWithinTheirBridge) {
  change(port(1), [](model::Port& record) { record.mac_address = mac(1); });
  port(2);
  port(3, 901);
  bridge(901);
  for (int n = 1; n <= 3; ++n) links_.put(tap(n));
  ServedBridge& b = snapshot_.bridges.at(id(900));
  b.mac_table[mac(20).to_string()] = ServedBridge::MacTarget{1, id(2)};
  b.mac_table[mac(21).to_string()] = ServedBridge::MacTarget{1, id(3)};   // of another bridge
  b.mac_table[mac(22).to_string()] = ServedBridge::MacTarget{1, id(99)};  // not here
  b.mac_table[mac(1).to_string()] = ServedBridge::MacTarget{1, id(2)};    // configured at port 1
  b.mac_table["01:00:5e:00:00:01"] = ServedBridge::MacTarget{1, id(2)};
  b.mac_table["nonsense"] = ServedBridge::MacTarget{1, id(2)};
  b.mac_table[mac(23).to_string()] = std::nullopt;
  b.arp_table["192.0.2.1"] = ServedBridge::Neighbour{1, mac(1)};
  b.arp_table["2001:db8::1"] = ServedBridge::Neighbour{1, mac(1)};
  b.arp_table["192.0.2.2"] = ServedBridge::Neighbour{1, *Mac::parse("ff:ff:ff:ff:ff:ff")};
  b.arp_table["192.0.2"] = ServedBridge::Neighbour{1, mac(1)};
  b.arp_table["192.0.2.3"] = std::nullopt;
  plan();
  const datapath::BridgeSpec& spec = plan_.desired.bridges.at(*Vni::from(900));
  EXPECT_EQ(spec.static_macs, (std::map<Mac, Uuid>{{mac(20), id(2)}}));
  EXPECT_EQ(spec.neighbours,
            (std::map<Ip, Mac>{{*Ip::parse("192.0.2.1"), mac(1)}, {*Ip::parse("2001:db8::1"), mac(1)}}));
  EXPECT_TRUE(plan_.desired.bridges.at(*Vni::from(901)).static_macs.empty());
}

TEST_F(Planning, FixedAddressesOfPluggedPortsAreKnownUnlessSetByHand) {
  for (int n = 1; n <= 5; ++n) {
    change(port(n, n == 5 ? 901 : 900), [&](model::Port& record) {
      record.mac_address = mac(n);
      record.fixed_ips = {{std::nullopt, *Ip::parse(fmt::format("192.0.2.{}", n))},
                          {std::nullopt, *Ip::parse("fd00::1")}};
    });
    if (n != 2) links_.put(tap(n));  // a port whose interface is not there answers nothing
  }
  bridge(901);
  change(snapshot_.ports.at(id(4)), [](model::Port& record) { record.admin_state_up = false; });
  snapshot_.bridges.at(id(900)).arp_table["192.0.2.3"] = ServedBridge::Neighbour{1, mac(33)};
  plan();
  EXPECT_EQ(plan_.desired.bridges.at(*Vni::from(900)).neighbours,
            (std::map<Ip, Mac>{{*Ip::parse("192.0.2.1"), mac(1)}, {*Ip::parse("192.0.2.3"), mac(33)}}));
  EXPECT_EQ(plan_.desired.bridges.at(*Vni::from(901)).neighbours,
            (std::map<Ip, Mac>{{*Ip::parse("192.0.2.5"), mac(5)}}));
}

TEST_F(Planning, ABridgeWithoutPluggedPortIsNotDesired) {
  bridge(901);
  port(1, 901);
  plan();
  EXPECT_TRUE(plan_.desired.bridges.empty());
}

TEST_F(Planning, TheSameInputGivesTheSamePlan) {
  for (int n = 1; n <= 20; ++n) {
    change(port(n), [&](model::Port& record) { record.mac_address = mac(n % 5); });
    if (n % 3 != 0) links_.put(tap(n));
  }
  const datapath::Desired first = plan().desired;
  EXPECT_EQ(plan().desired, first);
}

}  // namespace
}  // namespace midonet::agent::planning
