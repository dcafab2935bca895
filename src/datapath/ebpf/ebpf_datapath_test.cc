// The datapath with real taps, programs and frames: what guests see.
#include "datapath/ebpf/ebpf_datapath.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <chrono>

#include "base/log.h"
#include "datapath/ebpf/testbed.h"

namespace midonet::datapath::testing::ebpf_datapath_test {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Key;
using ::testing::Pair;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

using namespace std::chrono_literals;

const Mac mac_c = mac("02:00:00:00:00:0c");

class EbpfDatapathTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const std::string why = Testbed::impossible(); !why.empty()) GTEST_SKIP() << why;
    bed_.emplace();
    open();
  }
  void TearDown() override {
    datapath_.reset();
    bed_.reset();
  }
  void open() {
    auto opened = EbpfDatapath::open(loop_, bed_->options());
    ASSERT_TRUE(opened) << opened.error().message;
    datapath_ = std::move(*opened);
  }
  void apply(const Wanted& wanted, Sweep sweep = Sweep::yes) { expect_done(datapath_->apply(wanted.desired, sweep)); }
  static void expect_done(const Applied& applied) {
    for (const auto& [id, status] : applied.ports) EXPECT_TRUE(status) << status.error().message;
    for (const Error& error : applied.errors) ADD_FAILURE() << error.message;
  }
  PortCounters counters_of(const std::string& name) {
    for (PortCounters& counters : datapath_->counters()) {
      if (counters.id == id_named(name)) return counters;
    }
    ADD_FAILURE() << "no counters of " << name;
    return {.id = {}};
  }

  Loop loop_;
  std::optional<Testbed> bed_;
  std::unique_ptr<EbpfDatapath> datapath_;
};

TEST_F(EbpfDatapathTest, AFrameToAConfiguredMacGoesThereAndNowhereElse) {
  const Tap a("a"), b("b"), c("c");
  apply(Wanted().port(7, a, mac_a).port(7, b, mac_b).port(7, c, mac_c));
  const Frame frame = ethernet(mac_b, mac_a, 1);
  a.send(frame);
  EXPECT_EQ(b.receive(), frame);
  EXPECT_THAT(c.drain(), IsEmpty());
  EXPECT_THAT(a.drain(), IsEmpty());
  EXPECT_EQ(counters_of("a").rx_packets, 1U);
  EXPECT_EQ(counters_of("a").rx_bytes, 60U);
  EXPECT_EQ(counters_of("b").tx_packets, 1U);
  EXPECT_EQ(counters_of("b").tx_bytes, 60U);
  EXPECT_THAT(counters_of("b").drops, IsEmpty());
}

TEST_F(EbpfDatapathTest, ABroadcastReachesEveryOtherPortOfItsBridgeOnce) {
  const Tap a("a"), b("b"), c("c"), other("other");
  apply(Wanted().port(7, a).port(7, b).port(7, c).port(8, other));
  const Frame frame = ethernet(broadcast, mac_a);
  a.send(frame);
  EXPECT_EQ(b.receive(), frame);
  EXPECT_EQ(c.receive(), frame);
  EXPECT_THAT(b.drain(), IsEmpty());
  EXPECT_THAT(a.drain(), IsEmpty());
  EXPECT_THAT(other.drain(), IsEmpty());
}

TEST_F(EbpfDatapathTest, AnUnknownDestinationIsFloodedUntilItIsLearned) {
  const Tap a("a"), b("b"), c("c");
  apply(Wanted().port(7, a).port(7, b).port(7, c));
  a.send(ethernet(mac_b, mac_a, 1));
  EXPECT_TRUE(b.receive());
  EXPECT_TRUE(c.receive());
  b.send(ethernet(mac_a, mac_b, 2));  // a was learned from the first frame, b is learned from this one
  EXPECT_EQ(a.receive(), ethernet(mac_a, mac_b, 2));
  EXPECT_THAT(c.drain(), IsEmpty());
  a.send(ethernet(mac_b, mac_a, 3));
  EXPECT_EQ(b.receive(), ethernet(mac_b, mac_a, 3));
  EXPECT_THAT(c.drain(), IsEmpty());
  EXPECT_THAT(datapath_->fdb(), UnorderedElementsAre(FdbEntry{vni(7), mac_a, id_named("a"), false, {}},
                                                     FdbEntry{vni(7), mac_b, id_named("b"), false, {}}));
}

