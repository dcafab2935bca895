// The monitor in a network namespace that each test makes for its own process: it goes with the process.
#include "netlink/monitor.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/wait.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>

#include "base/unique_fd.h"

namespace midonet::netlink::monitor_test {
namespace {

using namespace std::chrono_literals;

class MonitorInNamespace : public testing::Test {
 protected:
  void SetUp() override {
    if (::unshare(CLONE_NEWNET) != 0) GTEST_SKIP() << "no network namespace: " << std::strerror(errno);
  }

  static void ip(const std::string& arguments) { ASSERT_EQ(std::system(("ip " + arguments).c_str()), 0) << arguments; }
  static void batch(const std::string& lines) {
    const std::string path = testing::TempDir() + "/ip-batch-" + std::to_string(::getpid());
    std::ofstream(path) << lines;
    ip("-batch " + path);
    std::remove(path.c_str());
  }

  void open(int buffer_bytes = Monitor::default_buffer_bytes) {
    auto opened = Monitor::open(loop_, registry_, buffer_bytes);
    ASSERT_TRUE(opened) << opened.error().message;
    monitor_ = *std::move(opened);
    monitor_->on_changed([this] { ++changes_; });
    ASSERT_TRUE(until([&] { return changes_ > 0; }));
    ASSERT_TRUE(monitor_->ready());
  }
  bool until(const std::function<bool()>& done) { return loop_.run_until(done, 20s); }
  const Link* link(const std::string& name) { return monitor_->links().find(name); }
  // What a monitor that is opened now sees.
  void expect_same_as_fresh() {
    Registry registry;
    auto fresh = Monitor::open(loop_, registry);
    ASSERT_TRUE(fresh) << fresh.error().message;
    ASSERT_TRUE(until([&] { return (*fresh)->ready(); }));
    EXPECT_TRUE(until([&] { return monitor_->links() == (*fresh)->links(); }))
        << monitor_->links().size() << " links, should be " << (*fresh)->links().size();
  }

