// Attaching, detaching, restarting, and living beside others: what is ours in the kernel, and what is not.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include "datapath/ebpf/lifetime_bed.h"

namespace midonet::datapath::testing::lifetime_test {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using namespace std::chrono_literals;

// As midolman attaches by default; tcx_test.cc has what is different with tcx.
class LifetimeTest : public LifetimeBed {};

// With filters alone, as on kernels before 6.6.
class FiltersTest : public LifetimeBed {
 protected:
  void SetUp() override {
    LifetimeBed::SetUp();
    if (IsSkipped()) return;
    options_.hooks = Hooks::Way::clsact;
    open();
  }
};

TEST_F(LifetimeTest, ASecondApplyChangesNothingInTheKernel) {
  const Tap a("a"), b("b");
  apply(two(a, b));
  const std::string before = tc("a") + tc("b");
  apply(two(a, b));
  EXPECT_EQ(tc("a") + tc("b"), before);
  EXPECT_TRUE(quiet()) << drifts_.front();
}

TEST_F(LifetimeTest, ADetachedPortPassesNothingAndLeavesNoEntry) {
  const Tap a("a"), b("b");
  apply(two(a, b));
  EXPECT_TRUE(passes(a, b));
  apply(Wanted().port(7, a, mac_a));
  EXPECT_FALSE(passes(a, b, 100ms));
  const Maps& maps = datapath_->objects().maps();
  EXPECT_EQ(maps.ports.entries()->size(), 1U);
  EXPECT_EQ(maps.rings.entries()->size(), 1U);
  EXPECT_EQ(maps.fdb.entries()->size(), 1U);
  apply(Wanted());
  EXPECT_TRUE(maps.ports.entries()->empty());
  EXPECT_TRUE(maps.rings.entries()->empty());
  EXPECT_TRUE(maps.fdb.entries()->empty());
  EXPECT_TRUE(maps.learned.entries()->empty());
  EXPECT_TRUE(maps.members.entries()->empty());
  EXPECT_TRUE(maps.drops.entries()->empty());
}

TEST_F(LifetimeTest, OnlyASweepTakesAwayWhatIsNotDesired) {
  const Tap a("a"), b("b");
  apply(two(a, b));
  open();
  apply(Wanted().port(7, a, mac_a), Sweep::no);
  EXPECT_TRUE(passes(a, b));
  apply(Wanted(), Sweep::no);
  EXPECT_TRUE(passes(a, b));
  apply(Wanted().port(7, a, mac_a), Sweep::yes);
  EXPECT_FALSE(passes(a, b, 100ms));
}

TEST_F(LifetimeTest, WhatAnIncompleteViewLeftStandingGoesWithTheNextCompleteOne) {
  const Tap a("a"), b("b");
  apply(two(a, b));
  apply(Wanted().port(7, a, mac_a), Sweep::no);
  EXPECT_TRUE(passes(a, b));
  apply(Wanted().port(7, a, mac_a), Sweep::yes);
  EXPECT_FALSE(passes(a, b, 100ms));
}

TEST_F(LifetimeTest, FramesPassWithoutAnyAgentAndARestartAdoptsWhatIsThere) {
  const Tap a("a"), b("b"), c("c");
  apply(two(a, b).port(7, c));
  const std::string before = tc("a");
  datapath_.reset();
  EXPECT_TRUE(passes(a, b));
  c.send(ethernet(broadcast, mac_number(3)));  // learning and flooding go on
  EXPECT_TRUE(a.receive());
  a.send(ethernet(mac_number(3), mac_a, 1));
  EXPECT_EQ(c.receive(), ethernet(mac_number(3), mac_a, 1));
  open();
  EXPECT_TRUE(datapath_->objects().adopted());
  EXPECT_TRUE(passes(a, b));
  apply(two(a, b).port(7, c));
  EXPECT_EQ(tc("a"), before);
  for (const PortCounters& counters : datapath_->counters()) {
    if (counters.id == id_named("a")) {
      EXPECT_EQ(counters.rx_packets, 3U);
    }
  }
}

TEST_F(LifetimeTest, NoFrameIsLostToARestart) {
  const Tap a("a"), b("b");
  apply(two(a, b));
  expect_no_loss(a, b, [&] {
    for (int i = 0; i < 5; i++) {
      open();
      apply(two(a, b), Sweep::no);
      apply(two(a, b), Sweep::yes);
    }
  });
}

TEST_F(LifetimeTest, NoFrameIsLostToAnUpgradeThatReplacesThePrograms) {
  const Tap a("a"), b("b");
  apply(two(a, b));
  const std::string before = tc("a");
  expect_no_loss(a, b, [&] {
    for (std::uint32_t quota = 10; quota < 15; quota++) {
      options_.learn_quota = quota;  // another setting is another program
      open();
      EXPECT_FALSE(datapath_->objects().adopted());
      apply(two(a, b), Sweep::no);
      apply(two(a, b), Sweep::yes);
    }
  });
  EXPECT_NE(tc("a"), before);
  std::size_t programs = 0;
  for (const auto& entry : std::filesystem::directory_iterator(datapath_->objects().folder()))
    programs += entry.path().filename().string().find("_tap-") != std::string::npos ? 1 : 0;
  EXPECT_EQ(programs, 2U);  // the old ones' pins are gone
}

TEST_F(LifetimeTest, NoFrameIsLostToPortsThatComeAndGoBesideIt) {
  const Tap a("a"), b("b"), c("c"), d("d");
  apply(two(a, b));
  expect_no_loss(a, b, [&] {
    for (int i = 0; i < 20; i++) {
      apply(two(a, b).port(7, c).port(8, d));
      apply(two(a, b).port(8, c));
      apply(two(a, b));
    }
  });
}

TEST_F(LifetimeTest, AProcessThatIsKilledLeavesEverythingRunning) {
  const Tap a("a"), b("b");
  datapath_.reset();
  const pid_t agent = ::fork();
  if (agent == 0) {
    // The agent: plugs and then is killed in the middle of its life.
    Loop loop;
    auto datapath = EbpfDatapath::open(loop, options_);
    if (!datapath || (*datapath)->apply(two(a, b).desired, Sweep::yes).retry()) ::_exit(1);
    ::kill(::getpid(), SIGKILL);
  }
  int end = 0;
  ASSERT_EQ(::waitpid(agent, &end, 0), agent);
  ASSERT_TRUE(WIFSIGNALED(end));
  EXPECT_TRUE(passes(a, b));
  open();
  EXPECT_TRUE(datapath_->objects().adopted());
  apply(two(a, b));
  EXPECT_TRUE(passes(a, b));
}

TEST_F(LifetimeTest, AnotherIfindexUnderTheSamePortIsPluggedAndTheOldOneForgotten) {
  std::optional<Tap> a(std::in_place, "a");
  const Tap b("b");
  apply(two(*a, b));
  const std::uint32_t old = a->ifindex();
  a.reset();  // the hypervisor takes the tap away and makes it again
  a.emplace("a");
  ASSERT_NE(a->ifindex(), old);
  EXPECT_TRUE(quiet()) << drifts_.front();  // no object of ours was touched
  apply(two(*a, b));
  EXPECT_TRUE(passes(*a, b));
  EXPECT_FALSE(datapath_->objects().maps().ports.get(old)->has_value());
  EXPECT_EQ(datapath_->objects().maps().ports.entries()->size(), 2U);
}

TEST_F(LifetimeTest, AnInterfaceThatIsGoneFailsItsPortAloneAndWaitsForAnother) {
  std::optional<Tap> gone(std::in_place, "gone");
  const Tap a("a"), b("b");
  Wanted wanted = two(a, b).port(7, *gone);
  gone.reset();
  const Applied applied = datapath_->apply(wanted.desired, Sweep::yes);
  ASSERT_FALSE(applied.ports.at(id_named("gone")));
  EXPECT_EQ(applied.ports.at(id_named("gone")).error().code, Code::not_found);
  EXPECT_THAT(applied.ports.at(id_named("gone")).error().message, HasSubstr("plug gone"));
  EXPECT_TRUE(applied.ports.at(id_named("a")));
  EXPECT_FALSE(applied.retry());
  EXPECT_TRUE(passes(a, b));
}

TEST_F(LifetimeTest, OfTwoPortsAtOneInterfaceTheSecondIsRefused) {
  const Tap a("a"), b("b");
  apply(two(a, b));
  Wanted wanted = two(a, b).port(8, "another", a.ifindex());
  const Status refused = status(wanted, "another");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::conflict);
  EXPECT_THAT(refused.error().message, HasSubstr(id_named("a").to_string()));
  EXPECT_TRUE(status(wanted, "a"));
  EXPECT_TRUE(passes(a, b));
  wanted.desired.ports.erase(id_named("a"));
  EXPECT_TRUE(status(wanted, "another"));  // it was freed
}

