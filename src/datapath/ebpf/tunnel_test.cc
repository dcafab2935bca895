// The life of the tunnel device: its owner, its repair after changes of other programs, and its adoption by a start. Needs a real
// kernel.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <filesystem>
#include <thread>

#include "datapath/ebpf/overlay_bed.h"

namespace midonet::datapath::testing::tunnel_test {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using namespace std::chrono_literals;

// Two hosts with a guest each, which know of each other.
class Tunnel : public Hosts {
 protected:
  void SetUp() override {
    Hosts::SetUp();
    if (IsSkipped()) return;
    one_ = &add();
    two_ = &add();
    a_.emplace(one_->host.tap("a"));
    b_.emplace(two_->host.tap("b"));
    one_->wanted.port(7, *a_, mac_a);
    two_->wanted.port(7, *b_, mac_b);
    connect(7);
    one_->bridge(7).remote_macs[mac_b] = {two_->address(), true};
    two_->bridge(7).remote_macs[mac_a] = {one_->address(), true};
    two_->apply();
  }
  void TearDown() override {
    a_.reset();
    b_.reset();
    Hosts::TearDown();
  }
  bool both_ways() { return passes(*a_, *b_, mac_a, mac_b) && passes(*b_, *a_, mac_b, mac_a); }
  // Another program does this to the device of host 1: the drift is reported within a second, and mended by the next apply.
  void expect_mended(
      const std::string& command, const std::string& told_as, const std::function<void()>& act = [] {}) {
    one_->drifts.clear();
    one_->host.run(command);
    act();
    EXPECT_TRUE(told(*one_)) << command;
    EXPECT_THAT(one_->drifts, ElementsAre(HasSubstr(told_as)));
    one_->apply();
    EXPECT_TRUE(both_ways()) << command;
    one_->drifts.clear();
    EXPECT_FALSE(loop_.run_until([&] { return !one_->drifts.empty(); }, 50ms)) << one_->drifts.front();
  }
  std::string ifindex() const { return one_->host.output("ip -o link show dev midonet-vxlan | cut -d: -f1"); }