TEST_F(EbpfDatapathTest, ALearnedMacMovesToThePortThatItWasSeenAtLast) {
  const Tap a("a"), b("b"), c("c");
  apply(Wanted().port(7, a).port(7, b).port(7, c));
  a.send(ethernet(broadcast, mac_a));
  b.send(ethernet(broadcast, mac_a));
  EXPECT_TRUE(c.receive());
  EXPECT_TRUE(c.receive());
  EXPECT_TRUE(a.receive());
  EXPECT_TRUE(b.receive());
  c.send(ethernet(mac_a, mac_c, 5));
  EXPECT_EQ(b.receive(), ethernet(mac_a, mac_c, 5));
  EXPECT_THAT(a.drain(), IsEmpty());
}

TEST_F(EbpfDatapathTest, AConfiguredMacNeverMoves) {
  const Tap a("a"), b("b"), c("c");
  apply(Wanted().port(7, a, mac_a).port(7, b, mac_b).port(7, c, mac_c));
  b.send(ethernet(mac_c, mac_a));  // b pretends to be a
  EXPECT_TRUE(c.receive());
  c.send(ethernet(mac_a, mac_c, 6));
  EXPECT_EQ(a.receive(), ethernet(mac_a, mac_c, 6));
  EXPECT_THAT(b.drain(), IsEmpty());
  EXPECT_THAT(datapath_->fdb(), Not(Contains(::testing::Field(&FdbEntry::configured, false))));
}

TEST_F(EbpfDatapathTest, AStaticEntryLeadsToItsPortAndOneOfAPortElsewhereIsIgnored) {
  const Tap a("a"), b("b"), c("c");
  Wanted wanted = Wanted().port(7, a, mac_a).port(7, b, mac_b).port(7, c, mac_c);
  const Mac virtual_mac = mac("00:00:5e:00:01:01");
  wanted.desired.bridges[vni(7)].static_macs = {{virtual_mac, id_named("b")}, {mac_number(9), id_named("elsewhere")}};
  apply(wanted);
  a.send(ethernet(virtual_mac, mac_a));
  EXPECT_TRUE(b.receive());
  EXPECT_THAT(c.drain(), IsEmpty());
  EXPECT_THAT(datapath_->fdb(), Contains(FdbEntry{vni(7), virtual_mac, id_named("b"), true, {}}));
  wanted.desired.bridges[vni(7)].static_macs = {{virtual_mac, id_named("c")}};
  apply(wanted);
  a.send(ethernet(virtual_mac, mac_a));
  EXPECT_TRUE(c.receive());
  EXPECT_THAT(b.drain(), IsEmpty());
}

TEST_F(EbpfDatapathTest, BridgesWithTheSameMacsNeverMix) {
  const Tap a7("a7"), b7("b7"), a8("a8"), b8("b8");
  apply(Wanted().port(7, a7, mac_a).port(7, b7, mac_b).port(8, a8, mac_a).port(8, b8, mac_b));
  a7.send(ethernet(mac_b, mac_a, 7));
  a8.send(ethernet(mac_b, mac_a, 8));
  EXPECT_EQ(b7.receive(), ethernet(mac_b, mac_a, 7));
  EXPECT_EQ(b8.receive(), ethernet(mac_b, mac_a, 8));
  a7.send(ethernet(mac_c, mac_a, 9));  // unknown
  EXPECT_EQ(b7.receive(), ethernet(mac_c, mac_a, 9));
  for (const Tap* tap : {&a7, &b7, &a8, &b8}) EXPECT_THAT(tap->drain(), IsEmpty()) << tap->name();
}