TEST_F(LifetimeTest, OtherPeoplesFiltersStayAndOurClsactWithThem) {
  const Tap a("a"), b("b");
  bed_->run("tc qdisc add dev a clsact && tc filter add dev a ingress prio 5 protocol ip u32 match u32 0 0 flowid 1:1");
  bed_->run("tc filter add dev a ingress prio 60000 protocol ipv6 u32 match u32 0 0 flowid 1:1");
  apply(two(a, b));
  bed_->run("tc filter add dev b egress prio 60000 protocol ip u32 match u32 0 0 flowid 1:1");
  EXPECT_TRUE(passes(a, b));
  const Result<void> removed = datapath_->remove_everything();
  ASSERT_TRUE(removed) << removed.error().message;
  EXPECT_THAT(tc("a"),
              AllOf(HasSubstr("clsact"), HasSubstr("pref 5 "), HasSubstr("pref 60000 "), Not(HasSubstr("bpf"))));
  EXPECT_THAT(tc("b"), AllOf(HasSubstr("clsact"), HasSubstr("pref 60000 "), Not(HasSubstr("bpf"))));
}

TEST_F(FiltersTest, AFilterThatRunsBeforeOursIsToldWithItsPlaceUntilItGoes) {
  const Tap a("a"), b("b");
  apply(two(a, b));
  bed_->run("tc filter add dev a ingress prio 7 protocol all u32 match u32 0 0 flowid 1:1");
  EXPECT_FALSE(passes(a, b, 100ms)) << "the frame goes to the host";
  ASSERT_TRUE(drifted());
  EXPECT_THAT(drifts_.front(), HasSubstr("filter before ours"));
  drifts_.clear();
  const Applied applied = datapath_->apply(two(a, b).desired, Sweep::yes);
  ASSERT_EQ(applied.preceded.size(), 1U);
  EXPECT_THAT(applied.preceded.at(id_named("a")),
              AllOf(HasSubstr("u32"), HasSubstr("priority 7"), HasSubstr("ingress")));
  EXPECT_TRUE(applied.ports.at(id_named("a")));
  EXPECT_TRUE(applied.retry());
  bed_->run("tc filter del dev a ingress prio 7");
  EXPECT_TRUE(datapath_->apply(two(a, b).desired, Sweep::yes).preceded.empty());
  EXPECT_TRUE(passes(a, b));
}

