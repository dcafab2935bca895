// The interfaces that are never plugged, and what fits on the way to other hosts.
#include "agent/plan/underlay.h"

#include "agent/plan/plan_bed.h"
#include "netlink/routes.h"

namespace midonet::agent::planning {
namespace {

using netlink::Link;
using netlink::Route;

Ip ip(const char* text) { return *Ip::parse(text); }

// This host is 192.0.2.1 on eth0; another one, 192.0.2.2, serves bridge 900 too.
class OnAnUnderlay : public Planning {
 protected:
  OnAnUnderlay() {
    options_.device = "midonet-vxlan";
    snapshot_.zones[id(800)] = {1, ip("192.0.2.1")};
    put(50, "eth0", "").mtu = 1500;
    commit();
    links_.add_address(50, ip("192.0.2.1"));
    peer("192.0.2.2");
    port(1);
  }
  Link& put(std::uint32_t ifindex, const std::string& name, const std::string& kind) {
    Link& link = pending_.emplace_back();
    link.ifindex = ifindex;
    link.name = name;
    link.kind = kind;
    link.hardware_type = ARPHRD_ETHER;
    link.up = link.carrier = true;
    link.mtu = 1500;
    return link;
  }
  void commit() {
    for (const Link& link : pending_) links_.put(link);
    pending_.clear();
  }
  void peer(const std::string& address, std::map<Uuid, Ip> zones = {{id(800), ip("192.0.2.2")}}) {
    auto other = std::make_shared<Peer>();
    other->record = std::make_shared<model::BridgeHost>(model::BridgeHost{ip(address.c_str()), std::move(zones), {}});
    auto hosts = snapshot_.bridges[id(900)].peers->hosts;
    hosts[id(static_cast<int>(70 + hosts.size()))] = other;
    snapshot_.bridges[id(900)].peers = std::make_shared<const Peers>(hosts);
    snapshot_.bridges[id(900)].peers_known = Known::complete;
  }
  // Port 1 is bound to the interface: why it can't be plugged there.
  std::string refusal(const std::string& interface) {
    commit();
    snapshot_.ports.at(id(1)).interface = interface;
    change(snapshot_.ports.at(id(1)), [&](model::Port& record) { record.interface_name = interface; });
    plan_ = make_plan(snapshot_, links_, options_, {}, {}, routes_);
    EXPECT_EQ(of(1).reason.empty(), of(1).state == PortState::active) << of(1).reason;
    EXPECT_EQ(desired(1), of(1).state == PortState::active);
    return of(1).state == PortState::error ? of(1).reason : "";
  }
  void leads(const netlink::Destination& to, std::set<std::uint32_t> by, bool is_default = false) {
    Route route;
    route.interfaces = std::move(by);
    route.is_default = is_default;
    routes_[to] = route;
  }
  Underlay underlay() const {
    return underlay_of(
        snapshot_, links_, options_, [this](const PeerAddresses&) -> const auto& { return routes_; });
  }
  std::uint32_t mtu() {
    refusal("tap1");
    return plan_.desired.tunnel->mtu;
  }

