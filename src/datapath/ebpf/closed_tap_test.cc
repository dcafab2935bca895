// A tap whose port is gone stays closed: its guest, which may still run, never reaches the host.
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <atomic>
#include <cstring>
#include <thread>

#include "datapath/ebpf/lifetime_bed.h"
#include "datapath/ebpf/tcx.h"

namespace midonet::datapath::testing::closed_tap_test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using namespace std::chrono_literals;

constexpr std::uint16_t service_port = 7777;

// A service of the host on UDP, reached at any of its addresses.
class Service {
 public:
  explicit Service(int family) : fd_(::socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {
    const int only = 1;
    if (family == AF_INET6) (void)::setsockopt(fd_.get(), IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof only);
    sockaddr_in6 any{};
    any.sin6_family = static_cast<sa_family_t>(family);  // the port stands at the same place in both
    any.sin6_port = htons(service_port);
    const socklen_t length = family == AF_INET ? sizeof(sockaddr_in) : sizeof any;
    EXPECT_EQ(::bind(fd_.get(), reinterpret_cast<const sockaddr*>(&any), length), 0);
  }
  std::size_t heard() const {
    std::size_t count = 0;
    for (char byte = 0; ::recv(fd_.get(), &byte, 1, 0) >= 0;) count++;
    return count;
  }

 private:
  UniqueFd fd_;
};

std::uint16_t checksum(const Frame& bytes) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i + 1 < bytes.size(); i += 2) sum += static_cast<std::uint32_t>(bytes[i] << 8 | bytes[i + 1]);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(~sum);
}

void append(Frame& to, const Frame& bytes) { to.insert(to.end(), bytes.begin(), bytes.end()); }

// UDP from the guest to the host's service, in IPv4 or IPv6.
Frame to_service(const Mac& host, const Ip& from, const Ip& to) {
  const Frame from_bytes(from.bytes().begin(), from.bytes().end()), to_bytes(to.bytes().begin(), to.bytes().end());
  Frame udp{0x30, 0x39, service_port >> 8, service_port & 0xff, 0, 10, 0, 0, 'h', 'i'};
  Frame ip = to.is_v4() ? Frame{0x45, 0, 0, 30, 0, 0, 0, 0, 64, 17, 0, 0} : Frame{0x60, 0, 0, 0, 0, 10, 17, 64};
  append(ip, from_bytes);
  append(ip, to_bytes);
  if (to.is_v4()) {
    const std::uint16_t sum = checksum(ip);
    ip[10] = static_cast<std::uint8_t>(sum >> 8), ip[11] = static_cast<std::uint8_t>(sum);
  } else {
    Frame pseudo = from_bytes;
    append(pseudo, to_bytes);
    append(pseudo, {0, 0, 0, 10, 0, 0, 0, 17});
    append(pseudo, udp);
    const std::uint16_t sum = checksum(pseudo);
    udp[6] = static_cast<std::uint8_t>(sum >> 8), udp[7] = static_cast<std::uint8_t>(sum);
  }
  Frame frame = ethernet(host, mac_a, 0, to.is_v4() ? 0x0800 : 0x86dd, 14);
  append(frame, ip);
  append(frame, udp);
  return frame;
}

// By filters and by tcx links.
class ClosedTap : public LifetimeBed, public ::testing::WithParamInterface<bool> {
 protected:
  void SetUp() override {
    if (GetParam() && !tcx::supported()) GTEST_SKIP() << "needs tcx (Linux 6.6)";
    LifetimeBed::SetUp();
    if (IsSkipped()) return;
    options_.hooks = GetParam() ? Hooks::Way::tcx : Hooks::Way::clsact;
    open();
  }
  // What a host has at an interface unless it is kept from it: an address that it gave itself, one that it was given.
  void address(const Tap& tap) const {
    bed_->run(
        fmt::format("ip link set lo up; echo 0 >/proc/sys/net/ipv6/conf/{0}/disable_ipv6; "
                    "ip addr add 192.0.2.1/24 dev {0}; ip addr add fe80::1/64 dev {0} nodad; "
                    "ip neigh replace 192.0.2.9 lladdr {1} dev {0}",
                    tap.name(), mac_a));
  }
  Mac mac_of_tap(const Tap& tap) const {
    const std::string shown = bed_->output(fmt::format("ip -o link show dev {}", tap.name()));
    return mac(shown.substr(shown.find("link/ether ") + 11, 17).c_str());
  }
  std::vector<Frame> frames(const Tap& tap) const {
    const Mac to = mac_of_tap(tap);
    return {to_service(to, ip("192.0.2.9"), ip("192.0.2.1")), to_service(to, ip("fe80::9"), ip("fe80::1"))};
  }
  // Whether the guest reaches services of the host in IPv4 and in IPv6.
  std::vector<bool> reaches_host(const Tap& tap) const {
    std::vector<bool> out;
    const Service v4(AF_INET), v6(AF_INET6);
    for (const Frame& frame : frames(tap)) tap.send(frame);
    out.push_back(v4.heard() > 0);
    out.push_back(v6.heard() > 0);
    return out;
  }
  // Whether what the host sends gets to the guest.
  bool hears_host(const Tap& tap) const {
    tap.drain();
    bed_->run("ping -c 1 -W 0.01 192.0.2.9 >/dev/null 2>&1 || true");
    return tap.receive(200ms).has_value();
  }
  std::string hooks(const Tap& tap) const {
    std::string out = tc(tap.name());
    for (const Hook hook : {Hook::ingress, Hook::egress}) {
      const auto programs = tcx::programs(tap.ifindex(), hook);
      if (programs && !programs->empty()) out += "midolman link ";
    }
    return out;
  }
};

