#include "cli/listing.h"

#include <gtest/gtest.h>

#include "base/json.h"
#include "cli/testdata.h"

namespace midonet::cli::listing_test {
namespace {

using testdata::bridges;
using testdata::hosts;
using testdata::look;
using testdata::ports;

TEST(BridgeList, HasAColumnForWhatMatters) {
  EXPECT_EQ(bridge_list(bridges(), look(Format::table)),
            "ID        NAME  TENANT  VNI  UP\n"
            "bbbb0001  db    acme    2    yes\n"
            "bbbb0002  web   -       1    no\n");
}

TEST(HostList, SaysWhichHostsAreAlive) {
  EXPECT_EQ(host_list(hosts(), look(Format::table)),
            "ID        NAME  STATE  ADDRESSES\n"
            "11111111  cmp1  alive  10.0.0.1 fe80::1\n"
            "22222222  cmp2  down   -\n");
}

TEST(PortList, NamesBridgesAndHostsAndGivesAges) {
  EXPECT_EQ(port_list(ports(), bridges(), hosts(), look(Format::table)),
            "ID        BRIDGE  HOST  INTERFACE  STATE         SINCE\n"
            "dddd0001  web     cmp1  tap1       active        3m\n"
            "dddd0002  db      cmp1  tap2       error         12s\n"
            "    tap2 is a port of the bridge br0\n"
            "dddd0003  web     cmp2  tap3       pending-host  -\n"
            "dddd0004  web     -     -          unbound       -\n");
}

TEST(PortList, ShowsEverythingInOneLineWhenAskedTo) {
  Look full = look(Format::table);
  full.full = true;
  EXPECT_EQ(
      port_list(ports(), bridges(), hosts(), full),
      "ID                                    BRIDGE  HOST  INTERFACE  STATE         SINCE  MAC                REASON\n"
      "dddd0001-0000-0000-0000-000000000000  web     cmp1  tap1       active        3m     02:00:00:00:00:01  -\n"
      "dddd0002-0000-0000-0000-000000000000  db      cmp1  tap2       error         12s    -                  tap2 is "
      "a port of the bridge br0\n"
      "dddd0003-0000-0000-0000-000000000000  web     cmp2  tap3       pending-host  -      -                  -\n"
      "dddd0004-0000-0000-0000-000000000000  web     -     -          unbound       -      -                  -\n");
}

TEST(PortList, TellsHostsAndBridgesOfOneNameApart) {
  Json twins = hosts(), nets = bridges();
  twins[1]["name"] = "cmp1";
  nets[0]["name"] = "";
  EXPECT_EQ(port_list(ports(), nets, twins, look(Format::table)),
            "ID        BRIDGE    HOST             INTERFACE  STATE         SINCE\n"
            "dddd0001  web       cmp1 (11111111)  tap1       active        3m\n"
            "dddd0002  bbbb0001  cmp1 (11111111)  tap2       error         12s\n"
            "    tap2 is a port of the bridge br0\n"
            "dddd0003  web       cmp1 (22222222)  tap3       pending-host  -\n"
            "dddd0004  web       -                -          unbound       -\n");
}

TEST(PortList, GivesMoreOfIdsThatBeginAlike) {
  Json alike = Json::array({ports()[0], ports()[1]});
  alike[1]["id"] = "dddd0001-0000-0000-0000-000000000001";
  EXPECT_NE(port_list(alike, bridges(), hosts(), look(Format::table)).find("\ndddd0001-0000-0000-0000-000000000001 "),
            std::string::npos);
}

// However long names are, and whatever kernel and store allow.
TEST(Lists, FitEightyColumns) {
  const std::string name(255, 'n'), id = "3f2504e0-4f89-41d3-9a0c-0305e82c3301";
  const std::string reason =
      "the MTU of tap3f2504e0-4f is 9000, that of the tunnel 1450: larger packets do not get there";
  const Json things = Json::array({{{"id", id},
                                    {"name", name},
                                    {"tenantId", "8a3b5e0e6d0c4a2f9d6b3c1e7f5a9b2d"},
                                    {"vni", 16777215},
                                    {"adminStateUp", true},
                                    {"type", "vxlan"},
                                    {"alive", true},
                                    {"addresses", {"192.168.100.100", "2001:db8:1234:5678:9abc:def0:1234:5678"}}}});
  const Json some = Json::array(
      {{{"id", id},
        {"deviceId", id},
        {"hostId", id},
        {"interfaceName", "interface-of-15"},
        {"macAddress", "02:00:00:00:00:01"},
        {"status", {{"state", "pending-interface"}, {"reason", reason}, {"since", "2026-02-01T12:00:00Z"}}}}});
  const Json interfaces = Json::array({{{"name", "interface-of-15"},
                                        {"mac", "02:00:00:00:00:01"},
                                        {"mtu", 65535},
                                        {"type", "Physical"},
                                        {"endpoint", "PHYSICAL"},
                                        {"status", 1},
                                        {"addresses", {"192.168.100.100", "2001:db8:1234:5678:9abc:def0:1234:5678"}}}});
  const Json members = Json::array({{{"hostId", id}, {"ipAddress", "2001:db8:1234:5678:9abc:def0:1234:5678"}}});
  const Look table = look(Format::table);
  for (const std::string& text : {bridge_list(things, table), host_list(things, table), tunnel_zone_list(things, table),
                                  port_list(some, things, things, table), interface_list(interfaces, table),
                                  tunnel_zone_host_list(members, things, table)}) {
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t end = text.find('\n', at);
      std::size_t width = 0;
      for (; at < end; ++at) width += (static_cast<unsigned char>(text[at]) & 0xc0) != 0x80 ? 1U : 0U;
      EXPECT_LE(width, 80U) << text;
      at = end + 1;
    }
  }
}

TEST(PortList, ShowsTimesInFullWhenItIsWide) {
  const std::string text = port_list(ports(), bridges(), hosts(), look(Format::wide));
  EXPECT_NE(text.find("2026-03-01T11:57:00.000Z"), std::string::npos);
  EXPECT_NE(text.find("ADMIN STATE UP"), std::string::npos) << "every field of the model's table";
  EXPECT_NE(text.find("DEVICE ID"), std::string::npos);
  EXPECT_EQ(text.find("VLAN ID"), std::string::npos) << "a column without a value in any row is left out";
}

TEST(PortList, IsTheApisAnswerAsJson) {
  EXPECT_EQ(Json::parse(port_list(ports(), bridges(), hosts(), look(Format::json))), ports());
}

TEST(PortList, OfNothingIsItsHeadings) {
  EXPECT_EQ(port_list(Json::array(), Json::array(), Json::array(), look(Format::table)),
            "ID  BRIDGE  HOST  INTERFACE  STATE  SINCE\n");
}

TEST(Lists, StandAnAnswerOfAnyShape) {
  const Json odd = Json::parse(R"([1, null, "x", {"id": 5, "name": {}, "status": [], "vni": "many", "hostId": true}])");
  for (const Format format : {Format::table, Format::wide, Format::json}) {
    EXPECT_NE(bridge_list(odd, look(format)), "");
    EXPECT_NE(host_list(odd, look(format)), "");
    EXPECT_NE(port_list(odd, odd, odd, look(format)), "");
    EXPECT_NE(interface_list(odd, look(format)), "");
    for (const Json& one : odd) EXPECT_NE(details("Port", one, look(format)), "");
  }
}

TEST(PortDetails, AreALineForEachFieldWithAValue) {
  EXPECT_EQ(details("Port", ports()[1], look(Format::table)),
            "id             dddd0002-0000-0000-0000-000000000000\n"
            "deviceId       bbbb0001-0000-0000-0000-000000000000\n"
            "adminStateUp   yes\n"
            "hostId         11111111-0000-0000-0000-00000000000a\n"
            "interfaceName  tap2\n"
            "active         no\n"
            "state          error\n"
            "reason         tap2 is a port of the bridge br0\n"
            "since          12s\n");
}

TEST(InterfaceList, SaysWhatHasALink) {
  const Json interfaces = Json::parse(R"([
    {"name": "eth0", "mac": "02:00:00:00:00:01", "mtu": 1500, "type": "Physical", "endpoint": "PHYSICAL", "status": 3,
     "addresses": ["10.0.0.1"]},
    {"name": "tap0", "mac": "02:00:00:00:00:02", "mtu": 1450, "type": "Virtual", "endpoint": "TUNTAP", "status": 1,
     "addresses": []},
    {"name": "tap1", "mac": "", "mtu": 1450, "type": "Virtual", "endpoint": "TUNTAP", "status": 0, "addresses": []}])");
  EXPECT_EQ(interface_list(interfaces, look(Format::table)),
            "INTERFACE  STATE    MAC                MTU   TYPE      ADDRESSES\n"
            "eth0       up       02:00:00:00:00:01  1500  Physical  10.0.0.1\n"
            "tap0       no link  02:00:00:00:00:02  1450  Virtual   -\n"
            "tap1       down     -                  1450  Virtual   -\n");
}

TEST(SortedPorts, StandByBridgeHostAndInterface) {
  const Json sorted = sorted_ports(ports(), bridges(), hosts());
  std::vector<std::string> ids;
  for (const Json& port : sorted) ids.push_back(port["id"].get<std::string>().substr(0, 8));
  EXPECT_EQ(ids, (std::vector<std::string>{"dddd0002", "dddd0004", "dddd0001", "dddd0003"}));
}

}  // namespace
}  // namespace midonet::cli::listing_test
