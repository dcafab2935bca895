// The BPF programs' verdicts, through BPF_PROG_RUN: against a model on random frames and tables, and frame by frame.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/bpf.h>
#include <rapidcheck.h>

#include <fstream>
#include <sstream>

#include "bridge.skel.h"
#include "datapath/ebpf/program_bed.h"

namespace midonet::datapath::testing::bridge_test {
namespace {

class BridgeTest : public ProgramBed {};

// The bridge, as one would explain it. Learning is a map that the caller keeps.
using Learned = std::map<std::pair<Vni, Mac>, std::uint32_t>;
Verdict model(const Desired& desired, Learned& learned, std::uint32_t ifindex, const Mac& to, const Mac& from,
              std::size_t length) {
  const Verdict dropped{TC_ACT_SHOT, 0};
  const Verdict through_the_tunnel = length > 14 + desired.tunnel->mtu ? dropped : Verdict{TC_ACT_REDIRECT, 0};
  const PortSpec* port = nullptr;
  std::map<std::pair<Vni, Mac>, std::uint32_t> configured;
  for (const auto& [id, spec] : desired.ports) {
    if (spec.ifindex == ifindex) port = &spec;
    for (const auto& [mac, owner] : desired.bridges.at(spec.vni).static_macs) {
      if (owner == id) configured.insert({{spec.vni, mac}, spec.ifindex});
    }
  }
  for (const auto& [id, spec] : desired.ports) {
    if (spec.mac) configured.insert({{spec.vni, *spec.mac}, spec.ifindex});
  }
  if (port == nullptr || !port->admin_up || !desired.bridges.at(port->vni).admin_up) return dropped;
  if (from.is_multicast() || from.is_zero()) return dropped;
  const auto& b = to.bytes();
  if (b[0] == 1 && b[1] == 0x80 && b[2] == 0xc2 && b[3] == 0 && b[4] == 0 && b[5] < 16) return dropped;
  const auto& remotes = desired.bridges.at(port->vni).remote_macs;
  const auto configured_remotely = [&](const Mac& mac) { return remotes.contains(mac) && remotes.at(mac).configured; };
  if (!configured.contains({port->vni, from}) && port->mac != from && !configured_remotely(from))
    learned[{port->vni, from}] = ifindex;
  if (to.is_multicast()) return {consumed, MIDONET_FLOODED};
  auto found = configured.find({port->vni, to});
  if (found == configured.end()) {
    if (configured_remotely(to)) return through_the_tunnel;
    found = learned.find({port->vni, to});
    if (found == learned.end() && remotes.contains(to)) return through_the_tunnel;
    if (found == learned.end()) return {consumed, MIDONET_FLOODED};
  }
  if (found->second == ifindex) return dropped;
  return {TC_ACT_REDIRECT, found->second};
}

TEST_F(BridgeTest, TheVerdictEqualsAModelOnRandomFramesAndTables) {
  const auto any_mac = [] {
    const auto kind = *rc::gen::inRange(0, 12);
    if (kind == 0) return Mac();
    if (kind == 1) return broadcast;
    if (kind == 2) return Mac({0x01, 0x80, 0xc2, 0, 0, *rc::gen::inRange<std::uint8_t>(0, 20)});
    if (kind == 3) return Mac(*rc::gen::arbitrary<std::array<std::uint8_t, 6>>());
    return mac_number(*rc::gen::inRange<std::uint32_t>(1, 10));
  };
  const bool equal = rc::check([&] {
    // Nothing remains of the last case: not even what was learned.
    const TunnelSpec tunnel{.local = ip("192.0.2.1"), .mtu = 1200};
    RC_ASSERT(datapath_->apply({.tunnel = tunnel}, Sweep::yes).tunnel.has_value());
    RC_ASSERT(datapath_->objects().maps().learned.entries()->empty());
    Wanted wanted;
    wanted.desired.tunnel = tunnel;
    for (const Tap& tap : taps_) {
      std::optional<Mac> mac;
      if (*rc::gen::arbitrary<bool>()) mac = mac_number(*rc::gen::inRange<std::uint32_t>(1, 10));
      wanted.port(*rc::gen::inRange<std::uint32_t>(7, 9), tap, mac);
      wanted.desired.ports[id_named(tap.name())].admin_up = *rc::gen::inRange(0, 8) != 0;
    }
    for (auto& [vni, bridge] : wanted.desired.bridges) {
      bridge.admin_up = *rc::gen::inRange(0, 8) != 0;
      if (*rc::gen::arbitrary<bool>())
        bridge.static_macs = {{mac_number(*rc::gen::inRange<std::uint32_t>(1, 10)),
                               id_named(fmt::format("t{}", *rc::gen::inRange<std::uint32_t>(0, taps)))}};
      for (const auto number : *rc::gen::container<std::vector<std::uint32_t>>(rc::gen::inRange<std::uint32_t>(1, 10)))
        bridge.remote_macs.emplace(mac_number(number), RemoteMac{ip("192.0.2.2"), *rc::gen::arbitrary<bool>()});
      if (*rc::gen::arbitrary<bool>()) bridge.peers.insert(ip("192.0.2.2"));
    }
    for (const auto& [id, status] : datapath_->apply(wanted.desired, Sweep::yes).ports) RC_ASSERT(status.has_value());
    Learned learned;
    const auto frames = *rc::gen::inRange(1, 60);
    for (int i = 0; i < frames; i++) {
      const std::uint32_t ifindex = taps_[*rc::gen::inRange<std::size_t>(0, taps)].ifindex();
      const Mac to = any_mac();
      const Mac from = any_mac();
      const auto length = *rc::gen::inRange<std::size_t>(14, 1500);
      RC_ASSERT(from_tap(ifindex, ethernet(to, from, 0, 0x88b5, length)) ==
                model(wanted.desired, learned, ifindex, to, from, length));
    }
    for (const Tap& tap : taps_) tap.drain();
  });
  EXPECT_TRUE(equal);
}

// Which ARP requests are answered (arp.h), as one would explain it.
bool answers(const std::map<Ip, Mac>& neighbours, const std::optional<Mac>& own, const Mac& from, const Mac& sender,
             const Ip& sender_ip, const Ip& target) {
  if (sender_ip == ip("0.0.0.0") || sender_ip == target) return false;  // a probe, an announcement
  const auto owner = neighbours.find(target);
  return owner != neighbours.end() && owner->second != from && owner->second != sender && owner->second != own;
}

TEST_F(BridgeTest, TheVerdictOnArpRequestsEqualsAModel) {
  const auto any_mac = [] { return mac_number(*rc::gen::inRange<std::uint32_t>(1, 6)); };
  const auto any_ip = [] { return ip(fmt::format("192.0.2.{}", *rc::gen::inRange(0, 6)).c_str()); };
  const bool equal = rc::check([&] {
    Wanted wanted;
    for (std::size_t i = 0; i < 3; i++)
      wanted.port(
          7, taps_[i],
          *rc::gen::arbitrary<bool>() ? std::optional(mac_number(static_cast<std::uint32_t>(i) + 1)) : std::nullopt);
    auto& neighbours = wanted.desired.bridges[*Vni::from(7)].neighbours;
    for (int i = 0; i < 4; i++) neighbours[any_ip()] = any_mac();
    RC_ASSERT(!datapath_->apply(wanted.desired, Sweep::yes).retry());
    for (int i = 0; i < 30; i++) {
      const Tap& tap = taps_[*rc::gen::inRange<std::size_t>(0, 3)];
      const Mac from = any_mac(), sender = any_mac();
      const Ip sender_ip = *rc::gen::inRange(0, 5) == 0 ? ip("0.0.0.0") : any_ip();
      const Ip target = any_ip();
      Frame request = arp(1, sender, sender_ip, Mac(), target);
      std::copy(from.bytes().begin(), from.bytes().end(), request.begin() + 6);
      const bool answered =
          answers(neighbours, wanted.desired.ports.at(id_named(tap.name())).mac, from, sender, sender_ip, target);
      RC_ASSERT(from_tap(tap.ifindex(), request) ==
                (answered ? Verdict{TC_ACT_REDIRECT, tap.ifindex()} : Verdict{consumed, MIDONET_FLOODED}));
    }
    for (const Tap& tap : taps_) tap.drain();
  });
  EXPECT_TRUE(equal);
}

TEST_F(BridgeTest, AFrameOfAnInterfaceWithoutAPortIsDropped) {
  EXPECT_EQ(from_tap(taps_[0].ifindex(), ethernet(mac_number(1), mac_number(2))), (Verdict{TC_ACT_SHOT, 0}));
  EXPECT_EQ(to_tap(taps_[0].ifindex(), {MIDONET_FORWARDED, 7}), std::uint32_t{TC_ACT_SHOT});
}

TEST_F(BridgeTest, ToTapLetsOnlyFramesOfItsOwnBridgeThrough) {
  ASSERT_FALSE(datapath_->apply(Wanted().port(7, taps_[0]).desired, Sweep::yes).retry());
  EXPECT_EQ(to_tap(taps_[0].ifindex(), {MIDONET_FORWARDED, 7}), static_cast<std::uint32_t>(TC_ACT_UNSPEC));
  EXPECT_EQ(to_tap(taps_[0].ifindex(), {MIDONET_FORWARDED, 8}), std::uint32_t{TC_ACT_SHOT});
  EXPECT_EQ(to_tap(taps_[0].ifindex(), {0, 7}), std::uint32_t{TC_ACT_SHOT});
  const auto counters = datapath_->counters();
  ASSERT_EQ(counters.size(), 1U);
  EXPECT_THAT(counters[0].drops,
              ::testing::UnorderedElementsAre(::testing::Pair("other_bridge", 1), ::testing::Pair("not_forwarded", 1)));
  EXPECT_EQ(counters[0].tx_packets, 1U);
}

TEST_F(BridgeTest, AFrameThatIsNothingButAHeaderIsForwarded) {
  ASSERT_FALSE(
      datapath_->apply(Wanted().port(7, taps_[0], mac_number(1)).port(7, taps_[1], mac_number(2)).desired, Sweep::yes)
          .retry());
  EXPECT_EQ(from_tap(taps_[0].ifindex(), ethernet(mac_number(2), mac_number(1), 0, 0, 14)),
            (Verdict{TC_ACT_REDIRECT, taps_[1].ifindex()}));
}

// The oldest kernel that must load the programs is 5.15. Its uapi/linux/bpf.h ends with helper 175 (task_pt_regs); of
// map types and flags the programs use none that is younger than 5.8 (the ring buffer).
TEST(BridgePrograms, UseNoHelperThatLinux515Lacks) {
  bridge_bpf* skeleton = bridge_bpf__open();
  ASSERT_NE(skeleton, nullptr);
  std::size_t calls = 0;
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, skeleton->obj) {
    const bpf_insn* instructions = bpf_program__insns(program);
    for (std::size_t i = 0; i < bpf_program__insn_cnt(program); i++) {
      const bpf_insn& instruction = instructions[i];
      if (instruction.code != (BPF_JMP | BPF_CALL) || instruction.src_reg != 0) continue;
      calls++;
      EXPECT_LE(instruction.imm, 175) << bpf_program__name(program);
    }
  }
  EXPECT_GT(calls, 5U);
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, skeleton->obj) {
    EXPECT_THAT(bpf_map__type(map), ::testing::AnyOf(BPF_MAP_TYPE_HASH, BPF_MAP_TYPE_ARRAY, BPF_MAP_TYPE_PERCPU_ARRAY,
                                                     BPF_MAP_TYPE_LPM_TRIE, BPF_MAP_TYPE_RINGBUF));
  }
  bridge_bpf__destroy(skeleton);
}