  OverlayOptions options_;
  netlink::RouteTable routes_;
  std::vector<Link> pending_;
};

TEST_F(OnAnUnderlay, TheTunnelDeviceIsRefusedByNameAndByItsMark) {
  put(60, "midonet-vxlan", "vxlan");
  put(61, "renamed", "vxlan").alias = "midolman /sys/fs/bpf/midolman/run";
  put(62, "vlan7", "vlan").lower = 60;
  EXPECT_EQ(refusal("midonet-vxlan"), "midonet-vxlan is the tunnel device");
  EXPECT_EQ(refusal("renamed"), "renamed is the tunnel device");
  EXPECT_EQ(refusal("vlan7"), "vlan7 stands above midonet-vxlan, which is the tunnel device");
  EXPECT_TRUE(plan_.desired.banned.contains(60));
}

TEST_F(OnAnUnderlay, TheInterfaceWithTheTunnelAddressIsRefusedAndWhatStandsAboveAndBelowIt) {
  EXPECT_EQ(refusal("eth0"), "eth0 carries the tunnel address 192.0.2.1 of this host");
  put(51, "vlan7", "vlan").lower = 50;
  put(52, "mv0", "macvlan").lower = 51;
  const std::string it = "eth0, which carries the tunnel address 192.0.2.1 of this host";
  EXPECT_EQ(refusal("vlan7"), "vlan7 stands above " + it);
  EXPECT_EQ(refusal("mv0"), "mv0 stands above " + it);
}

TEST_F(OnAnUnderlay, WhatABondOrAVlanOrABridgeIsMadeOfIsRefused) {
  links_.remove_address(50, ip("192.0.2.1"));
  put(53, "bond0", "bond");
  put(54, "vlan7", "vlan").lower = 53;
  put(55, "br0", "bridge");
  put(56, "port0", "").master = 53;
  Link& over = put(57, "other", "veth");
  over.lower = 54;
  commit();
  links_.add_address(54, ip("192.0.2.1"));
  const std::string it = "vlan7, which carries the tunnel address 192.0.2.1 of this host";
  EXPECT_EQ(refusal("bond0"), "bond0 stands below " + it);
  EXPECT_EQ(refusal("port0"), "port0 stands below " + it);
  EXPECT_EQ(refusal("other"), "") << "a veth does not stand on its peer";
  EXPECT_EQ(refusal("eth0"), "");
  EXPECT_EQ(refusal("br0"), "");
}

TEST_F(OnAnUnderlay, WhatLeadsToOthersIsRefused) {
  for (std::uint32_t i = 1; i <= 5; ++i) put(70 + i, fmt::format("up{}", i), "");
  options_.store = {ip("203.0.113.7")};
  leads({ip("203.0.113.7"), {}}, {71});
  leads({ip("192.0.2.2"), ip("192.0.2.1")}, {72});
  leads(netlink::Routes::anywhere_v4(), {73, 74}, true);
  leads(netlink::Routes::anywhere_v6(), {75}, false);
  EXPECT_EQ(refusal("up1"), "up1 carries the route to the store at 203.0.113.7");
  EXPECT_EQ(refusal("up2"), "up2 carries the route to the host at 192.0.2.2");
  EXPECT_EQ(refusal("up3"), "up3 carries the default route");
  EXPECT_EQ(refusal("up4"), "up4 carries the default route");
  EXPECT_EQ(refusal("up5"), "") << "a route of another kind";
}

TEST_F(OnAnUnderlay, AGuestThatAdvertisesItselfAsARouterIsPluggedAllTheSame) {
  links_.put(tap(1));
  put(75, "eth5", "");
  leads(netlink::Routes::anywhere_v6(), {11, 75}, true);
  EXPECT_NE(refusal("tap1"), "");
  routes_.begin()->second.advertised = true;
  EXPECT_EQ(refusal("tap1"), "");
  EXPECT_EQ(refusal("eth5"), "eth5 carries the default route");
}

TEST_F(OnAnUnderlay, MacvtapsAndTheirKindAreRefused) {
  for (const char* kind : {"macvtap", "macvlan", "ipvtap", "ipvlan"}) {
    put(90, "mt0", kind);
    EXPECT_EQ(refusal("mt0"), fmt::format("mt0 is a {} interface: make a tap instead", kind));
  }
}

TEST_F(OnAnUnderlay, TheMtuIsThatOfTheNarrowestPath) {
  links_.put(tap(1));
  EXPECT_EQ(mtu(), 1450U);
  const netlink::Destination there{ip("192.0.2.2"), ip("192.0.2.1")};
  leads(there, {50});
  EXPECT_EQ(mtu(), 1450U);
  routes_[there].mtu = 1400;
  EXPECT_EQ(mtu(), 1350U);
  EXPECT_EQ(underlay().overlay->narrowest, ip("192.0.2.2"));
  routes_[there].mtu = 9000;
  EXPECT_EQ(mtu(), 1450U) << "no more than the interface takes";
  put(51, "narrow0", "").mtu = 1280;
  commit();
  leads(there, {50, 51});
  EXPECT_EQ(mtu(), 1230U) << "by which of them a packet goes is not known";
  peer("2001:db8::9", {});
  snapshot_.zones[id(801)] = {1, ip("2001:db8::5")};
  leads({ip("2001:db8::9"), {}}, {51});
  EXPECT_EQ(mtu(), 1210U);
  options_.mtu = 1300;
  EXPECT_EQ(mtu(), 1300U) << "as set";
}

TEST_F(OnAnUnderlay, AnAddressOnTheLoopbackInterfaceSaysNothingOfTheMtu) {
  links_.put(tap(1));
  links_.remove_address(50, ip("192.0.2.1"));
  Link& lo = put(1, "lo", "");
  lo.loopback = true;
  lo.mtu = 65536;
  commit();
  links_.add_address(1, ip("192.0.2.1"));
  EXPECT_EQ(mtu(), 1450U) << "Ethernet's, until a path is known";
  put(51, "jumbo0", "").mtu = 9000;
  commit();
  leads({ip("192.0.2.2"), ip("192.0.2.1")}, {51});
  EXPECT_EQ(mtu(), 8950U);
  routes_[{ip("192.0.2.2"), ip("192.0.2.1")}].mtu = 1400;
  EXPECT_EQ(mtu(), 1350U);
}

TEST_F(OnAnUnderlay, PacketsAreFromTheAddressOfTheZoneWhereThePeerIsReached) {
  links_.put(tap(1));
  snapshot_.zones[id(801)] = {1, ip("198.18.0.1")};
  snapshot_.zones[id(802)] = {1, ip("2001:db8::1")};
  peer("198.18.0.2", {{id(801), ip("198.18.0.2")}});
  peer("2001:db8::2", {{id(802), ip("2001:db8::2")}});
  peer("203.0.113.9", {});
  links_.add_address(50, ip("198.18.0.1"));
  refusal("tap1");
  const datapath::TunnelSpec& tunnel = *plan_.desired.tunnel;
  EXPECT_EQ(tunnel.source_v4, ip("192.0.2.1"));
  EXPECT_EQ(tunnel.source_v6, std::nullopt) << "no interface has it: the kernel would refuse to send";
  EXPECT_EQ(tunnel.sources, (std::map<Ip, Ip>{{ip("198.18.0.2"), ip("198.18.0.1")}}));
  links_.add_address(50, ip("2001:db8::1"));
  refusal("tap1");
  EXPECT_EQ(plan_.desired.tunnel->source_v6, ip("2001:db8::1"));
  EXPECT_EQ(destinations(underlay().peers, options_),
            (std::set<netlink::Destination>{netlink::Routes::anywhere_v4(),
                                            netlink::Routes::anywhere_v6(),
                                            {ip("192.0.2.2"), ip("192.0.2.1")},
                                            {ip("198.18.0.2"), ip("198.18.0.1")},
                                            {ip("203.0.113.9"), ip("192.0.2.1")},
                                            {ip("2001:db8::2"), ip("2001:db8::1")}}));
}

TEST_F(OnAnUnderlay, AKernelThatChoosesTheSourceItselfIsSaidWhereItChoosesAnother) {
  links_.put(tap(1));
  options_.sets_source = false;
  Route route;
  route.interfaces = {50};
  route.source = ip("192.0.2.99");
  routes_[{ip("192.0.2.2"), {}}] = route;
  refusal("tap1");
  ASSERT_EQ(underlay().warnings.size(), 1U);
  EXPECT_EQ(underlay().warnings[0],
            "tunnel packets to 192.0.2.2 are from 192.0.2.99 instead of 192.0.2.1: this kernel takes the address from "
            "the route "
            "(`ip route … src 192.0.2.1`)");
  routes_[{ip("192.0.2.2"), {}}].source = ip("192.0.2.1");
  refusal("tap1");
  EXPECT_TRUE(underlay().warnings.empty());
}

}  // namespace
}  // namespace midonet::agent::planning
