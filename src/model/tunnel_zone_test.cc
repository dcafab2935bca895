#include "model/tunnel_zone.h"

#include <gtest/gtest.h>

#include "base/json.h"
#include "model/entity.h"

namespace midonet::model::tunnel_zone_test {
namespace {

constexpr const char* host = "aaaaaaaa-0000-4000-8000-000000000001";

std::vector<Violation> violations_of(const std::string& address) {
  TunnelZoneHost member;
  return read_entity(Json{{"hostId", host}, {"ipAddress", address}}, Writing::create, member);
}

TEST(TunnelZone, AMemberHasAnAddressThatAHostCanBeReachedAt) {
  for (const char* good : {"192.0.2.1", "10.255.255.255", "1.0.0.1", "223.255.255.254", "2001:db8::1", "fd00::1"})
    EXPECT_EQ(violations_of(good), std::vector<Violation>()) << good;
}

TEST(TunnelZone, AnAddressThatLeadsNowhereIsRefusedWithTheReason) {
  const std::vector<std::pair<std::string, std::string>> bad = {
      {"", "must be an IPv4 or IPv6 address"},
      {"192.0.2", "must be an IPv4 or IPv6 address"},
      {"192.0.2.1/24", "must be an IPv4 or IPv6 address"},
      {"fe80::1%eth0", "must be an IPv4 or IPv6 address"},
      {"0.0.0.0", "0.0.0.0 is no host's address"},
      {"0.1.2.3", "0.1.2.3 is no host's address"},
      {"127.0.0.1", "127.0.0.1 is a loopback address"},
      {"169.254.0.1", "169.254.0.1 is a link-local address"},
      {"224.0.0.1", "224.0.0.1 is a multicast address"},
      {"239.255.255.255", "239.255.255.255 is a multicast address"},
      {"240.0.0.1", "240.0.0.1 is a reserved address"},
      {"255.255.255.255", "255.255.255.255 is the broadcast address"},
      {"::", ":: is no host's address"},
      {"::1", "::1 is a loopback address"},
      {"fe80::1", "fe80::1 is a link-local address"},
      {"febf::1", "febf::1 is a link-local address"},
      {"ff02::1", "ff02::1 is a multicast address"},
      {"::ffff:192.0.2.1", "::ffff:192.0.2.1 is an IPv4 address; write it as one"},
  };
  for (const auto& [address, message] : bad)
    EXPECT_EQ(violations_of(address), (std::vector<Violation>{{"ipAddress", message}})) << address;
}

TEST(TunnelZone, AnotherKindOfTunnelIsRefusedAndTheMessageNamesTheOptionForGre) {
  for (const char* type : {"gre", "vtep", "VXLAN", ""}) {
    TunnelZone zone;
    EXPECT_EQ(read_entity(Json{{"name", "z"}, {"type", type}}, Writing::create, zone),
              (std::vector<Violation>{
                  {"type", "must be vxlan; gre is taken for it with the server's option gre-means-vxlan"}}))
        << type;
  }
  TunnelZone zone;
  EXPECT_TRUE(read_entity(Json{{"name", "z"}, {"type", nullptr}}, Writing::create, zone).empty());
  EXPECT_EQ(zone.type, "vxlan");
}

}  // namespace
}  // namespace midonet::model::tunnel_zone_test
