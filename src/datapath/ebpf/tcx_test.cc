// Attached by tcx links: first at the hook, across restarts and upgrades, and beside others. Needs Linux 6.6.
#include "datapath/ebpf/tcx.h"

#include <bpf/bpf.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <linux/bpf.h>
#include <unistd.h>

#include <filesystem>

#include "datapath/ebpf/lifetime_bed.h"

namespace midonet::datapath::testing::tcx_test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using namespace std::chrono_literals;

// As midolman attaches by default: by tcx where an interface needs it.
class AsNeeded : public LifetimeBed {
 protected:
  void SetUp() override {
    if (!tcx::supported()) GTEST_SKIP() << "needs tcx (Linux 6.6)";
    LifetimeBed::SetUp();
    if (IsSkipped()) return;
    options_.look_every = 100ms;
    open();
  }
  bool by_links(const Tap& tap) const {
    const bool links = at(tap, Hook::ingress) > 0 && at(tap, Hook::egress) > 0 &&
                       std::filesystem::exists(link(tap, "ingress")) && std::filesystem::exists(link(tap, "egress"));
    EXPECT_EQ(filters(tap).find("midolman") == std::string::npos, links) << filters(tap);
    return links;
  }
  static bool answers(const Tap& b, const Tap& a) {
    a.drain();
    b.send(ethernet(mac_a, mac_b, 3));
    return a.receive() == ethernet(mac_a, mac_b, 3);
  }
  bool mended(const Tap& a, const Tap& b) {
    EXPECT_TRUE(drifted());
    EXPECT_FALSE(loop_.run_until([] { return false; }, 20ms));  // the look at the hooks and a pin may both tell of it
    drifts_.clear();
    EXPECT_THAT(apply(two(a, b)).preceded, IsEmpty());
    EXPECT_TRUE(passes(a, b));
    return quiet();
  }
  // Between two looks at the hooks nothing is heard.
  bool drifted() { return LifetimeBed::drifted(10s); }
  bool quiet() { return LifetimeBed::quiet(250ms); }
  std::string filters(const Tap& tap) const { return tc(tap.name()); }
  std::size_t at(const Tap& tap, Hook hook) const { return tcx::programs(tap.ifindex(), hook)->size(); }
  std::string link(const Tap& tap, const char* hook) const {
    return fmt::format("{}/{}-{}", datapath_->objects().links(), tap.ifindex(), hook);
  }
  std::size_t links() const {
    const auto files = std::filesystem::directory_iterator(datapath_->objects().links());
    return static_cast<std::size_t>(std::distance(begin(files), end(files)));
  }
  // Another program, which lets every frame go on to the host: to_tap of another datapath will do.
  void attach_foreign(const Tap& tap, Hook hook) {
    if (!foreign_) foreign_.reset(pass_program());
    ASSERT_TRUE(foreign_);
    ASSERT_TRUE(tcx::attach(tap.ifindex(), hook, foreign_.get(), foreign_pin()));
  }
  std::uint32_t foreign_id() const { return program_id(foreign_.get()).value(); }
  std::string foreign_pin() const { return bed_->bpffs() + "/foreign"; }
  static int pass_program();

  UniqueFd foreign_;
};

// By tcx everywhere.
class TcxTest : public AsNeeded {
 protected:
  void SetUp() override {
    AsNeeded::SetUp();
    if (IsSkipped()) return;
    options_.hooks = Hooks::Way::tcx;
    open();
  }
};

// r0 = 0 (TCX_PASS: to the host's stack); exit
int AsNeeded::pass_program() {
  const bpf_insn code[] = {{.code = 0xb7, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0},
                           {.code = 0x95, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0}};
  return ::bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "leak", "GPL", code, 2, nullptr);
}