TEST_F(LifetimeTest, AClsactThatWasThereBeforeUsStays) {
  const std::uint32_t a = bed_->veth("a"), b = bed_->veth("b");
  bed_->run("tc qdisc add dev a clsact");
  const Wanted both = Wanted().port(7, "a", a).port(7, "b", b);
  apply(both);
  open();
  apply(both);
  apply(Wanted());
  EXPECT_THAT(tc("a"), AllOf(HasSubstr("clsact"), Not(HasSubstr("bpf"))));
  EXPECT_THAT(tc("b"), IsEmpty());
}

TEST_F(FiltersTest, AForeignFilterInOurPlaceFailsThePortAndStays) {
  const Tap a("a"), b("b");
  bed_->run(
      "tc qdisc add dev a clsact && "
      "tc filter add dev a ingress prio 19790 handle 1 protocol all u32 match u32 0 0 flowid 1:1 2>/dev/null || "
      "tc filter add dev a ingress prio 19790 protocol all u32 match u32 0 0 flowid 1:1");
  const std::string before = tc("a");
  const Status refused = status(two(a, b), "a");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::conflict) << refused.error().message;
  EXPECT_TRUE(status(two(a, b), "b"));
  EXPECT_EQ(tc("a"), before);
  bed_->run("tc filter del dev a ingress prio 19790");
  EXPECT_TRUE(status(two(a, b), "a"));  // the port is tried again as long as it is not complete
  EXPECT_TRUE(passes(a, b));
}

