// midonet, the program: its verbs against the real REST API.

#include "base/json.h"
#include "programs/midonet_fixture.h"

namespace midonet::programs::midonet_test {
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::StartsWith;

TEST_F(Midonet, MakesAndListsBridgesAndPorts) {
  EXPECT_EQ(ok({"bridge", "create", "web", "--id", web, "--tenant", "acme"}), web + "\n");
  EXPECT_THAT(ok({"bridge", "create"}), MatchesRegex("[0-9a-f-]{36}\n"));
  EXPECT_EQ(ok({"port", "create", "web", "--id", port1, "--mac", "02:00:00:00:00:01"}), port1 + "\n");
  EXPECT_THAT(ok({"bridge", "list", "--tenant", "acme"}),
              MatchesRegex("ID +NAME +TENANT +VNI +UP\nbbbb0001  web   acme    [0-9]+ +yes\n"));
  EXPECT_THAT(ok({"--full", "bridge", "list", "--tenant", "acme"}), HasSubstr("\n" + web + "  web "));
  EXPECT_EQ(ok({"port", "list", "web"}),
            "ID        BRIDGE  HOST  INTERFACE  STATE    SINCE\n"
            "dddd0001  web     -     -          unbound  -\n");
  EXPECT_THAT(ok({"port", "list", "web", "--full"}), HasSubstr("02:00:00:00:00:01"));
  const json all = json::parse(ok({"bridge", "list", "-o", "json"}));
  EXPECT_EQ(all.size(), 2U);
  EXPECT_EQ(json::parse(ok({"-o", "json", "port", "create", "web"}))["deviceId"], web);
}

TEST_F(Midonet, ListsHosts) {
  EXPECT_EQ(ok({"host", "list"}),
            "ID        NAME  STATE  ADDRESSES\n"
            "11111111  cmp1  alive  10.0.0.1\n"
            "22222222  cmp2  down   -\n");
}

TEST_F(Midonet, PutsHostsIntoTunnelZones) {
  const std::string zone = "cccc0001-0000-4000-8000-000000000000";
  EXPECT_EQ(ok({"tunnel-zone", "create", "underlay", "--id", zone}), zone + "\n");
  fails(3, HasSubstr("Tunnel zone name already exists."), {"tunnel-zone", "create", "underlay"});
  EXPECT_EQ(ok({"tunnel-zone", "list"}),
            "ID        NAME      TYPE\n"
            "cccc0001  underlay  vxlan\n");
  const std::string heading = "HOST ID   HOST  STATE  ADDRESS\n";
  const std::string first = "11111111  cmp1  alive  192.0.2.1\n";
  EXPECT_EQ(ok({"tunnel-zone", "add-host", "underlay", "cmp1", "192.0.2.1"}), heading + first);
  fails(1, HasSubstr("127.0.0.1 is a loopback address"), {"tunnel-zone", "add-host", "cccc", "cmp2", "127.0.0.1"});
  fails(3, HasSubstr("Address 192.0.2.1 is already used by host " + host1),
        {"tunnel-zone", "add-host", "underlay", "cmp2", "192.0.2.1"});
  EXPECT_EQ(json::parse(ok({"-o", "json", "tunnel-zone", "add-host", "cccc", host2, "2001:db8::1"}))["ipAddress"],
            "2001:db8::1");
  EXPECT_EQ(ok({"tunnel-zone", "show", "underlay"}), "id    " + zone + "\nname  underlay\ntype  vxlan\n\n" + heading +
                                                         first + "22222222  cmp2  down   2001:db8::1\n");
  EXPECT_EQ(ok({"tunnel-zone", "remove-host", "underlay", "cmp1"}), "host cmp1 left tunnel zone underlay\n");
  fails(2, HasSubstr("There is no TunnelZoneHost with ID " + host1), {"tunnel-zone", "remove-host", "cccc", "cmp1"});
  fails(2, HasSubstr("there is no tunnel-zone 'overlay': `midonet tunnel-zone list` shows what there is"),
        {"tunnel-zone", "show", "overlay"});
  fails(3,
        HasSubstr(
            "tunnel-zone underlay has 1 host, whose tunnels would end: `midonet tunnel-zone remove-host` them first"),
        {"tunnel-zone", "delete", "underlay"});
  EXPECT_EQ(ok({"tunnel-zone", "delete", "underlay", "--with-hosts"}), "deleted tunnel-zone " + zone + " (underlay)\n");
}

TEST_F(Midonet, AttachesWaitsAndDetaches) {
  make_all();
  EXPECT_EQ(masked(ok({"attach", port1, "cmp1", "tap1", "--wait", "10"})),
            "ID        BRIDGE  HOST  INTERFACE  STATE   SINCE\n"
            "dddd0001  web     cmp1  tap1       active  AGE\n");
  ok({"attach", port1, "cmp1", "tap1", "--wait", "10"});  // again
  EXPECT_EQ(ok({"detach", "tap1"}), "detached port " + port1 + " from tap1\n");
  EXPECT_EQ(ok({"detach", port1}), "port " + port1 + " was not attached\n");
}

TEST_F(Midonet, SaysWhatIsWrongWithAnAttachedPort) {
  make_all();
  const Ended bad = midonet({"attach", port1, "cmp1", "bad0", "--wait", "10"});
  EXPECT_EQ(bad.status, 6);
  EXPECT_EQ(bad.err, "midonet: port " + port1 + " is attached, but not active: bad0 is a port of the bridge br0\n");
  EXPECT_THAT(bad.out, HasSubstr("error"));
  fails(5, HasSubstr("is attached, but still pending-host after 0.2 s"),
        {"attach", port2, "cmp1", "slow0", "--wait", "0.2"});
  const Ended as_json = midonet({"-o", "json", "attach", port2, "cmp1", "slow0", "--wait", "0.1"});
  EXPECT_EQ(as_json.status, 5);
  EXPECT_EQ(json::parse(as_json.out)["interfaceName"], "slow0");
}

TEST_F(Midonet, RefusesWhatTheApiRefuses) {
  make_all();
  ok({"attach", port1, "cmp1", "tap1"});
  fails(3, AllOf(HasSubstr("tap1"), HasSubstr("`midonet detach`")), {"attach", port2, "cmp1", "tap1"});
  fails(3, HasSubstr("--move-from"), {"attach", port1, "cmp2", "tap1"});
  ok({"attach", port1, "cmp2", "tap1", "--move-from", "cmp1"});
  fails(3, HasSubstr("already exists"), {"bridge", "create", "other", "--id", web});
  fails(3, HasSubstr("active"), {"host", "delete", "cmp1"});
  fails(1, HasSubstr("MAC address"), {"port", "create", "web", "--mac", "02:00"});
  fails(1, HasSubstr("UUID"), {"port", "create", "web", "--id", "7"});
  fails(1, HasSubstr("interface"), {"attach", port2, "cmp1", "a name"});
  fails(1, HasSubstr("UTF-8"), {"bridge", "create", "\xff"});
  EXPECT_EQ(json::parse(ok({"-o", "json", "bridge", "list"})).size(), 2U);
}

TEST_F(Midonet, TakesNamesIdsAndBeginningsOfIds) {
  make_all();
  for (const std::string name : {"web", web.c_str(), "bbbb0001", "BBBB0001-0000-4000-8000-000000000000"})
    EXPECT_THAT(ok({"bridge", "show", name}), HasSubstr(web));
  for (const std::string name : {port1.c_str(), "dddd0001", "02:00:00:00:00:01"})
    EXPECT_THAT(ok({"port", "show", name}), HasSubstr(port1));
  fails(1, AllOf(HasSubstr(web + " (web)"), HasSubstr(db + " (db)")), {"bridge", "show", "bbbb"});
  fails(2, HasSubstr("there is no bridge 'mail': `midonet bridge list` shows what there is"),
        {"bridge", "show", "mail"});
  fails(2, HasSubstr("no port"), {"detach", host1});
  fails(2, HasSubstr("no bridge"), {"port", "list", "mail"});
  ok({"bridge", "create", "web"});
  fails(1, HasSubstr("may be any of 2 bridges"), {"port", "create", "web"});
}

TEST_F(Midonet, ShowsTheTree) {
  make_all();
  ok({"attach", port1, "cmp1", "tap1", "--wait", "10"});
  ok({"attach", port2, "cmp2", "tap2"});
  EXPECT_EQ(masked(ok({"show"})),
            "host cmp1  alive\n"
            "  port dddd0001  on web  tap1  active        AGE\n"
            "host cmp2  down\n"
            "  port dddd0002  on web  tap2  pending-host  -\n"
            "    the host has no live agent\n"
            "bridge db  1 unbound port\n"
            "  port eeee0003\n");
  const json tree = json::parse(ok({"show", "-o", "json"}));
  EXPECT_EQ(tree["hosts"][0]["ports"][0]["status"]["state"], "active");
}

TEST_F(Midonet, ShowsOneOfThemInFull) {
  make_all();
  ok({"attach", port1, "cmp1", "tap1", "--wait", "10"});
  const std::string shown = fmt::format(
      "id             {}\n"
      "type           Bridge\n"
      "deviceId       {}\n"
      "adminStateUp   yes\n"
      "macAddress     02:00:00:00:00:01\n"
      "hostId         {}\n"
      "interfaceName  tap1\n"
      "active         yes\n"
      "state          active\n"
      "since          AGE\n",
      port1, web, host1);
  EXPECT_EQ(masked(ok({"port", "show", "tap1"})), shown);
  EXPECT_THAT(ok({"host", "show", "cmp1"}),
              AllOf(HasSubstr("eth0       up     02:00:00:00:00:0a  1500"), HasSubstr("dddd0001")));
  EXPECT_THAT(ok({"bridge", "show", "web"}),
              AllOf(HasSubstr("tenantId"), HasSubstr("dddd0001"), HasSubstr("dddd0002")));
  EXPECT_THAT(ok({"port", "show", "tap1", "-o", "wide"}),
              HasSubstr(url + "/midonet-api/ports/" + port1 + "/attach_interface\n"));
}

TEST_F(Midonet, DeletesSeveralOrNone) {
  make_all();
  fails(2, HasSubstr("mail"), {"bridge", "delete", "web", "mail"});
  EXPECT_EQ(json::parse(ok({"-o", "json", "bridge", "list"})).size(), 2U);
  EXPECT_EQ(ok({"bridge", "delete", "web", "bbbb0002"}),
            "deleted bridge " + web + " (web)\ndeleted bridge " + db + " (db)\n");
  EXPECT_EQ(ok({"port", "list"}), "ID  BRIDGE  HOST  INTERFACE  STATE  SINCE\n");
  EXPECT_EQ(ok({"host", "delete", "cmp2"}), "deleted host " + host2 + " (cmp2)\n");
}

TEST_F(Midonet, DeletesABridgeWithBoundPortsOnlyWhenToldTo) {
  make_all();
  ok({"bridge", "delete", "db"});  // its port is not bound
  ok({"attach", port1, "cmp1", "tap1"});
  ok({"attach", port2, "cmp2", "tap2"});
  ok({"bridge", "create", "mail"});
  fails(
      3,
      HasSubstr("bridge web is in use, 2 of its ports are bound: 1 on cmp1, 1 on cmp2: `midonet detach` them first, or "
                "delete it with its ports: --with-ports"),
      {"bridge", "delete", "mail", "web"});
  EXPECT_EQ(json::parse(ok({"-o", "json", "bridge", "list"})).size(), 2U) << "none of them, then";
  ok({"detach", port2});
  fails(3, HasSubstr("1 of its ports is bound: 1 on cmp1"), {"bridge", "delete", web});
  EXPECT_EQ(ok({"bridge", "delete", "--with-ports", "web"}), "deleted bridge " + web + " (web)\n");
  EXPECT_EQ(json::parse(ok({"-o", "json", "port", "list"})).size(), 0U);
}

TEST_F(Midonet, TellsWhetherAllIsWell) {
  make_all();
  ok({"attach", port1, "cmp1", "tap1", "--wait", "10"});
  ok({"attach", port2, "cmp2", "tap2"});
  const Ended said = midonet({"status"});
  EXPECT_EQ(said.status, 1);
  EXPECT_EQ(said.err,
            "midonet: not all is well: 1 host down, 1 port without an agent's word, 2 tunnel zones to look at\n");
  EXPECT_EQ(said.out, "API         v5.0 at " + url +
                          "/midonet-api, ACTIVE READWRITE\n"
                          "hosts       1 alive, 1 down: cmp2\n"
                          "bridges     2\n"
                          "ports       3: 1 active, 1 pending-host, 1 unbound\n"
                          "agent here  none: unix:" +
                          socket +
                          ": cannot connect:\n"
                          "            No such file or directory\n"
                          "tunnel zones:\n"
                          "  host cmp1 is in no tunnel zone: its ports reach those of no other host\n"
                          "  host cmp2 is in no tunnel zone: its ports reach those of no other host\n"
                          "not active:\n"
                          "  port dddd0002  on web  cmp2  tap2  pending-host  -\n"
                          "    the host has no live agent\n");
  ok({"tunnel-zone", "create", "underlay"});
  ok({"tunnel-zone", "add-host", "underlay", "cmp1", "192.0.2.1"});
  ok({"tunnel-zone", "add-host", "underlay", "cmp2", "192.0.2.2"});
  ok({"detach", port2});
  ok({"host", "delete", "cmp2"});
  ok({"status"});

  FakeAgent agent(socket);
  Child child({MIDONET_PROGRAM, "--api", url, "--socket", socket, "status"});
  const std::string body = json{{"hostId", host1}, {"version", "7"}}.dump();
  EXPECT_THAT(agent.serve(fmt::format("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{}", body.size(), body)),
              StartsWith("GET /status HTTP/1.1\r\n"));
  EXPECT_THAT(child.wait().out, HasSubstr("agent here  cmp1 (" + host1 + "), version 7\n"));
}

TEST_F(Midonet, SaysHowAHostIsMade) {
  fails(1, HasSubstr("run `midolman --store URI` on it"), {"host", "create", "cmp3"});
}

}  // namespace
}  // namespace midonet::programs::midonet_test