TEST_F(TcxTest, APortHasALinkAtEachHookAndNoFilterAndADetachLeavesNoTrace) {
  const Tap a("a"), b("b");
  const std::uint32_t c = bed_->veth("c");
  apply(two(a, b).port(7, "c", c));
  EXPECT_TRUE(passes(a, b));
  EXPECT_THAT(filters(a), IsEmpty());
  EXPECT_EQ(at(a, Hook::ingress), 1U);
  EXPECT_EQ(at(a, Hook::egress), 1U);
  EXPECT_EQ(links(), 6U);
  apply(two(a, b));
  EXPECT_EQ(tcx::programs(c, Hook::ingress)->size() + tcx::programs(c, Hook::egress)->size(), 0U);
  EXPECT_EQ(links(), 4U);
  EXPECT_TRUE(quiet()) << drifts_.front();
  EXPECT_TRUE(datapath_->remove_everything());
  EXPECT_EQ(at(a, Hook::ingress) + at(a, Hook::egress), 0U);
  EXPECT_FALSE(std::filesystem::exists(options_.pin_dir));
}

TEST_F(TcxTest, ARestartAdoptsTheLinksAndAnUpgradeReplacesTheirPrograms) {
  const Tap a("a"), b("b");
  apply(two(a, b));
  const auto before = tcx::programs(a.ifindex(), Hook::ingress)->at(0);
  datapath_.reset();
  EXPECT_TRUE(passes(a, b)) << "without an agent";
  open();
  EXPECT_TRUE(datapath_->objects().adopted());
  apply(two(a, b));
  EXPECT_EQ(tcx::programs(a.ifindex(), Hook::ingress)->at(0).link_id, before.link_id);
  EXPECT_EQ(tcx::programs(a.ifindex(), Hook::ingress)->at(0).program_id, before.program_id);
  expect_no_loss(a, b, [&] {
    for (std::uint32_t quota = 10; quota < 15; quota++) {
      options_.learn_quota = quota;
      open();
      apply(two(a, b), Sweep::no);
      apply(two(a, b), Sweep::yes);
    }
  });
  EXPECT_EQ(tcx::programs(a.ifindex(), Hook::ingress)->at(0).link_id, before.link_id) << "the link stays";
  EXPECT_NE(tcx::programs(a.ifindex(), Hook::ingress)->at(0).program_id, before.program_id);
  EXPECT_EQ(at(a, Hook::ingress), 1U);
}

// An upgrade from a version with filters, and the way back before a downgrade.
TEST_F(TcxTest, FiltersBecomeLinksAndLinksFiltersWithoutALostFrame) {
  const Tap a("a"), b("b");
  options_.hooks = Hooks::Way::clsact;
  open();
  apply(two(a, b));
  expect_no_loss(a, b, [&] {
    for (int i = 0; i < 3; i++) {
      for (const bool links : {true, false}) {
        options_.hooks = links ? Hooks::Way::tcx : Hooks::Way::clsact;
        open();
        apply(two(a, b), Sweep::no);
        apply(two(a, b), Sweep::yes);
        EXPECT_EQ(at(a, Hook::egress), links ? 1U : 0U);
        EXPECT_EQ(filters(a).find("midolman") == std::string::npos, links) << filters(a);
      }
    }
  });
  EXPECT_TRUE(quiet()) << drifts_.front();
  for (const PortCounters& counters : datapath_->counters()) EXPECT_THAT(counters.drops, IsEmpty());
  EXPECT_TRUE(datapath_->remove_everything());
  EXPECT_THAT(filters(a), IsEmpty()) << "the clsact goes with the filters";
}

TEST_F(TcxTest, ALostPinIsMendedWithinASecond) {
  const Tap a("a"), b("b");
  apply(two(a, b));
  for (const char* hook : {"ingress", "egress"}) {
    ASSERT_EQ(::unlink(link(a, hook).c_str()), 0);
    ASSERT_TRUE(drifted()) << hook;
    drifts_.clear();
    apply(two(a, b));
    EXPECT_TRUE(passes(a, b));
    EXPECT_EQ(at(a, Hook::ingress), 1U);
    EXPECT_EQ(at(a, Hook::egress), 1U);
  }
}