// Whether an instruction from `at` on that is no jump is followed by one that is on the way to it.
bool falls_back(const bpf_insn* code, std::size_t count, std::size_t at, std::vector<char>& state) {
  enum : char { unseen, on_the_way, done };
  if (at >= count || state[at] != unseen) return false;
  state[at] = on_the_way;
  const auto kind = code[at].code & 0x07;
  const auto operation = code[at].code & 0xf0;
  const bool jump = (kind == BPF_JMP || kind == BPF_JMP32) && operation != BPF_CALL && operation != BPF_EXIT;
  bool back =
      jump && falls_back(code, count, at + 1 + static_cast<std::size_t>(static_cast<long>(code[at].off)), state);
  if ((kind != BPF_JMP || operation != BPF_EXIT) && !(jump && operation == BPF_JA)) {
    const std::size_t next = at + (code[at].code == (BPF_LD | BPF_IMM | BPF_DW) ? 2 : 1);
    if (!jump && next < count && state[next] == on_the_way) back = true;
    back = falls_back(code, count, next, state) || back;
  }
  state[at] = done;
  return back;
}

// Linux 6.1 takes only loops whose body ends with a jump, and clang does not lay out each of them so. Asked of the kernel, which has
// the functions that a program calls in one piece with it.
TEST_F(BridgeTest, EachLoopOfTheProgramsEndsWithAJump) {
  const Objects& objects = datapath_->objects();
  for (const int program : {objects.from_tap(), objects.to_tap(), objects.from_tunnel()}) {
    std::vector<bpf_insn> code(16384);
    bpf_prog_info info{};
    info.xlated_prog_len = static_cast<std::uint32_t>(code.size() * sizeof(bpf_insn));
    info.xlated_prog_insns = reinterpret_cast<std::uintptr_t>(code.data());
    std::uint32_t length = sizeof info;
    ASSERT_EQ(::bpf_obj_get_info_by_fd(program, &info, &length), 0);
    const std::size_t count = info.xlated_prog_len / sizeof(bpf_insn);
    ASSERT_GT(count, 50U);
    ASSERT_LE(count, code.size());
    std::vector<char> state(count, 0);
    for (std::size_t at = 0; at < count; at++) {
      if (state[at] == 0) {
        EXPECT_FALSE(falls_back(code.data(), count, at, state)) << info.name << " at " << at;
      }
    }
  }
}

