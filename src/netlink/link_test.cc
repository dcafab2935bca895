#include "netlink/link.h"

#include <gtest/gtest.h>

namespace midonet::netlink::link_test {
namespace {

Link link(std::uint32_t ifindex, const std::string& name) {
  Link out;
  out.ifindex = ifindex;
  out.name = name;
  return out;
}

TEST(LinkTable, TellsWhetherAMessageChangedAnything) {
  LinkTable table;
  EXPECT_TRUE(table.put(link(5, "tap0")));
  EXPECT_FALSE(table.put(link(5, "tap0")));
  Link up = link(5, "tap0");
  up.up = true;
  EXPECT_TRUE(table.put(up));
  EXPECT_TRUE(table.remove(5));
  EXPECT_FALSE(table.remove(5));
  EXPECT_EQ(table.find("tap0"), nullptr);
}

TEST(LinkTable, KeepsAddressesWhenALinkIsToldAnew) {
  LinkTable table;
  const Ip ip = *Ip::parse("192.0.2.1");
  EXPECT_FALSE(table.add_address(5, ip)) << "of a link that is not known";
  table.put(link(5, "tap0"));
  EXPECT_TRUE(table.add_address(5, ip));
  EXPECT_FALSE(table.add_address(5, ip));
  EXPECT_FALSE(table.put(link(5, "tap0")));
  EXPECT_TRUE(table.find(5)->addresses.contains(ip));
  EXPECT_TRUE(table.remove_address(5, ip));
  EXPECT_FALSE(table.remove_address(5, ip));
}

TEST(LinkTable, FindsARenamedLinkByItsNewNameOnly) {
  LinkTable table;
  table.put(link(5, "tap0"));
  table.put(link(5, "old"));
  EXPECT_EQ(table.find("tap0"), nullptr);
  ASSERT_NE(table.find("old"), nullptr);
  EXPECT_EQ(table.find("old")->ifindex, 5u);
}

TEST(LinkTable, ANameThatPassedToAnotherLinkStaysWithIt) {
  LinkTable table;
  table.put(link(5, "tap0"));
  table.put(link(6, "tap0"));  // 5 was deleted; that message comes late
  EXPECT_EQ(table.find("tap0")->ifindex, 6u);
  table.remove(5);
  ASSERT_NE(table.find("tap0"), nullptr);
  EXPECT_EQ(table.find("tap0")->ifindex, 6u);
}

TEST(LinkTable, TwoLinksThatSwapNamesAreBothFound) {
  LinkTable table;
  table.put(link(5, "a"));
  table.put(link(6, "b"));
  table.put(link(5, "swap"));
  table.put(link(6, "a"));
  table.put(link(5, "b"));
  EXPECT_EQ(table.find("a")->ifindex, 6u);
  EXPECT_EQ(table.find("b")->ifindex, 5u);
  EXPECT_EQ(table.find("swap"), nullptr);
}

}  // namespace
}  // namespace midonet::netlink::link_test