TEST_F(TcxTest, AnIngressQdiscAndFiltersOfOthersStayAndDoNotMatter) {
  const Tap a("a"), b("b");
  // What libvirt makes of <bandwidth>, but for the action of the filter, which not every kernel has.
  bed_->run("tc qdisc add dev a root handle 1: htb default 1 r2q 1000");
  bed_->run("tc qdisc add dev a ingress && tc filter add dev a parent ffff: protocol all u32 match u32 0 0 flowid :1");
  bed_->run("tc qdisc add dev b clsact && tc filter add dev b ingress prio 1 protocol all u32 match u32 0 0 flowid :1");
  EXPECT_THAT(apply(two(a, b)).preceded, IsEmpty());
  EXPECT_TRUE(passes(a, b));
  b.send(ethernet(mac_a, mac_b, 3));
  EXPECT_EQ(a.receive(), ethernet(mac_a, mac_b, 3));
  EXPECT_TRUE(datapath_->remove_everything());
  EXPECT_THAT(bed_->output("tc qdisc show dev a; tc filter show dev a parent ffff:"),
              AllOf(HasSubstr("htb"), HasSubstr("ingress"), HasSubstr("u32")));
  EXPECT_THAT(filters(b), HasSubstr("u32"));
}

TEST_F(TcxTest, AProgramThatWasThereBeforeComesBehindOurs) {
  const Tap a("a"), b("b");
  attach_foreign(a, Hook::ingress);
  EXPECT_THAT(apply(two(a, b)).preceded, IsEmpty());
  EXPECT_TRUE(passes(a, b));
  EXPECT_EQ(at(a, Hook::ingress), 2U);
  EXPECT_TRUE(datapath_->remove_everything());
  EXPECT_EQ(at(a, Hook::ingress), 1U) << "it is not ours";
}

TEST_F(TcxTest, AProgramThatStandsBeforeOursIsToldWithItsNameUntilItGoes) {
  const Tap a("a"), b("b");
  apply(two(a, b));
  attach_foreign(a, Hook::ingress);
  EXPECT_FALSE(passes(a, b, 100ms)) << "the frame goes to the host";
  ASSERT_TRUE(drifted());
  const Applied applied = apply(two(a, b));
  ASSERT_THAT(applied.preceded, SizeIs(1));
  EXPECT_THAT(applied.preceded.at(id_named("a")), AllOf(HasSubstr("leak"), HasSubstr("ingress"), HasSubstr("a:")));
  EXPECT_TRUE(applied.retry());
  // A restart sees it, too.
  open();
  EXPECT_THAT(apply(two(a, b)).preceded, SizeIs(1));
  ASSERT_TRUE(tcx::detach(foreign_pin()));
  EXPECT_THAT(apply(two(a, b)).preceded, IsEmpty());
  EXPECT_TRUE(passes(a, b));
}

TEST_F(TcxTest, ALinkThatSomebodyElseDetachesIsMended) {
  const Tap a("a"), b("b");
  apply(two(a, b));
  const auto id = tcx::programs(b.ifindex(), Hook::egress)->at(0).link_id;
  bed_->run(fmt::format("bpftool link detach id {}", id));
  ASSERT_TRUE(drifted());
  apply(two(a, b));
  EXPECT_TRUE(passes(a, b));
  EXPECT_EQ(at(b, Hook::egress), 1U);
}

TEST_F(TcxTest, WhatIsAttachedBehindOursOrElsewhereIsNoDrift) {
  const Tap a("a"), b("b"), c("c");
  apply(two(a, b));
  attach_foreign(c, Hook::ingress);
  EXPECT_TRUE(quiet()) << drifts_.front();
}

TEST_F(TcxTest, AnInterfaceThatIsGoneLeavesNoPin) {
  std::optional<Tap> a(std::in_place, "a");
  const Tap b("b");
  apply(two(*a, b));
  a.reset();
  apply(Wanted().port(7, b, mac_b));
  EXPECT_EQ(links(), 2U);
  std::optional<Tap> c(std::in_place, "c");
  apply(two(*c, b));
  datapath_.reset();
  c.reset();  // while no agent runs
  open();
  apply(Wanted().port(7, b, mac_b));
  EXPECT_EQ(links(), 2U);
}

