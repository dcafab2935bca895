// With real taps, in a network namespace of the test's own (each test is a process). Needs root.
#include "cli/tap.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "base/unique_fd.h"

namespace midonet::cli::tap_test {
namespace {

class TapTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::unshare(CLONE_NEWNET) != 0) GTEST_SKIP() << "no network namespace of our own: " << std::strerror(errno);
  }

  // A tap that this process has open; with `persist` it outlives that.
  static UniqueFd open_tap(const char* name, bool persist, short more_flags = 0) {
    UniqueFd fd(::open("/dev/net/tun", O_RDWR | O_CLOEXEC));
    EXPECT_TRUE(fd) << std::strerror(errno);
    ifreq request{};
    std::strncpy(request.ifr_name, name, IFNAMSIZ - 1);
    request.ifr_flags = static_cast<short>(IFF_TAP | IFF_NO_PI | more_flags);
    EXPECT_EQ(::ioctl(fd.get(), TUNSETIFF, &request), 0) << std::strerror(errno);
    EXPECT_EQ(::ioctl(fd.get(), TUNSETPERSIST, persist ? 1 : 0), 0);
    return fd;
  }
  static bool exists(const std::string& name) {
    const auto tap = find_tap(name);
    return tap || tap.error().code != Code::not_found;
  }
};

TEST_F(TapTest, OfNovaIsReleased) {
  open_tap("tap0", true).reset();
  const auto tap = find_tap("tap0");
  ASSERT_TRUE(tap) << tap.error().message;
  EXPECT_TRUE(tap->persistent);
  EXPECT_FALSE(tap->open);
  EXPECT_TRUE(release_tap("tap0"));
  EXPECT_FALSE(exists("tap0"));
}

TEST_F(TapTest, OfSeveralQueuesIsReleasedToo) {
  open_tap("tap0", true, IFF_MULTI_QUEUE).reset();
  EXPECT_TRUE(release_tap("tap0"));
  EXPECT_FALSE(exists("tap0"));
}

TEST_F(TapTest, ThatAHypervisorHasOpenIsLeftAlone) {
  const UniqueFd single = open_tap("tap0", true);
  const UniqueFd several = open_tap("tap1", true, IFF_MULTI_QUEUE);
  for (const char* name : {"tap0", "tap1"}) {
    const auto tap = find_tap(name);
    ASSERT_TRUE(tap);
    EXPECT_TRUE(tap->open);
    EXPECT_TRUE(release_tap(name));
    EXPECT_TRUE(exists(name));
  }
}

TEST_F(TapTest, ThatIsNotPersistentIsLeftAlone) {
  const UniqueFd held = open_tap("tap0", false);
  EXPECT_TRUE(release_tap("tap0"));
  EXPECT_TRUE(exists("tap0"));
}

TEST_F(TapTest, ThatIsGoneOrIsNoTapIsNoError) {
  EXPECT_TRUE(release_tap("tap0"));
  EXPECT_TRUE(release_tap("lo"));
  EXPECT_EQ(find_tap("lo").error().code, Code::conflict);
  EXPECT_EQ(find_tap("tap0").error().code, Code::not_found);
}

TEST_F(TapTest, OfLayer3IsNoTap) {
  UniqueFd fd(::open("/dev/net/tun", O_RDWR | O_CLOEXEC));
  ifreq request{};
  std::strncpy(request.ifr_name, "tun0", IFNAMSIZ - 1);
  request.ifr_flags = IFF_TUN | IFF_NO_PI;
  ASSERT_EQ(::ioctl(fd.get(), TUNSETIFF, &request), 0);
  ASSERT_EQ(::ioctl(fd.get(), TUNSETPERSIST, 1), 0);
  fd.reset();
  EXPECT_TRUE(release_tap("tun0"));
  EXPECT_TRUE(exists("tun0"));
}

TEST(NovaTapName, IsTapAndTheFirstElevenCharactersOfThePort) {
  EXPECT_EQ(nova_tap_name(*Uuid::parse("aa59815a-8c66-4c2f-9f5e-1b6b3f0f5e01")), "tapaa59815a-8c");
}

// A system's library folder with the link that a version of libvirt installs; gone at the end.
class LibvirtTest : public ::testing::Test {
 protected:
  bool makes_its_taps(const char* folder, const char* target) {
    const std::filesystem::path lib = root_ + folder;
    std::filesystem::create_directories(lib);
    std::filesystem::create_symlink(target, lib / "libvirt.so.0");
    const bool result = libvirt_makes_its_taps(root_);
    std::filesystem::remove(lib / "libvirt.so.0");
    return result;
  }
  void SetUp() override {
    char name[] = "/tmp/midonet-libvirt-XXXXXX";
    ASSERT_NE(::mkdtemp(name), nullptr);
    root_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(root_); }
  std::string root_;
};

TEST_F(LibvirtTest, From9OnMakesItsTaps) {
  EXPECT_FALSE(libvirt_makes_its_taps(root_));
  EXPECT_FALSE(makes_its_taps("/usr/lib/x86_64-linux-gnu", "libvirt.so.0.8005.0"));
  EXPECT_TRUE(makes_its_taps("/usr/lib/x86_64-linux-gnu", "libvirt.so.0.9000.0"));
  EXPECT_TRUE(makes_its_taps("/usr/lib64", "/usr/lib64/libvirt.so.0.10010.2"));
  EXPECT_FALSE(makes_its_taps("/usr/lib", "something-else.so"));
}

}  // namespace
}  // namespace midonet::cli::tap_test
