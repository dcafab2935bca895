#include "store/zookeeper_address.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace midonet::store::zookeeper_address_test {
namespace {

using testing::HasSubstr;
using Server = ZookeeperAddress::Server;

TEST(ZookeeperAddress, NamesServersAndARoot) {
  const auto address = ZookeeperAddress::parse("zookeeper://h1:2181,h-2.example.org:2191,192.0.2.7/cloud/midonet");
  ASSERT_TRUE(address) << address.error().message;
  EXPECT_EQ(address->servers, (std::vector<Server>{{"h1", 2181}, {"h-2.example.org", 2191}, {"192.0.2.7", 2181}}));
  EXPECT_EQ(address->root, "/cloud/midonet");
  EXPECT_EQ(address->uri(), "zookeeper://h1:2181,h-2.example.org:2191,192.0.2.7:2181/cloud/midonet");
}

TEST(ZookeeperAddress, WithoutARootIsMidonets) {
  EXPECT_EQ(ZookeeperAddress::parse("zookeeper://h")->root, "/midonet");
  EXPECT_EQ(ZookeeperAddress::parse("zookeeper://h:1/")->root, "/midonet");
}

TEST(ZookeeperAddress, AnIpv6AddressStandsInBrackets) {
  const auto address = ZookeeperAddress::parse("zookeeper://[2001:db8::1]:2182,[::1]/m");
  ASSERT_TRUE(address) << address.error().message;
  EXPECT_EQ(address->servers, (std::vector<Server>{{"2001:db8::1", 2182}, {"::1", 2181}}));
  EXPECT_EQ(address->uri(), "zookeeper://[2001:db8::1]:2182,[::1]:2181/m");
}

TEST(ZookeeperAddress, WhatIsWrongIsSaid) {
  const std::vector<std::pair<std::string, std::string>> cases{
      {"zookeeper://", "a server is missing"},
      {"zookeeper:///midonet", "a server is missing"},
      {"zookeeper://h1,,h2/m", "a server is missing"},
      {"zookeeper://h1,/m", "a server is missing"},
      {"zookeeper://h:0/m", "is not a port"},
      {"zookeeper://h:65536/m", "is not a port"},
      {"zookeeper://h:/m", "is not a port"},
      {"zookeeper://h:21x/m", "is not a port"},
      {"zookeeper://2001:db8::1/m", "in brackets"},
      {"zookeeper://[2001:db8::1/m", "lacks a"},
      {"zookeeper://[h]:1/m", "is not an IPv6 address"},
      {"zookeeper://[::1]x/m", "is not a port"},
      {"zookeeper://a b/m", "is not the name of a host"},
      {"zookeeper://user@h/m", "is not the name of a host"},
      {"zookeeper://h//m", "empty part"},
      {"zookeeper://h/m/", "empty part"},
      {"zookeeper://h/m/../n", "has a part"},
      {"zookeeper://h/zookeeper/m", "belongs to the servers"},
      {"zookeeper://a:2181/root,b:2181/root", "behind all servers: zookeeper://a:2181,b:2181/root"},
      {"zookeeper://a/m,b:1,c/m", "behind all servers: zookeeper://a,b:1,c/m"},
      {"zookeeper://a/m,b", "behind all servers: zookeeper://a,b/m"},
  };
  for (const auto& [uri, message] : cases) {
    const auto address = ZookeeperAddress::parse(uri);
    ASSERT_FALSE(address) << uri;
    EXPECT_EQ(address.error().code, Code::invalid) << uri;
    EXPECT_THAT(address.error().message, HasSubstr(message)) << uri;
    EXPECT_THAT(address.error().message, HasSubstr(uri));
  }
}

}  // namespace
}  // namespace midonet::store::zookeeper_address_test
