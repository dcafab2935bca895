// For tests that run the BPF programs by BPF_PROG_RUN: a datapath with six taps, and the programs' verdicts on frames.
#pragma once

#include <gtest/gtest.h>
#include <linux/pkt_cls.h>

#include <array>
#include <deque>
#include <memory>
#include <optional>
#include <ostream>

#include "datapath/ebpf/ebpf_datapath.h"
#include "datapath/ebpf/testbed.h"

namespace midonet::datapath::testing {

inline constexpr std::uint32_t taps = 6;
// A flooded frame, whose copies have served.
inline const std::uint32_t consumed = TC_ACT_SHOT;

struct Verdict {
  std::uint32_t action = 0;
  std::uint32_t to = 0;  // ifindex, MIDONET_FLOODED, or 0 when it was not forwarded
  bool operator==(const Verdict&) const = default;
};

inline std::ostream& operator<<(std::ostream& out, const Verdict& verdict) {
  return out << "action " << verdict.action << " to " << verdict.to;
}

class ProgramBed : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const std::string why = Testbed::impossible(); !why.empty()) GTEST_SKIP() << why;
    bed_.emplace();
    for (std::uint32_t i = 0; i < taps; i++) taps_.emplace_back(fmt::format("t{}", i));
    EbpfOptions options = bed_->options();
    options.flood_limit = 0;
    auto opened = EbpfDatapath::open(loop_, options);
    ASSERT_TRUE(opened) << opened.error().message;
    datapath_ = std::move(*opened);
  }
  void TearDown() override {
    datapath_.reset();
    taps_.clear();
    bed_.reset();
  }
  Verdict run(int program, std::uint32_t ifindex, const Frame& frame, std::array<std::uint32_t, 2> cb = {});
  Verdict from_tap(std::uint32_t ifindex, const Frame& frame) {
    return run(datapath_->objects().from_tap(), ifindex, frame);
  }
  std::uint32_t to_tap(std::uint32_t ifindex, std::array<std::uint32_t, 2> cb) {
    return run(datapath_->objects().to_tap(), ifindex, ethernet(mac_number(1), mac_number(2)), cb).action;
  }

  Loop loop_;
  std::optional<Testbed> bed_;
  std::deque<Tap> taps_;
  std::unique_ptr<EbpfDatapath> datapath_;
};

}  // namespace midonet::datapath::testing