TEST_F(FiltersTest, AnIngressQdiscInOurPlaceFailsThePortWithAClearReason) {
  const Tap a("a"), b("b");
  bed_->run("tc qdisc add dev a ingress");
  const Status refused = status(two(a, b), "a");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::conflict);
  EXPECT_THAT(refused.error().message, HasSubstr("qdisc \"ingress\""));
  EXPECT_THAT(bed_->output("tc qdisc show dev a ingress; tc filter show dev a ingress"), Not(HasSubstr("bpf")));
}

TEST_F(LifetimeTest, ADeletedQdiscIsHeardOfAndRepaired) {
  const Tap a("a"), b("b");
  apply(two(a, b));
  bed_->run("tc qdisc del dev a clsact");
  ASSERT_TRUE(drifted());
  EXPECT_THAT(drifts_.front(), HasSubstr("clsact"));
  apply(two(a, b));
  EXPECT_TRUE(passes(a, b));
  drifts_.clear();
  EXPECT_TRUE(quiet()) << drifts_.front();
}

TEST_F(LifetimeTest, ADeletedFilterIsHeardOfAndRepaired) {
  const Tap a("a"), b("b");
  apply(two(a, b));
  for (const char* hook : {"ingress", "egress"}) {
    bed_->run(fmt::format("tc filter del dev b {}", hook));
    ASSERT_TRUE(drifted()) << hook;
    drifts_.clear();
    apply(two(a, b));
    EXPECT_EQ(bed_->output(fmt::format("tc filter show dev b {} | grep -c midolman", hook)), "1\n");
    EXPECT_TRUE(passes(a, b));
  }
}

TEST_F(FiltersTest, AReplacedFilterIsHeardOfAndOurProgramComesBack) {
  const Tap a("a"), b("b");
  apply(two(a, b));
  // Under our name, but the wrong program.
  bed_->run(
      fmt::format("tc filter replace dev a ingress prio 19790 handle 1 protocol all bpf direct-action "
                  "object-pinned {}/$(ls {} | grep ^to_tap)",
                  datapath_->objects().folder(), datapath_->objects().folder()));
  EXPECT_FALSE(passes(a, b, 100ms));
  ASSERT_TRUE(drifted());
  const Status conflict = status(two(a, b), "a");
  // It bears a name that is not ours, so it is not ours to replace: said so, and mended once it is gone.
  ASSERT_FALSE(conflict);
  EXPECT_EQ(conflict.error().code, Code::conflict);
  bed_->run("tc filter del dev a ingress prio 19790");
  apply(two(a, b));
  EXPECT_TRUE(passes(a, b));
}

TEST_F(LifetimeTest, ChangesOfOthersThatAreNotAboutUsAreNoDrift) {
  const Tap a("a"), b("b"), c("c");
  apply(two(a, b));
  bed_->run(
      "tc qdisc add dev c clsact; tc qdisc del dev c clsact; tc qdisc add dev a root pfifo; tc qdisc del dev a root");
  bed_->run("tc filter add dev a ingress prio 60000 protocol ipv6 u32 match u32 0 0 flowid 1:1");
  EXPECT_TRUE(quiet()) << drifts_.front();
}

