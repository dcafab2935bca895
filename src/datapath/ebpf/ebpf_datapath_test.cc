// The datapath with real taps, programs and frames: what guests see.
#include "datapath/ebpf/ebpf_datapath.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "datapath/ebpf/testbed.h"

namespace midonet::datapath::testing {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Key;
using ::testing::Pair;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

using namespace std::chrono_literals;

const Mac mac_a = mac("02:00:00:00:00:0a");
const Mac mac_b = mac("02:00:00:00:00:0b");
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

}  // namespace
}  // namespace midonet::datapath::testing