INSTANTIATE_TEST_SUITE_P(Filters, ClosedTap, ::testing::Values(false));
INSTANTIATE_TEST_SUITE_P(Tcx, ClosedTap, ::testing::Values(true));

TEST_P(ClosedTap, AGuestReachesTheHostBeforeItsFirstPortAndNotWhileItHasOneNorAfterwards) {
  const Tap a("a"), b("b");
  address(a);
  EXPECT_THAT(reaches_host(a), ElementsAre(true, true));
  EXPECT_TRUE(hears_host(a));
  apply(two(a, b));
  EXPECT_THAT(reaches_host(a), ElementsAre(false, false));
  apply(Wanted().port(7, b, mac_b));
  EXPECT_THAT(reaches_host(a), ElementsAre(false, false));
  EXPECT_FALSE(hears_host(a));
  EXPECT_THAT(datapath_->closed(), ElementsAre(a.ifindex()));
  EXPECT_TRUE(quiet()) << drifts_.front();
}

TEST_P(ClosedTap, NotOneFrameGetsThroughWhileThePortGoes) {
  const Tap a("a"), b("b");
  address(a);
  const Service v4(AF_INET), v6(AF_INET6);
  const std::vector<Frame> all = frames(a);
  for (int i = 0; i < 5; i++) {
    apply(two(a, b));
    std::atomic<bool> stop{false};
    std::thread guest([&] {
      while (!stop) {
        for (const Frame& frame : all) a.send(frame);
      }
    });
    apply(Wanted());
    std::this_thread::sleep_for(20ms);
    stop = true;
    guest.join();
  }
  EXPECT_EQ(v4.heard(), 0U);
  EXPECT_EQ(v6.heard(), 0U);
}

TEST_P(ClosedTap, ItIsPluggedAgainLikeAnyOther) {
  const Tap a("a"), b("b");
  apply(two(a, b));
  apply(Wanted());
  EXPECT_FALSE(passes(a, b, 50ms));
  apply(two(a, b));
  EXPECT_THAT(datapath_->closed(), IsEmpty());
  EXPECT_TRUE(passes(a, b));
}

TEST_P(ClosedTap, ItStaysClosedOverARestartAndAnUpgradeReplacesItsPrograms) {
  const Tap a("a"), b("b");
  address(a);
  apply(two(a, b));
  apply(Wanted().port(7, b, mac_b));
  datapath_.reset();
  EXPECT_THAT(reaches_host(a), ElementsAre(false, false)) << "without an agent";
  open();
  apply(Wanted().port(7, b, mac_b), Sweep::no);
  apply(Wanted().port(7, b, mac_b));
  EXPECT_THAT(datapath_->closed(), ElementsAre(a.ifindex()));
  EXPECT_THAT(reaches_host(a), ElementsAre(false, false));

  const std::string before = hooks(a);
  options_.learn_quota = 10;  // another setting is another program
  open();
  apply(Wanted().port(7, b, mac_b));
  EXPECT_THAT(datapath_->closed(), ElementsAre(a.ifindex()));
  EXPECT_THAT(reaches_host(a), ElementsAre(false, false));
  if (!GetParam()) {
    EXPECT_NE(hooks(a), before) << "the programs of the version before";
  }
  apply(two(a, b));
  EXPECT_TRUE(passes(a, b));
}