TEST_F(TcxTest, LinksOnAnInterfaceThatNoMapKnowsAreSwept) {
  const Tap a("a"), b("b");
  const std::uint32_t c = bed_->veth("c");
  apply(two(a, b).port(7, "c", c));
  ASSERT_TRUE(datapath_->objects().maps().ports.remove(c));
  open();
  apply(two(a, b));
  EXPECT_EQ(tcx::programs(c, Hook::ingress)->size() + tcx::programs(c, Hook::egress)->size(), 0U);
}

// A filter that gives every frame to the host: it matches, and its class is none.
constexpr const char* leak_before_ours =
    "tc qdisc add dev a clsact 2>/dev/null; tc filter add dev a ingress prio 7 protocol all u32 match u32 0 0 flowid "
    "1:1";

TEST_F(AsNeeded, WhereNothingStandsInTheWayThereAreFiltersAlone) {
  const Tap a("a"), b("b");
  apply(two(a, b));
  EXPECT_FALSE(by_links(a));
  EXPECT_EQ(at(a, Hook::ingress) + at(a, Hook::egress), 0U);
  EXPECT_EQ(links(), 0U);
}

TEST_F(AsNeeded, ATapWithAFilterThatWouldRunBeforeOursHasLinksAndTheOthersFilters) {
  const Tap a("a"), b("b");
  bed_->run(leak_before_ours);
  EXPECT_THAT(apply(two(a, b)).preceded, IsEmpty());
  EXPECT_TRUE(by_links(a));
  EXPECT_FALSE(by_links(b));
  EXPECT_TRUE(passes(a, b));
  EXPECT_TRUE(answers(b, a));
  EXPECT_TRUE(quiet()) << drifts_.front();
  ASSERT_TRUE(datapath_->remove_everything());
  EXPECT_THAT(filters(a), AllOf(HasSubstr("u32"), Not(HasSubstr("midolman"))));
}

TEST_F(AsNeeded, AFilterThatComesBeforeOursLaterMakesThemLinks) {
  const Tap a("a"), b("b");
  apply(two(a, b));
  bed_->run(leak_before_ours);
  EXPECT_FALSE(passes(a, b, 100ms)) << "until it is heard of";
  EXPECT_TRUE(mended(a, b));
  EXPECT_TRUE(by_links(a));
}

TEST_F(AsNeeded, ATapWithAnIngressQdiscHasLinks) {
  const Tap a("a"), b("b");
  bed_->run("tc qdisc add dev a ingress");
  EXPECT_THAT(apply(two(a, b)).preceded, IsEmpty());
  EXPECT_TRUE(by_links(a));
  EXPECT_TRUE(passes(a, b));
  EXPECT_TRUE(answers(b, a));
  // A port that goes and comes back, and an upgrade meanwhile.
  apply(Wanted().port(7, b, mac_b));
  options_.learn_quota = 10;
  open();
  apply(two(a, b));
  EXPECT_TRUE(passes(a, b));
  EXPECT_THAT(bed_->output("tc qdisc show dev a"), HasSubstr("ingress"));
}

TEST_F(AsNeeded, AForeignFilterInOurPlaceIsLeftThereAndTheTapHasLinks) {
  const Tap a("a"), b("b");
  bed_->run(
      "tc qdisc add dev a clsact && tc filter add dev a ingress prio 19790 protocol all u32 match u32 0 0 flowid 1:1");
  EXPECT_THAT(apply(two(a, b)).preceded, IsEmpty());
  EXPECT_TRUE(by_links(a));
  EXPECT_TRUE(passes(a, b));
  EXPECT_THAT(filters(a), HasSubstr("u32"));
  bed_->run("tc filter del dev a ingress prio 19790");
  ASSERT_TRUE(datapath_->remove_everything());
  EXPECT_THAT(bed_->output("tc qdisc show dev a"), HasSubstr("clsact")) << "it is not ours";
}

