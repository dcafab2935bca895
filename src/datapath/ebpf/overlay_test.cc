// Several hosts, each with a datapath of its own, on one underlay: what guests on different hosts see of each other.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <deque>

#include "datapath/ebpf/ebpf_datapath.h"
#include "datapath/ebpf/testbed.h"

namespace midonet::datapath::testing {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::SizeIs;
using namespace std::chrono_literals;

const Mac mac_a = mac("02:00:00:00:00:0a");
const Mac mac_b = mac("02:00:00:00:00:0b");
const Mac mac_c = mac("02:00:00:00:00:0c");

// A host with its datapath and what is wanted of it.
struct Node {
  Node(const Testbed& bed, Loop& the_loop, int number, int the_family)
      : host(bed, number), loop(the_loop), family(the_family), options(host.options()) {
    wanted.desired.tunnel = TunnelSpec{.local = address(), .mtu = family == 4 ? 1450U : 1430U};
    open();
  }
  Ip address() const { return host.address(family); }
  void open() {
    const Host::Inside inside(host);
    datapath.reset();
    auto opened = EbpfDatapath::open(loop, options);
    ASSERT_TRUE(opened) << opened.error().message;
    datapath = std::move(*opened);
    datapath->on_drift([this](const std::string& what) { drifts.push_back(what); });
    datapath->on_learned(
        [this](const auto& entries) { learned.insert(learned.end(), entries.begin(), entries.end()); });
  }
  Applied try_apply(Sweep sweep = Sweep::yes) { return datapath->apply(wanted.desired, sweep); }
  void apply(Sweep sweep = Sweep::yes) {
    const Applied applied = try_apply(sweep);
    for (const auto& [id, status] : applied.ports) EXPECT_TRUE(status) << status.error().message;
    for (const Error& error : applied.errors) ADD_FAILURE() << error.message;
    EXPECT_TRUE(applied.tunnel) << applied.tunnel.error().message;
  }
  BridgeSpec& bridge(std::uint32_t number) {
    wanted.bridge(number);
    return wanted.desired.bridges.at(vni(number));
  }
  std::map<std::string, std::uint64_t> drops_of(const std::string& port) {
    for (const PortCounters& counters : datapath->counters()) {
      if (counters.id == id_named(port)) return counters.drops;
    }
    ADD_FAILURE() << "no counters of " << port;
    return {};
  }
  std::string device() const { return host.output("ip -d -o link show dev midonet-vxlan 2>/dev/null || true"); }

  Host host;
  Loop& loop;
  int family;
  EbpfOptions options;
  Wanted wanted;
  std::unique_ptr<EbpfDatapath> datapath;
  std::vector<std::string> drifts;
  std::vector<FdbEntry> learned;
};

class Hosts : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const std::string why = Testbed::impossible(); !why.empty()) GTEST_SKIP() << why;
    bed_.emplace();
  }
  void TearDown() override {
    nodes_.clear();
    bed_.reset();
  }
  Node& add(int family = 4) { return nodes_.emplace_back(*bed_, loop_, static_cast<int>(nodes_.size()) + 1, family); }
  // All hosts serve the bridge.
  void connect(std::uint32_t number) {
    for (Node& node : nodes_) {
      for (const Node& other : nodes_) {
        if (&other != &node) node.bridge(number).peers.insert(other.address());
      }
    }
  }
  static bool passes(const Tap& from, const Tap& to, const Mac& source, const Mac& destination) {
    static std::uint8_t mark = 0;
    const Frame frame = ethernet(destination, source, ++mark);
    to.drain();
    from.send(frame);
    return to.receive(500ms) == frame;
  }
  bool told(const Node& node) {
    return loop_.run_until([&] { return !node.drifts.empty(); }, 1s);
  }

  Loop loop_;
  std::optional<Testbed> bed_;
  std::deque<Node> nodes_;
};

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

}  // namespace
}  // namespace midonet::datapath::testing