  Node* one_ = nullptr;
  Node* two_ = nullptr;
  std::optional<Tap> a_;
  std::optional<Tap> b_;
};

TEST_F(Tunnel, TheDeviceIsMadeAsItIsMeantToBe) {
  one_->apply();
  EXPECT_THAT(one_->device(), AllOf(HasSubstr("external"), HasSubstr("nolearning"), HasSubstr("dstport 4789"),
                                    HasSubstr("mtu 1450"), HasSubstr("UP"), HasSubstr("addrgenmode none"),
                                    HasSubstr("alias midolman " + one_->options.pin_dir)));
  EXPECT_THAT(one_->host.output("ip -6 addr show dev midonet-vxlan"), Not(HasSubstr("fe80")));
  EXPECT_TRUE(both_ways());
}

TEST_F(Tunnel, ASecondApplyChangesNothing) {
  one_->apply();
  const std::string before = one_->device() + ifindex();
  one_->apply();
  EXPECT_EQ(one_->device() + ifindex(), before);
  EXPECT_FALSE(loop_.run_until([&] { return !one_->drifts.empty(); }, 50ms)) << one_->drifts.front();
}

TEST_F(Tunnel, WhatSomebodyElseDoesToTheDeviceIsToldAndMended) {
  one_->apply();
  expect_mended("ip link del midonet-vxlan", "the tunnel device midonet-vxlan was deleted");
  expect_mended("ip link set midonet-vxlan down", "set down");
  expect_mended("ip link set midonet-vxlan mtu 1000", "MTU of 1000");
  expect_mended("ip link set midonet-vxlan alias mine && ip link set midonet-vxlan alias 'midolman " +
                    one_->options.pin_dir + "' && ip link set midonet-vxlan down",
                "set down");
  expect_mended("ip link set midonet-vxlan down && ip link set midonet-vxlan name other", "renamed to other");
}

TEST_F(Tunnel, ALinkAtTheDeviceThatSomebodyElseUnpinsIsMended) {
  if (!tcx::supported()) GTEST_SKIP() << "needs tcx (Linux 6.6)";
  one_->options.hooks = Hooks::Way::tcx;
  one_->open();
  one_->apply();
  expect_mended("true", "was deleted", [&] { std::filesystem::remove(one_->link_pin(ifindex())); });
}

TEST_F(Tunnel, AFilterThatWouldRunBeforeOursAtTheDeviceMakesOursALink) {
  if (!tcx::supported()) GTEST_SKIP() << "needs tcx (Linux 6.6)";
  one_->apply();
  const auto add_filter = [](int priority) {
    return fmt::format("tc filter add dev midonet-vxlan ingress prio {} protocol all u32 match u32 0 0 flowid 1:1",
                       priority);
  };
  expect_mended(add_filter(7), "a filter before ours");
  EXPECT_TRUE(std::filesystem::exists(one_->link_pin(ifindex())));
  EXPECT_THAT(one_->host.output("tc filter show dev midonet-vxlan ingress"), Not(HasSubstr("midolman")));
  one_->host.run(add_filter(6));
  EXPECT_FALSE(loop_.run_until([&] { return !one_->drifts.empty(); }, 50ms)) << "it is of no interest to a link";
  expect_mended("true", "was deleted", [&] { std::filesystem::remove(one_->link_pin(ifindex())); });
}

TEST_F(Tunnel, AFilterOrQdiscThatSomebodyElseDeletesIsMendedToo) {
  one_->apply();
  expect_mended("tc filter del dev midonet-vxlan ingress", "filter of interface");
  expect_mended("tc qdisc del dev midonet-vxlan clsact", "clsact qdisc of interface");
}

TEST_F(Tunnel, AForeignDeviceOfThatNameIsNeverTouched) {
  one_->host.run("ip link add midonet-vxlan type vxlan external dstport 5000");
  const std::string before = one_->device();
  const Applied applied = one_->try_apply();
  ASSERT_FALSE(applied.tunnel);
  EXPECT_THAT(applied.tunnel.error().message, AllOf(HasSubstr("midonet-vxlan"), HasSubstr("not ours")));
  EXPECT_TRUE(applied.retry());
  EXPECT_TRUE(applied.ports.at(id_named("a")));
  EXPECT_EQ(one_->device(), before);
  EXPECT_TRUE(one_->datapath->remove_everything());
  EXPECT_EQ(one_->device(), before);
  // Once it has gone, ours is made.
  one_->host.run("ip link del midonet-vxlan");
  one_->open();
  one_->apply();
  EXPECT_TRUE(both_ways());
}

TEST_F(Tunnel, AnotherVxlanDeviceOnThePortIsSaidAndWaitedFor) {
  one_->host.run("ip link add theirs type vxlan id 5 dstport 4789 && ip link set theirs up");
  Applied applied = one_->try_apply();
  ASSERT_FALSE(applied.tunnel);
  EXPECT_THAT(applied.tunnel.error().message, HasSubstr("UDP port 4789 is taken"));
  EXPECT_TRUE(one_->datapath->remove_everything());
  one_->host.run("ip link del theirs && ip link add theirs type vxlan external udp6zerocsumrx dstport 4789");
  one_->open();
  applied = one_->try_apply();
  ASSERT_FALSE(applied.tunnel);
  EXPECT_THAT(applied.tunnel.error().message, HasSubstr("has UDP port 4789"));
  one_->host.run("ip link del theirs");
  one_->apply();  // of the same Desired
  EXPECT_TRUE(both_ways());
}

TEST_F(Tunnel, ItGoesWithASweepOnlyAndWithRemoveEverything) {
  one_->apply();
  one_->wanted.desired.tunnel.reset();
  one_->apply(Sweep::no);
  EXPECT_TRUE(both_ways());
  one_->apply(Sweep::yes);
  EXPECT_THAT(one_->device(), IsEmpty());
  EXPECT_FALSE(both_ways());
  const Maps& maps = one_->datapath->objects().maps();
  EXPECT_TRUE(maps.remotes.entries()->empty());
  EXPECT_TRUE(maps.peers.entries()->empty());
  one_->wanted.desired.tunnel = TunnelSpec{.local = one_->address(), .mtu = 1450};
  one_->apply();
  EXPECT_TRUE(both_ways());
  EXPECT_TRUE(one_->datapath->remove_everything());
  EXPECT_THAT(one_->device(), IsEmpty());
}

TEST_F(Tunnel, WithoutAnAgentFramesPassAndAStartAdoptsEverything) {
  one_->apply();
  const std::string before = ifindex();
  one_->datapath.reset();
  EXPECT_TRUE(both_ways());
  one_->open();
  EXPECT_TRUE(one_->datapath->objects().adopted());
  const Wanted wanted = one_->wanted;
  one_->wanted = {};  // nothing is known yet
  one_->apply(Sweep::no);
  EXPECT_TRUE(both_ways());
  one_->wanted = wanted;
  one_->apply(Sweep::yes);
  EXPECT_EQ(ifindex(), before);
  EXPECT_TRUE(both_ways());
}

TEST_F(Tunnel, NoFrameIsLostToARestartOrAnUpgrade) {
  one_->apply();
  ASSERT_TRUE(both_ways());
  std::atomic<bool> stop{false};
  std::uint32_t sent = 0;
  std::uint32_t received = 0;
  std::thread guest([&] {
    while (!stop || sent < 500) {
      Frame frame = ethernet(mac_b, mac_a);
      std::memcpy(frame.data() + 20, &sent, sizeof sent);
      a_->send(frame);
      sent++;
      if (b_->receive(1000ms) == frame) received++;
    }
  });
  for (std::uint32_t quota = 10; quota < 14; quota++) {
    one_->options.learn_quota = two_->options.learn_quota = quota / 2 * 2;  // every other time other programs
    for (Node* node : {one_, two_}) {
      node->open();
      node->apply(Sweep::no);
      node->apply(Sweep::yes);
    }
  }
  stop = true;
  guest.join();
  EXPECT_EQ(received, sent);
}

TEST_F(Tunnel, OfOtherSettingsADeviceIsMadeAnewAndTheOldOneGoes) {
  one_->apply();
  one_->options.tunnel_port = 8472;
  one_->options.tunnel_device = "overlay0";
  one_->open();
  one_->apply();
  EXPECT_THAT(one_->device(), IsEmpty());
  EXPECT_THAT(one_->host.output("ip -d link show overlay0"), HasSubstr("dstport 8472"));
  two_->options.tunnel_port = 8472;
  two_->open();
  two_->apply();
  EXPECT_TRUE(both_ways());
}

TEST_F(Tunnel, AnotherMtuIsTakenOverWithoutANewDevice) {
  one_->apply();
  const std::string before = ifindex();
  one_->wanted.desired.tunnel->mtu = 1300;
  one_->apply();
  EXPECT_EQ(ifindex(), before);
  EXPECT_THAT(one_->device(), HasSubstr("mtu 1300"));
  a_->send(ethernet(mac_b, mac_a, 0, 0x88b5, 1315));
  EXPECT_THAT(one_->drops_of("a"), ElementsAre(::testing::Pair("too_big", 1)));
  one_->wanted.desired.tunnel->mtu = 10;
  const Applied applied = one_->try_apply();
  ASSERT_FALSE(applied.tunnel);
  EXPECT_EQ(applied.tunnel.error().code, Code::invalid);
  one_->wanted.desired.tunnel->mtu = 1450;
  one_->apply();
  EXPECT_TRUE(both_ways());
}

// What is left when we are killed between making the device and marking it.
TEST_F(Tunnel, ADeviceThatWasOnlyHalfMadeIsFinished) {
  one_->apply();
  const std::string mac = one_->host.output("ip -o link show dev midonet-vxlan | sed 's/.*ether //'");
  one_->datapath->remove_everything();
  one_->host.run("ip link add midonet-vxlan address " + mac.substr(0, 17) +
                 " type vxlan external nolearning udp6zerocsumrx dstport 4789");
  const std::string before = ifindex();
  one_->open();
  one_->apply();
  EXPECT_EQ(ifindex(), before);
  EXPECT_THAT(one_->device(), HasSubstr("alias midolman"));
  EXPECT_TRUE(both_ways());
}

// The pins of an agent that knew of no tunnel: what it had learned and plugged stays.
TEST_F(Tunnel, ThePinsOfAnAgentBeforeTheOverlayAreAdopted) {
  const Tap guest = one_->host.tap("guest");
  one_->wanted.port(7, guest);
  one_->apply();
  guest.send(ethernet(mac_a, mac_c));
  EXPECT_TRUE(a_->receive());
  const std::string folder = one_->datapath->objects().folder();
  one_->datapath.reset();
  one_->host.run("ip link del midonet-vxlan");
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string file = entry.path().filename();
    for (const char* late : {"remotes", "peers", "admitted", "floods", "tunnel", "sources", "peer_sources",
                             "tunnel_counters", "news", "news_lost"}) {
      if (file == late) std::filesystem::remove(entry.path());
    }
    if (file.find('-') != std::string::npos) std::filesystem::remove(entry.path());
  }
  one_->open();
  EXPECT_FALSE(one_->datapath->objects().adopted());
  one_->apply();
  EXPECT_THAT(one_->datapath->fdb(), Contains(FdbEntry{.vni = vni(7), .mac = mac_c, .port = id_named("guest")}));
  EXPECT_TRUE(both_ways());
  EXPECT_TRUE(passes(*b_, guest, mac_b, broadcast));
}

