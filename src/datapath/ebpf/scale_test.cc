// Many ports: what must hold. How long it takes is printed, not judged: bench/ does that.
#include <bpf/bpf.h>
#include <gtest/gtest.h>
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <sys/resource.h>

#include <chrono>
#include <deque>

#include "datapath/ebpf/ebpf_datapath.h"
#include "datapath/ebpf/testbed.h"

namespace midonet::datapath::testing::scale_test {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

class ScaleTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const std::string why = Testbed::impossible(); !why.empty()) GTEST_SKIP() << why;
    bed_.emplace();
  }
  void TearDown() override {
    datapath_.reset();
    for (const Tap& tap : taps_) tap.leave();
    taps_.clear();
    bed_.reset();
  }
  void open() {
    datapath_.reset();
    auto opened = EbpfDatapath::open(loop_, bed_->options());
    ASSERT_TRUE(opened) << opened.error().message;
    datapath_ = std::move(*opened);
  }
  void make_taps(std::size_t count) {
    for (std::size_t i = 0; i < count; i++) taps_.emplace_back(fmt::format("t{}", i));
  }
  std::chrono::milliseconds apply(const Desired& desired) {
    const auto start = Clock::now();
    const Applied applied = datapath_->apply(desired, Sweep::yes);
    const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - start);
    for (const auto& [id, status] : applied.ports) EXPECT_TRUE(status) << status.error().message;
    for (const Error& error : applied.errors) ADD_FAILURE() << error.message;
    return took;
  }
  void note(const std::string& what, std::chrono::milliseconds took) {
    RecordProperty(what, static_cast<int>(took.count()));
    fmt::print("[ MEASURED ] {}: {} ms\n", what, took.count());
  }

  Loop loop_;
  std::optional<Testbed> bed_;
  std::deque<Tap> taps_;
  std::unique_ptr<EbpfDatapath> datapath_;
};

TEST_F(ScaleTest, ABroadcastReachesAllOf2000Ports) {
  make_taps(2000);
  open();
  Wanted wanted;
  for (const Tap& tap : taps_) wanted.port(7, tap);
  note("2000 attaches", apply(wanted.desired));
  const Frame frame = ethernet(broadcast, mac_number(1), 3);
  taps_[0].send(frame);
  std::size_t reached = 0;
  for (std::size_t i = 1; i < taps_.size(); i++) reached += taps_[i].receive(5s) == frame ? 1 : 0;
  EXPECT_EQ(reached, 1999U);
  for (const Tap& tap : taps_) EXPECT_TRUE(tap.drain().empty()) << tap.name();
}

TEST_F(ScaleTest, Attaches250PortsAtOnce) {
  make_taps(250);
  open();
  Wanted wanted;
  for (std::uint32_t i = 0; i < taps_.size(); i++) wanted.port(7 + i % 10, taps_[i], mac_number(i + 1));
  note("250 attaches", apply(wanted.desired));
}

TEST_F(ScaleTest, AStartAdopts10000Ports) {
  make_taps(10000);
  open();
  Wanted wanted;
  for (std::uint32_t i = 0; i < taps_.size(); i++) wanted.port(1 + i % 100, taps_[i], mac_number(i + 1));
  note("10000 attaches", apply(wanted.desired));
  note("10000 ports, nothing changed", apply(wanted.desired));
  wanted.desired.ports.begin()->second.mac = mac_number(77777);
  note("10000 ports, one changed", apply(wanted.desired));

  const auto start = Clock::now();
  open();
  apply(wanted.desired);
  const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - start);
  note("10000 ports adopted", took);
  EXPECT_TRUE(datapath_->objects().adopted());
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  fmt::print("[ MEASURED ] RSS at its highest, with the test's own 10000 taps: {} KB\n", usage.ru_maxrss);
}

TEST_F(ScaleTest, KnowsOf12000RemoteMacsAndOf100PeersOnEachOf200Bridges) {
  make_taps(200);
  open();
  Wanted wanted;
  wanted.desired.tunnel = TunnelSpec{.local = ip("192.0.2.200"), .mtu = 1450};
  std::uint32_t macs = 1000;
  for (std::uint32_t i = 0; i < 200; i++) {
    wanted.port(1 + i, taps_[i], mac_number(i + 1));
    BridgeSpec& bridge = wanted.desired.bridges.at(vni(1 + i));
    for (std::uint8_t peer = 1; peer <= 100; peer++) bridge.peers.insert(Ip::v4({192, 0, 2, peer}));
    for (std::uint32_t mac = 0; mac < (i == 0 ? 2000U : 50U); mac++)
      bridge.remote_macs.emplace(mac_number(macs++),
                                 RemoteMac{Ip::v4({192, 0, 2, static_cast<std::uint8_t>(1 + mac % 100)}), true});
  }
  note("12000 remote MACs on 200 bridges", apply(wanted.desired));
  note("12000 remote MACs, nothing changed", apply(wanted.desired));
  wanted.desired.bridges.at(vni(1)).remote_macs.begin()->second.vtep = ip("192.0.2.77");
  note("12000 remote MACs, one moved", apply(wanted.desired));
  EXPECT_EQ(datapath_->objects().maps().remotes.entries()->size(), 2000U + 199U * 50U);
  EXPECT_EQ(datapath_->objects().maps().peers.entries()->size(), 200U * 7U);

  const auto start = Clock::now();
  open();
  apply(wanted.desired);
  note("12000 remote MACs adopted", std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - start));
  EXPECT_TRUE(datapath_->objects().adopted());
  EXPECT_EQ(datapath_->fdb().size(), 200U + 2000U + 199U * 50U);
}

// What a frame between two configured MACs costs in from_tap; the kernel's own time for a redirect comes on top.
TEST_F(ScaleTest, TheVerdictOfAFrameStaysTheSame200000Times) {
  make_taps(2);
  open();
  apply(Wanted().port(7, taps_[0], mac_number(1)).port(7, taps_[1], mac_number(2)).desired);
  const Frame frame = ethernet(mac_number(2), mac_number(1));
  __sk_buff context{};
  context.ifindex = taps_[0].ifindex();
  bpf_test_run_opts options{};
  options.sz = sizeof options;
  options.data_in = frame.data();
  options.data_size_in = static_cast<std::uint32_t>(frame.size());
  options.ctx_in = &context;
  options.ctx_size_in = sizeof context;
  options.repeat = 200000;
  ASSERT_EQ(::bpf_prog_test_run_opts(datapath_->objects().from_tap(), &options), 0);
  fmt::print("[ MEASURED ] from_tap, known destination: {} ns\n", options.duration);
  EXPECT_EQ(options.retval, static_cast<std::uint32_t>(TC_ACT_REDIRECT));
}

}  // namespace
}  // namespace midonet::datapath::testing::scale_test