TEST_F(EbpfDatapathTest, APortThatChangesItsBridgeTakesNothingAlong) {
  const Tap a("a"), b("b"), c("c");
  apply(Wanted().port(7, a).port(7, b).port(8, c));
  b.send(ethernet(broadcast, mac_b));  // learned in bridge 7
  EXPECT_TRUE(a.receive());
  apply(Wanted().port(7, a).port(8, b).port(8, c));
  a.send(ethernet(mac_b, mac_a));
  a.send(ethernet(broadcast, mac_a));
  c.send(ethernet(broadcast, mac_c, 3));
  EXPECT_EQ(b.receive(), ethernet(broadcast, mac_c, 3));
  EXPECT_THAT(b.drain(), IsEmpty());
  EXPECT_THAT(a.drain(), IsEmpty());
  EXPECT_THAT(datapath_->fdb(),
              UnorderedElementsAre(::testing::Field(&FdbEntry::mac, mac_a), ::testing::Field(&FdbEntry::mac, mac_c)));
}

TEST_F(EbpfDatapathTest, NothingPassesToOrFromAPortThatIsAdministrativelyDown) {
  const Tap a("a"), b("b"), c("c");
  Wanted wanted = Wanted().port(7, a, mac_a).port(7, b, mac_b).port(7, c, mac_c);
  wanted.desired.ports[id_named("b")].admin_up = false;
  apply(wanted);
  a.send(ethernet(mac_b, mac_a));
  a.send(ethernet(broadcast, mac_a));
  b.send(ethernet(mac_a, mac_b));
  EXPECT_TRUE(c.receive());
  EXPECT_THAT(a.drain(), IsEmpty());
  EXPECT_THAT(b.drain(), IsEmpty());
  EXPECT_THAT(counters_of("b").drops, ElementsAre(Pair("port_down", 3)));
  EXPECT_EQ(counters_of("b").tx_packets, 0U);
  EXPECT_EQ(counters_of("b").rx_packets, 0U);
  wanted.desired.ports[id_named("b")].admin_up = true;
  apply(wanted);
  a.send(ethernet(mac_b, mac_a));
  EXPECT_TRUE(b.receive());
}

TEST_F(EbpfDatapathTest, NothingPassesInABridgeThatIsAdministrativelyDown) {
  const Tap a("a"), b("b");
  Wanted wanted = Wanted().port(7, a, mac_a).port(7, b, mac_b);
  wanted.desired.bridges[vni(7)].admin_up = false;
  apply(wanted);
  a.send(ethernet(mac_b, mac_a));
  EXPECT_THAT(b.drain(), IsEmpty());
  EXPECT_THAT(counters_of("a").drops, ElementsAre(Pair("bridge_down", 1)));
  wanted.desired.bridges[vni(7)].admin_up = true;
  apply(wanted);
  a.send(ethernet(mac_b, mac_a));
  EXPECT_TRUE(b.receive());
}

TEST_F(EbpfDatapathTest, FramesThatNoBridgeForwardsAreDroppedWithTheirReason) {
  const Tap a("a"), b("b");
  apply(Wanted().port(7, a, mac_a).port(7, b, mac_b));
  a.send(ethernet(mac_b, mac("01:00:5e:00:00:01")));
  a.send(ethernet(mac_b, Mac()));
  a.send(ethernet(mac("01:80:c2:00:00:00"), mac_a));
  a.send(ethernet(mac("01:80:c2:00:00:0f"), mac_a));
  a.send(ethernet(mac_a, mac_c));
  EXPECT_THAT(b.drain(), IsEmpty());
  EXPECT_THAT(counters_of("a").drops,
              UnorderedElementsAre(Pair("bad_source", 2), Pair("link_local", 2), Pair("same_port", 1)));
  EXPECT_EQ(counters_of("a").rx_packets, 0U);
  a.send(ethernet(mac("01:80:c2:00:00:10"), mac_a));  // the first group address that passes
  EXPECT_TRUE(b.receive());
}