TEST_F(Tunnel, RemoteMacsAndPeersThatSomebodyElseWroteAreMended) {
  one_->apply();
  const Maps& maps = one_->datapath->objects().maps();
  ASSERT_TRUE(maps.remotes.put(fdb_key(7, mac_b), {.vtep = vtep_of(ip("192.0.2.77")), .configured = 1}));
  ASSERT_TRUE(maps.remotes.put(fdb_key(7, mac_c), {.vtep = {}, .configured = 1}));
  ASSERT_TRUE(maps.peers.remove({7, 0}));
  ASSERT_TRUE(maps.peers.put({7, 3}, abi::peers{}));
  ASSERT_TRUE(maps.tunnel.put(0, {.wanted = 1, .ifindex = 1, .mtu = 1450, .flags = 0}));
  one_->open();
  one_->apply();
  EXPECT_TRUE(both_ways());
  EXPECT_TRUE(passes(*a_, *b_, mac_a, broadcast));
  EXPECT_EQ(one_->datapath->objects().maps().peers.entries()->size(), 1U);
  EXPECT_EQ(one_->datapath->objects().maps().remotes.entries()->size(), 1U);
}

TEST_F(Tunnel, AFullMapOfRemoteMacsIsAnErrorAndHoldsUpNothingElse) {
  one_->datapath->remove_everything();
  one_->options.remote_entries = 4;
  one_->open();
  for (std::uint32_t i = 0; i < 100; i++) one_->bridge(9).remote_macs[mac_number(i)] = {two_->address(), true};
  const Applied applied = one_->try_apply();
  EXPECT_THAT(applied.errors, SizeIs(1));
  EXPECT_TRUE(applied.tunnel);
  EXPECT_TRUE(applied.ports.at(id_named("a")));
  EXPECT_TRUE(passes(*a_, *b_, mac_a, broadcast));
  one_->bridge(9).remote_macs.clear();
  one_->apply();
  EXPECT_TRUE(both_ways());
}

