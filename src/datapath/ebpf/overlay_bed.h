// Several hosts, each with a datapath of its own, on one underlay: for the tests of the tunnel.
#pragma once

#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "datapath/ebpf/ebpf_datapath.h"
#include "datapath/ebpf/testbed.h"

namespace midonet::datapath::testing {

inline const Mac mac_c = mac("02:00:00:00:00:0c");

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
  Applied try_apply(Sweep sweep = Sweep::yes) {
    const Host::Inside inside(host);  // tcx belongs to the namespace of the thread
    return datapath->apply(wanted.desired, sweep);
  }
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
  // Of our link at the ingress of an interface.
  std::string link_pin(const std::string& ifindex) const {
    return datapath->objects().links() + "/" + std::to_string(std::stoi(ifindex)) + "-ingress";
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
    return to.receive() == frame;
  }
  bool told(const Node& node) {
    return loop_.run_until([&] { return !node.drifts.empty(); }, std::chrono::seconds(1));
  }

  Loop loop_;
  std::optional<Testbed> bed_;
  std::deque<Node> nodes_;
};

}  // namespace midonet::datapath::testing