TEST_F(EbpfDatapathTest, TheHostsOwnStackReachesNoGuestAndNoGuestReachesIt) {
  const Tap a("a"), b("b");
  apply(Wanted().port(7, a).port(7, b));
  bed_->run("ip addr add 192.0.2.1/24 dev a && ip neigh add 192.0.2.2 lladdr 02:00:00:00:00:0a dev a");
  bed_->run("ping -c 1 -W 1 -q 192.0.2.2 >/dev/null; test $? = 1");
  EXPECT_THAT(a.drain(), IsEmpty());
  EXPECT_THAT(counters_of("a").drops, Contains(Key("not_forwarded")));
  a.send(arp(1, mac_a, ip("192.0.2.2"), Mac(), ip("192.0.2.1")));
  EXPECT_TRUE(b.receive());  // the bridge has it; the host, which owns the address, would have answered
  EXPECT_THAT(a.drain(), IsEmpty());
}

TEST_F(EbpfDatapathTest, ATaggedFramePassesAsItIs) {
  const Tap a("a"), b("b"), c("c");
  apply(Wanted().port(7, a, mac_a).port(7, b, mac_b).port(7, c));
  Frame tagged = ethernet(mac_b, mac_a, 1);
  const std::array<std::uint8_t, 4> tag{0x81, 0x00, 0x60, 0x2a};  // priority 3, VLAN 42
  tagged.insert(tagged.begin() + 12, tag.begin(), tag.end());
  a.send(tagged);
  EXPECT_EQ(b.receive(), tagged);
  std::copy_n(broadcast.bytes().begin(), 6, tagged.begin());
  a.send(tagged);
  EXPECT_EQ(b.receive(), tagged);
  EXPECT_EQ(c.receive(), tagged);
}

TEST_F(EbpfDatapathTest, AGsoFrameWithAPartialChecksumPassesAsItIs) {
  const Tap a("a", Tap::Headers::virtio), b("b", Tap::Headers::virtio), c("c", Tap::Headers::virtio);
  apply(Wanted().port(7, a, mac_a).port(7, b, mac_b).port(7, c, mac_c));
  Frame sent = gso_frame(mac_b, mac_a, 1448);
  a.send(sent);
  const auto got = b.receive();
  ASSERT_TRUE(got);
  EXPECT_TRUE(*got == sent) << "length " << got->size();
  EXPECT_THAT(c.drain(), IsEmpty());
  EXPECT_EQ(counters_of("b").tx_packets, 1U);
  EXPECT_EQ(counters_of("b").tx_bytes, sent.size() - 10);

  std::copy_n(broadcast.bytes().begin(), 6, sent.begin() + 10);  // and a copy for everybody
  a.send(sent);
  EXPECT_TRUE(b.receive() == sent);
  EXPECT_TRUE(c.receive() == sent);
}

TEST_F(EbpfDatapathTest, APortIsKeptToItsQuotaOfLearnedMacs) {
  datapath_.reset();
  EbpfOptions options = bed_->options();
  options.learn_quota = 3;
  auto opened = EbpfDatapath::open(loop_, options);
  ASSERT_TRUE(opened) << opened.error().message;
  datapath_ = std::move(*opened);
  const Tap a("a"), b("b");
  apply(Wanted().port(7, a).port(7, b));
  for (std::uint32_t i = 1; i <= 10; i++) a.send(ethernet(broadcast, mac_number(i)));
  EXPECT_THAT(b.drain(), SizeIs(10));  // forwarded all the same
  EXPECT_THAT(datapath_->fdb(), SizeIs(3));
  b.send(ethernet(broadcast, mac_b));  // another port's quota is its own
  EXPECT_THAT(datapath_->fdb(), SizeIs(4));
  // A MAC that keeps moving between two ports takes one spot at each.
  for (int i = 0; i < 20; i++) {
    a.send(ethernet(broadcast, mac_number(1)));
    b.send(ethernet(broadcast, mac_number(1)));
  }
  b.send(ethernet(broadcast, mac_number(100)));
  EXPECT_THAT(datapath_->fdb(), Contains(FdbEntry{vni(7), mac_number(100), id_named("b"), false, {}}));
}