// The old program of such a tap has the old map, in which its port is plugged for ever.
TEST_P(ClosedTap, ATapWhosePinsAndPortWentWhileNoAgentRanIsClosedToo) {
  const Tap a("a"), b("b");
  address(a);
  apply(two(a, b));
  const std::string folder = datapath_->objects().folder();
  datapath_.reset();
  bed_->run(fmt::format("rm -f {}/*  2>/dev/null || true", folder));
  open();
  apply(Wanted().port(7, b, mac_b));
  EXPECT_THAT(reaches_host(a), ElementsAre(false, false));
  EXPECT_FALSE(passes(a, b, 50ms));
  if (!GetParam()) {
    EXPECT_THAT(datapath_->closed(), ElementsAre(a.ifindex()));
  }
}

TEST_P(ClosedTap, WhatSomebodyElseTakesAwayIsPutBack) {
  const Tap a("a"), b("b");
  address(a);
  apply(two(a, b));
  apply(Wanted().port(7, b, mac_b));
  if (GetParam()) {
    ASSERT_EQ(::unlink(fmt::format("{}/{}-ingress", datapath_->objects().links(), a.ifindex()).c_str()), 0);
  } else {
    bed_->run("tc qdisc del dev a clsact");
    EXPECT_THAT(reaches_host(a), ElementsAre(true, true));
  }
  ASSERT_TRUE(drifted());
  apply(Wanted().port(7, b, mac_b));
  EXPECT_THAT(reaches_host(a), ElementsAre(false, false));
}

TEST_P(ClosedTap, AnInterfaceThatServesSomethingElseIsOpened) {
  const Tap a("a"), b("b");
  address(a);
  apply(two(a, b));
  apply(Wanted());
  Wanted wanted;
  wanted.desired.banned.insert(a.ifindex());
  apply(wanted, Sweep::no);
  EXPECT_THAT(datapath_->closed(), ElementsAre(b.ifindex()));
  EXPECT_THAT(reaches_host(a), ElementsAre(true, true));
  EXPECT_THAT(hooks(a), IsEmpty());
}

TEST_P(ClosedTap, ATapThatIsAMemberOfABridgeWhenItsPortGoesIsNotClosed) {
  const Tap a("a"), b("b");
  apply(two(a, b));
  bed_->run("ip link add br0 type bridge && ip link set dev a master br0");
  apply(Wanted().port(7, b, mac_b));
  EXPECT_THAT(datapath_->closed(), IsEmpty());
  EXPECT_THAT(hooks(a), IsEmpty());
}

TEST_P(ClosedTap, AnInterfaceThatIsNoTapLosesItsHooksWithItsPort) {
  const Tap b("b");
  const std::uint32_t a = bed_->veth("a");
  apply(Wanted().port(7, "a", a).port(7, b));
  apply(Wanted().port(7, b));
  EXPECT_THAT(datapath_->closed(), IsEmpty());
  EXPECT_THAT(tc("a"), IsEmpty());
}

TEST_P(ClosedTap, ATapThatGoesIsForgotten) {
  std::optional<Tap> a(std::in_place, "a");
  const Tap b("b");
  const std::uint32_t ifindex = a->ifindex();
  apply(two(*a, b));
  apply(Wanted().port(7, b, mac_b));
  a.reset();
  Wanted wanted = Wanted().port(7, b, mac_b);
  wanted.desired.banned.insert(ifindex);
  apply(wanted);
  EXPECT_THAT(datapath_->closed(), IsEmpty());
  EXPECT_THAT(bed_->output(fmt::format("ls {}", datapath_->objects().links())),
              Not(HasSubstr(std::to_string(ifindex) + "-")));
}

TEST_P(ClosedTap, RemovingEverythingOpensIt) {
  const Tap a("a"), b("b");
  address(a);
  apply(two(a, b));
  apply(Wanted());
  ASSERT_TRUE(datapath_->remove_everything());
  EXPECT_THAT(hooks(a) + hooks(b), IsEmpty());
  EXPECT_THAT(reaches_host(a), ElementsAre(true, true));
  EXPECT_THAT(datapath_->closed(), IsEmpty());
}

TEST_P(ClosedTap, OtherPeoplesFiltersStayWhenItIsOpened) {
  const Tap a("a");
  bed_->run(
      "tc qdisc add dev a clsact && tc filter add dev a ingress prio 60000 protocol ip u32 match u32 0 0 flowid 1:1");
  apply(Wanted().port(7, a));
  apply(Wanted());
  EXPECT_THAT(datapath_->closed(), ElementsAre(a.ifindex()));
  ASSERT_TRUE(datapath_->remove_everything());
  EXPECT_THAT(tc("a"), HasSubstr("pref 60000 "));
  EXPECT_THAT(tc("a"), Not(HasSubstr("midolman")));
}

}  // namespace
}  // namespace midonet::datapath::testing::closed_tap_test