  Loop loop_;
  Registry registry_;
  std::unique_ptr<Monitor> monitor_;
  int changes_ = 0;
};

TEST_F(MonitorInNamespace, ReadsWhatIsThereAtTheStart) {
  ip("link add a0 type bridge");
  ip("addr add 192.0.2.1/24 dev a0");
  ip("addr add 2001:db8::1/64 dev a0 nodad");
  open();
  ASSERT_NE(link("a0"), nullptr);
  EXPECT_EQ(link("a0")->kind, "bridge");
  EXPECT_EQ(link("a0")->addresses, (std::set<Ip>{*Ip::parse("192.0.2.1"), *Ip::parse("2001:db8::1")}));
  ASSERT_NE(link("lo"), nullptr);
  EXPECT_TRUE(link("lo")->loopback);
}

TEST_F(MonitorInNamespace, FollowsATapFromBirthOverRenameToItsEnd) {
  open();
  ip("tuntap add dev tap0 mode tap");
  ASSERT_TRUE(until([&] { return link("tap0") != nullptr; }));
  EXPECT_EQ(link("tap0")->kind, "tun");
  EXPECT_FALSE(link("tap0")->has_link());

  ip("link set tap0 up");
  ASSERT_TRUE(until([&] { return link("tap0")->up; }));
  EXPECT_FALSE(link("tap0")->has_link()) << "no process has opened it";
  const UniqueFd guest(::open("/dev/net/tun", O_RDWR | O_CLOEXEC));
  ifreq request{};
  std::strcpy(request.ifr_name, "tap0");
  request.ifr_flags = IFF_TAP | IFF_NO_PI;
  ASSERT_EQ(::ioctl(guest.get(), TUNSETIFF, &request), 0) << std::strerror(errno);
  ASSERT_TRUE(until([&] { return link("tap0")->has_link(); }));

  const std::uint32_t ifindex = link("tap0")->ifindex;
  ip("link set tap0 down");
  ip("link set tap0 name tap1");
  ASSERT_TRUE(until([&] { return link("tap1") != nullptr; }));
  EXPECT_EQ(link("tap1")->ifindex, ifindex);
  EXPECT_EQ(link("tap0"), nullptr);
  ip("link del tap1");
  ASSERT_TRUE(until([&] { return link("tap1") == nullptr; }));
}

TEST_F(MonitorInNamespace, SeesWhoseMemberALinkIsAndThatItLeft) {
  ip("link add br0 type bridge");
  ip("link add a0 type veth peer name b0");
  open();
  ip("link set a0 master br0");
  ASSERT_TRUE(until([&] { return link("a0")->master != 0; }));
  EXPECT_EQ(link("a0")->master, link("br0")->ifindex);
  EXPECT_EQ(link("a0")->master_kind, "bridge");
  EXPECT_EQ(link("a0")->kind, "veth");
  ip("link set a0 nomaster");
  ASSERT_TRUE(until([&] { return link("a0")->master == 0; }));
  EXPECT_EQ(link("a0")->master_kind, "");
}

TEST_F(MonitorInNamespace, ALinkThatMovesToAnotherNamespaceIsGone) {
  ip("link add a0 type veth peer name b0");
  open();
  // The other namespace is that of a child that lives until its end of the pipe is closed.
  std::array<int, 2> ready{};
  std::array<int, 2> stay{};
  ASSERT_EQ(::pipe2(ready.data(), O_CLOEXEC), 0);
  ASSERT_EQ(::pipe2(stay.data(), O_CLOEXEC), 0);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    ::close(stay[1]);
    char byte = ::unshare(CLONE_NEWNET) == 0 ? 'y' : 'n';
    if (::write(ready[1], &byte, 1) != 1) ::_exit(1);
    ::_exit(::read(stay[0], &byte, 1) == 0 ? 0 : 1);
  }
  char byte = 'n';
  ASSERT_EQ(::read(ready[0], &byte, 1), 1);
  ASSERT_EQ(byte, 'y');
  ip("link set a0 netns " + std::to_string(child));
  EXPECT_TRUE(until([&] { return link("a0") == nullptr; }));
  for (const int fd : {ready[0], ready[1], stay[0], stay[1]}) ::close(fd);
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
}

TEST_F(MonitorInNamespace, ManyEventsAreOneCall) {
  open();
  const int before = changes_;
  std::string lines;
  for (int i = 0; i < 500; ++i) lines += "link add d" + std::to_string(i) + " type bridge\n";
  batch(lines);
  ASSERT_TRUE(until([&] { return link("d499") != nullptr && changes_ > before; }));
  EXPECT_LE(changes_ - before, 40) << "500 events were waiting";
  expect_same_as_fresh();
}

TEST_F(MonitorInNamespace, EventsThatWereDroppedAreMadeUpForByReadingAnew) {
  open(4096);  // room for two or three events
  std::string lines;
  for (int i = 0; i < 200; ++i) lines += "link add d" + std::to_string(i) + " type bridge\n";
  for (int i = 0; i < 20; i += 2) lines += "link del d" + std::to_string(i) + "\n";
  lines += "link set d1 name last\naddr add 192.0.2.1/24 dev last\n";
  batch(lines);
  ASSERT_TRUE(until([&] { return link("last") != nullptr && !link("last")->addresses.empty(); }));
  EXPECT_GT(monitor_->overruns(), 0u);
  EXPECT_EQ(link("d0"), nullptr);
  expect_same_as_fresh();
}

TEST_F(MonitorInNamespace, LinksMadeAndDeletedWhileItReadsEndInTheTruth) {
  std::string lines;
  for (int i = 0; i < 400; ++i) lines += "link add d" + std::to_string(i) + " type bridge\n";
  batch(lines);
  FILE* churn = ::popen(
      "i=0; while [ $i -lt 20 ]; do echo link del d$i; echo link add e$i type bridge; "
      "echo addr add 192.0.2.1/24 dev e$i; i=$((i+1)); done | ip -batch -",
      "r");
  ASSERT_NE(churn, nullptr);
  open();
  ASSERT_EQ(::pclose(churn), 0);
  ASSERT_TRUE(until([&] { return link("e19") != nullptr && !link("e19")->addresses.empty(); }));
  expect_same_as_fresh();
}

TEST_F(MonitorInNamespace, FlipsOfOneNameEndWithTheLastIfindex) {
  open();
  std::string lines;
  for (int i = 0; i < 15; ++i) lines += "link add tap0 type bridge\nlink del tap0\n";
  lines += "link add tap0 type bridge\n";
  batch(lines);
  ASSERT_TRUE(until([&] { return link("tap0") != nullptr; }));
  expect_same_as_fresh();
}

}  // namespace
}  // namespace midonet::netlink::monitor_test
