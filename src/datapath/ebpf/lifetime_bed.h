// What the tests of a port's life in one namespace stand on: a datapath that is opened again as often as a test likes, and what
// the kernel shows of it.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "datapath/ebpf/ebpf_datapath.h"
#include "datapath/ebpf/testbed.h"

namespace midonet::datapath::testing {

// Two guests in one network.
inline Wanted two(const Tap& a, const Tap& b) { return Wanted().port(7, a, mac_a).port(7, b, mac_b); }

class LifetimeBed : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const std::string why = Testbed::impossible(); !why.empty()) GTEST_SKIP() << why;
    bed_.emplace();
    options_ = bed_->options();
    open();
  }
  void TearDown() override {
    datapath_.reset();
    bed_.reset();
  }
  // As a restart of the agent.
  void open() {
    datapath_.reset();
    auto opened = EbpfDatapath::open(loop_, options_);
    ASSERT_TRUE(opened) << opened.error().message;
    datapath_ = std::move(*opened);
    datapath_->on_drift([this](const std::string& what) { drifts_.push_back(what); });
  }
  Applied apply(const Wanted& wanted, Sweep sweep = Sweep::yes) {
    Applied applied = datapath_->apply(wanted.desired, sweep);
    for (const auto& [id, status] : applied.ports) EXPECT_TRUE(status) << status.error().message;
    for (const Error& error : applied.errors) ADD_FAILURE() << error.message;
    return applied;
  }
  // The status of one port after an apply.
  Status status(const Wanted& wanted, const std::string& name) {
    return datapath_->apply(wanted.desired, Sweep::yes).ports.at(id_named(name));
  }
  // The clsact of an interface and the filters in it.
  std::string tc(const std::string& interface) const {
    return bed_->output(
        fmt::format("tc qdisc show dev {0} clsact; tc filter show dev {0} ingress; tc filter show dev {0} "
                    "egress",
                    interface));
  }
  // Waits for a drift to be reported.
  bool drifted(std::chrono::milliseconds wait = std::chrono::seconds(1)) {
    return loop_.run_until([&] { return !drifts_.empty(); }, wait);
  }
  bool quiet(std::chrono::milliseconds wait = std::chrono::milliseconds(50)) {
    return !loop_.run_until([&] { return !drifts_.empty(); }, wait);
  }
  static bool passes(const Tap& from, const Tap& to, std::chrono::milliseconds wait = std::chrono::seconds(5)) {
    static std::uint8_t mark = 0;
    const Frame frame = ethernet(mac_b, mac_a, ++mark);
    to.drain();
    from.send(frame);
    return to.receive(wait) == frame;
  }
  // Sends numbered frames from a thread, one after the other so that no queue overflows, while `during` runs: each has to arrive.
  template <class During>
  static void expect_no_loss(const Tap& from, const Tap& to, During during) {
    std::atomic<bool> stop{false};
    std::uint32_t sent = 0;
    std::uint32_t received = 0;
    std::thread guest([&] {
      while (!stop || sent < 1000) {
        Frame frame = ethernet(mac_b, mac_a);
        std::memcpy(frame.data() + 20, &sent, sizeof sent);
        from.send(frame);
        sent++;
        if (to.receive(std::chrono::seconds(1)) == frame) received++;
      }
    });
    during();
    stop = true;
    guest.join();
    EXPECT_EQ(received, sent);
  }

  Loop loop_;
  std::optional<Testbed> bed_;
  EbpfOptions options_;
  std::unique_ptr<EbpfDatapath> datapath_;
  std::vector<std::string> drifts_;
};

}  // namespace midonet::datapath::testing