// The verifier gives up after a million steps, and older kernels need more of them than newer ones.
TEST_F(BridgeTest, TheVerifierHasStepsToSpare) {
  const Objects& objects = datapath_->objects();
  for (const int program : {objects.from_tap(), objects.to_tap(), objects.from_tunnel()}) {
    bpf_prog_info info{};
    std::uint32_t length = sizeof info;
    ASSERT_EQ(::bpf_obj_get_info_by_fd(program, &info, &length), 0);
    fmt::print("[ MEASURED ] {}: {} steps\n", info.name, info.verified_insns);
    EXPECT_LT(info.verified_insns, 200'000U) << info.name;
  }
}

TEST(DropReasons, TheDocumentListsThemAllAndNoOther) {
  std::ifstream file(MIDONET_SOURCE_DIR "/docs/drop-reasons.md");
  std::vector<std::string> documented;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("| `")) documented.push_back(line);
  }
  std::vector<std::string> wanted;
#define X(name, meaning) wanted.push_back(std::string("| `" #name "` | ") + meaning + " |");
  MIDONET_DROP_REASONS(X)
#undef X
  EXPECT_EQ(documented, wanted) << "docs/drop-reasons.md has one row for each of MIDONET_DROP_REASONS in abi.h";
}

}  // namespace
}  // namespace midonet::datapath::testing::bridge_test