TEST_F(LifetimeTest, ADeletedPinIsHeardOfAndPinnedAnew) {
  const Tap a("a"), b("b");
  apply(two(a, b));
  const std::string folder = datapath_->objects().folder();
  ASSERT_EQ(::unlink((folder + "/ports").c_str()), 0);
  ASSERT_TRUE(drifted());
  EXPECT_THAT(drifts_.front(), HasSubstr("ports"));
  EXPECT_TRUE(passes(a, b));
  apply(two(a, b));
  EXPECT_TRUE(std::filesystem::exists(folder + "/ports"));
  open();  // and what is pinned is what the programs use
  EXPECT_TRUE(datapath_->objects().adopted());

  std::filesystem::remove_all(folder);
  drifts_.clear();
  ASSERT_TRUE(drifted());
  apply(two(a, b));
  open();
  EXPECT_TRUE(datapath_->objects().adopted());
  drifts_.clear();
  ASSERT_EQ(::unlink((folder + "/fdb").c_str()), 0);  // the folder that was made again is watched too
  EXPECT_TRUE(drifted());
}

TEST_F(LifetimeTest, WithoutItsBpfFileSystemPortsGoOnAndTheLossIsAnErrorUntilItIsBack) {
  const Tap a("a"), b("b"), c("c");
  apply(two(a, b));
  bed_->run("umount -l " + bed_->bpffs());
  ASSERT_TRUE(drifted());
  const Applied without = datapath_->apply(two(a, b).port(7, c).desired, Sweep::yes);
  EXPECT_TRUE(without.retry());
  ASSERT_EQ(without.errors.size(), 1U);
  EXPECT_EQ(without.errors[0].code, Code::unavailable);
  for (const auto& [id, port] : without.ports) EXPECT_TRUE(port) << port.error().message;
  EXPECT_TRUE(passes(a, b));
  bed_->run("mount -t bpf bpf " + bed_->bpffs());
  apply(two(a, b).port(7, c));
  open();
  EXPECT_TRUE(datapath_->objects().adopted());
}

TEST_F(LifetimeTest, PinsThatWereDeletedWhileNoAgentRanCostNoPort) {
  const Tap a("a"), b("b");
  for (const char* pins : {"ports", "fdb", "members", "*"}) {
    apply(two(a, b));
    const std::string folder = datapath_->objects().folder();
    datapath_.reset();
    bed_->run(fmt::format("rm -r {}/{}", folder, pins));
    expect_no_loss(a, b, [&] {
      open();
      apply(two(a, b), Sweep::no);
      apply(two(a, b), Sweep::yes);
    });
    a.send(ethernet(broadcast, mac_a));
    EXPECT_TRUE(b.receive()) << pins;
    ASSERT_TRUE(datapath_->remove_everything());
    EXPECT_THAT(tc("a"), IsEmpty()) << pins;  // ours, though nothing recorded it any more
    open();
  }
}

TEST_F(LifetimeTest, HooksOnAnInterfaceThatNoMapKnowsAreSwept) {
  const Tap a("a"), b("b");
  const std::uint32_t c = bed_->veth("c");
  apply(two(a, b).port(7, "c", c));
  ASSERT_TRUE(datapath_->objects().maps().ports.remove(c));
  open();
  apply(two(a, b));
  EXPECT_THAT(tc("c"), IsEmpty());
}