TEST_F(EbpfDatapathTest, ALearnedMacIsForgottenAfterTheAgeingTimeAndItsPlaceIsFreeAgain) {
  datapath_.reset();
  EbpfOptions options = bed_->options();
  options.learn_quota = 1;
  options.ageing = 1s;
  auto opened = EbpfDatapath::open(loop_, options);
  ASSERT_TRUE(opened) << opened.error().message;
  datapath_ = std::move(*opened);
  const Tap a("a"), b("b"), c("c");
  apply(Wanted().port(7, a).port(7, b).port(7, c));
  a.send(ethernet(broadcast, mac_a));
  a.send(ethernet(broadcast, mac_c));  // over the quota
  EXPECT_THAT(datapath_->fdb(), ElementsAre(FdbEntry{vni(7), mac_a, id_named("a"), false, {}}));
  b.drain(), c.drain();
  b.send(ethernet(mac_a, mac_b));
  EXPECT_TRUE(a.receive());
  EXPECT_THAT(c.drain(), IsEmpty());

  // No event says that an entry has aged: this waits for its time.
  const Timer over = loop_.after(options.ageing + 50ms, [] {});
  EXPECT_TRUE(loop_.run_until([&] { return !over.armed(); }, 10s));
  EXPECT_THAT(datapath_->fdb(), IsEmpty());
  b.send(ethernet(mac_a, mac_b));
  EXPECT_TRUE(c.receive());  // flooded again
  a.send(ethernet(broadcast, mac_c));
  EXPECT_THAT(datapath_->fdb(), Contains(FdbEntry{vni(7), mac_c, id_named("a"), false, {}}));
}

class FloodLimit : public EbpfDatapathTest {
 protected:
  void open(std::uint32_t limit) {
    datapath_.reset();
    EbpfOptions options = bed_->options();
    options.flood_limit = limit;
    auto opened = EbpfDatapath::open(loop_, options);
    ASSERT_TRUE(opened) << opened.error().message;
    datapath_ = std::move(*opened);
  }
};

TEST_F(FloodLimit, AFloodIsCutOffAndCountedAndFramesToKnownMacsPass) {
  open(1);
  const Tap a("a"), b("b"), c("c");
  Wanted wanted = Wanted().port(7, a, mac_a).port(7, b, mac_b).port(7, c);
  wanted.desired.bridges[vni(7)].neighbours = {{ip("192.0.2.2"), mac_b}};
  apply(wanted);
  // The meter of `a` is ahead by hours.
  const auto& floods = datapath_->objects().maps().floods;
  a.send(ethernet(broadcast, mac_a));
  EXPECT_TRUE(c.receive());
  const auto taken = floods.get(a.ifindex());
  ASSERT_TRUE(taken && *taken);
  ASSERT_TRUE(floods.put(a.ifindex(), **taken + 3'600'000'000'000ULL));
  b.drain();

  a.send(ethernet(broadcast, mac_a, 1));
  a.send(ethernet(mac("01:00:5e:00:00:05"), mac_a, 2));
  a.send(ethernet(mac("02:00:00:00:00:99"), mac_a, 3));
  EXPECT_THAT(counters_of("a").drops, ElementsAre(Pair("flood_limit", 3)));
  a.send(ethernet(mac_b, mac_a, 4));
  EXPECT_EQ(b.receive(), ethernet(mac_b, mac_a, 4));
  a.send(arp(1, mac_a, ip("192.0.2.1"), Mac(), ip("192.0.2.2")));
  EXPECT_TRUE(a.receive()) << "the host answers, nothing is flooded";
  EXPECT_THAT(c.drain(), IsEmpty());
  // Each port has a meter of its own.
  b.send(ethernet(broadcast, mac_b, 5));
  EXPECT_EQ(c.receive(), ethernet(broadcast, mac_b, 5));
  // It goes with its port (b has flooded too).
  apply(Wanted().port(7, b, mac_b).port(7, c));
  EXPECT_EQ(floods.entries()->size(), 1U);
  apply(wanted);
  a.send(ethernet(broadcast, mac_a, 6));
  EXPECT_EQ(c.receive(), ethernet(broadcast, mac_a, 6));
}

