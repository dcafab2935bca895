#include "cli/overview.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/json.h"
#include "cli/testdata.h"

namespace midonet::cli::overview_test {
namespace {

using testdata::bridges;
using testdata::hosts;
using testdata::look;
using testdata::ports;

TEST(Tree, GoesFromHostsOverPortsToInterfacesAndTheirState) {
  EXPECT_EQ(tree(hosts(), bridges(), ports(), look(Format::table)),
            "host cmp1  alive\n"
            "  port dddd0001  on web  tap1  active        3m\n"
            "  port dddd0002  on db   tap2  error         12s\n"
            "    tap2 is a port of the bridge br0\n"
            "host cmp2  down\n"
            "  port dddd0003  on web  tap3  pending-host  -\n"
            "bridge web  1 unbound port\n"
            "  port dddd0004\n");
}

TEST(Tree, KeepsAPortWhoseHostHasGone) {
  const std::string text = tree(Json::array(), bridges(), ports(), look(Format::table));
  EXPECT_NE(text.find("host 22222222  unknown\n  port dddd0003"), std::string::npos) << text;
}

TEST(Tree, ShowsIdsAndTimesInFullWhenItIsWide) {
  const std::string text = tree(hosts(), bridges(), ports(), look(Format::wide));
  EXPECT_NE(text.find("host cmp1 (11111111-0000-0000-0000-00000000000a)  alive"), std::string::npos) << text;
  EXPECT_NE(text.find("2026-03-01T11:59:48.000Z"), std::string::npos);
}

TEST(Tree, TellsHostsOfOneNameApart) {
  Json twins = hosts();
  twins[1]["name"] = "cmp1";
  const std::string text = tree(twins, bridges(), ports(), look(Format::table));
  EXPECT_THAT(text, ::testing::HasSubstr("host cmp1 (11111111)  alive\n"));
  EXPECT_THAT(text, ::testing::HasSubstr("host cmp1 (22222222)  down\n"));
}

TEST(Tree, SaysWhatToDoWhenThereIsNothing) {
  EXPECT_EQ(
      tree(Json::array(), Json::array(), Json::array(), look(Format::table)),
      "nothing here yet: `midonet bridge create NAME` makes a bridge, and a host appears when its agent starts\n");
}

TEST(Tree, IsOneObjectAsJson) {
  const Json json = Json::parse(tree(hosts(), bridges(), ports(), look(Format::json)));
  EXPECT_EQ(json["hosts"][0]["ports"][0]["interfaceName"], "tap1");
  EXPECT_EQ(json["hosts"][0]["ports"][0]["bridge"], "web");
  EXPECT_EQ(json["hosts"][0]["ports"][0]["status"]["since"], "2026-03-01T11:57:00.000Z");
  EXPECT_EQ(json["hosts"][1]["alive"], false);
  EXPECT_EQ(json["bridges"][1]["unboundPorts"], Json::array({"dddd0004-0000-0000-0000-000000000000"}));
  EXPECT_EQ(json["bridges"][0]["unboundPorts"], Json::array());
}

Health report() {
  Health health;
  health.api_url = "http://127.0.0.1:8181/midonet-api";
  health.api_version = "v5.0";
  health.api_state = "ACTIVE READWRITE";
  health.agent_silence = "none: no socket";
  return health;
}

Verdict verdict(const Json& some_ports, const Json* zones = nullptr, const Json* agent = nullptr) {
  Health of = report();
  of.zones = zones;
  of.agent = agent;
  return health(of, hosts(), bridges(), some_ports, look(Format::table));
}

TEST(HealthText, CountsStatesAndListsWhatIsNotActive) {
  const Verdict said = verdict(ports());
  EXPECT_EQ(said.text,
            "API         v5.0 at http://127.0.0.1:8181/midonet-api, ACTIVE READWRITE\n"
            "hosts       1 alive, 1 down: cmp2\n"
            "bridges     2\n"
            "ports       4: 1 active, 1 error, 1 pending-host, 1 unbound\n"
            "agent here  none: no socket\n"
            "not active:\n"
            "  port dddd0002  on db   cmp1  tap2  error         12s\n"
            "    tap2 is a port of the bridge br0\n"
            "  port dddd0003  on web  cmp2  tap3  pending-host  -\n");
  EXPECT_EQ(said.unwell, "1 host down, 1 port in error, 1 port without an agent's word");
}

TEST(HealthText, IsWellWhileGuestsDoNotRun) {
  Json some = Json::array({ports()[0], ports()[1], ports()[3]});
  some[1]["status"] = {{"state", "pending-interface"}};
  Health of = report();
  const Json alive = Json::array({hosts()[0]});
  Verdict said = health(of, alive, bridges(), some, look(Format::table));
  EXPECT_EQ(said.unwell, "");
  EXPECT_THAT(said.text, ::testing::HasSubstr("pending-interface"));
  some[1]["status"]["state"] = "down";
  EXPECT_EQ(health(of, alive, bridges(), some, look(Format::table)).unwell, "");
  of.api_state = "ACTIVE READONLY";
  EXPECT_EQ(health(of, alive, bridges(), some, look(Format::table)).unwell, "the API is ACTIVE READONLY");
}

TEST(HealthText, GathersActivePortsByWhatIsSaidOfThem) {
  Json many = Json::array();
  for (int i = 0; i < 7; ++i) {
    many.push_back(ports()[0]);
    many[static_cast<std::size_t>(i)]["status"]["reason"] = i < 6 ? "nothing is filtered" : "the MTU of tap1 is 9000";
  }
  const Verdict said = verdict(many);
  EXPECT_EQ(said.unwell, "1 host down, 7 ports with a warning");
  const std::string row = "  port dddd0001  on web  cmp1  tap1  active  3m\n";
  EXPECT_THAT(said.text,
              ::testing::EndsWith("active, with a warning:\n  nothing is filtered:\n" + row + row + row + row + row +
                                  "  and 1 more: `midonet port list`\n  the MTU of tap1 is 9000:\n" + row));
}

TEST(HealthText, NamesHostsThatShareNoTunnelZone) {
  const Json two = Json::array({ports()[0], ports()[2]});
  EXPECT_TRUE(spans_hosts(two));
  EXPECT_FALSE(spans_hosts(Json::array({ports()[0], ports()[1]})));
  const std::string first = hosts()[0]["id"], second = hosts()[1]["id"];
  const auto text = [&](const Json& zones) { return verdict(two, &zones).text; };
  EXPECT_THAT(text(Json::array()), ::testing::HasSubstr("  host cmp1 is in no tunnel zone"));
  const Json one_each{{{"id", "z1"}, {"hosts", {first}}}, {{"id", "z2"}, {"hosts", {second}}}};
  EXPECT_THAT(text(one_each),
              ::testing::HasSubstr("  hosts cmp1 and cmp2 share no tunnel zone: their ports on web do not"));
  EXPECT_EQ(verdict(two, &one_each).unwell, "1 host down, 1 port without an agent's word, 1 tunnel zone to look at");
  const Json shared{{{"id", "z1"}, {"hosts", {first, second}}}};
  EXPECT_THAT(text(shared), ::testing::Not(::testing::HasSubstr("tunnel zone")));
}

TEST(HealthText, OfAnEmptyCloudIsShort) {
  EXPECT_EQ(health(report(), Json::array(), Json::array(), Json::array(), look(Format::table)).text,
            "API         v5.0 at http://127.0.0.1:8181/midonet-api, ACTIVE READWRITE\n"
            "hosts       0 alive\n"
            "bridges     0\n"
            "ports       0\n"
            "agent here  none: no socket\n");
}

Json agent_json() {
  return {
      {"hostId", "11111111-0000-0000-0000-00000000000a"},
      {"version", "0.1.0"},
      {"pid", 7},
      {"store", "zookeeper://z:2181/midonet"},
      {"storeState", "connected"},
      {"storeSince", "2026-03-01T11:57:00.000Z"},
      {"synchronised", true},
      {"tunnel",
       {{"device", "midonet-vxlan"},
        {"udpPort", 4789},
        {"vtep", "192.0.2.1"},
        {"link", "eth0"},
        {"linkMtu", 1600},
        {"mtu", 1550},
        {"state", "active"},
        {"error", ""}}},
      {"bridges",
       {{{"bridgeId", "bbbb0001-0000-0000-0000-000000000000"},
         {"vni", 7},
         {"peers",
          {{{"hostId", "22222222-0000-0000-0000-00000000000b"}, {"address", "192.0.2.2"}, {"ports", 1}, {"macs", 3}},
           {{"hostId", "33333333-0000-0000-0000-00000000000c"}, {"address", nullptr}, {"ports", 0}, {"macs", 0}}}}},
        {{"bridgeId", "bbbb0002-0000-0000-0000-000000000000"}, {"vni", 8}, {"peers", Json::array()}}}},
      {"ports", Json::array()}};
}

std::string agent_text(const Json& agent, const Json& hosts, Format format = Format::table) {
  return text_fields(agent_rows(agent, hosts, look(format)), false, look(format).width()) +
         served_bridges(agent, hosts, bridges(), look(format));
}

TEST(AgentText, SaysWhoItIsItsStoreItsTunnelAndItsPeers) {
  EXPECT_EQ(agent_text(agent_json(), hosts()),
            "agent here  cmp1 (11111111-0000-0000-0000-00000000000a), version 0.1.0, pid 7\n"
            "store       zookeeper://z:2181/midonet answers, since 3m\n"
            "tunnel      midonet-vxlan active, from 192.0.2.1 on eth0 (mtu 1600), UDP port\n"
            "            4789, mtu 1550 inside\n"
            "bridges served here:\n"
            "  db   vni 7  to cmp2        192.0.2.2          1 port   3 MACs\n"
            "  db   vni 7  to 33333333    no usable address  0 ports  0 MACs\n"
            "  web  vni 8  no other host\n");
}

TEST(AgentText, SaysWhatIsWrong) {
  Json agent = agent_json();
  agent["synchronised"] = false;
  agent["storeState"] = "disconnected";
  agent["tunnel"]["state"] = "error";
  agent["tunnel"]["error"] = "midonet-vxlan belongs to another program";
  agent["tunnel"]["link"] = nullptr;
  agent["bridges"] = Json::array();
  EXPECT_EQ(
      agent_text(agent, Json::array(), Format::wide),
      "agent here  11111111-0000-0000-0000-00000000000a, version 0.1.0, pid 7, not synchronised yet\n"
      "store       zookeeper://z:2181/midonet does not answer, since 2026-03-01T11:57:00.000Z\n"
      "tunnel      midonet-vxlan error, from 192.0.2.1, which no interface of this host has, UDP port 4789, mtu 1550 "
      "inside: midonet-vxlan belongs to another program\n");
  agent["tunnel"] = nullptr;
  EXPECT_THAT(agent_text(agent, hosts()), ::testing::HasSubstr("tunnel      none: this host is in no tunnel zone"));
}

TEST(AgentText, NamesTapsThatAreClosed) {
  Json agent = agent_json();
  agent["closedTaps"] = {{{"interfaceName", "tap1"}, {"ifindex", 4}}, {{"interfaceName", nullptr}, {"ifindex", 5}}};
  EXPECT_THAT(agent_text(agent, hosts()), ::testing::HasSubstr("closed taps  tap1, interface 5\n"));
  for (int i = 0; i < 10; ++i) agent["closedTaps"].push_back({{"interfaceName", "x"}, {"ifindex", 6}});
  EXPECT_THAT(agent_text(agent, hosts()), ::testing::HasSubstr("x, x and 2 more\n"));
}

TEST(AgentText, ItsWarningsAreListedAndNotWell) {
  Json agent = agent_json();
  EXPECT_EQ(verdict(Json::array(), nullptr, &agent).unwell, "1 host down");
  agent["warnings"] = {"another agent has this host's id", 7};
  agent["storeState"] = "disconnected";
  const Verdict said = verdict(Json::array(), nullptr, &agent);
  EXPECT_EQ(said.unwell, "1 host down, 2 warnings of the agent here");
  EXPECT_THAT(
      said.text,
      ::testing::HasSubstr("the agent here warns:\n  its store does not answer\n  another agent has this host's id\n"));
}

TEST(AgentText, OfAnAnswerThatMakesNoSenseIsShort) {
  for (const Json& agent : {Json(), Json::array(), Json{{"bridges", 7}}, Json{{"bridges", {1, "x"}}, {"tunnel", 3}}})
    EXPECT_THAT(agent_text(agent, Json::array()), ::testing::StartsWith("agent here"));
}

TEST(AgentText, CutsALongListShort) {
  Json agent = agent_json();
  for (int i = 0; i < 30; ++i) agent["bridges"].push_back(agent["bridges"][1]);
  EXPECT_TRUE(agent_text(agent, hosts()).ends_with("  and 13 more: `midonet -o wide status`\n"));
  EXPECT_TRUE(agent_text(agent, hosts(), Format::wide).ends_with("no other host\n"));
}

TEST(HealthText, CutsALongListShort) {
  Json many = Json::array();
  for (int i = 0; i < 30; ++i) many.push_back(ports()[2]);
  const std::string text = verdict(many).text;
  EXPECT_TRUE(text.ends_with("  and 10 more: `midonet port list`\n")) << text;
}

TEST(HealthText, CountsOpenPortsBesideSecuredOnes) {
  Json some = ports();
  EXPECT_THAT(verdict(some).text, ::testing::Not(::testing::HasSubstr("secured")));
  some[0]["portSecurityEnabled"] = true;
  some[1]["portSecurityEnabled"] = false;
  EXPECT_THAT(verdict(some).text,
              ::testing::HasSubstr(fmt::format("secured     1 port; {} ports are open: their guests may send from any",
                                               some.size() - 1)));
}

TEST(HealthText, IsOneObjectAsJson) {
  Health with_agent = report();
  const Json agent{{"hostId", "x"}};
  with_agent.agent = &agent;
  const Json json = Json::parse(health(with_agent, hosts(), bridges(), ports(), look(Format::json)).text);
  EXPECT_EQ(json["hosts"], (Json{{"alive", 1}, {"down", {"cmp2"}}}));
  EXPECT_EQ(json["ports"]["active"], 1);
  EXPECT_EQ(json["agent"]["hostId"], "x");
  EXPECT_EQ(json["portSecurity"], (Json{{"open", ports().size()}, {"secured", 0}}));
  EXPECT_EQ(json["well"], false);
  EXPECT_EQ(json["problems"], Json::array());
}

}  // namespace
}  // namespace midonet::cli::overview_test