class Learning : public Hosts {
 protected:
  void SetUp() override {
    Hosts::SetUp();
    if (IsSkipped()) return;
    one_ = &add();
    a_.emplace(one_->host.tap("a"));
    b_.emplace(one_->host.tap("b"));
    one_->wanted.port(7, *a_).port(7, *b_);
    one_->apply();
  }
  void TearDown() override {
    a_.reset();
    b_.reset();
    Hosts::TearDown();
  }
  bool learned(std::size_t count) {
    return loop_.run_until([&] { return one_->learned.size() >= count; }, 1s);
  }
  static FdbEntry entry(const Mac& mac, const char* port) {
    return {.vni = vni(7), .mac = mac, .port = id_named(port)};
  }

  Node* one_ = nullptr;
  std::optional<Tap> a_;
  std::optional<Tap> b_;
};

TEST_F(Learning, ANewMacIsToldAMovedOneTooAndARefreshedOneIsNot) {
  for (int i = 0; i < 3; i++) a_->send(ethernet(broadcast, mac_a));
  a_->send(ethernet(broadcast, mac_b));
  ASSERT_TRUE(learned(2));
  EXPECT_THAT(one_->learned, ::testing::UnorderedElementsAre(entry(mac_a, "a"), entry(mac_b, "a")));
  one_->learned.clear();
  a_->send(ethernet(broadcast, mac_a));
  b_->send(ethernet(broadcast, mac_b));
  ASSERT_TRUE(learned(1));
  EXPECT_THAT(one_->learned, ElementsAre(entry(mac_b, "b")));
}