TEST_F(LifetimeTest, EntriesThatSomebodyElseWroteAreMendedByTheNextResync) {
  const Tap a("a"), b("b"), c("c");
  apply(two(a, b).port(7, c));
  const Maps& maps = datapath_->objects().maps();
  ASSERT_TRUE(
      maps.fdb.put({.vni = 7, .mac = {2, 0, 0, 0, 0, 0x0b}, .padding = {}}, {.ifindex = c.ifindex(), .reserved = 0}));
  ASSERT_TRUE(maps.fdb.put({.vni = 9, .mac = {2, 0, 0, 0, 0, 1}, .padding = {}}, {.ifindex = 99, .reserved = 0}));
  ASSERT_TRUE(maps.members.put({.vni = 7, .chunk = 0}, abi::members{}));
  ASSERT_TRUE(maps.members.put({.vni = 9, .chunk = 2}, abi::members{}));
  ASSERT_TRUE(maps.members.put({.vni = 9, .chunk = 0xffffffff}, abi::members{}));
  // Not heard of by itself: these are in no notification.
  bed_->run("tc filter del dev c egress");
  ASSERT_TRUE(drifted());
  apply(two(a, b).port(7, c));
  EXPECT_TRUE(passes(a, b));
  a.send(ethernet(broadcast, mac_a));
  EXPECT_TRUE(c.receive());
  EXPECT_EQ(maps.fdb.entries()->size(), 2U);
  EXPECT_EQ(maps.members.entries()->size(), 1U);
}

TEST_F(LifetimeTest, RemovingEverythingLeavesNothing) {
  const Tap a("a"), b("b");
  apply(two(a, b));
  const Result<void> removed = datapath_->remove_everything();
  ASSERT_TRUE(removed) << removed.error().message;
  EXPECT_THAT(tc("a") + tc("b"), IsEmpty());
  EXPECT_FALSE(std::filesystem::exists(options_.pin_dir));
  datapath_.reset();
  EXPECT_TRUE(quiet());
  open();  // a new beginning is possible
  apply(two(a, b));
  EXPECT_TRUE(passes(a, b));
}

TEST_F(LifetimeTest, WithoutABpfFileSystemOpeningFailsAndLeavesNoFolder) {
  datapath_.reset();
  options_.pin_dir = bed_->bpffs() + "-not-mounted/test";
  const auto opened = EbpfDatapath::open(loop_, options_);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, Code::unavailable);
  EXPECT_FALSE(std::filesystem::exists(options_.pin_dir));
}

TEST_F(LifetimeTest, AMapOfAnotherShapeUnderOurNameIsRefusedAndLeftAlone) {
  datapath_.reset();
  ASSERT_EQ(::unlink((options_.pin_dir + "/" MIDONET_LAYOUT "/fdb").c_str()), 0);
  bed_->run(fmt::format("bpftool map create {}/{}/fdb type array key 4 value 4 entries 1 name x", options_.pin_dir,
                        MIDONET_LAYOUT));
  const auto opened = EbpfDatapath::open(loop_, options_);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, Code::conflict);
  EXPECT_TRUE(std::filesystem::exists(options_.pin_dir + "/" MIDONET_LAYOUT "/fdb"));
}

TEST_F(LifetimeTest, MapsKeepTheSizeThatTheyWereMadeWith) {
  const Tap a("a"), b("b");
  apply(two(a, b));
  options_.fdb_entries /= 2;
  open();
  apply(two(a, b));
  EXPECT_TRUE(passes(a, b));
}

TEST_F(LifetimeTest, MorePortsThanThereMayBeAreRefusedOneByOne) {
  const Tap a("a"), b("b"), c("c");
  ASSERT_TRUE(datapath_->remove_everything());
  options_.max_ports = 2;
  open();
  const Applied applied = datapath_->apply(two(a, b).port(7, c).desired, Sweep::yes);
  int refused = 0;
  for (const auto& [id, status] : applied.ports) {
    if (status) continue;
    EXPECT_EQ(status.error().code, Code::exhausted);
    refused++;
  }
  EXPECT_EQ(refused, 1);
  EXPECT_TRUE(passes(a, b));
  apply(two(a, b));
  // Its place becomes free in this apply, and is there for the next, which the answer asks for.
  const Wanted other = Wanted().port(7, a, mac_a).port(7, c, mac_b);
  EXPECT_TRUE(datapath_->apply(other.desired, Sweep::yes).retry());
  apply(other);
  EXPECT_TRUE(passes(a, c));
}

}  // namespace
}  // namespace midonet::datapath::testing::lifetime_test
