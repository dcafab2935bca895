// Agents of several hosts on one store: what each has to know of the others, and no more.
#include "agent/many_hosts_bed.h"
#include "topology/hosts.h"
#include "topology/ports.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <utility>

namespace midonet::agent::many_hosts {
namespace {

using namespace std::chrono_literals;

// Its guest's first broadcast goes to them.
TEST_F(ManyHosts, APortOfABridgeThatIsNewToItsHostIsPluggedWithTheBridgesHosts) {
  plug(1, 1);
  ASSERT_TRUE(cloud.settle());
  plug(2, 0);
  ASSERT_TRUE(cloud.settle());
  const auto& calls = h(0).kernel.calls();
  const auto first =
      std::find_if(calls.begin(), calls.end(), [](const auto& call) { return call.desired.ports.contains(id(2)); });
  ASSERT_NE(first, calls.end());
  EXPECT_EQ(first->desired.bridges.at(vni()).peers, std::set<Ip>{vtep(1)});
}

TEST_F(ManyHosts, APortIsKnownToThoseThatServeItsBridge) {
  plug(1, 0);
  plug(2, 1);
  ASSERT_TRUE(cloud.settle());
  EXPECT_EQ(where(0, mac(2)), (RemoteMac{vtep(1), true}));
  EXPECT_EQ(where(1, mac(1)), (RemoteMac{vtep(0), true}));
  EXPECT_EQ(peers(0), std::set<Ip>{vtep(1)});
  EXPECT_EQ(peers(1), std::set<Ip>{vtep(0)});
  EXPECT_EQ(bridge(2), nullptr);
  EXPECT_EQ(h(0).kernel.plugged().tunnel, (datapath::TunnelSpec{vtep(0), 1500, {vtep(0)}, vtep(0)}));
  EXPECT_EQ(cloud.status(h(0), id(1))->mtu, 1500);
  EXPECT_EQ(cloud.status(h(0), id(1))->reason, "");
}

TEST_F(ManyHosts, WhatIsOfferedStandsInTheContractsNodes) {
  plug(1, 0);
  ASSERT_TRUE(cloud.settle());
  EXPECT_EQ(offered_host(0), (model::BridgeHost{vtep(0), {{zone, vtep(0)}}, {0}}));
  model::OfferedPort port;
  port.port_id = id(1);
  port.revision = cloud.binding_revision(h(0), id(1));
  port.macs = {mac(1)};
  EXPECT_EQ(chunk(0), model::OfferChunk{{port}});
  const auto node = cloud.node(paths::bridge_host(net, h(0).id));
  EXPECT_EQ(node->stat.owner, 0) << "a host without an agent still forwards";
  EXPECT_TRUE(cloud.node(paths::served_bridge(h(0).id, net)));
  EXPECT_FALSE(cloud.node(paths::served_bridge(h(0).id, net2)));
}

TEST_F(ManyHosts, AHostIsSentToFromTheCommitOfABindingUntilItsAgentWithdrawsItOrThePortIsUnbound) {
  plug(2, 1);
  ASSERT_TRUE(cloud.settle());
  cloud.stop(h(0));
  ASSERT_TRUE(cloud.take(id(1), h(0), "absent0"));
  ASSERT_TRUE(cloud.until([&] { return peers(1) == std::set{vtep(0)}; }));
  EXPECT_TRUE(offered_host(0));
  cloud.start(h(0));
  ASSERT_TRUE(cloud.settle());
  EXPECT_EQ(peers(1), std::set<Ip>()) << "nothing is plugged there";
  EXPECT_FALSE(offered_host(0));
  EXPECT_FALSE(cloud.node(paths::served_bridge(h(0).id, net)));

  cloud.stop(h(0));
  plug(3, 0);
  EXPECT_FALSE(offered_host(0)->adopts);
  ASSERT_TRUE(cloud.detach(id(3)));
  EXPECT_FALSE(offered_host(0)) << "its agent has said nothing";
  EXPECT_FALSE(cloud.node(paths::served_bridge(h(0).id, net)));

  plug(3, 0);
  cloud.start(h(0));
  ASSERT_TRUE(cloud.settle());
  EXPECT_EQ(peers(1), std::set{vtep(0)});
  cloud.leave(h(0), zone);
  ASSERT_TRUE(cloud.settle());
  EXPECT_EQ(cloud.node(paths::served_bridges(h(0).id))->value, "") << "no host reaches it any more";
}

TEST_F(ManyHosts, AnAgentAdoptsTheRecordThatTheCommitOfABindingMade) {
  plug(2, 1);
  ASSERT_TRUE(cloud.settle());
  plug(1, 0);
  const store::Revision made = cloud.node(paths::bridge_host(net, h(0).id))->stat.created;
  EXPECT_EQ(made, cloud.binding_revision(h(0), id(1)));
  ASSERT_TRUE(cloud.settle());
  EXPECT_EQ(offered_host(0), (model::BridgeHost{vtep(0), {{zone, vtep(0)}}, {0}}));
  EXPECT_EQ(offered(0), std::set{id(1)});
  EXPECT_EQ(cloud.node(paths::bridge_host(net, h(0).id))->stat.created, made) << "it was not made a second time";
  EXPECT_THAT(h(0).registry.text(), testing::HasSubstr("midonet_agent_offer_failures_total 0"));
}

TEST_F(ManyHosts, AHostWhoseAgentDoesNotAdoptIsLeftToSayItItself) {
  cloud.stop(h(0));
  // As agents before wrote it.
  const std::string place = cloud.node(paths::served_bridges(h(0).id))->value;
  auto host = *model::decode_bridge_host(place);
  EXPECT_TRUE(std::exchange(host.adopts, false));
  ASSERT_TRUE(cloud.set(paths::served_bridges(h(0).id), encode(host)));
  plug(1, 0);
  EXPECT_FALSE(offered_host(0));
  cloud.start(h(0));
  ASSERT_TRUE(cloud.settle());
  EXPECT_EQ(offered(0), std::set{id(1)});
}

TEST_F(ManyHosts, FramesAreTakenFromTheHostsThatServeTheBridgeAndFromOneThatIsAboutTo) {
  const auto sources = [&] { return bridge(1)->sources; };
  plug(2, 1);
  ASSERT_TRUE(cloud.settle());
  EXPECT_TRUE(sources().empty());
  EXPECT_TRUE(bridge(1)->sources_known);
  plug(3, 2);
  ASSERT_TRUE(cloud.settle());
  EXPECT_EQ(sources(), std::set{vtep(2)});
  // From a host in several zones they may come from each of its addresses.
  cloud.join(h(2), id(801), "203.0.113.9");
  ASSERT_TRUE(cloud.settle());
  EXPECT_EQ(sources(), (std::set{vtep(2), ip("203.0.113.9")}));
  cloud.stop(h(0));
  plug(1, 0);
  EXPECT_TRUE(cloud.until([&] { return sources().contains(vtep(0)); }))
      << "its guest may send before its agent says so";
}

TEST_F(ManyHosts, WhereAHostIsReachedIsSaidAnewWhenItsFoldersWereGone) {
  plug(1, 0);
  ASSERT_TRUE(cloud.settle());
  const auto place = model::decode_bridge_host(cloud.node(paths::served_bridges(h(0).id))->value);
  ASSERT_TRUE(place);
  EXPECT_EQ(place->vtep, vtep(0));
  EXPECT_TRUE(place->chunks.empty());
  ASSERT_TRUE(cloud.remove(paths::served_bridge(h(0).id, net)));
  ASSERT_TRUE(cloud.remove(paths::served_bridges(h(0).id)));
  cloud.leave(h(0), zone);
  cloud.join(h(0), zone, "192.0.2.100");
  ASSERT_TRUE(cloud.until([&] {
    const auto node = cloud.node(paths::served_bridges(h(0).id));
    const auto now = model::decode_bridge_host(node ? node->value : "");
    return now && now->vtep == ip("192.0.2.100");
  }));
}

TEST_F(ManyHosts, WhatIsDetachedIsOfferedNoMore) {
  plug(1, 0);
  plug(2, 0);
  plug(3, 1);
  ASSERT_TRUE(cloud.settle());
  ASSERT_TRUE(cloud.detach(id(1)));
  ASSERT_TRUE(cloud.settle());
  EXPECT_EQ(where(1, mac(1)), std::nullopt);
  EXPECT_EQ(where(1, mac(2)), (RemoteMac{vtep(0), true}));
  ASSERT_TRUE(cloud.detach(id(2)));
  ASSERT_TRUE(cloud.settle());
  EXPECT_TRUE(peers(1).empty());
  EXPECT_FALSE(offered_host(0));
  EXPECT_TRUE(cloud.children(paths::served_bridges(h(0).id)).empty());
}

TEST_F(ManyHosts, APortWithoutItsInterfaceIsNotOffered) {
  plug(2, 1);
  ASSERT_TRUE(cloud.take(id(1), h(0), "tap1"));
  ASSERT_TRUE(cloud.settle());
  EXPECT_FALSE(offered_host(0));
  h(0).links.add("tap1");
  h(0).links.change("tap1", [](netlink::Link& link) { link.carrier = false; });
  ASSERT_TRUE(cloud.settle());
  EXPECT_EQ(cloud.status(h(0), id(1))->state, PortState::down);
  EXPECT_EQ(where(1, mac(1)), std::nullopt) << "a port that is down takes no frames";
  EXPECT_TRUE(chunk(0).ports.at(0).macs.empty());
  EXPECT_EQ(chunk(0).ports.at(0).declared, mac(1));
  h(0).links.change("tap1", [](netlink::Link& link) { link.carrier = true; });
  ASSERT_TRUE(cloud.settle());
  EXPECT_EQ(where(1, mac(1)), (RemoteMac{vtep(0), true}));
  h(0).links.remove("tap1");
  ASSERT_TRUE(cloud.settle());
  EXPECT_EQ(where(1, mac(1)), std::nullopt);
}

TEST_F(ManyHosts, AHostInNoZoneOffersNothingAndHasNoTunnel) {
  plug(1, 0);
  plug(2, 1);
  ASSERT_TRUE(cloud.settle());
  cloud.leave(h(0), zone);
  ASSERT_TRUE(cloud.settle());
  EXPECT_FALSE(h(0).kernel.plugged().tunnel);
  EXPECT_TRUE(peers(0).empty());
  EXPECT_FALSE(offered_host(0));
  EXPECT_TRUE(peers(1).empty());
  EXPECT_EQ(cloud.status(h(0), id(1))->mtu, 0);
  EXPECT_EQ(cloud.status(h(0), id(1))->state, PortState::active);
  cloud.join(h(0), zone, "192.0.2.100");
  ASSERT_TRUE(cloud.settle());
  EXPECT_EQ(where(1, mac(1)), (RemoteMac{ip("192.0.2.100"), true}));
  EXPECT_EQ(h(0).kernel.plugged().tunnel->local, ip("192.0.2.100"));
}

TEST_F(ManyHosts, PeersTakeTheAddressOfAZoneTheyShare) {
  const Uuid low = id(700);
  plug(1, 0);
  plug(2, 1);
  plug(3, 2);
  cloud.join(h(0), low, "2001:db8::1");
  cloud.join(h(1), low, "2001:db8::2");
  ASSERT_TRUE(cloud.settle());
  EXPECT_EQ(where(0, mac(2)), (RemoteMac{ip("2001:db8::2"), true}));
  EXPECT_EQ(where(2, mac(2)), (RemoteMac{vtep(1), true}));
  EXPECT_EQ(where(0, mac(3)), (RemoteMac{vtep(2), true}));
  EXPECT_EQ(h(0).kernel.plugged().tunnel,
            (datapath::TunnelSpec{ip("2001:db8::1"), 1480, {vtep(0), ip("2001:db8::1")}, vtep(0), ip("2001:db8::1")}));
}

TEST_F(ManyHosts, APortWhereSomethingStandsBeforeTheDatapathIsNotActiveAndStaysOffered) {
  plug(1, 0);
  plug(2, 1);
  ASSERT_TRUE(cloud.settle());
  const auto state = [&] { return cloud.status(h(0), id(1))->state; };
  h(0).kernel.precede(id(1), "tap1: the u32 filter of priority 7 runs before the datapath's");
  h(0).kernel.lose(id(1), "a filter before ours was changed");
  ASSERT_TRUE(cloud.until([&] { return state() == PortState::error; }));
  EXPECT_EQ(cloud.status(h(0), id(1))->reason, "tap1: the u32 filter of priority 7 runs before the datapath's");
  h(1).links.add("tap9");  // another turn of everything
  EXPECT_EQ(offered(0), std::set{id(1)});
  EXPECT_EQ(where(1, mac(1)), (RemoteMac{vtep(0), true}));
  h(0).kernel.precede(id(1), "");
  EXPECT_TRUE(cloud.until([&] { return state() == PortState::active; })) << "it is looked at again";
  ASSERT_TRUE(cloud.settle());
  EXPECT_EQ(offered(0), std::set{id(1)});
}

TEST_F(ManyHosts, WhatIsWrongWithTheTunnelIsAReasonAndNoState) {
  plug(1, 0);
  plug(2, 1);
  ASSERT_TRUE(cloud.settle());
  h(0).links.change("tap1", [](netlink::Link& link) { link.mtu = 9000; });
  ASSERT_TRUE(cloud.settle());
  EXPECT_EQ(cloud.status(h(0), id(1))->state, PortState::active);
  EXPECT_EQ(cloud.status(h(0), id(1))->reason,
            "the MTU of tap1 is 9000, that of the tunnel 1500: larger packets do not get to other hosts");

  h(0).links.remove_address("eth0", vtep(0));
  ASSERT_TRUE(cloud.settle());
  EXPECT_EQ(cloud.status(h(0), id(1))->state, PortState::active);
  EXPECT_EQ(
      cloud.status(h(0), id(1))->reason,
      "the host's tunnel end point 192.0.2.1 is the address of none of its interfaces: other hosts are not reached");
  h(0).links.add_address("eth0", vtep(0));
  h(0).links.change("tap1", [](netlink::Link& link) { link.mtu = 1500; });

  h(0).kernel.fail_tunnel(Error{Code::conflict, "midonet-vxlan belongs to another program"});
  h(0).links.tell();
  ASSERT_TRUE(cloud.until([&] {
    return cloud.status(h(0), id(1))->reason == "other hosts are not reached: midonet-vxlan belongs to another program";
  }));
  EXPECT_EQ(cloud.status(h(0), id(1))->state, PortState::active);
  h(0).kernel.fail_tunnel({});
  ASSERT_TRUE(cloud.settle()) << "it is tried again";
  EXPECT_EQ(cloud.status(h(0), id(1))->reason, "");
}

TEST_F(ManyHosts, AMoveIsFollowedByEverybody) {
  plug(1, 0);
  plug(2, 1);
  plug(3, 2);
  ASSERT_TRUE(cloud.settle());
  plug(1, 1);
  ASSERT_TRUE(cloud.settle());
  learn(1, 1, mac(1));
  ASSERT_TRUE(cloud.settle());
  EXPECT_FALSE(h(0).kernel.plugged().ports.contains(id(1)));
  EXPECT_TRUE(h(1).kernel.plugged().ports.contains(id(1)));
  EXPECT_EQ(where(2, mac(1)), (RemoteMac{vtep(1), true}));
  EXPECT_EQ(where(1, mac(1)), std::nullopt);
  EXPECT_EQ(offered(0), std::set<Uuid>{});
}

TEST_F(ManyHosts, AnOlderOfferOfAHostWithoutAnAgentLoses) {
  plug(1, 0);
  plug(3, 2);
  ASSERT_TRUE(cloud.settle());
  cloud.stop(h(0));
  plug(1, 1);
  ASSERT_TRUE(cloud.settle());
  learn(1, 1, mac(1));
  ASSERT_TRUE(cloud.settle());
  EXPECT_EQ(offered(0), std::set<Uuid>{id(1)}) << "it still stands there";
  EXPECT_EQ(where(2, mac(1)), (RemoteMac{vtep(1), true}));
  EXPECT_EQ(where(1, mac(1)), std::nullopt) << "the newer binding is here";
  EXPECT_EQ(h(1).kernel.plugged().ports.at(id(1)).mac, mac(1));
  cloud.start(h(0));
  ASSERT_TRUE(cloud.settle());
  EXPECT_FALSE(offered_host(0)) << "what is stale is removed";
  EXPECT_TRUE(h(0).kernel.plugged().ports.empty());
  EXPECT_EQ(where(2, mac(1)), (RemoteMac{vtep(1), true}));
}

TEST_F(ManyHosts, AnAgentThatWasCutOffDoesNotResurrectWhatWasDetached) {
  plug(2, 1);
  ASSERT_TRUE(cloud.settle());
  // It has heard of the binding, and not yet offered the port, when it is cut off.
  ASSERT_TRUE(cloud.take(id(1), h(0), "tap1"));
  ASSERT_TRUE(cloud.settle());
  h(0).store->cut();
  h(0).links.add("tap1");
  ASSERT_TRUE(cloud.until([&] { return h(0).kernel.plugged().ports.contains(id(1)); })) << "the last view stands";
  plug(1, 1);
  ASSERT_TRUE(cloud.until([&] { return h(1).kernel.plugged().ports.contains(id(1)); }));
  h(0).store->restore(false);
  ASSERT_TRUE(cloud.settle());
  EXPECT_FALSE(offered_host(0));
  EXPECT_FALSE(h(0).kernel.plugged().ports.contains(id(1)));
  EXPECT_EQ(offered(1), (std::set<Uuid>{id(1), id(2)}));
}

// A guest runs at port 1 on host 0; port 50 declares its address too.
class StandsTwice : public ManyHosts {
 protected:
  StandsTwice() {
    EXPECT_TRUE(cloud.create_port(id(50), net, mac(1)));
    plug(3, 2);
    plug(4, 1);
    plug(1, 0);
    EXPECT_TRUE(cloud.settle());
  }
  // Port 50, on another host; its tap without link.
  void add_down(std::size_t host) {
    h(host).links.add("tap50");
    h(host).links.change("tap50", [](netlink::Link& link) { link.carrier = false; });
    plug(50, host);
    EXPECT_TRUE(cloud.settle());
  }
  void link_up(std::size_t host) {
    h(host).links.change("tap50", [](netlink::Link& link) { link.carrier = true; });
    EXPECT_TRUE(cloud.settle());
  }
  std::string reason(std::size_t host, int port) { return cloud.status(h(host), id(port))->reason; }
  std::optional<Mac> mac_in_kernel(std::size_t host, int port) {
    return h(host).kernel.plugged().ports.at(id(port)).mac;
  }
  std::string also(int port, std::size_t host) {
    return fmt::format("macAddress {} is also that of port {} on host {}", mac(1), id(port), h(host).id);
  }
};

TEST_F(StandsTwice, AtAPortThatIsDownItTakesNothingAndBothStatusesSayWhereItStands) {
  add_down(1);
  EXPECT_EQ(where(2, mac(1)), (RemoteMac{vtep(0), true}));
  EXPECT_EQ(where(1, mac(1)), (RemoteMac{vtep(0), true}));
  EXPECT_EQ(where(0, mac(1)), std::nullopt);
  EXPECT_EQ(mac_in_kernel(0, 1), mac(1));
  EXPECT_EQ(mac_in_kernel(1, 50), std::nullopt);
  EXPECT_EQ(reason(0, 1), also(50, 1) + ", which is down: its frames come here");
  EXPECT_EQ(reason(1, 50), also(1, 0) + ": its frames go there");
  EXPECT_EQ(cloud.status(h(0), id(1))->state, PortState::active);
  ASSERT_TRUE(cloud.detach(id(50)));
  ASSERT_TRUE(cloud.settle());
  EXPECT_EQ(reason(0, 1), "");
}

TEST_F(StandsTwice, AtAnActivePortThatIsSilentItTakesNothing) {
  add_down(1);
  link_up(1);
  // Until one of them is heard: where it was bound first, and not so firmly that the other could not be heard.
  EXPECT_EQ(where(2, mac(1)), (RemoteMac{vtep(0), false}));
  EXPECT_EQ(where(1, mac(1)), (RemoteMac{vtep(0), false}));
  EXPECT_EQ(mac_in_kernel(0, 1), std::nullopt) << "it is learned";
  EXPECT_EQ(mac_in_kernel(1, 50), std::nullopt);
  EXPECT_EQ(reason(0, 1), also(50, 1) + ": its frames come here, which was bound first");
  learn(0, 1, mac(1));
  ASSERT_TRUE(cloud.settle());
  EXPECT_EQ(where(2, mac(1)), (RemoteMac{vtep(0), true}));
  EXPECT_EQ(where(1, mac(1)), (RemoteMac{vtep(0), true})) << "port 50 is not heard with it any more";
  EXPECT_EQ(where(0, mac(1)), std::nullopt);
  EXPECT_EQ(reason(0, 1), also(50, 1) + ": its frames come here, where it is heard");
  EXPECT_EQ(reason(1, 50), also(1, 0) + ": its frames go there, where it is heard");
  EXPECT_EQ(offered(1), (std::set<Uuid>{id(4), id(50)}));
  cloud.restart(h(0));
  cloud.restart(h(1));
  ASSERT_TRUE(cloud.settle());
  EXPECT_EQ(where(2, mac(1)), (RemoteMac{vtep(0), true}));
  EXPECT_EQ(where(1, mac(1)), (RemoteMac{vtep(0), true}));
  ASSERT_TRUE(cloud.detach(id(50)));
  ASSERT_TRUE(cloud.settle());
  EXPECT_EQ(mac_in_kernel(0, 1), mac(1));
  EXPECT_EQ(chunk(0).ports.at(0).declared, std::nullopt);
  EXPECT_EQ(where(2, mac(1)), (RemoteMac{vtep(0), true}));
  EXPECT_EQ(reason(0, 1), "");
}

TEST_F(StandsTwice, TheLaterPortHasItWhileTheFirstIsSilentAndTheFirstGetsItBackByAFrame) {
  add_down(1);
  link_up(1);
  learn(1, 50, mac(1));
  ASSERT_TRUE(cloud.settle());
  EXPECT_EQ(where(2, mac(1)), (RemoteMac{vtep(1), false}));
  EXPECT_EQ(where(0, mac(1)), (RemoteMac{vtep(1), false})) << "port 1 may still be heard";
  EXPECT_EQ(reason(1, 50), also(1, 0) + ": its frames come here, where it is heard");
  learn(0, 1, mac(1));
  ASSERT_TRUE(cloud.settle());
  EXPECT_EQ(where(2, mac(1)), (RemoteMac{vtep(0), true}));
  EXPECT_EQ(where(1, mac(1)), (RemoteMac{vtep(0), true}));
  for (const datapath::FdbEntry& entry : h(1).kernel.fdb()) EXPECT_NE(entry.port, id(50)) << "forgotten";
}

TEST_F(StandsTwice, OnOneHostItIsThatOfThePortThatIsHeard) {
  h(0).links.add("tap50");
  plug(50, 0);
  ASSERT_TRUE(cloud.settle());
  EXPECT_EQ(mac_in_kernel(0, 1), std::nullopt);
  EXPECT_EQ(mac_in_kernel(0, 50), std::nullopt);
  const std::string both = fmt::format("macAddress {} is also that of port ", mac(1));
  EXPECT_EQ(reason(0, 1),
            fmt::format("{}{} on tap50 of this host: its frames come here, which was bound first", both, id(50)));
  EXPECT_EQ(reason(0, 50),
            fmt::format("{}{} on tap1 of this host: its frames go there, which was bound first", both, id(1)));
  learn(0, 1, mac(1));
  ASSERT_TRUE(cloud.settle());
  EXPECT_EQ(mac_in_kernel(0, 1), mac(1)) << "port 50 can't take it";
  EXPECT_EQ(where(2, mac(1)), (RemoteMac{vtep(0), true}));
  h(0).links.change("tap1", [](netlink::Link& link) { link.carrier = false; });
  ASSERT_TRUE(cloud.settle());
  EXPECT_EQ(mac_in_kernel(0, 1), std::nullopt);
  EXPECT_EQ(mac_in_kernel(0, 50), mac(1)) << "the one active port that has it";
}

TEST_F(StandsTwice, AnEntrySetByHandDecidesUntilItIsHeard) {
  add_down(1);
  link_up(1);
  ASSERT_TRUE(cloud.set(paths::mac_entry(net, mac(1)), fmt::format(R"({{"portId": "{}"}})", id(50))));
  ASSERT_TRUE(cloud.settle());
  EXPECT_EQ(where(2, mac(1)), (RemoteMac{vtep(1), true}));
  EXPECT_EQ(where(0, mac(1)), (RemoteMac{vtep(1), true}));
  EXPECT_EQ(bridge(1)->static_macs, (std::map<Mac, Uuid>{{mac(1), id(50)}}));
}

TEST_F(ManyHosts, AnEntrySetByHandFollowsItsPort) {
  plug(1, 0);
  plug(2, 1);
  ASSERT_TRUE(cloud.set(paths::mac_entry(net, mac(77)), fmt::format(R"({{"portId": "{}"}})", id(1))));
  ASSERT_TRUE(cloud.settle());
  EXPECT_EQ(where(1, mac(77)), (RemoteMac{vtep(0), true}));
  EXPECT_EQ(bridge(0)->static_macs, (std::map<Mac, Uuid>{{mac(77), id(1)}}));
  plug(1, 1);
  ASSERT_TRUE(cloud.settle());
  EXPECT_EQ(where(1, mac(77)), (RemoteMac{vtep(0), false})) << "as long as the port's guest is there";
  learn(1, 1, mac(1));
  ASSERT_TRUE(cloud.settle());
  EXPECT_EQ(where(1, mac(77)), std::nullopt);
  EXPECT_EQ(bridge(1)->static_macs, (std::map<Mac, Uuid>{{mac(77), id(1)}}));
}

TEST_F(ManyHosts, PortsKeepTheirChunksAndEmptyOnesGo) {
  constexpr int count = 150;
  for (int n = 100; n < 100 + count; ++n) {
    ASSERT_TRUE(cloud.create_port(id(n), net2));
    plug(n, 0);
  }
  ASSERT_TRUE(cloud.settle());
  ASSERT_EQ(offered(0, net2).size(), static_cast<std::size_t>(count));
  EXPECT_EQ(offered_host(0, net2)->chunks, (std::vector<std::int64_t>{0, 1, 2}));
  for (int number = 0; number < 3; ++number)
    EXPECT_LE(chunk(0, number, net2).ports.size(), model::OfferChunk::max_ports);

  // All but one port of chunk 1 go: the others stay where they are.
  const auto zero = cloud.node(chunk_path(0, 0, net2))->stat, two = cloud.node(chunk_path(0, 2, net2))->stat;
  const auto one = chunk(0, 1, net2).ports;
  for (std::size_t i = 1; i < one.size(); ++i) ASSERT_TRUE(cloud.detach(one[i].port_id));
  ASSERT_TRUE(cloud.settle());
  EXPECT_EQ(chunk(0, 1, net2).ports, std::vector{one.front()});
  EXPECT_EQ(cloud.node(chunk_path(0, 0, net2))->stat, zero);
  EXPECT_EQ(cloud.node(chunk_path(0, 2, net2))->stat, two);
  ASSERT_TRUE(cloud.detach(one.front().port_id));
  ASSERT_TRUE(cloud.settle());
  EXPECT_EQ(offered_host(0, net2)->chunks, (std::vector<std::int64_t>{0, 2}));
  EXPECT_FALSE(cloud.node(chunk_path(0, 1, net2)));
  // A new one goes where there is room, and a restart moves nothing.
  plug(1, 0);
  ASSERT_TRUE(cloud.take(one.front().port_id, h(0), fmt::format("tap{}", 100)) ||
              cloud.take(one.front().port_id, h(0), "tap-again"));
  h(0).links.add("tap-again");
  ASSERT_TRUE(cloud.settle());
  EXPECT_EQ(offered_host(0, net2)->chunks, (std::vector<std::int64_t>{0, 2}));
  const int commits = h(0).store->commits();
  cloud.restart(h(0), true);
  ASSERT_TRUE(cloud.settle());
  EXPECT_LE(h(0).store->commits() - commits, 1) << "its alive node, and nothing else";
}

TEST_F(ManyHosts, ADamagedOfferHarmsOnlyItself) {
  plug(1, 0);
  plug(2, 1);
  plug(3, 2);
  ASSERT_TRUE(cloud.settle());
  ASSERT_TRUE(cloud.set(chunk_path(0, 0), "no JSON"));
  ASSERT_TRUE(cloud.set(paths::child(paths::bridge_hosts(net), "no-uuid"), "{}"));
  plug(4, 1);
  ASSERT_TRUE(cloud.settle());
  EXPECT_EQ(where(2, mac(4)), (RemoteMac{vtep(1), true}));
  EXPECT_EQ(where(2, mac(1)), (RemoteMac{vtep(0), true})) << "what was read before stays in force";
  ASSERT_TRUE(cloud.set(paths::bridge_host(net, h(1).id), "[]"));
  plug(5, 0);
  ASSERT_TRUE(cloud.settle());
  EXPECT_EQ(where(2, mac(4)), (RemoteMac{vtep(1), true}));
  EXPECT_EQ(cloud.status(h(0), id(5))->state, PortState::active);
}

TEST_F(ManyHosts, OffersThatSomebodyRemovedAreMadeAgain) {
  plug(1, 0);
  plug(2, 1);
  ASSERT_TRUE(cloud.settle());
  ASSERT_TRUE(cloud.verb([&](store::Transaction& t) -> Status {
    t.remove(chunk_path(0, 0));
    t.remove(paths::bridge_host(net, h(0).id));
    return {};
  }));
  ASSERT_TRUE(cloud.settle());
  EXPECT_EQ(where(1, mac(1)), (RemoteMac{vtep(0), true}));
}

TEST_F(ManyHosts, ADeletedBridgeLeavesNothing) {
  plug(1, 0);
  plug(2, 1);
  ASSERT_TRUE(cloud.settle());
  ASSERT_TRUE(cloud.verb([](store::Transaction& t) -> Status {
    const auto deleted = topology::delete_bridge(t, net);
    if (!deleted) return failed(deleted);
    return {};
  }));
  ASSERT_TRUE(cloud.settle());
  for (std::size_t n = 0; n < 2; ++n) {
    EXPECT_TRUE(h(n).kernel.plugged().bridges.empty());
    EXPECT_TRUE(cloud.children(paths::served_bridges(h(n).id)).empty());
  }
}

TEST_F(ManyHosts, OneBridgeThatCannotBeOfferedHoldsUpNoOther) {
  ASSERT_TRUE(cloud.create_port(id(10), net2, mac(10)));
  ASSERT_TRUE(cloud.remove(paths::bridge_hosts(net2)));
  plug(3, 1);
  plug(10, 0);
  plug(1, 0);
  ASSERT_TRUE(cloud.until([&] { return where(1, mac(1)).has_value(); }));
  EXPECT_EQ(cloud.status(h(0), id(10))->state, PortState::active);
  ASSERT_TRUE(cloud.set(paths::bridge_hosts(net2), ""));
  ASSERT_TRUE(cloud.settle());
  EXPECT_TRUE(offered_host(0, net2));
}

TEST_F(ManyHosts, WhatOthersOfferStaysInTheKernelOverARestartAndAnOutage) {
  plug(1, 0);
  plug(2, 1);
  ASSERT_TRUE(cloud.settle());
  cloud.stop(h(0));
  const auto before = h(0).kernel.calls().size();
  cloud.start(h(0));
  ASSERT_TRUE(cloud.settle());
  cloud.stop(h(0));
  h(0).store = std::make_unique<CutStore>(cloud.loop, cloud.sessions);
  h(0).store->cut();
  cloud.start(h(0));
  ASSERT_FALSE(cloud.loop.run_until([&] { return !where(0, mac(2)); }, 100ms));
  h(0).store->restore(true);
  ASSERT_TRUE(cloud.settle());
  for (std::size_t i = before; i < h(0).kernel.calls().size(); ++i) {
    const auto& call = h(0).kernel.calls()[i];
    if (call.sweep == datapath::Sweep::yes) {
      EXPECT_EQ(call.desired.bridges.at(vni()).remote_macs.size(), 1u);
    }
  }
  h(0).store->cut();
  ASSERT_FALSE(cloud.loop.run_until([&] { return !where(0, mac(2)); }, 100ms));
  h(0).store->restore(true);
  ASSERT_TRUE(cloud.settle());
  EXPECT_EQ(where(0, mac(2)), (RemoteMac{vtep(1), true}));
}

TEST_F(ManyHosts, OnlyThoseThatServeTheBridgeRead) {
  for (int n = 20; n < 24; ++n) ASSERT_TRUE(cloud.create_port(id(n), net2));
  plug(1, 0);
  plug(2, 1);
  plug(20, 2);
  ASSERT_TRUE(cloud.settle());
  std::vector<int> before;
  for (const auto& host : cloud.hosts) before.push_back(host->store->reads());
  plug(3, 0);
  ASSERT_TRUE(cloud.settle());
  EXPECT_GT(h(0).store->reads(), before[0]);
  EXPECT_EQ(h(1).store->reads() - before[1], 1) << "the chunk that the port is in";
  EXPECT_EQ(h(2).store->reads(), before[2]);
}

TEST_F(ManyHosts, WhatAnAgentFollowsDoesNotGrowWithTheCloud) {
  plug(1, 0);
  ASSERT_TRUE(cloud.settle());
  const auto followed = h(0).agent->followed();
  for (int n = 20; n < 40; ++n) {
    ASSERT_TRUE(cloud.create_port(id(n), net2));
    plug(n, 1 + static_cast<std::size_t>(n) % 2);
  }
  ASSERT_TRUE(cloud.settle());
  EXPECT_EQ(h(0).agent->followed(), followed);
  EXPECT_EQ(followed, 11u)
      << "zones, its place in one; bindings and their hint, the one and its port; the bridge, its two "
         "tables, its hosts and their hint";
}

TEST(ManyHostsAtOnce, AnAttachTouchesOnlyTheHostsThatServeItsBridge) {
  constexpr std::size_t agents = 10, bridges = 20, ports = 200;
  Cloud cloud(static_cast<int>(agents));
  cloud.join_all(zone);
  // Bridge b is on hosts b, b + 1 and b + 2; its ports go round.
  const auto host_of = [](std::size_t port) { return (port % bridges + port / bridges % 3) % agents; };
  const auto bridge_id = [](std::size_t bridge) { return id(5000 + static_cast<int>(bridge)); };
  const auto port_id = [](std::size_t port) { return id(100 + static_cast<int>(port)); };
  for (std::size_t b = 0; b < bridges; ++b) cloud.create_bridge(bridge_id(b));
  for (std::size_t n = 0; n < ports; ++n) {
    TestHost& host = *cloud.hosts[host_of(n)];
    host.links.add(fmt::format("tap{}", n));
    ASSERT_TRUE(cloud.create_port(port_id(n), bridge_id(n % bridges), mac(static_cast<int>(n))));
    ASSERT_TRUE(cloud.take(port_id(n), host, fmt::format("tap{}", n)));
  }
  cloud.start_all();
  ASSERT_TRUE(cloud.settle());
  std::size_t active = 0, known = 0;
  for (const auto& host : cloud.hosts) {
    for (const auto& [port, status] : host->agent->statuses()) active += status.state == PortState::active ? 1 : 0;
    for (const auto& [vni, spec] : host->kernel.plugged().bridges) known += spec.remote_macs.size();
  }
  EXPECT_EQ(active, ports);
  EXPECT_EQ(known, ports * 2) << "each of the two others that serve its bridge knows a port";

  ASSERT_TRUE(cloud.create_port(port_id(ports), bridge_id(4), mac(201)));
  cloud.hosts[5]->links.add("tap200");
  ASSERT_TRUE(cloud.settle());
  std::vector<int> before;
  for (const auto& host : cloud.hosts) before.push_back(host->store->reads());
  ASSERT_TRUE(cloud.take(port_id(ports), *cloud.hosts[5], "tap200"));
  ASSERT_TRUE(cloud.settle());
  for (std::size_t n = 0; n < agents; ++n) {
    const int reads = cloud.hosts[n]->store->reads() - before[n];
    if (n == 5) {
      EXPECT_GT(reads, 0) << "it plugs the port";
    } else {
      EXPECT_EQ(reads, n == 4 || n == 6 ? 1 : 0) << "host " << n;
    }
  }
}

}  // namespace
}  // namespace midonet::agent::many_hosts