TEST_F(Learning, AMacThatWasForgottenOrHadAgedIsToldAgain) {
  a_->send(ethernet(broadcast, mac_a));
  ASSERT_TRUE(learned(1));
  one_->datapath->forget(vni(7), mac_a);
  one_->learned.clear();
  a_->send(ethernet(broadcast, mac_a));
  ASSERT_TRUE(learned(1));
  one_->learned.clear();
  // As if it had not been heard for longer than the ageing time.
  const auto& map = one_->datapath->objects().maps().learned;
  abi::learned_entry old = map.get(fdb_key(7, mac_a))->value();
  old.seen_ns -= std::min<std::uint64_t>(old.seen_ns, 301'000'000'000ULL);
  if (old.seen_ns == 0) GTEST_SKIP() << "the machine is up for less than the ageing time";
  ASSERT_TRUE(map.put(fdb_key(7, mac_a), old));
  EXPECT_THAT(one_->datapath->fdb(), IsEmpty());
  a_->send(ethernet(broadcast, mac_a));
  ASSERT_TRUE(learned(1));
  EXPECT_THAT(one_->learned, ElementsAre(entry(mac_a, "a")));
}

TEST_F(Learning, WhatWasLearnedBeforeAStartIsNotTold) {
  a_->send(ethernet(broadcast, mac_a));
  one_->open();
  one_->apply();
  a_->send(ethernet(broadcast, mac_b));
  ASSERT_TRUE(learned(1));
  EXPECT_THAT(one_->learned, ElementsAre(entry(mac_b, "a")));
  EXPECT_THAT(one_->datapath->fdb(), SizeIs(2));
}

TEST_F(Learning, WhenThereIsMoreNewsThanRoomEverythingThatIsLearnedIsTold) {
  a_->send(ethernet(broadcast, mac_c));
  ASSERT_TRUE(learned(1));
  one_->learned.clear();
  // A MAC that goes to and fro, while the ring is not read.
  for (int i = 0; i < 4000; i++) {
    a_->send(ethernet(mac_c, mac_a));
    b_->send(ethernet(mac_c, mac_a));
    a_->drain();
  }
  a_->send(ethernet(mac_c, mac_b));
  ASSERT_TRUE(learned(3));
  EXPECT_THAT(one_->learned, ::testing::UnorderedElementsAre(entry(mac_a, "b"), entry(mac_b, "a"), entry(mac_c, "a")));
  one_->learned.clear();
  a_->send(ethernet(mac_c, mac_a));  // and then again one by one
  ASSERT_TRUE(learned(1));
  EXPECT_THAT(one_->learned, ElementsAre(entry(mac_a, "a")));
}

}  // namespace
}  // namespace midonet::datapath::testing::tunnel_test
