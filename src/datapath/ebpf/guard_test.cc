// Port security (guard.h): what passes and what is dropped for which reason, frame by frame and against a model on random frames.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <atomic>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "datapath/ebpf/program_bed.h"

namespace midonet::datapath::testing::guard_test {
namespace {

using Bytes = std::vector<std::uint8_t>;

const Mac own({0x02, 0, 0, 0, 0, 0x0a}), paired({0x02, 0, 0, 0, 0, 0xaa}), other({0x02, 0, 0, 0, 0, 0x77});
const Mac router4({0, 0, 0x5e, 0, 1, 7}), router6({0, 0, 0x5e, 0, 2, 7}), foreign_router({0, 0, 0x5e, 0, 1, 8});

Bytes operator+(Bytes a, const Bytes& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}
Bytes bytes_of(const Ip& ip) { return {ip.bytes().begin(), ip.bytes().end()}; }
Bytes bytes_of(const Mac& mac) { return {mac.bytes().begin(), mac.bytes().end()}; }
Bytes number(std::size_t n) { return {static_cast<std::uint8_t>(n >> 8), static_cast<std::uint8_t>(n)}; }

Frame framed(const Mac& from, std::uint16_t type, const Bytes& payload) {
  return ethernet(broadcast, from, 0, type, 14) + payload;
}
Bytes udp(std::uint16_t from, std::uint16_t to) { return number(from) + number(to) + Bytes{0, 12, 0, 0, 1, 2, 3, 4}; }
struct Ip4 {
  std::uint8_t protocol = 17;
  std::uint16_t fragment = 0;
  std::uint8_t words = 5;
  std::uint8_t version = 4;
};
Frame ip4(const Mac& from, const char* source, const Bytes& payload, const Ip4& how = {},
          const char* to = "10.0.0.99") {
  return framed(from, 0x0800,
                Bytes{static_cast<std::uint8_t>(how.version << 4 | how.words), 0} +
                    number(std::size_t{how.words} * 4 + payload.size()) + Bytes{0, 1} + number(how.fragment) +
                    Bytes{64, how.protocol, 0, 0} + bytes_of(ip(source)) + bytes_of(ip(to)) +
                    Bytes(std::size_t{how.words} * 4U - 20U, 1) + payload);
}
Frame ip6(const Mac& from, const char* source, std::uint8_t next, const Bytes& payload, const char* to = "ff02::1",
          std::uint8_t version = 6) {
  return framed(from, 0x86dd,
                Bytes{static_cast<std::uint8_t>(version << 4), 0, 0, 0} + number(payload.size()) + Bytes{next, 255} +
                    bytes_of(ip(source)) + bytes_of(ip(to)) + payload);
}
Bytes icmp6(std::uint8_t type, const Bytes& body) { return Bytes{type, 0, 0, 0} + body; }
Bytes option(std::uint8_t type, const Mac& mac) { return Bytes{type, 1} + bytes_of(mac); }
Bytes solicitation(const char* target, const Bytes& options = {}) {
  return icmp6(135, Bytes(4, 0) + bytes_of(ip(target)) + options);
}
Bytes advertisement(const char* target, const Bytes& options = {}) {
  return icmp6(136, Bytes{0x20, 0, 0, 0} + bytes_of(ip(target)) + options);
}
// An extension header of 8 bytes, in front of the next.
Bytes extension(std::uint8_t next) { return Bytes{next, 0, 1, 4, 0, 0, 0, 0}; }
Bytes fragment(std::uint8_t next, std::uint16_t offset_and_more) {
  return Bytes{next, 0} + number(offset_and_more) + Bytes{0, 0, 0, 1};
}
Frame rarp(const Mac& from, const Mac& sender) {
  Frame frame = arp(3, sender, ip("0.0.0.0"), sender, ip("0.0.0.0"));
  std::copy(from.bytes().begin(), from.bytes().end(), frame.begin() + 6);
  frame[12] = 0x80, frame[13] = 0x35;
  return frame;
}
Frame arp_from(const Mac& from, std::uint16_t operation, const Mac& sender, const char* sender_ip, const char* target) {
  Frame frame = arp(operation, sender, ip(sender_ip), Mac(), ip(target));
  std::copy(from.bytes().begin(), from.bytes().end(), frame.begin() + 6);
  return frame;
}
Frame tagged(std::uint16_t type, Frame frame) {
  const Bytes tag = number(type) + Bytes{0, 5};
  frame.insert(frame.begin() + 12, tag.begin(), tag.end());
  return frame;
}

const std::set<AllowedAddress> addresses{
    {own, ip("10.0.0.1"), 32},     {own, ip("10.0.0.2"), 32},     {own, ip("10.0.0.3"), 32},
    {own, ip("10.1.0.0"), 16},     {paired, ip("10.2.0.1"), 32},  {router4, ip("10.9.0.1"), 32},
    {own, ip("2001:db8::1"), 128}, {own, ip("2001:db8::2"), 128}, {own, ip("2001:db8::3"), 128},
    {own, ip("2001:db8::4"), 128}, {own, ip("2001:db8:1::"), 64}, {paired, ip("2001:db8:2::1"), 128},
    {router6, ip("fe80::9"), 128},
};
constexpr const char* own_local = "fe80::ff:fe00:a";
constexpr const char* paired_local = "fe80::ff:fe00:aa";

class GuardTest : public ProgramBed {
 protected:
  void SetUp() override {
    ProgramBed::SetUp();
    if (IsSkipped()) return;
    wanted_.port(7, taps_[0], own).port(7, taps_[1], mac_b);
    secured().guard = Guard{own, addresses};
    apply();
  }
  PortSpec& secured() { return wanted_.desired.ports.at(id_named(taps_[0].name())); }
  void apply() {
    const Applied applied = datapath_->apply(wanted_.desired, Sweep::yes);
    ASSERT_FALSE(applied.retry());
    for (const auto& [id, status] : applied.ports) ASSERT_TRUE(status) << status.error().message;
  }
  // "" when the frame passes, else why it was dropped.
  std::string verdict(const Frame& frame, std::size_t tap = 0) {
    const auto before = drops(tap);
    const Verdict got = from_tap(taps_[tap].ifindex(), frame);
    const auto after = drops(tap);
    for (const auto& [reason, count] : after) {
      const auto had = before.find(reason);
      if (had != before.end() && had->second == count) continue;
      EXPECT_EQ(got, (Verdict{TC_ACT_SHOT, 0}));
      return reason;
    }
    EXPECT_NE(got, (Verdict{TC_ACT_SHOT, 0}));
    return "";
  }
  std::map<std::string, std::uint64_t> drops(std::size_t tap = 0) {
    for (const PortCounters& port : datapath_->counters())
      if (port.id == id_named(taps_[tap].name())) return port.drops;
    return {};
  }
  void expect(const std::string& what, const Frame& frame, const std::string& reason) {
    EXPECT_EQ(verdict(frame), reason) << what;
    EXPECT_EQ(verdict(frame, 1), "") << what << ", at a port that is not secured";
  }
  std::size_t entries() {
    const Maps& maps = datapath_->objects().maps();
    return maps.guards.entries()->size() + maps.allowed.entries()->size();
  }