TEST_F(FloodLimit, AGsoFrameCountsAsTheFramesThatItStandsFor) {
  open(1'000'000);
  const Tap a("a", Tap::Headers::virtio), b("b", Tap::Headers::virtio);
  apply(Wanted().port(7, a).port(7, b));
  const auto now = [] { return static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch() / 1ns); };
  const auto& floods = datapath_->objects().maps().floods;
  ASSERT_TRUE(floods.put(a.ifindex(), now() + 500'000'000));
  const auto before = floods.get(a.ifindex());
  a.send(gso_frame(broadcast, mac_a, 1000));
  ASSERT_TRUE(b.receive());
  const auto after = floods.get(a.ifindex());
  ASSERT_TRUE(before && *before && after && *after);
  EXPECT_EQ(**after - **before, 65'000U) << "64,014 bytes in 65 segments of 1 us each";
}

TEST_F(FloodLimit, WithoutALimitNothingIsMeasured) {
  open(0);
  const Tap a("a"), b("b");
  apply(Wanted().port(7, a).port(7, b));
  a.send(ethernet(broadcast, mac_a));
  EXPECT_TRUE(b.receive());
  EXPECT_TRUE(datapath_->objects().maps().floods.entries()->empty());
}

// Without a descriptor to spare a port is plugged, or its status says why not; and later it is.
TEST_F(EbpfDatapathTest, RunningOutOfDescriptorsBeforeTheFirstPlugFailsNoMoreThanThePort) {
  const Tap a("a"), b("b");
  // UBSan opens a pipe when it meets a class for the first time.
  apply(Wanted());
  (void)loop_.after(1h, [] {});
  log::debug("out of descriptors");
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const int next = ::dup(0);
  ASSERT_GE(next, 0);
  ::close(next);
  const rlimit none{.rlim_cur = static_cast<rlim_t>(next), .rlim_max = before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  const Applied applied = datapath_->apply(Wanted().port(7, a, mac_a).port(7, b, mac_b).desired, Sweep::yes);
  (void)datapath_->counters();
  (void)datapath_->fdb();
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  for (const auto& [id, status] : applied.ports)
    EXPECT_TRUE(status || status.error().code != Code::internal) << status.error().message;
  apply(Wanted().port(7, a, mac_a).port(7, b, mac_b));
  a.send(ethernet(mac_b, mac_a));
  EXPECT_TRUE(b.receive());
  EXPECT_EQ(counters_of("b").tx_packets, 1U);
}

class ArpTest : public EbpfDatapathTest {
 protected:
  // Two guests; a third address is known and belongs to none of them.
  void plug(const Tap& a, const Tap& b) {
    Wanted wanted = Wanted().port(7, a, mac_a).port(7, b, mac_b);
    wanted.desired.bridges[vni(7)].neighbours = {
        {ip("192.0.2.1"), mac_a}, {ip("192.0.2.2"), mac_b}, {ip("2001:db8::2"), mac_b}};
    apply(wanted);
  }
};

TEST_F(ArpTest, ARequestForAKnownAddressIsAnsweredAndGoesNoFurther) {
  const Tap a("a"), b("b");
  plug(a, b);
  a.send(arp(1, mac_a, ip("192.0.2.1"), Mac(), ip("192.0.2.2")));
  EXPECT_EQ(a.receive(), arp(2, mac_b, ip("192.0.2.2"), mac_a, ip("192.0.2.1"), mac_a));
  EXPECT_THAT(b.drain(), IsEmpty());
}

TEST_F(ArpTest, ARequestForAnUnknownAddressIsFlooded) {
  const Tap a("a"), b("b");
  plug(a, b);
  const Frame request = arp(1, mac_a, ip("192.0.2.1"), Mac(), ip("192.0.2.3"));
  a.send(request);
  EXPECT_EQ(b.receive(), request);
  EXPECT_THAT(a.drain(), IsEmpty());
}

// RFC 5227: only the owner of an address answers the question whether the address is taken.
TEST_F(ArpTest, AProbeOrAnnouncementIsFlooded) {
  const Tap a("a"), b("b");
  plug(a, b);
  for (const char* address : {"192.0.2.1", "192.0.2.2"}) {  // its own, and another guest's
    const Frame probe = arp(1, mac_a, ip("0.0.0.0"), Mac(), ip(address));
    a.send(probe);
    EXPECT_EQ(b.receive(), probe) << address;
    const Frame announcement = arp(1, mac_a, ip(address), Mac(), ip(address));
    a.send(announcement);
    EXPECT_EQ(b.receive(), announcement) << address;
  }
  const Frame foreign_announcement = arp(1, mac_c, ip("192.0.2.2"), Mac(), ip("192.0.2.2"));
  a.send(foreign_announcement);
  EXPECT_EQ(b.receive(), foreign_announcement);
  EXPECT_THAT(a.drain(), IsEmpty());
}

TEST_F(ArpTest, ARequestForTheSendersOwnAddressIsFlooded) {
  const Tap a("a"), b("b");
  plug(a, b);
  for (const Mac& mac : {mac_a, mac_c}) {  // the port's, and another one from behind the same port
    const Frame request = arp(1, mac, ip("192.0.2.9"), Mac(), ip("192.0.2.1"));
    a.send(request);
    EXPECT_EQ(b.receive(), request) << mac.to_string();
  }
  EXPECT_THAT(a.drain(), IsEmpty());
}

TEST_F(ArpTest, AUnicastRequestAnAnswerAndATaggedRequestPass) {
  const Tap a("a"), b("b");
  plug(a, b);
  const Frame unicast = arp(1, mac_a, ip("192.0.2.1"), Mac(), ip("192.0.2.2"), mac_b);
  a.send(unicast);
  EXPECT_EQ(b.receive(), unicast);
  const Frame answer = arp(2, mac_a, ip("192.0.2.1"), mac_b, ip("192.0.2.2"));
  a.send(answer);
  EXPECT_EQ(b.receive(), answer);
  Frame tagged = arp(1, mac_a, ip("192.0.2.1"), Mac(), ip("192.0.2.2"));
  const std::array<std::uint8_t, 4> tag{0x81, 0x00, 0x00, 0x05};
  tagged.insert(tagged.begin() + 12, tag.begin(), tag.end());
  a.send(tagged);
  EXPECT_EQ(b.receive(), tagged);
  EXPECT_THAT(a.drain(), IsEmpty());
}

TEST_F(ArpTest, ACutOrStrangeRequestIsFloodedAsItIs) {
  const Tap a("a"), b("b");
  plug(a, b);
  const Frame request = arp(1, mac_a, ip("192.0.2.1"), Mac(), ip("192.0.2.2"));
  for (std::size_t length = 14; length < request.size(); length++) {
    const Frame cut(request.begin(), request.begin() + static_cast<std::ptrdiff_t>(length));
    a.send(cut);
    EXPECT_EQ(b.receive(), cut);
  }
  for (const std::size_t byte : {15U, 16U, 18U, 19U, 21U}) {  // hardware, protocol, their lengths, operation
    Frame strange = request;
    strange[byte] ^= 0x40;
    a.send(strange);
    EXPECT_EQ(b.receive(), strange);
  }
  EXPECT_THAT(a.drain(), IsEmpty());
}

TEST_F(ArpTest, AnAddressThatIsNoLongerKnownIsNoLongerAnswered) {
  const Tap a("a"), b("b");
  plug(a, b);
  apply(Wanted().port(7, a, mac_a).port(7, b, mac_b));
  a.send(arp(1, mac_a, ip("192.0.2.1"), Mac(), ip("192.0.2.2")));
  EXPECT_TRUE(b.receive());
  EXPECT_THAT(a.drain(), IsEmpty());
}

}  // namespace
}  // namespace midonet::datapath::testing::ebpf_datapath_test
