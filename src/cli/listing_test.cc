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
            "ID                                    NAME  TENANT  VNI  UP\n"
            "bbbb0001-0000-0000-0000-000000000000  db    acme    2    yes\n"
            "bbbb0002-0000-0000-0000-000000000000  web   -       1    no\n");
}

TEST(HostList, SaysWhichHostsAreAlive) {
  EXPECT_EQ(host_list(hosts(), look(Format::table)),
            "ID                                    NAME  STATE  ADDRESSES\n"
            "11111111-0000-0000-0000-00000000000a  cmp1  alive  10.0.0.1 fe80::1\n"
            "22222222-0000-0000-0000-00000000000b  cmp2  down   -\n");
}

TEST(PortList, NamesBridgesAndHostsAndGivesAges) {
  EXPECT_EQ(
      port_list(ports(), bridges(), hosts(), look(Format::table)),
      "ID                                    BRIDGE  HOST  INTERFACE  STATE         SINCE  MAC                REASON\n"
      "dddd0001-0000-0000-0000-000000000000  web     cmp1  tap1       active        3m     02:00:00:00:00:01  -\n"
      "dddd0002-0000-0000-0000-000000000000  db      cmp1  tap2       error         12s    -                  tap2 is "
      "a port of the bridge br0\n"
      "dddd0003-0000-0000-0000-000000000000  web     cmp2  tap3       pending-host  -      -                  -\n"
      "dddd0004-0000-0000-0000-000000000000  web     -     -          unbound       -      -                  -\n");
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
            "INTERFACE  STATE    MAC                MTU   TYPE      ENDPOINT  ADDRESSES\n"
            "eth0       up       02:00:00:00:00:01  1500  Physical  PHYSICAL  10.0.0.1\n"
            "tap0       no link  02:00:00:00:00:02  1450  Virtual   TUNTAP    -\n"
            "tap1       down     -                  1450  Virtual   TUNTAP    -\n");
}

TEST(SortedPorts, StandByBridgeHostAndInterface) {
  const Json sorted = sorted_ports(ports(), bridges(), hosts());
  std::vector<std::string> ids;
  for (const Json& port : sorted) ids.push_back(port["id"].get<std::string>().substr(0, 8));
  EXPECT_EQ(ids, (std::vector<std::string>{"dddd0002", "dddd0004", "dddd0001", "dddd0003"}));
}

}  // namespace
}  // namespace midonet::cli::listing_test