  Wanted wanted_;
};

TEST_F(GuardTest, AnyFrame) {
  expect("another type", framed(own, 0x88b5, Bytes(46)), "");
  expect("a pair's MAC", framed(paired, 0x88b5, Bytes(46)), "");
  expect("another MAC", framed(other, 0x88b5, Bytes(46)), "spoofed_mac");
  expect("a MAC of an address alone", framed(mac_b, 0x88b5, Bytes(46)), "spoofed_mac");
  expect("802.1Q", tagged(0x8100, framed(own, 0x88b5, Bytes(46))), "vlan_tag");
  expect("802.1ad", tagged(0x88a8, framed(own, 0x88b5, Bytes(46))), "vlan_tag");
}

TEST_F(GuardTest, Ip4) {
  for (const char* address : {"10.0.0.1", "10.0.0.2", "10.0.0.3", "10.1.2.3", "10.1.255.255"})
    expect(address, ip4(own, address, udp(1000, 53)), "");
  for (const char* address : {"10.0.0.4", "10.2.0.1", "10.0.0.0", "10.9.0.1", "127.0.0.1", "224.0.0.1", "0.0.0.0"})
    expect(address, ip4(own, address, udp(1000, 53)), "spoofed_ip");
  expect("a pair", ip4(paired, "10.2.0.1", udp(1000, 53)), "");
  expect("a pair's MAC, the own address", ip4(paired, "10.0.0.1", udp(1000, 53)), "spoofed_ip");
  expect("TCP", ip4(own, "10.0.0.1", Bytes(20), {.protocol = 6}), "");
  expect("options", ip4(own, "10.0.0.4", udp(1000, 53), {.words = 15}), "spoofed_ip");
  expect("asks for an address", ip4(own, "0.0.0.0", udp(68, 67), {}, "255.255.255.255"), "");
  expect("asks, with options", ip4(own, "0.0.0.0", udp(68, 67), {.words = 8}, "255.255.255.255"), "");
  expect("asks one server without an address", ip4(own, "0.0.0.0", udp(68, 67), {}, "10.0.0.9"), "spoofed_ip");
  expect("asks, not of UDP", ip4(own, "0.0.0.0", udp(68, 67), {.protocol = 6}, "255.255.255.255"), "spoofed_ip");
  expect("renews", ip4(own, "10.0.0.1", udp(68, 67)), "");
  expect("an answer", ip4(own, "10.0.0.1", udp(67, 68)), "server_reply");
  expect("an answer, with options", ip4(own, "10.0.0.1", udp(67, 68), {.words = 7}), "server_reply");
  expect("a question of a server", ip4(own, "10.0.0.1", udp(67, 1068)), "");
  expect("an answer's first fragment", ip4(own, "10.0.0.1", udp(67, 68), {.fragment = 0x2000}), "server_reply");
  expect("a later fragment", ip4(own, "10.0.0.1", udp(67, 68), {.fragment = 0x2005}), "");
  expect("a spoofed fragment", ip4(own, "10.0.0.4", udp(67, 68), {.fragment = 0x2005}), "spoofed_ip");
  expect("an answer from a pair", ip4(paired, "10.2.0.1", udp(67, 68)), "server_reply");
  expect("too short for ports", ip4(own, "10.0.0.1", Bytes(3)), "malformed_l4");
  expect("another version", ip4(own, "10.0.0.1", udp(1, 2), {.version = 5}), "malformed_ip");
}

TEST_F(GuardTest, Ip6) {
  for (const char* address :
       {own_local, "2001:db8::1", "2001:db8::2", "2001:db8::3", "2001:db8::4", "2001:db8:1::5", "2001:db8:1:0:9::"})
    expect(address, ip6(own, address, 17, udp(1000, 53)), "");
  for (const char* address : {"2001:db8::5", "2001:db8:1:1::", "fe80::1", paired_local, "::", "::1", "ff02::1"})
    expect(address, ip6(own, address, 17, udp(1000, 53)), "spoofed_ip");
  expect("a pair", ip6(paired, "2001:db8:2::1", 17, udp(1000, 53)), "");
  expect("a pair's link-local address", ip6(paired, paired_local, 17, udp(1000, 53)), "");
  expect("asks for an address", ip6(own, own_local, 17, udp(546, 547), "ff02::1:2"), "");
  expect("an answer", ip6(own, own_local, 17, udp(547, 546)), "server_reply");
  expect("a question of a server", ip6(own, "2001:db8::1", 17, udp(547, 1546)), "");
  expect("an answer behind headers", ip6(own, own_local, 0, extension(60) + extension(17) + udp(547, 546)),
         "server_reply");
  expect("an answer's first fragment", ip6(own, own_local, 44, fragment(17, 1) + udp(547, 546)), "server_reply");
  expect("a later fragment", ip6(own, own_local, 44, fragment(17, 8) + udp(547, 546)), "");
  expect("a spoofed one", ip6(own, "fe80::1", 44, fragment(17, 8) + udp(547, 546)), "spoofed_ip");
  expect("an answer behind an authentication header", ip6(own, own_local, 51, Bytes{17, 4} + Bytes(22) + udp(547, 546)),
         "server_reply");
  expect("too short for ports", ip6(own, own_local, 17, Bytes(3)), "malformed_l4");
  expect("too short for its headers", ip6(own, own_local, 0, Bytes(3)), "malformed_l4");
  expect("another version", ip6(own, own_local, 17, udp(1, 2), "ff02::1", 4), "malformed_ip");
  Bytes eight, nine;
  for (int n = 0; n < 7; n++) eight = eight + extension(60);
  nine = eight + extension(60) + extension(17) + udp(1, 2);
  eight = eight + extension(17) + udp(1, 2);
  expect("8 headers", ip6(own, own_local, 60, eight), "");
  expect("9 headers", ip6(own, own_local, 60, nine), "extension_headers");
}

TEST_F(GuardTest, NeighbourDiscovery) {
  expect("asks whether an address is taken", ip6(own, "::", 58, solicitation("2001:db8::9"), "ff02::1:ff00:9"), "");
  expect("the same, of one host", ip6(own, "::", 58, solicitation("2001:db8::9"), "2001:db8::9"), "spoofed_ip");
  expect("a listener report", ip6(own, "::", 0, extension(58) + icmp6(143, Bytes(4)), "ff02::16"), "");
  expect("an old listener report", ip6(own, "::", 0, extension(58) + icmp6(131, Bytes(20)), "ff02::1:ff00:9"), "");
  expect("a ping from ::", ip6(own, "::", 58, icmp6(128, Bytes(4))), "spoofed_ip");
  expect("a solicitation", ip6(own, "2001:db8::1", 58, solicitation("2001:db8::9", option(1, own))), "");
  expect("of a pair", ip6(paired, "2001:db8:2::1", 58, solicitation("2001:db8::9", option(1, paired))), "");
  expect("for another MAC", ip6(own, "2001:db8::1", 58, solicitation("2001:db8::9", option(1, other))), "spoofed_nd");
  expect("for another MAC, in the second option",
         ip6(own, "2001:db8::1", 58, solicitation("2001:db8::9", Bytes{14, 1} + Bytes(6) + option(1, other))),
         "spoofed_nd");
  expect("an empty option", ip6(own, "2001:db8::1", 58, solicitation("2001:db8::9", Bytes(8))), "spoofed_nd");
  expect("an option beyond the end", ip6(own, "2001:db8::1", 58, solicitation("2001:db8::9", Bytes{1, 2} + Bytes(6))),
         "spoofed_nd");
  Bytes many;
  for (int n = 0; n < 9; n++) many = many + option(1, own);
  expect("many options", ip6(own, "2001:db8::1", 58, solicitation("2001:db8::9", many)), "spoofed_nd");
  expect("an advertisement", ip6(own, own_local, 58, advertisement("2001:db8::1", option(2, own))), "");
  expect("without option", ip6(own, own_local, 58, advertisement("2001:db8:1::77")), "");
  expect("of another address", ip6(own, own_local, 58, advertisement("2001:db8::9", option(2, own))), "spoofed_nd");
  expect("with another MAC", ip6(own, own_local, 58, advertisement("2001:db8::1", option(2, other))), "spoofed_nd");
  expect("behind a header", ip6(own, own_local, 60, extension(58) + advertisement("2001:db8::9")), "spoofed_nd");
  expect("a fragment", ip6(own, own_local, 44, fragment(58, 1) + advertisement("2001:db8::1")), "spoofed_nd");
  expect("without its target", ip6(own, own_local, 58, icmp6(136, Bytes(12))), "malformed_l4");
  expect("of a virtual router", ip6(router6, "fe80::9", 58, advertisement("fe80::9", option(2, router6))), "");
  expect("a router solicitation", ip6(own, own_local, 58, icmp6(133, Bytes(4) + option(1, own)), "ff02::2"), "");
  expect("with another MAC", ip6(own, own_local, 58, icmp6(133, Bytes(4) + option(1, other)), "ff02::2"), "spoofed_nd");
  expect("a router advertisement", ip6(own, own_local, 58, icmp6(134, Bytes(12))), "router_advertisement");
  expect("the same behind a header", ip6(own, own_local, 43, extension(58) + icmp6(134, Bytes(12))),
         "router_advertisement");
  expect("the same, its first fragment", ip6(own, own_local, 44, fragment(58, 1) + icmp6(134, Bytes(12))),
         "router_advertisement");
  expect("the same, spoofed", ip6(own, "fe80::1", 58, icmp6(134, Bytes(12))), "spoofed_ip");
  expect("a redirect", ip6(own, own_local, 58, icmp6(137, Bytes(36))), "router_advertisement");
  expect("a ping", ip6(own, own_local, 58, icmp6(128, Bytes(4))), "");
  expect("no type", ip6(own, own_local, 58, {}), "malformed_l4");
}

TEST_F(GuardTest, Arp) {
  for (const std::uint16_t operation : std::initializer_list<std::uint16_t>{1, 2}) {
    expect("of the own", arp_from(own, operation, own, "10.0.0.3", "10.0.0.99"), "");
    expect("of a prefix", arp_from(own, operation, own, "10.1.0.3", "10.0.0.99"), "");
    expect("of a pair", arp_from(paired, operation, paired, "10.2.0.1", "10.0.0.99"), "");
    expect("of another address", arp_from(own, operation, own, "10.0.0.4", "10.0.0.99"), "spoofed_arp");
    expect("with another MAC", arp_from(own, operation, other, "10.0.0.1", "10.0.0.99"), "spoofed_arp");
    expect("with a pair's MAC", arp_from(own, operation, paired, "10.2.0.1", "10.0.0.99"), "spoofed_arp");
    expect("of a virtual router", arp_from(own, operation, router4, "10.9.0.1", "10.9.0.1"), "");
    expect("from its MAC", arp_from(router4, operation, router4, "10.9.0.1", "10.9.0.1"), "");
    expect("of its other address", arp_from(own, operation, router4, "10.0.0.1", "10.9.0.1"), "spoofed_arp");
    expect("of another one", arp_from(own, operation, foreign_router, "10.9.0.1", "10.9.0.1"), "spoofed_arp");
    expect("of one, by a pair", arp_from(paired, operation, router4, "10.9.0.1", "10.9.0.1"), "spoofed_arp");
  }
  expect("a probe", arp_from(own, 1, own, "0.0.0.0", "10.0.0.99"), "");
  expect("a probe for another MAC", arp_from(own, 1, other, "0.0.0.0", "10.0.0.99"), "spoofed_arp");
  expect("an answer from 0", arp_from(own, 2, own, "0.0.0.0", "10.0.0.99"), "spoofed_arp");
  expect("too short", framed(own, 0x0806, Bytes(27)), "spoofed_arp");
  expect("RARP", rarp(own, own), "");
  expect("RARP for another MAC", rarp(own, other), "spoofed_arp");
  Frame odd = arp_from(own, 1, own, "10.0.0.1", "10.0.0.99");
  odd[18] = 8;  // the length of a MAC
  expect("of other lengths", odd, "spoofed_arp");
}

TEST_F(GuardTest, NothingIsLearnedAndNoneIsAnsweredFromWhatIsRefused) {
  wanted_.desired.bridges.at(vni(7)).neighbours[ip("10.0.0.99")] = mac_b;
  apply();
  EXPECT_EQ(verdict(framed(other, 0x88b5, Bytes(46))), "spoofed_mac");
  EXPECT_EQ(verdict(arp_from(own, 1, own, "10.0.0.4", "10.0.0.99")), "spoofed_arp");
  EXPECT_TRUE(datapath_->objects().maps().learned.entries()->empty());
  EXPECT_EQ(from_tap(taps_[0].ifindex(), arp_from(own, 1, own, "10.0.0.1", "10.0.0.99")),
            (Verdict{TC_ACT_REDIRECT, taps_[0].ifindex()}));
}

TEST_F(GuardTest, AChangeHoldsForTheNextFrame) {
  secured().guard = Guard{own, {{own, ip("10.0.0.4"), 32}}};
  apply();
  expect("new", ip4(own, "10.0.0.4", udp(1, 2)), "");
  expect("old", ip4(own, "10.0.0.1", udp(1, 2)), "spoofed_ip");
  EXPECT_EQ(entries(), 1U);
  secured().guard = Guard{own, {}};
  apply();
  expect("none", ip4(own, "10.0.0.4", udp(1, 2)), "spoofed_ip");
  expect("the link-local address stays", ip6(own, own_local, 17, udp(1, 2)), "");
  secured().guard.reset();
  apply();
  expect("any", ip4(other, "192.0.2.1", udp(67, 68)), "");
  EXPECT_EQ(entries(), 0U);
}

TEST_F(GuardTest, APortWithoutItsEntryPassesNothing) {
  ASSERT_TRUE(datapath_->objects().maps().guards.remove({.vni = 7, .ifindex = taps_[0].ifindex()}));
  EXPECT_EQ(verdict(ip4(own, "10.0.0.1", udp(1, 2))), "no_policy");
  EXPECT_EQ(verdict(framed(own, 0x88b5, Bytes(46))), "no_policy");
}

TEST_F(GuardTest, APortWithoutAMacMaySendFromPairsAlone) {
  secured().guard = Guard{{}, {{paired, ip("10.2.0.1"), 32}}};
  apply();
  EXPECT_EQ(verdict(ip4(paired, "10.2.0.1", udp(1, 2))), "");
  EXPECT_EQ(verdict(ip4(own, "10.2.0.1", udp(1, 2))), "spoofed_mac");
}

TEST_F(GuardTest, EntriesFollowThePort) {
  const std::size_t full = entries();
  wanted_.desired.ports.clear();
  wanted_.port(8, taps_[0], own);
  secured().guard = Guard{own, addresses};
  apply();
  EXPECT_EQ(entries(), full);
  EXPECT_EQ(verdict(ip4(own, "10.0.0.3", udp(1, 2))), "");
  wanted_.desired.ports.clear();
  apply();
  EXPECT_EQ(entries(), 0U);
}

TEST_F(GuardTest, ARestartedAgentFindsThemAndWritesNothing) {
  datapath_.reset();
  auto opened = EbpfDatapath::open(loop_, bed_->options());
  ASSERT_TRUE(opened) << opened.error().message;
  datapath_ = std::move(*opened);
  EXPECT_EQ(from_tap(taps_[0].ifindex(), ip4(own, "10.0.0.4", udp(1, 2))), (Verdict{TC_ACT_SHOT, 0}));
  apply();
  EXPECT_EQ(verdict(ip4(own, "10.0.0.3", udp(1, 2))), "");
  EXPECT_EQ(verdict(ip4(own, "10.0.0.4", udp(1, 2))), "spoofed_ip");
  // What another program wrote for a port goes.
  abi::allowed_key key{};
  key.prefix = MIDONET_ALLOWED_BITS, key.vni = 7, key.ifindex = taps_[0].ifindex();
  ASSERT_TRUE(datapath_->objects().maps().allowed.put(key, key.prefix));
  const std::size_t before = entries();
  datapath_.reset();
  auto again = EbpfDatapath::open(loop_, bed_->options());
  ASSERT_TRUE(again) << again.error().message;
  datapath_ = std::move(*again);
  apply();
  EXPECT_EQ(entries(), before - 1);
}

TEST_F(GuardTest, APortWhoseAddressesFindNoRoomIsAnErrorAndPassesNothing) {
  datapath_.reset();
  EbpfOptions options = bed_->options();
  options.pin_dir += "/small";
  options.allowed_entries = 4;
  auto opened = EbpfDatapath::open(loop_, options);
  ASSERT_TRUE(opened) << opened.error().message;
  datapath_ = std::move(*opened);
  const Applied applied = datapath_->apply(wanted_.desired, Sweep::yes);
  EXPECT_FALSE(applied.ports.at(id_named(taps_[0].name())));
  EXPECT_TRUE(applied.ports.at(id_named(taps_[1].name())));
  secured().guard = Guard{own, {{own, ip("10.0.0.1"), 32}}};
  apply();
  EXPECT_EQ(verdict(ip4(own, "10.0.0.1", udp(1, 2))), "");
}

// The outer tag of a real frame is not in the frame when the program sees it.
TEST_F(GuardTest, TagsOfRealFrames) {
  const Frame untagged = framed(own, 0x88b5, Bytes(46, 1));
  taps_[0].send(untagged);
  EXPECT_EQ(taps_[1].receive(), untagged);
  taps_[0].send(tagged(0x8100, untagged));
  taps_[0].send(tagged(0x88a8, untagged));
  taps_[0].send(tagged(0x8100, tagged(0x8100, untagged)));
  EXPECT_THAT(taps_[1].drain(), ::testing::IsEmpty());
  EXPECT_EQ(drops()["vlan_tag"], 3U);
  Frame priority = tagged(0x8100, untagged);
  priority[14] = 0xa0, priority[15] = 0;
  taps_[0].send(priority);
  EXPECT_TRUE(taps_[1].receive());
  priority = tagged(0x8100, ip4(own, "10.0.0.4", udp(1, 2)));
  priority[14] = 0xa0, priority[15] = 0;
  taps_[0].send(priority);
  EXPECT_THAT(taps_[1].drain(), ::testing::IsEmpty());
  EXPECT_EQ(drops()["spoofed_ip"], 1U);
}

// BPF_PROG_RUN takes no such frames.
TEST_F(GuardTest, PacketsShorterThanTheirHeader) {
  taps_[0].send(framed(own, 0x0800, Bytes(19, 0x45)));
  taps_[0].send(framed(own, 0x86dd, Bytes(39, 0x60)));
  EXPECT_EQ(drops()["malformed_ip"], 2U);
}

// While addresses come and go, what stays allowed passes, and what is never allowed does not.
TEST_F(GuardTest, AChangeLeavesNoGap) {
  std::atomic<bool> over = false;
  std::uint64_t sent = 0, lost = 0, leaked = 0;
  const int program = datapath_->objects().from_tap();
  const std::uint32_t ifindex = taps_[0].ifindex();
  std::thread guest([&] {
    const Frame good = ip4(own, "10.0.0.3", udp(1, 2)), bad = ip4(own, "10.0.0.4", udp(1, 2));
    while (!over) {
      ++sent;
      if (run(program, ifindex, good).to == 0) ++lost;
      if (run(program, ifindex, bad).to != 0) ++leaked;
    }
  });
  for (int n = 0; n < 200; ++n) {
    std::set<AllowedAddress> next{{own, ip("10.0.0.3"), 32}};
    if (n % 2 == 0) next.insert({own, ip("10.0.0.1"), 32});
    if (n % 3 == 0) next.insert({own, ip("10.0.0.2"), 32});
    if (n % 5 == 0) next.insert({paired, ip("10.0.0.3"), 32});
    secured().guard = Guard{own, next};
    apply();
  }
  over = true;
  guest.join();
  EXPECT_GT(sent, 100U);
  EXPECT_EQ(lost, 0U);
  EXPECT_EQ(leaked, 0U);
  for (const Tap& tap : taps_) tap.drain();
}

// The guard on IPv4, IPv6 and ARP as one would explain it.
std::string model(const std::optional<Mac>& port_mac, const std::set<AllowedAddress>& allowed, const Mac& from,
                  const Ip& source) {
  std::set<Mac> macs;
  if (port_mac) macs.insert(*port_mac);
  for (const AllowedAddress& one : allowed) macs.insert(one.mac);
  if (!macs.contains(from)) return "spoofed_mac";
  if (!source.is_v4()) {
    const auto& m = from.bytes();
    const auto& s = source.bytes();
    const Bytes local{0xfe, 0x80, 0,    0,    0,    0,    0,   0, static_cast<std::uint8_t>(m[0] ^ 2),
                      m[1], m[2], 0xff, 0xfe, m[3], m[4], m[5]};
    if (std::equal(s.begin(), s.end(), local.begin(), local.end())) return "";
  }
  for (const AllowedAddress& one : allowed) {
    if (one.mac != from || one.ip.is_v4() != source.is_v4()) continue;
    bool same = true;
    for (std::size_t bit = 0; bit < one.length; ++bit)
      same = same && (((one.ip.bytes()[bit / 8] ^ source.bytes()[bit / 8]) >> (7 - bit % 8)) & 1) == 0;
    if (same) return "";
  }
  return "spoofed_ip";
}

TEST_F(GuardTest, TheVerdictEqualsAModelOnRandomAddresses) {
  const auto any_mac = [] { return mac_number(*rc::gen::inRange<std::uint32_t>(1, 5)); };
  const auto any_ip = [](bool v4) {
    if (v4) return fmt::format("10.0.{}.{}", *rc::gen::inRange(0, 3), *rc::gen::inRange(1, 6));
    return fmt::format("2001:db8::{}:{}", *rc::gen::inRange(0, 3), *rc::gen::inRange(1, 6));
  };
  const bool equal = rc::check([&] {
    std::set<AllowedAddress> allowed;
    const int count = *rc::gen::inRange(0, 12);
    for (int i = 0; i < count; i++) {
      const bool v4 = *rc::gen::arbitrary<bool>();
      const auto whole = static_cast<std::uint8_t>(v4 ? 32 : 128);
      const auto length = *rc::gen::arbitrary<bool>() ? whole : *rc::gen::inRange<std::uint8_t>(0, whole);
      allowed.insert({any_mac(), ip(any_ip(v4).c_str()), length});
    }
    std::optional<Mac> mac;
    if (*rc::gen::inRange(0, 4) != 0) mac = any_mac();
    secured().guard = Guard{mac, allowed};
    RC_ASSERT(!datapath_->apply(wanted_.desired, Sweep::yes).retry());
    for (int i = 0; i < 40; i++) {
      const bool v4 = *rc::gen::arbitrary<bool>();
      const std::string source = any_ip(v4);
      const Mac from = any_mac();
      const Frame frame =
          v4 ? ip4(from, source.c_str(), udp(1, 2)) : ip6(from, source.c_str(), 17, udp(1, 2), "2001:db8::9");
      RC_ASSERT(verdict(frame) == model(mac, allowed, from, ip(source.c_str())));
    }
    for (const Tap& tap : taps_) tap.drain();
  });
  EXPECT_TRUE(equal);
}

}  // namespace
}  // namespace midonet::datapath::testing::guard_test