TEST_F(AsNeeded, AReplacedFilterOfOursMakesTheTapHaveLinks) {
  const Tap a("a"), b("b");
  apply(two(a, b));
  bed_->run(
      fmt::format("tc filter replace dev a ingress prio 19790 handle 1 protocol all bpf direct-action "
                  "object-pinned {0}/$(ls {0} | grep ^to_tap)",
                  datapath_->objects().folder()));
  EXPECT_TRUE(mended(a, b));
  EXPECT_EQ(at(a, Hook::ingress), 1U);
}

TEST_F(AsNeeded, FiltersOfATapThatNoMapKnowsGoWhenItGetsLinks) {
  const Tap a("a"), b("b");
  apply(two(a, b));
  ASSERT_TRUE(datapath_->objects().maps().ports.remove(a.ifindex()));
  bed_->run(leak_before_ours);
  open();
  apply(two(a, b));
  EXPECT_TRUE(by_links(a));
}

TEST_F(AsNeeded, AProgramAtATcxHookStandsBehindOursWheneverItComes) {
  const Tap a("a"), b("b");
  attach_foreign(a, Hook::ingress);
  EXPECT_THAT(apply(two(a, b)).preceded, IsEmpty());
  EXPECT_TRUE(by_links(a));
  EXPECT_TRUE(passes(a, b));

  ASSERT_TRUE(tcx::detach(foreign_pin()));
  attach_foreign(b, Hook::ingress);  // to one with filters, of which the kernel tells no one
  EXPECT_TRUE(mended(a, b));
  EXPECT_TRUE(by_links(b));
  EXPECT_TRUE(answers(b, a));
  EXPECT_EQ(at(b, Hook::ingress), 2U);
}

TEST_F(AsNeeded, AClosedTapStaysClosedWhateverComesBeforeItsHooks) {
  const Tap a("a"), b("b"), c("c");
  apply(two(a, b).port(7, c));
  apply(Wanted());
  ASSERT_THAT(datapath_->closed(), SizeIs(3));
  EXPECT_TRUE(quiet()) << drifts_.front();
  attach_foreign(c, Hook::ingress);
  ASSERT_TRUE(drifted());
  drifts_.clear();
  apply(Wanted());
  EXPECT_TRUE(by_links(c));
  EXPECT_EQ(tcx::programs(c.ifindex(), Hook::ingress)->back().program_id, foreign_id());
  bed_->run(leak_before_ours);
  ASSERT_TRUE(drifted());
  drifts_.clear();
  apply(Wanted());
  EXPECT_TRUE(by_links(a));
  EXPECT_TRUE(quiet()) << drifts_.front();
}

TEST_F(AsNeeded, WithFiltersAloneAProgramBeforeThoseOfAClosedTapIsToldOnce) {
  const Tap a("a"), b("b");
  options_.hooks = Hooks::Way::clsact;
  open();
  apply(two(a, b));
  apply(Wanted().port(7, b, mac_b));
  for (int i = 0; i < 2; i++) {
    attach_foreign(a, Hook::ingress);
    ASSERT_TRUE(drifted()) << i;
    drifts_.clear();
    for (int n = 0; n < 2; n++) {
      apply(Wanted().port(7, b, mac_b));
      EXPECT_TRUE(quiet()) << drifts_.front();
    }
    ASSERT_TRUE(tcx::detach(foreign_pin()));
    ASSERT_TRUE(drifted()) << "it has gone";
    drifts_.clear();
    apply(Wanted().port(7, b, mac_b));
    EXPECT_TRUE(quiet()) << drifts_.front();
  }
}

TEST_F(AsNeeded, WhereTheOperatorWantsFiltersAloneAProgramAtATcxHookIsToldUntilItGoes) {
  const Tap a("a"), b("b");
  options_.hooks = Hooks::Way::clsact;
  open();
  apply(two(a, b));
  attach_foreign(a, Hook::ingress);
  ASSERT_TRUE(drifted());
  EXPECT_THAT(apply(two(a, b)).preceded.at(id_named("a")), AllOf(HasSubstr("leak"), HasSubstr("tcx ingress")));
  EXPECT_FALSE(std::filesystem::exists(link(a, "ingress")));
  ASSERT_TRUE(tcx::detach(foreign_pin()));
  EXPECT_THAT(apply(two(a, b)).preceded, IsEmpty());
  EXPECT_TRUE(passes(a, b));
}

