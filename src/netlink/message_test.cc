#include "netlink/message.h"

#include <gtest/gtest.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include <cstring>
#include <fstream>
#include <random>
#include <string>

namespace midonet::netlink::message_test {
namespace {

using Bytes = std::vector<std::uint8_t>;

struct Event {
  std::string label;
  Bytes bytes;
};

std::vector<Event> golden() {
  std::vector<Event> out;
  std::ifstream file(std::string(MIDONET_TESTS_DIR) + "/wire/netlink/events.txt");
  std::string line;
  while (std::getline(file, line)) {
    if (line.empty() || line[0] == '#') continue;
    const auto space = line.find(' ');
    Event event{line.substr(0, space), {}};
    for (std::size_t i = space + 1; i + 1 < line.size(); i += 2)
      event.bytes.push_back(static_cast<std::uint8_t>(std::stoul(line.substr(i, 2), nullptr, 16)));
    out.push_back(std::move(event));
  }
  return out;
}

std::vector<Message> messages(const Bytes& bytes) {
  std::vector<Message> out;
  EXPECT_TRUE(decode(bytes, [&](Message&& message) { out.push_back(std::move(message)); }));
  return out;
}

void follow(LinkTable& table, const Message& message) {
  if (const auto* is = std::get_if<LinkIs>(&message.body)) table.put(is->link);
  if (const auto* gone = std::get_if<LinkGone>(&message.body)) table.remove(gone->ifindex);
  if (const auto* is = std::get_if<AddressIs>(&message.body)) table.add_address(is->ifindex, is->ip);
  if (const auto* gone = std::get_if<AddressGone>(&message.body)) table.remove_address(gone->ifindex, gone->ip);
}

// The table after all events up to the last one with this label.
LinkTable after(const std::string& label) {
  LinkTable table;
  bool reached = false;
  for (const Event& event : golden()) {
    if (reached && event.label != label) break;
    reached = event.label == label;
    for (const Message& message : messages(event.bytes)) follow(table, message);
  }
  EXPECT_TRUE(reached || table.size() > 0);
  return table;
}

TEST(NetlinkMessage, ReadsANewTap) {
  const LinkTable table = after("tap");
  ASSERT_EQ(table.size(), 1u);
  const Link* tap = table.find("tap1");
  ASSERT_NE(tap, nullptr);
  EXPECT_EQ(tap->ifindex, 2u);
  EXPECT_EQ(tap->kind, "tun");
  EXPECT_TRUE(tap->ethernet());
  EXPECT_FALSE(tap->up);
  EXPECT_FALSE(tap->carrier);
  EXPECT_FALSE(tap->loopback);
  EXPECT_EQ(tap->mtu, 1500u);
  EXPECT_EQ(tap->mac->to_string(), "2a:de:38:c6:d2:57");
  EXPECT_EQ(tap->master, 0u);
}

TEST(NetlinkMessage, ReadsWhoseMemberALinkIs) {
  const LinkTable table = after("member");
  EXPECT_EQ(table.find("tap1")->master, table.find("br9")->ifindex);
  EXPECT_EQ(table.find("tap1")->master_kind, "bridge");
  EXPECT_EQ(table.find("br9")->kind, "bridge");
}

TEST(NetlinkMessage, LeavingABridgeIsNotBeingDeleted) {
  const LinkTable table = after("left");  // has RTM_DELLINK messages of AF_BRIDGE
  ASSERT_NE(table.find("tap1"), nullptr);
  EXPECT_EQ(table.find("tap1")->master, 0u);
  EXPECT_EQ(table.find("tap1")->master_kind, "");
}

TEST(NetlinkMessage, ReadsAddressesAndOfAPointToPointLinkTheLocalOne) {
  const LinkTable table = after("v6");
  EXPECT_EQ(table.find("tap1")->addresses,
            (std::set<Ip>{*Ip::parse("192.0.2.1"), *Ip::parse("192.0.2.5"), *Ip::parse("2001:db8::1")}));
  EXPECT_TRUE(table.find("tap1")->up);
  EXPECT_FALSE(table.find("tap1")->carrier) << "no process has the tap open";
}

TEST(NetlinkMessage, ReadsRemovals) {
  EXPECT_EQ(after("deladdr").find("tap1")->addresses,
            (std::set<Ip>{*Ip::parse("192.0.2.5"), *Ip::parse("2001:db8::1")}));
  const LinkTable table = after("del");
  EXPECT_EQ(table.find("tap1"), nullptr);
  EXPECT_EQ(table.size(), 1u);
}

TEST(NetlinkMessage, RequestsAreTheBytesThatTheKernelExpects) {
  const Bytes links = dump_links(7);
  const Bytes expected = {40, 0, 0, 0, RTM_GETLINK, 0, 0x01, 0x03, 7, 0, 0, 0, 0, 0, 0,  0, 0, 0, 0, 0,
                          0,  0, 0, 0, 0,           0, 0,    0,    0, 0, 0, 0, 8, 0, 29, 0, 8, 0, 0, 0};
  EXPECT_EQ(links, expected);
  const Bytes addresses = dump_addresses(8);
  EXPECT_EQ(addresses.size(), sizeof(nlmsghdr) + sizeof(ifaddrmsg));
  EXPECT_EQ(addresses[4], RTM_GETADDR);
}

TEST(NetlinkMessage, ReadsTheEndOfADumpAndItsError) {
  Bytes bytes(20);
  nlmsghdr header{20, NLMSG_DONE, NLM_F_MULTI | NLM_F_DUMP_INTR, 9, 1234};
  const std::int32_t code = -16;
  std::memcpy(bytes.data(), &header, sizeof header);
  std::memcpy(bytes.data() + sizeof header, &code, sizeof code);
  const auto out = messages(bytes);
  ASSERT_EQ(out.size(), 1u);
  EXPECT_EQ(out[0].sequence, 9u);
  EXPECT_EQ(out[0].port, 1234u);
  EXPECT_TRUE(out[0].interrupted);
  EXPECT_EQ(std::get<Done>(out[0].body).error_number, 16);
}

TEST(NetlinkMessage, LostMessagesAreReported) {
  Bytes bytes(16);
  const nlmsghdr header{16, NLMSG_OVERRUN, 0, 0, 0};
  std::memcpy(bytes.data(), &header, sizeof header);
  EXPECT_FALSE(decode(bytes, [](Message&&) {}));
}

// Every cut and thousands of damaged copies of real events: nothing is read beyond the bytes (ASan watches:
// the copy is exactly as long), and no result is beyond reason.
TEST(NetlinkMessage, DamagedBytesHarmNothing) {
  std::mt19937 random(20120901);  // a failure can be repeated
  const auto check = [](const Bytes& bytes) {
    const Bytes exact(bytes);
    decode(exact, [&](Message&& message) {
      if (const auto* is = std::get_if<LinkIs>(&message.body)) {
        EXPECT_LE(is->link.name.size(), bytes.size());
        EXPECT_GT(is->link.ifindex, 0u);
      }
    });
  };
  for (const Event& event : golden()) {
    for (std::size_t length = 0; length < event.bytes.size(); length += 3)
      check(Bytes(event.bytes.begin(), event.bytes.begin() + static_cast<std::ptrdiff_t>(length)));
    for (int round = 0; round < 200; ++round) {
      Bytes damaged = event.bytes;
      for (unsigned hits = 1 + random() % 8; hits > 0; --hits)
        damaged[random() % damaged.size()] = static_cast<std::uint8_t>(random());
      check(damaged);
      // The outer length right again, so that the damage is met further in.
      const auto size = static_cast<std::uint32_t>(damaged.size());
      std::memcpy(damaged.data(), &size, sizeof size);
      check(damaged);
    }
  }
}

}  // namespace
}  // namespace midonet::netlink::message_test
