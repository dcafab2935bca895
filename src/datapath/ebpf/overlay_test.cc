// What guests on different hosts see of each other: real frames through two or more datapaths and the tunnel between them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <arpa/inet.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <filesystem>

#include "datapath/ebpf/overlay_bed.h"

namespace midonet::datapath::testing::overlay_test {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;
using namespace std::chrono_literals;

class Overlay : public Hosts, public ::testing::WithParamInterface<int> {
 protected:
  Node& add() { return Hosts::add(GetParam()); }
};
INSTANTIATE_TEST_SUITE_P(Underlay, Overlay, ::testing::Values(4, 6),
                         [](const auto& family) { return family.param == 4 ? "Ipv4" : "Ipv6"; });

TEST_P(Overlay, AFrameToAMacBehindAnotherHostGoesThereAndNowhereElse) {
  Node &one = add(), &two = add(), &three = add();
  const Tap a = one.host.tap("a"), b = two.host.tap("b"), b2 = two.host.tap("b2"), c = three.host.tap("c");
  one.wanted.port(7, a, mac_a);
  two.wanted.port(7, b, mac_b).port(7, b2);
  three.wanted.port(7, c);
  connect(7);
  one.bridge(7).remote_macs[mac_b] = {two.address(), true};
  two.bridge(7).remote_macs[mac_a] = {one.address(), true};
  for (Node& node : nodes_) node.apply();

  const Frame frame = ethernet(mac_b, mac_a, 1);
  const Frame answer = ethernet(mac_a, mac_b, 2);
  a.send(frame);
  EXPECT_EQ(b.receive(), frame);
  b.send(answer);
  EXPECT_EQ(a.receive(), answer);
  for (const Tap* tap : {&a, &b, &b2, &c}) EXPECT_THAT(tap->drain(), IsEmpty()) << tap->name();
  const auto counted = one.datapath->tunnel_counters();
  ASSERT_TRUE(counted);
  EXPECT_EQ(counted->tx_packets, 1U);
  EXPECT_EQ(counted->tx_bytes, frame.size());
  EXPECT_EQ(counted->rx_packets, 1U);
  EXPECT_THAT(counted->drops, IsEmpty());
}

TEST_P(Overlay, ABroadcastReachesEachHostThatServesTheBridgeOnceAndNoOther) {
  Node &one = add(), &two = add(), &three = add(), &four = add();
  const Tap a = one.host.tap("a"), a2 = one.host.tap("a2"), b = two.host.tap("b"), c = three.host.tap("c"),
            d = four.host.tap("d");
  one.wanted.port(7, a, mac_a).port(7, a2);
  two.wanted.port(7, b);
  three.wanted.port(7, c);
  four.wanted.port(7, d);
  connect(7);
  one.bridge(7).peers.erase(four.address());
  for (Node& node : nodes_) node.apply();

  Capture at_four(four.host.underlay());
  const Frame frame = ethernet(broadcast, mac_a);
  a.send(frame);
  EXPECT_EQ(a2.receive(), frame);
  EXPECT_EQ(b.receive(), frame);
  EXPECT_EQ(c.receive(), frame);
  for (const Tap* tap : {&a, &a2, &b, &c, &d}) EXPECT_THAT(tap->drain(), IsEmpty()) << tap->name();
  EXPECT_EQ(one.datapath->tunnel_counters()->tx_packets, 2U);
  EXPECT_EQ(two.datapath->tunnel_counters()->tx_packets, 0U);
  EXPECT_EQ(three.datapath->tunnel_counters()->tx_packets, 0U);
}

// The outer headers, seen on the underlay: those of the tunnel, with fragments forbidden.
TEST_P(Overlay, TheOuterHeadersAreThoseOfRfc7348AndForbidFragments) {
  Node &one = add(), &two = add();
  const Tap a = one.host.tap("a"), b = two.host.tap("b");
  one.wanted.port(0xabcdef, a, mac_a);
  two.wanted.port(0xabcdef, b, mac_b);
  connect(0xabcdef);
  one.bridge(0xabcdef).remote_macs[mac_b] = {two.address(), true};
  for (Node& node : nodes_) node.apply();
  ASSERT_TRUE(passes(a, b, mac_a, mac_b));  // neighbours on the underlay know each other from here on

  const Capture underlay(one.host.underlay());
  const Frame frame = ethernet(mac_b, mac_a, 5, 0x88b5, 200);
  a.send(frame);
  ASSERT_EQ(b.receive(), frame);
  const auto is_vxlan = [&](const Frame& seen) { return seen.size() > frame.size() + 40; };
  const auto seen = underlay.drain();
  const auto found = std::find_if(seen.begin(), seen.end(), is_vxlan);
  ASSERT_NE(found, seen.end());
  const Frame& outer = *found;
  const std::size_t udp = GetParam() == 4 ? 34 : 54;
  const std::uint16_t checksum = static_cast<std::uint16_t>(outer[udp + 6] << 8 | outer[udp + 7]);
  if (GetParam() == 4) {
    EXPECT_EQ(outer[15], 0);            // DSCP and ECN
    EXPECT_EQ(outer[20] & 0x40, 0x40);  // DF
    EXPECT_EQ(outer[22], 64);           // TTL
    EXPECT_EQ(checksum, 0);
  } else {
    EXPECT_EQ(outer[20], 17);  // UDP follows: no fragment header
    EXPECT_EQ(outer[21], 64);
    EXPECT_NE(checksum, 0);
  }
  EXPECT_EQ(outer[udp + 2] << 8 | outer[udp + 3], 4789);
  EXPECT_THAT(Frame(outer.begin() + static_cast<std::ptrdiff_t>(udp + 8),
                    outer.begin() + static_cast<std::ptrdiff_t>(udp + 16)),
              ElementsAre(8, 0, 0, 0, 0xab, 0xcd, 0xef, 0));  // the flag I, the VNI
  EXPECT_EQ(Frame(outer.begin() + static_cast<std::ptrdiff_t>(udp + 16), outer.end()), frame);
}

TEST_P(Overlay, BridgesWithTheSameMacsNeverMixAcrossHosts) {
  Node &one = add(), &two = add();
  const Tap a7 = one.host.tap("a7"), a8 = one.host.tap("a8"), b7 = two.host.tap("b7"), b8 = two.host.tap("b8");
  one.wanted.port(7, a7, mac_a).port(8, a8, mac_a);
  two.wanted.port(7, b7, mac_b).port(8, b8, mac_b);
  for (const std::uint32_t number : {7U, 8U}) {
    connect(number);
    one.bridge(number).remote_macs[mac_b] = {two.address(), true};
  }
  for (Node& node : nodes_) node.apply();
  EXPECT_TRUE(passes(a7, b7, mac_a, mac_b));
  EXPECT_THAT(b8.drain(), IsEmpty());
  EXPECT_TRUE(passes(a8, b8, mac_a, mac_b));
  EXPECT_THAT(b7.drain(), IsEmpty());
  EXPECT_TRUE(passes(a7, b7, mac_a, broadcast));
  EXPECT_THAT(b8.drain(), IsEmpty());
}

TEST_P(Overlay, AnUnknownDestinationIsFloodedToEveryHostAndNothingIsLearnedFromTheTunnel) {
  Node &one = add(), &two = add();
  const Tap a = one.host.tap("a"), b = two.host.tap("b"), b2 = two.host.tap("b2");
  one.wanted.port(7, a);
  two.wanted.port(7, b).port(7, b2);
  connect(7);
  for (Node& node : nodes_) node.apply();
  const Frame frame = ethernet(mac_b, mac_a, 1);
  a.send(frame);
  EXPECT_EQ(b.receive(), frame);
  EXPECT_EQ(b2.receive(), frame);
  EXPECT_THAT(two.datapath->fdb(), IsEmpty());
  // b has answered: its host knows where it is, and floods no more what comes for it.
  b.send(ethernet(mac_a, mac_b, 2));
  EXPECT_EQ(a.receive(), ethernet(mac_a, mac_b, 2));
  b2.drain();
  a.send(frame);
  EXPECT_EQ(b.receive(), frame);
  EXPECT_THAT(b2.drain(), IsEmpty());
}

TEST_P(Overlay, AFrameForABridgeThatHasNoPortHereIsDroppedAndCounted) {
  Node &one = add(), &two = add();
  const Tap a7 = one.host.tap("a7"), a9 = one.host.tap("a9"), b = two.host.tap("b");
  one.wanted.port(7, a7, mac_a).port(9, a9, mac_a);
  two.wanted.port(7, b, mac_b);
  connect(7);
  one.bridge(9).peers.insert(two.address());
  for (Node& node : nodes_) node.apply();
  a9.send(ethernet(broadcast, mac_a));
  EXPECT_TRUE(passes(a7, b, mac_a, mac_b));
  EXPECT_THAT(b.drain(), IsEmpty());
  EXPECT_THAT(two.datapath->tunnel_counters()->drops, ElementsAre(Pair("unknown_vni", 1)));
  EXPECT_EQ(two.datapath->tunnel_counters()->rx_packets, 1U);
}

TEST_P(Overlay, AFrameThatFitsExactlyPassesAndOneByteMoreIsDroppedAndCounted) {
  Node &one = add(), &two = add();
  const Tap a = one.host.tap("a"), b = two.host.tap("b");
  one.wanted.port(7, a, mac_a);
  two.wanted.port(7, b, mac_b);
  connect(7);
  one.bridge(7).remote_macs[mac_b] = {two.address(), true};
  for (Node& node : nodes_) node.apply();
  const std::size_t largest = 14 + one.wanted.desired.tunnel->mtu;
  const auto untagged = [&](const Mac& to, std::size_t length) { return ethernet(to, mac_a, 1, 0x88b5, length); };
  const auto tagged = [&](std::size_t length) {
    Frame frame = ethernet(mac_b, mac_a, 1, 0x8100, length);
    frame[14] = 0, frame[15] = 5, frame[16] = 0x88, frame[17] = 0xb5;
    return frame;
  };
  a.send(untagged(mac_b, largest));
  EXPECT_EQ(b.receive(), untagged(mac_b, largest));
  a.send(tagged(largest));
  EXPECT_EQ(b.receive(), tagged(largest));
  EXPECT_THAT(one.drops_of("a"), IsEmpty());
  const auto sent = one.datapath->tunnel_counters()->tx_packets;

  a.send(untagged(mac_b, largest + 1));
  a.send(tagged(largest + 1));
  a.send(untagged(broadcast, largest + 1));
  EXPECT_THAT(one.drops_of("a"), ElementsAre(Pair("too_big", 3)));
  EXPECT_EQ(one.datapath->tunnel_counters()->tx_packets, sent);
  EXPECT_TRUE(passes(a, b, mac_a, mac_b));
}

TEST_P(Overlay, AGsoFrameWithAPartialChecksumPassesTheTunnelInOnePiece) {
  Node &one = add(), &two = add();
  const Tap a = one.host.tap("a", Tap::Headers::virtio), b = two.host.tap("b", Tap::Headers::virtio);
  one.wanted.port(7, a, mac_a);
  two.wanted.port(7, b, mac_b);
  connect(7);
  one.bridge(7).remote_macs[mac_b] = {two.address(), true};
  for (Node& node : nodes_) node.apply();
  const std::uint32_t mtu = one.wanted.desired.tunnel->mtu;
  // Segments that fill the tunnel to the last byte.
  const Capture underlay(one.host.underlay());
  const Frame sent = gso_frame(mac_b, mac_a, static_cast<std::uint16_t>(mtu - 40));
  a.send(sent);
  const auto got = b.receive();
  ASSERT_TRUE(got);
  EXPECT_TRUE(*got == sent) << "length " << got->size();
  EXPECT_THAT(b.drain(), IsEmpty());
  EXPECT_EQ(one.datapath->tunnel_counters()->tx_packets, 1U);
  const auto seen = underlay.drain();
  EXPECT_TRUE(std::any_of(seen.begin(), seen.end(), [](const Frame& frame) { return frame.size() > 64000; }));
  // One byte more in each segment.
  a.send(gso_frame(mac_b, mac_a, static_cast<std::uint16_t>(mtu - 39)));
  EXPECT_THAT(one.drops_of("a"), ElementsAre(Pair("too_big", 1)));
  // To everybody.
  a.send(gso_frame(broadcast, mac_a, static_cast<std::uint16_t>(mtu - 40)));
  EXPECT_TRUE(b.receive() == gso_frame(broadcast, mac_a, static_cast<std::uint16_t>(mtu - 40)));
}

TEST_P(Overlay, AGsoFrameWithUpToFourTagsPassesWhenItsSegmentsFitAndADeeperOneIsCounted) {
  Node &one = add(), &two = add();
  const Tap a = one.host.tap("a", Tap::Headers::virtio), b = two.host.tap("b", Tap::Headers::virtio);
  one.wanted.port(7, a, mac_a);
  two.wanted.port(7, b, mac_b);
  connect(7);
  one.bridge(7).remote_macs[mac_b] = {two.address(), true};
  for (Node& node : nodes_) node.apply();
  const std::uint32_t mtu = one.wanted.desired.tunnel->mtu;
  const std::vector<std::vector<std::uint16_t>> stacks{{0x8100},
                                                       {0x88a8},
                                                       {0x8100, 0x8100},
                                                       {0x88a8, 0x8100},
                                                       {0x88a8, 0x8100, 0x8100},
                                                       {0x88a8, 0x88a8, 0x8100, 0x8100}};
  std::uint64_t too_big = 0;
  for (const auto& tags : stacks) {
    const auto largest = static_cast<std::uint16_t>(mtu - 40 - 4 * tags.size());
    for (const Mac& to : {mac_b, broadcast}) {
      a.send(gso_frame(to, mac_a, largest, tags));
      // In one piece or in segments, as the kernel has it: all of the payload, once.
      std::size_t payload = 0;
      while (payload < 64000 - 40) {
        const auto got = b.receive();
        ASSERT_TRUE(got) << tags.size() << " tags, " << payload << " bytes arrived";
        ASSERT_TRUE(std::equal(to.bytes().begin(), to.bytes().end(), got->begin() + 10));
        ASSERT_EQ((*got)[22] << 8 | (*got)[23], tags[0]);
        payload += got->size() - 10 - 14 - 4 * tags.size() - 40;
      }
      EXPECT_EQ(payload, 64000U - 40U);
      EXPECT_THAT(b.drain(), IsEmpty());
    }
    a.send(gso_frame(mac_b, mac_a, largest + 1, tags));
    EXPECT_THAT(one.drops_of("a"), ElementsAre(Pair("too_big", ++too_big))) << tags.size() << " tags";
  }
  const std::vector<std::uint16_t> deep{0x88a8, 0x8100, 0x8100, 0x8100, 0x8100};
  a.send(gso_frame(mac_b, mac_a, 1000, deep));
  a.send(gso_frame(broadcast, mac_a, 1000, deep));
  EXPECT_THAT(one.drops_of("a"), UnorderedElementsAre(Pair("too_big", too_big), Pair("too_many_tags", 2)));
  EXPECT_TRUE(b.drain().empty());
  EXPECT_TRUE(two.datapath->tunnel_counters()->drops.empty());
}

TEST_P(Overlay, AMacThatMovesToAnotherHostIsFollowedByTheNextFrame) {
  Node &one = add(), &two = add(), &three = add();
  const Tap a = one.host.tap("a"), b = two.host.tap("b"), c = three.host.tap("c");
  one.wanted.port(7, a, mac_a);
  two.wanted.port(7, b, mac_b);
  three.wanted.port(7, c);
  connect(7);
  one.bridge(7).remote_macs[mac_b] = {two.address(), true};
  for (Node& node : nodes_) node.apply();
  EXPECT_TRUE(passes(a, b, mac_a, mac_b));
  three.wanted.port(7, c, mac_b);
  three.apply();
  one.bridge(7).remote_macs[mac_b] = {three.address(), true};
  one.apply();
  EXPECT_TRUE(passes(a, c, mac_a, mac_b));
  EXPECT_THAT(b.drain(), IsEmpty());
  // Home to host 1.
  const Tap b1 = one.host.tap("b1");
  one.wanted.port(7, b1, mac_b);
  one.bridge(7).remote_macs.clear();
  one.apply();
  EXPECT_TRUE(passes(a, b1, mac_a, mac_b));
  EXPECT_THAT(c.drain(), IsEmpty());
}

TEST_P(Overlay, AConfiguredMacOfAnotherHostIsNotTakenAwayByAGuestHere) {
  Node &one = add(), &two = add();
  const Tap a = one.host.tap("a"), thief = one.host.tap("thief"), b = two.host.tap("b");
  one.wanted.port(7, a, mac_a).port(7, thief);
  two.wanted.port(7, b, mac_b);
  connect(7);
  for (Node& node : nodes_) node.apply();
  thief.send(ethernet(mac_a, mac_b));  // not known yet: learned
  EXPECT_TRUE(passes(a, thief, mac_a, mac_b));
  one.bridge(7).remote_macs[mac_b] = {two.address(), true};
  one.apply();
  thief.send(ethernet(mac_a, mac_b));
  EXPECT_TRUE(passes(a, b, mac_a, mac_b));
  EXPECT_THAT(thief.drain(), IsEmpty());
  EXPECT_THAT(one.datapath->fdb(),
              UnorderedElementsAre(
                  FdbEntry{.vni = vni(7), .mac = mac_a, .port = id_named("a"), .configured = true},
                  FdbEntry{.vni = vni(7), .mac = mac_b, .port = {}, .configured = true, .vtep = two.address()}));
  EXPECT_TRUE(one.datapath->objects().maps().learned.entries()->empty());
}

TEST_P(Overlay, ALearnedMacOfAnotherHostMovesHereWhenItIsHeardHereAndBackWhenItIsForgotten) {
  Node &one = add(), &two = add();
  const Tap a = one.host.tap("a"), mover = one.host.tap("mover"), b = two.host.tap("b");
  one.wanted.port(7, a, mac_a).port(7, mover);
  two.wanted.port(7, b);
  connect(7);
  one.bridge(7).remote_macs[mac_b] = {two.address(), false};
  for (Node& node : nodes_) node.apply();
  EXPECT_TRUE(passes(a, b, mac_a, mac_b));
  mover.send(ethernet(mac_a, mac_b));
  EXPECT_TRUE(passes(a, mover, mac_a, mac_b));
  EXPECT_THAT(b.drain(), IsEmpty());
  EXPECT_TRUE(loop_.run_until([&] { return !one.learned.empty(); }, 1s));
  EXPECT_THAT(one.learned, ElementsAre(FdbEntry{.vni = vni(7), .mac = mac_b, .port = id_named("mover")}));
  one.datapath->forget(vni(7), mac_b);
  EXPECT_TRUE(passes(a, b, mac_a, mac_b));
  one.datapath->forget(vni(7), mac_b);  // is not there: nothing happens
  EXPECT_TRUE(passes(a, b, mac_a, mac_b));
}

// A guest that migrates: its port waits here, its address is at the other host until it is heard here (agent/plan).
TEST_P(Overlay, APortThatWaitsForItsGuestHasItsFramesFromTheFirstOneThatTheGuestSends) {
  Node &one = add(), &two = add();
  const Tap a = one.host.tap("a"), waits = one.host.tap("waits"), c = two.host.tap("c"), b = two.host.tap("b");
  one.wanted.port(7, a, mac_a).port(7, waits);
  two.wanted.port(7, c, mac_c).port(7, b, mac_b);
  connect(7);
  one.bridge(7).remote_macs = {{mac_b, {two.address(), false}}, {mac_c, {two.address(), true}}};
  two.bridge(7).remote_macs = {{mac_a, {one.address(), true}}};
  for (Node& node : nodes_) node.apply();
  for (int i = 0; i < 3; i++) EXPECT_TRUE(passes(a, b, mac_a, mac_b));
  EXPECT_TRUE(passes(c, b, mac_c, mac_b));
  EXPECT_THAT(waits.drain(), IsEmpty());

  waits.send(ethernet(broadcast, mac_b));
  EXPECT_TRUE(passes(a, waits, mac_a, mac_b)) << "before the agent was told";
  (void)b.drain();
  EXPECT_TRUE(loop_.run_until([&] { return !one.learned.empty(); }, 1s));
  EXPECT_THAT(one.learned, ElementsAre(FdbEntry{.vni = vni(7), .mac = mac_b, .port = id_named("waits")}));

  // As its agent goes on, and then that of the other host.
  one.wanted.desired.ports.at(id_named("waits")).mac = mac_b;
  one.bridge(7).remote_macs.erase(mac_b);
  one.apply();
  one.datapath->forget(vni(7), mac_b);
  EXPECT_TRUE(passes(a, waits, mac_a, mac_b));
  two.wanted.desired.ports.erase(id_named("b"));
  two.bridge(7).remote_macs[mac_b] = {one.address(), true};
  two.apply();
  EXPECT_TRUE(passes(c, waits, mac_c, mac_b));
  EXPECT_THAT(b.drain(), IsEmpty());
}

TEST_P(Overlay, WithoutAWorkingTunnelFramesForOtherHostsAreCountedAndLocalOnesPass) {
  Node &one = add(), &two = add();
  const Tap a = one.host.tap("a"), b = one.host.tap("b");
  one.wanted.port(7, a, mac_a).port(7, b, mac_b);
  connect(7);
  one.bridge(7).remote_macs[mac_c] = {two.address(), true};
  one.host.run("ip link add midonet-vxlan type veth peer name theirs");
  const Applied applied = one.try_apply();
  EXPECT_FALSE(applied.tunnel);
  for (const auto& [id, status] : applied.ports) EXPECT_TRUE(status);
  EXPECT_TRUE(passes(a, b, mac_a, mac_b));
  EXPECT_TRUE(passes(a, b, mac_a, broadcast));
  a.send(ethernet(mac_c, mac_a));
  EXPECT_THAT(b.drain(), IsEmpty());
  EXPECT_THAT(one.drops_of("a"), ElementsAre(Pair("no_tunnel", 2)));
}

TEST_P(Overlay, WithoutATunnelNobodyIsRemoteAndFramesStayOnTheHost) {
  Node& one = add();
  const Tap a = one.host.tap("a"), b = one.host.tap("b");
  one.wanted.port(7, a, mac_a).port(7, b);
  one.bridge(7).peers.insert(ip("192.0.2.9"));
  one.bridge(7).remote_macs[mac_b] = {ip("192.0.2.9"), true};
  one.wanted.desired.tunnel.reset();
  one.apply();
  EXPECT_TRUE(passes(a, b, mac_a, mac_b));  // flooded: it is not known
  EXPECT_THAT(one.drops_of("a"), IsEmpty());
  EXPECT_FALSE(one.datapath->tunnel_counters());
  EXPECT_THAT(one.device(), IsEmpty());
}

TEST_P(Overlay, AHostIsNotItsOwnPeer) {
  Node& one = add();
  const Tap a = one.host.tap("a"), b = one.host.tap("b");
  one.wanted.port(7, a, mac_a).port(7, b);
  one.bridge(7).peers.insert(one.address());
  one.bridge(7).remote_macs[mac_b] = {one.address(), true};
  one.apply();
  EXPECT_TRUE(passes(a, b, mac_a, mac_b));
  EXPECT_THAT(b.drain(), IsEmpty());
  EXPECT_EQ(one.datapath->tunnel_counters()->tx_packets, 0U);
}

TEST_P(Overlay, OnePeerThatIsNotThereKeepsNothingFromTheOthers) {
  Node &one = add(), &two = add();
  const Tap a = one.host.tap("a"), b = two.host.tap("b");
  one.wanted.port(7, a, mac_a);
  two.wanted.port(7, b);
  connect(7);
  for (int i = 100; i < 120; i++)  // more than a chunk, before and behind the real one
    one.bridge(7).peers.insert(ip(fmt::format("198.51.100.{}", i).c_str()));
  one.bridge(7).peers.insert(ip("2001:db8:ffff::1"));
  for (Node& node : nodes_) node.apply();
  EXPECT_TRUE(passes(a, b, mac_a, broadcast));
  EXPECT_THAT(b.drain(), IsEmpty());
  EXPECT_EQ(one.datapath->tunnel_counters()->tx_packets, 22U);
}

// Forged frames: a VXLAN packet needs a UDP socket and nothing else.
class Forged : public Overlay {
 protected:
  void SetUp() override {
    Overlay::SetUp();
    if (IsSkipped()) return;
    one_ = &add(), two_ = &add(), stranger_ = &add();
    a_.emplace(one_->host.tap("a"));
    b_.emplace(two_->host.tap("b"));
    one_->options.admission_linger = 300ms;
    one_->open();
    one_->wanted.port(7, *a_, mac_a);
    two_->wanted.port(7, *b_, mac_b);
    one_->bridge(7).peers = one_->bridge(7).sources = {two_->address()};
    two_->bridge(7).peers = two_->bridge(7).sources = {one_->address()};
    one_->apply(), two_->apply();
  }
  void TearDown() override {
    a_.reset(), b_.reset();
    Overlay::TearDown();
  }
  static void send(const Node& from, const Ip& to, std::uint32_t number, const Frame& frame) {
    const Host::Inside inside(from.host);
    Frame packet{8,
                 0,
                 0,
                 0,
                 static_cast<std::uint8_t>(number >> 16),
                 static_cast<std::uint8_t>(number >> 8),
                 static_cast<std::uint8_t>(number),
                 0};
    packet.insert(packet.end(), frame.begin(), frame.end());
    const UniqueFd socket(::socket(to.is_v4() ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_port = htons(4789);
    sockaddr_in6 v6{};
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(4789);
    std::memcpy(to.is_v4() ? static_cast<void*>(&v4.sin_addr) : &v6.sin6_addr, to.bytes().data(), to.bytes().size());
    const auto* address = to.is_v4() ? reinterpret_cast<sockaddr*>(&v4) : reinterpret_cast<sockaddr*>(&v6);
    ASSERT_EQ(::sendto(socket.get(), packet.data(), packet.size(), 0, address, to.is_v4() ? sizeof v4 : sizeof v6),
              static_cast<ssize_t>(packet.size()));
  }
  // Whether it gets to the guest of host 1. Each drop is counted, so nothing has to be waited for in vain.
  bool arrives(const Node& from, const Ip& to, const Mac& destination) {
    static std::uint8_t mark = 0;
    const Frame frame = ethernet(destination, mac_c, ++mark);
    const auto before = drops();
    send(from, to, 7, frame);
    EXPECT_TRUE(loop_.run_until([&] { return (got_ = a_->receive(10ms)).has_value() || drops() != before; }, 10s));
    return got_ == frame;
  }
  std::map<std::string, std::uint64_t> drops() { return one_->datapath->tunnel_counters()->drops; }

  Node *one_ = nullptr, *two_ = nullptr, *stranger_ = nullptr;
  std::optional<Tap> a_, b_;
  std::optional<Frame> got_;
};
INSTANTIATE_TEST_SUITE_P(Underlay, Forged, ::testing::Values(4, 6),
                         [](const auto& family) { return family.param == 4 ? "Ipv4" : "Ipv6"; });

TEST_P(Forged, AFrameFromAnAddressThatDoesNotServeTheBridgeIsDroppedAndCounted) {
  EXPECT_TRUE(arrives(*two_, one_->address(), mac_a));
  EXPECT_TRUE(arrives(*two_, one_->address(), broadcast));
  EXPECT_FALSE(arrives(*stranger_, one_->address(), mac_a));
  EXPECT_FALSE(arrives(*stranger_, one_->address(), broadcast));
  EXPECT_THAT(drops(), ElementsAre(Pair("foreign_source", 2)));
  send(*stranger_, one_->address(), 9, ethernet(broadcast, mac_c));
  EXPECT_TRUE(loop_.run_until([&] { return drops().contains("unknown_vni"); }, 10s));
  EXPECT_EQ(one_->datapath->tunnel_counters()->rx_packets, 2U);
}

// A host serves the bridges that it serves, and no other.
TEST_P(Forged, AMemberOfAnotherBridgeIsAsForeignAsAnyOther) {
  const Tap other = one_->host.tap("other");
  one_->wanted.port(8, other);
  one_->bridge(8).sources = {stranger_->address()};
  one_->apply();
  EXPECT_FALSE(arrives(*stranger_, one_->address(), mac_a));
  send(*stranger_, one_->address(), 8, ethernet(broadcast, mac_c));
  EXPECT_EQ(other.receive(), ethernet(broadcast, mac_c));
}

TEST_P(Forged, AFrameToAnotherAddressOfThisHostIsDroppedAndCounted) {
  const Ip second = ip(GetParam() == 4 ? "192.0.2.101" : "2001:db8::101");
  one_->host.run(
      fmt::format("ip addr add {}/{} dev eth0 {}", second, GetParam() == 4 ? 24 : 64, GetParam() == 4 ? "" : "nodad"));
  EXPECT_FALSE(arrives(*two_, second, mac_a));
  EXPECT_FALSE(arrives(*two_, second, broadcast));
  EXPECT_THAT(drops(), ElementsAre(Pair("foreign_destination", 2)));
  // As an address of this host in another tunnel zone it is one that peers send to.
  one_->wanted.desired.tunnel->addresses = {second};
  one_->apply();
  EXPECT_TRUE(arrives(*two_, second, mac_a));
  EXPECT_TRUE(arrives(*two_, one_->address(), mac_a));
  // One that it was is taken for a while, until the peers have heard of the other one.
  one_->wanted.desired.tunnel->addresses.clear();
  one_->apply();
  EXPECT_TRUE(loop_.run_until([&] { return !arrives(*two_, second, mac_a); }, 10s));
  EXPECT_TRUE(arrives(*two_, one_->address(), mac_a));
}

TEST_P(Forged, AHostThatServesIsTakenAtOnceAndForAWhileAfterItHasLeft) {
  EXPECT_FALSE(arrives(*stranger_, one_->address(), mac_a));
  one_->bridge(7).sources.insert(stranger_->address());
  one_->apply();
  EXPECT_TRUE(arrives(*stranger_, one_->address(), mac_a));
  one_->bridge(7).sources.erase(stranger_->address());
  one_->apply();
  one_->bridge(7).sources.insert(stranger_->address());  // it comes back in time, and stays
  one_->apply();
  const Timer over = loop_.after(400ms, [] {});
  EXPECT_TRUE(loop_.run_until([&] { return !over.armed(); }, 10s));
  EXPECT_TRUE(arrives(*stranger_, one_->address(), mac_a));
  one_->bridge(7).sources.erase(stranger_->address());
  one_->apply();
  EXPECT_TRUE(loop_.run_until([&] { return !arrives(*stranger_, one_->address(), mac_a); }, 10s));
  EXPECT_TRUE(arrives(*two_, one_->address(), mac_a));
}

TEST_P(Forged, AnIncompleteViewTakesNobodyAwayAndARestartOpensNothing) {
  one_->bridge(7).peers.clear(), one_->bridge(7).sources.clear();
  one_->bridge(7).sources_known = false;
  one_->open();
  one_->apply(Sweep::no);
  EXPECT_TRUE(arrives(*two_, one_->address(), mac_a));
  EXPECT_FALSE(arrives(*stranger_, one_->address(), mac_a));
  // A bridge that is new here: its hosts send already, and are not known yet.
  const Tap fresh = one_->host.tap("fresh");
  one_->wanted.port(9, fresh);
  one_->bridge(9).sources_known = false;
  one_->apply();
  send(*stranger_, one_->address(), 9, ethernet(broadcast, mac_c));
  EXPECT_EQ(fresh.receive(), ethernet(broadcast, mac_c));
  one_->bridge(9).sources_known = true;
  one_->apply();
  send(*stranger_, one_->address(), 9, ethernet(broadcast, mac_c));
  EXPECT_TRUE(loop_.run_until([&] { return drops()["foreign_source"] == 2; }, 10s));
}

// Programs before these let every address send: nothing is refused until the records were read.
TEST_P(Forged, AnUpgradeRefusesNobodyBeforeTheRecordsWereRead) {
  const std::string folder = one_->datapath->objects().folder();
  one_->datapath.reset();
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string file = entry.path().filename();
    if (file == "admitted" || file.find('-') != std::string::npos) std::filesystem::remove(entry.path());
  }
  const Wanted wanted = one_->wanted;
  one_->bridge(7).peers.clear(), one_->bridge(7).sources.clear();
  one_->open();
  one_->apply(Sweep::no);
  EXPECT_TRUE(arrives(*two_, one_->address(), mac_a));
  one_->wanted = wanted;
  one_->apply();
  EXPECT_TRUE(arrives(*two_, one_->address(), mac_a));
  EXPECT_FALSE(arrives(*stranger_, one_->address(), mac_a));
}

TEST_P(Forged, WithTheCheckOffAnyAddressMaySend) {
  one_->options.check_sources = false;
  one_->open();
  one_->apply();
  EXPECT_TRUE(arrives(*stranger_, one_->address(), mac_a));
}

}  // namespace
}  // namespace midonet::datapath::testing::overlay_test