TEST_F(AsNeeded, LinksStayWhenTheirReasonHasGoneAndARestartAdoptsThem) {
  const Tap a("a"), b("b");
  bed_->run(leak_before_ours);
  apply(two(a, b));
  const auto before = tcx::programs(a.ifindex(), Hook::ingress)->at(0).link_id;
  bed_->run("tc filter del dev a ingress prio 7");
  apply(two(a, b));
  EXPECT_TRUE(by_links(a));
  open();
  EXPECT_TRUE(datapath_->objects().adopted());
  expect_no_loss(a, b, [&] {
    apply(two(a, b), Sweep::no);
    apply(two(a, b));
  });
  EXPECT_TRUE(by_links(a));
  EXPECT_TRUE(quiet()) << drifts_.front();
  // An upgrade puts its programs into the same links.
  options_.learn_quota = 10;
  open();
  expect_no_loss(a, b, [&] { apply(two(a, b)); });
  EXPECT_TRUE(by_links(a));
  EXPECT_EQ(tcx::programs(a.ifindex(), Hook::ingress)->at(0).link_id, before);
  // As before a downgrade to a version without tcx.
  options_.hooks = Hooks::Way::clsact;
  open();
  EXPECT_TRUE(datapath_->objects().adopted()) << "the same programs serve both ways";
  apply(two(a, b));
  EXPECT_FALSE(by_links(a));
  EXPECT_TRUE(passes(a, b));
}

TEST_F(AsNeeded, ALinkThatGoesIsMendedByWhatTheTapNeedsThen) {
  const Tap a("a"), b("b");
  bed_->run(leak_before_ours);
  apply(two(a, b));
  ASSERT_EQ(::unlink(link(a, "ingress").c_str()), 0);
  EXPECT_TRUE(mended(a, b));
  EXPECT_TRUE(by_links(a));

  bed_->run("tc filter del dev a ingress prio 7");
  for (const char* hook : {"ingress", "egress"}) ASSERT_EQ(::unlink(link(a, hook).c_str()), 0);
  EXPECT_TRUE(mended(a, b));
  EXPECT_FALSE(by_links(a)) << "filters will do again";
}

TEST_F(AsNeeded, AFloodIsConsumedAtEitherSortOfHook) {
  const Tap a("a"), b("b"), c("c");
  // The host would note the sender of a request for its own address.
  bed_->run("ip addr add 192.0.2.1/24 dev a; ip addr add 198.51.100.1/24 dev b");
  const auto ask = [](const Tap& from, const char* sender, const char* address) {
    from.send(arp(1, mac_number(from.ifindex()), ip(sender), Mac(), ip(address)));
  };
  const auto noted = [&] { return bed_->output("ip neigh show"); };
  ask(a, "192.0.2.9", "192.0.2.1");
  ask(b, "198.51.100.9", "198.51.100.1");
  ASSERT_TRUE(loop_.run_until([&] { return noted().find("2.9") != std::string::npos; }, 5s));
  ASSERT_TRUE(loop_.run_until([&] { return noted().find("100.9") != std::string::npos; }, 5s));

  bed_->run(leak_before_ours);
  apply(two(a, b).port(7, c));
  bed_->run("ip neigh flush all");
  ASSERT_TRUE(by_links(a));
  ASSERT_FALSE(by_links(b));
  const Tap* const all[] = {&a, &b, &c};
  for (const Tap* from : all) {
    for (const Tap* to : all) to->drain();
    ask(*from, from == &a ? "192.0.2.8" : "198.51.100.8", from == &a ? "192.0.2.1" : "198.51.100.1");
    for (const Tap* to : all) EXPECT_EQ(to->receive(to == from ? 50ms : 5s).has_value(), to != from);
  }
  EXPECT_THAT(noted(), IsEmpty());
}

}  // namespace
}  // namespace midonet::datapath::testing::tcx_test
