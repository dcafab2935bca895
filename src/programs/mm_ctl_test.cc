// mm-ctl, the program: as the compute service runs it (umask 0, cwd /, pipes), against an agent that the test plays.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <filesystem>

#include "programs/mm_ctl_fixture.h"

namespace midonet::programs::mm_ctl_test {
namespace {

using ::testing::EndsWith;
using ::testing::MatchesRegex;
using ::testing::StartsWith;
using namespace std::chrono_literals;

TEST_F(MmCtl, AsksTheAgentToBind) {
  FakeAgent agent(socket);
  Child child = start_bind();
  const std::string body = R"({"interfaceName":"tap0"})";
  EXPECT_EQ(agent.serve(answer(200, R"({"portId": ")" + port + "\"}")),
            "PUT /binding/" + port +
                " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
                "Content-Type: application/json\r\nContent-Length: " +
                std::to_string(body.size()) + "\r\n\r\n" + body);
  expect_silent_success(child.wait());
  EXPECT_FALSE(std::filesystem::exists(database));
}

TEST_F(MmCtl, AsksTheAgentToUnbind) {
  FakeAgent agent(socket);
  Child child = start({"--unbind-port", "AA59815A-8C66-4C2F-9F5E-1B6B3F0F5E01"});
  EXPECT_EQ(agent.serve(no_content),
            "DELETE /binding/" + port + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  expect_silent_success(child.wait());
}

TEST_F(MmCtl, PassesAnOddInterfaceNameOnUnharmed) {
  FakeAgent agent(socket);
  Child child = start({"--bind-port", port, R"(a"b\c)"});
  EXPECT_THAT(agent.serve(answer(200, "{}")), EndsWith(R"({"interfaceName":"a\"b\\c"})"));
  expect_silent_success(child.wait());
}

TEST_F(MmCtl, TakesTheAgentsRefusalAsFinal) {
  FakeAgent agent(socket);
  Child child = start_bind();
  agent.serve(answer(409, R"({"message": "Interface tap0 is already bound\nto port x.", "code": 409})"));
  expect_failure(child.wait(), 3, "mm-ctl: bind port " + port + " to tap0: Interface tap0 is already bound to port x.");
  EXPECT_FALSE(std::filesystem::exists(database));
}

TEST_F(MmCtl, TellsTheStatusOfAnAgentThatGivesNoReason) {
  FakeAgent agent(socket);
  Child child = start({"--unbind-port", port});
  agent.serve(answer(500, "oops"));
  expect_failure(child.wait(), 3, "mm-ctl: unbind port " + port + ": the agent answers with HTTP status 500");
}

TEST_F(MmCtl, Exits13WhenTheAgentForbidsIt) {
  FakeAgent agent(socket);
  Child child = start_bind();
  agent.serve(answer(403, R"({"message": "not you"})"));
  expect_failure(child.wait(), 13, "mm-ctl: bind port " + port + " to tap0: not you");
}

TEST_F(MmCtl, AsksAgainWhileTheAgentsStoreDoesNotAnswer) {
  FakeAgent agent(socket);
  Child child = start_bind();
  agent.serve(answer(503, R"({"message": "the store does not answer"})"));
  agent.serve(answer(503, R"({"message": "the store does not answer"})"));
  agent.serve(answer(200, "{}"));
  expect_silent_success(child.wait());
}

TEST_F(MmCtl, RefusesAnAgentThatSpeaksSomethingElse) {
  FakeAgent agent(socket);
  Child child = start_bind();
  agent.serve("SSH-2.0-OpenSSH_9.2\r\n");
  expect_failure(child.wait(), 3,
                 "mm-ctl: bind port " + port + " to tap0: the agent at " + socket +
                     ": the answer is not HTTP/1.1: its first line");
}

TEST_F(MmCtl, GivesUpOnASilentAgentAtItsDeadline) {
  FakeAgent agent(socket);
  const auto before = std::chrono::steady_clock::now();
  Child child = start({"--bind-port", port, "tap0"}, "0.4");
  const UniqueFd held = agent.accept();
  const Ended ended = child.wait();
  const auto took = std::chrono::steady_clock::now() - before;
  expect_failure(ended, 3,
                 "mm-ctl: bind port " + port + " to tap0: the agent at " + socket +
                     " does not answer in time; without it: open the store " + store_uri +
                     ": No such file or directory (ENOENT)");
  EXPECT_GE(took, 200ms);  // half of the time is the agent's
  EXPECT_LT(took, 2s);
}

TEST_F(MmCtl, TalksToTwentyAtOnce) {
  FakeAgent agent(socket);
  std::vector<Child> children;
  for (int i = 0; i < 20; ++i) children.push_back(start({"--bind-port", port, fmt::format("tap{}", i)}));
  for (int i = 0; i < 20; ++i) agent.serve(answer(200, "{}"));
  for (Child& child : children) expect_silent_success(child.wait());
}

TEST_F(MmCtl, SaysHowItIsUsedInTwoLines) {
  const std::vector<std::vector<std::string>> wrong{{},
                                                    {"--bind-port"},
                                                    {"--bind-port", port},
                                                    {"--bind-port", port, "tap0", "x"},
                                                    {"--unbind-port"},
                                                    {"--unbind-port", port, "tap0"},
                                                    {"--nonsense"},
                                                    {"-h"},
                                                    {"--bind-port", port, "tap0", "--timeout", "soon"}};
  for (std::vector<std::string> arguments : wrong) {
    arguments.insert(arguments.begin(), MIDONET_MM_CTL);
    const Ended ended = run(arguments);
    EXPECT_EQ(ended.status, 1);
    EXPECT_EQ(ended.out, "");
    EXPECT_EQ(ended.err, usage);
  }
}

TEST_F(MmCtl, RefusesIllFormedArgumentsBeforeItAsksAnybody) {
  expect_failure(start({"--bind-port", "tap0", port}).wait(), 3,
                 "mm-ctl: bind port tap0 to " + port + ": 'tap0' is not a UUID");
  expect_failure(start({"--unbind-port", ""}).wait(), 3, "mm-ctl: unbind port : '' is not a UUID");
  const Ended ended = start({"--bind-port", port, "a\nb"}).wait();
  EXPECT_EQ(ended.status, 3);
  EXPECT_THAT(ended.err, StartsWith("mm-ctl: bind port " + port + " to a b: the interface name 'a b' contains"));
}

TEST_F(MmCtl, ExplainsItselfOnRequest) {
  const Ended help = run({MIDONET_MM_CTL, "--help"});
  EXPECT_EQ(help.status, 0);
  EXPECT_THAT(help.out, StartsWith(usage));
  EXPECT_EQ(help.err, "");
  const Ended version = run({MIDONET_MM_CTL, "--version"});
  EXPECT_EQ(version.status, 0);
  EXPECT_THAT(version.out, MatchesRegex("mm-ctl [0-9]+\\.[0-9]+\\.[0-9]+\n"));
}

TEST_F(MmCtl, FindsTheSocketByTheAgentsConfiguration) {
  FakeAgent agent(socket);
  const std::string config = directory / "midolman.conf";
  write_file(config, "store = embedded:/nowhere\nrun-dir = " + directory.path() + "\n");
  Child child({MIDONET_MM_CTL, "--config", config, "--unbind-port", port});
  agent.serve(no_content);
  expect_silent_success(child.wait());

  write_file(config, "release-tap = perhaps\n");
  expect_failure(run({MIDONET_MM_CTL, "--config", config, "--unbind-port", port}), 3,
                 "mm-ctl: unbind port " + port + ": " + config + ":1: release-tap 'perhaps': choose auto, yes or no");
}

TEST_F(MmCtl, WorksWithItsStandardStreamsClosed) {
  FakeAgent agent(socket);
  Child child(command({"--unbind-port", port}), [] {
    ::close(STDIN_FILENO);
    ::close(STDOUT_FILENO);
    ::close(STDERR_FILENO);
  });
  agent.serve(answer(409, "{}"));
  EXPECT_EQ(child.wait().status, 3);
}

// -------------------------------------------------------------------------------------------- releasing the tap

class MmCtlReleasesTap : public MmCtl {
 protected:
  void SetUp() override {
    if (::unshare(CLONE_NEWNET) != 0) GTEST_SKIP() << "no network namespace of our own: " << std::strerror(errno);
    const UniqueFd fd(::open("/dev/net/tun", O_RDWR | O_CLOEXEC));
    ifreq request{};
    std::strncpy(request.ifr_name, "tap0", IFNAMSIZ - 1);
    request.ifr_flags = IFF_TAP | IFF_NO_PI;
    ASSERT_EQ(::ioctl(fd.get(), TUNSETIFF, &request), 0);
    ASSERT_EQ(::ioctl(fd.get(), TUNSETPERSIST, 1), 0);
  }
  Child start_bind(const char* choice) {
    return Child({MIDONET_MM_CTL, "--socket", socket, "--release-tap", choice, "--bind-port", port, "tap0"});
  }
  static bool there() { return ::if_nametoindex("tap0") != 0; }
};

TEST_F(MmCtlReleasesTap, AfterTheBindingIsRecorded) {
  FakeAgent agent(socket);
  Child child = start_bind("yes");
  const UniqueFd connection = agent.accept();
  FakeAgent::read_request(connection.get());
  EXPECT_TRUE(there());
  const std::string ok = answer(200, "{}");
  ASSERT_GT(::send(connection.get(), ok.data(), ok.size(), MSG_NOSIGNAL), 0);
  expect_silent_success(child.wait());
  EXPECT_FALSE(there());
}

TEST_F(MmCtlReleasesTap, NotWhenTheBindingFails) {
  FakeAgent agent(socket);
  Child child = start_bind("yes");
  agent.serve(answer(409, "{}"));
  EXPECT_EQ(child.wait().status, 3);
  EXPECT_TRUE(there());
}

TEST_F(MmCtlReleasesTap, NotWhenToldNotTo) {
  FakeAgent agent(socket);
  Child child = start_bind("no");
  agent.serve(answer(200, "{}"));
  expect_silent_success(child.wait());
  EXPECT_TRUE(there());
}

TEST_F(MmCtlReleasesTap, NotByItselfWhenItsNameIsNotNovas) {
  FakeAgent agent(socket);
  Child child = start_bind("auto");
  agent.serve(answer(200, "{}"));
  expect_silent_success(child.wait());
  EXPECT_TRUE(there());
}

}  // namespace
}  // namespace midonet::programs::mm_ctl_test
