// mm-ctl, the program: as the compute service runs it (umask 0, cwd /, pipes), against an agent that the test plays, and
// against the real store when there is none.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <filesystem>

#include "base/loop.h"
#include "model/paths.h"
#include "programs/child.h"
#include "store/transaction.h"
#include "store/uri.h"
#include "topology/attach.h"
#include "topology/bridges.h"
#include "topology/hosts.h"
#include "topology/ports.h"

namespace midonet::programs {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::StartsWith;
using namespace std::chrono_literals;

const std::string port = "aa59815a-8c66-4c2f-9f5e-1b6b3f0f5e01";
const std::string other_port = "bb59815a-8c66-4c2f-9f5e-1b6b3f0f5e02";
const std::string bridge = "cc59815a-8c66-4c2f-9f5e-1b6b3f0f5e03";
const std::string host = "11111111-2222-4333-8444-555555555555";
const std::string other_host = "66666666-2222-4333-8444-555555555555";
const std::string usage =
    "usage: mm-ctl --bind-port <portId> <interfaceName>\n"
    "       mm-ctl --unbind-port <portId>\n";

Uuid id(const std::string& text) { return *Uuid::parse(text); }

std::string answer(int status, const std::string& body) {
  return fmt::format("HTTP/1.1 {} X\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{}", status,
                     body.size(), body);
}
const std::string no_content = "HTTP/1.1 204 No Content\r\n\r\n";

class MmCtl : public ::testing::Test {
 protected:
  MmCtl() { write_file(host_id_file, "host_uuid=" + host + "\n"); }

  std::vector<std::string> command(std::vector<std::string> arguments, const std::string& timeout = "10") {
    std::vector<std::string> all{MIDONET_MM_CTL, "--socket",  socket,  "--store",       store_uri, "--host-id-file",
                                 host_id_file,   "--timeout", timeout, "--release-tap", "no"};
    all.insert(all.end(), arguments.begin(), arguments.end());
    return all;
  }
  Child start(std::vector<std::string> arguments, const std::string& timeout = "10") {
    return Child(command(std::move(arguments), timeout), [] { ::umask(0); });
  }
  Child start_bind() { return start({"--bind-port", port, "tap0"}); }
  static void expect_silent_success(const Ended& ended) {
    EXPECT_EQ(ended.status, 0);
    EXPECT_EQ(ended.out, "");
    EXPECT_EQ(ended.err, "");
  }
  static void expect_failure(const Ended& ended, int status, const std::string& line) {
    EXPECT_EQ(ended.status, status);
    EXPECT_EQ(ended.out, "");
    EXPECT_EQ(ended.err, line + "\n");
  }

  TemporaryDirectory directory;
  const std::string socket = directory / "midolman.sock";
  const std::string database = directory / "midonet.db";
  const std::string store_uri = "embedded:" + database;
  const std::string host_id_file = directory / "host_id";
};

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

  write_file(config, "release_tap = perhaps\n");
  expect_failure(
      run({MIDONET_MM_CTL, "--config", config, "--unbind-port", port}), 3,
      "mm-ctl: unbind port " + port + ": " + config + ": line 1: release_tap 'perhaps': choose auto, yes or no");
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

// ------------------------------------------------------------------------------------------------ without an agent

class MmCtlAlone : public MmCtl {
 protected:
  // Two hosts, a bridge and two ports.
  void SetUp() override {
    OpenStore store(store_uri);
    store.run([](store::Transaction& t) { return topology::register_host(t, id(host), "cmp1"); });
    store.run([](store::Transaction& t) { return topology::register_host(t, id(other_host), "cmp2"); });
    store.run([](store::Transaction& t) {
      model::Bridge made;
      made.id = id(bridge);
      return topology::create_bridge(t, made);
    });
    for (const std::string& one : {port, other_port}) {
      store.run([one](store::Transaction& t) {
        model::Port made;
        made.id = id(one);
        made.bridge_id = id(bridge);
        return topology::create_port(t, made);
      });
    }
  }

  // The store, open in this process for as long as this lives.
  struct OpenStore {
    explicit OpenStore(const std::string& uri) {
      auto opened = store::open(loop, uri, {.patience = 10s});
      EXPECT_TRUE(opened) << opened.error().message;
      store = *std::move(opened);
    }
    void run(std::function<Status(store::Transaction&)> body) {
      std::optional<Result<store::Revision>> outcome;
      store::transact(*store, std::move(body), [&](Result<store::Revision> result) { outcome = std::move(result); });
      EXPECT_TRUE(loop.run_until([&] { return outcome.has_value(); }, 10s));
      EXPECT_TRUE(outcome && *outcome) << (outcome ? outcome->error().message : "");
    }
    Loop loop;
    std::unique_ptr<store::Store> store;
  };

  // "interface@host", or "" for a port that is not bound. The binding at the host and the port's own record agree.
  std::string place(const std::string& which) {
    OpenStore store(store_uri);
    std::string found;
    store.run([&](store::Transaction& t) -> Status {
      const auto record = topology::read_port(t, id(which));
      if (!record) return tl::unexpected<Error>(record.error());
      found.clear();
      if (!record->record.host_id) return {};
      const auto binding = t.get(model::paths::binding(*record->record.host_id, id(which)));
      if (!binding) return tl::unexpected<Error>(binding.error());
      found = *record->record.interface_name + "@" + record->record.host_id->to_string();
      EXPECT_THAT((*binding)->value, HasSubstr(*record->record.interface_name));
      return {};
    });
    return found;
  }
  void bind_elsewhere(const std::string& which, const std::string& interface, const std::string& where) {
    OpenStore store(store_uri);
    store.run([&](store::Transaction& t) -> Status {
      const auto attached = topology::attach(t, {id(which), id(where), interface});
      return attached ? Status{} : tl::unexpected<Error>(attached.error());
    });
  }
};

TEST_F(MmCtlAlone, WritesTheBindingItself) {
  expect_silent_success(start_bind().wait());
  EXPECT_EQ(place(port), "tap0@" + host);
}

TEST_F(MmCtlAlone, MayBeRepeated) {
  for (int i = 0; i < 2; ++i) expect_silent_success(start_bind().wait());
  EXPECT_EQ(place(port), "tap0@" + host);
  for (int i = 0; i < 3; ++i) expect_silent_success(start({"--unbind-port", port}).wait());
  EXPECT_EQ(place(port), "");
}

TEST_F(MmCtlAlone, ReplacesASocketThatADeadAgentLeft) {
  {
    FakeAgent agent(socket);
    ASSERT_EQ(::link(socket.c_str(), (socket + ".kept").c_str()), 0);
  }
  std::filesystem::rename(socket + ".kept", socket);  // the file, and nobody who listens
  expect_silent_success(start_bind().wait());
  EXPECT_EQ(place(port), "tap0@" + host);
}

TEST_F(MmCtlAlone, TakesOverFromAnAgentThatDiesWithoutAnAnswer) {
  std::optional<FakeAgent> agent(std::in_place, socket);
  Child child = start_bind();
  {
    const UniqueFd connection = agent->accept();
    FakeAgent::read_request(connection.get());
    agent.reset();
  }
  expect_silent_success(child.wait());
  EXPECT_EQ(place(port), "tap0@" + host);
}

TEST_F(MmCtlAlone, TakesOverFromASilentAgentAfterHalfOfItsTime) {
  FakeAgent agent(socket);
  Child child = start({"--bind-port", port, "tap0"}, "1");
  const UniqueFd held = agent.accept();
  expect_silent_success(child.wait());
  EXPECT_EQ(place(port), "tap0@" + host);
}

TEST_F(MmCtlAlone, TakesAPortOverThatIsBoundOnAnotherHost) {
  bind_elsewhere(port, "tap9", other_host);
  expect_silent_success(start_bind().wait());
  EXPECT_EQ(place(port), "tap0@" + host);
}

TEST_F(MmCtlAlone, LeavesAPortBoundThatIsBoundOnAnotherHost) {
  bind_elsewhere(port, "tap9", other_host);
  expect_silent_success(start({"--unbind-port", port}).wait());
  EXPECT_EQ(place(port), "tap9@" + other_host);
}

TEST_F(MmCtlAlone, RefusesAnInterfaceThatCarriesAnotherPort) {
  bind_elsewhere(other_port, "tap0", host);
  const Ended ended = start_bind().wait();
  EXPECT_EQ(ended.status, 3);
  EXPECT_THAT(ended.err, MatchesRegex("mm-ctl: bind port [^\n]*" + other_port + "[^\n]*\n"));
  EXPECT_EQ(place(port), "");
}

TEST_F(MmCtlAlone, RefusesToBindAPortThatThereIsNot) {
  const std::string unknown = "dd59815a-8c66-4c2f-9f5e-1b6b3f0f5e04";
  const Ended ended = start({"--bind-port", unknown, "tap0"}).wait();
  EXPECT_EQ(ended.status, 3);
  EXPECT_THAT(ended.err, EndsWith("There is no Port with ID " + unknown + ".\n"));
  EXPECT_THAT(ended.err, ::testing::Not(HasSubstr("\n ")));
}

TEST_F(MmCtlAlone, UnbindsAPortThatThereIsNotWithSuccess) {
  expect_silent_success(start({"--unbind-port", "dd59815a-8c66-4c2f-9f5e-1b6b3f0f5e04"}).wait());
}

TEST_F(MmCtlAlone, Exits2WithoutAHostId) {
  std::filesystem::remove(host_id_file);
  expect_failure(start_bind().wait(), 2,
                 "mm-ctl: bind port " + port + " to tap0: the agent at " + socket +
                     " does not answer: No such file or directory (ENOENT); without it: there is no host id: read " +
                     host_id_file + ": No such file or directory (ENOENT)");
  write_file(host_id_file, "host_uuid=nonsense\n");
  const Ended ended = start({"--unbind-port", port}).wait();
  EXPECT_EQ(ended.status, 2);
  EXPECT_THAT(ended.err, EndsWith("line 1: 'nonsense' is not a UUID\n"));
}

TEST_F(MmCtlAlone, NeverMakesAStore) {
  std::filesystem::remove_all(database);
  const Ended ended = start_bind().wait();
  EXPECT_EQ(ended.status, 3);
  EXPECT_THAT(ended.err, EndsWith("open the store " + store_uri + ": No such file or directory (ENOENT)\n"));
  EXPECT_FALSE(std::filesystem::exists(database));
}

TEST_F(MmCtlAlone, WaitsUntilTheStoreIsFree) {
  std::optional<OpenStore> agents(std::in_place, store_uri);
  Child child = start_bind();
  (void)agents->loop.run_until([] { return false; }, 250ms);  // an agent that does other things meanwhile
  agents.reset();
  expect_silent_success(child.wait());
  EXPECT_EQ(place(port), "tap0@" + host);
}

TEST_F(MmCtlAlone, AsksTheAgentThatIsStartingWithTheStoreInItsHands) {
  const OpenStore agents(store_uri);
  Child child = start_bind();
  FakeAgent agent(socket);
  EXPECT_THAT(agent.serve(answer(200, "{}")), StartsWith("PUT /binding/" + port));
  expect_silent_success(child.wait());
}

TEST_F(MmCtlAlone, GivesUpOnAStoreInUseAtItsDeadlineAndNamesItsUser) {
  const OpenStore agents(store_uri);
  const auto before = std::chrono::steady_clock::now();
  const Ended ended = start({"--bind-port", port, "tap0"}, "0.5").wait();
  EXPECT_LT(std::chrono::steady_clock::now() - before, 3s);
  EXPECT_EQ(ended.status, 3);
  EXPECT_THAT(ended.err, HasSubstr(fmt::format("is in use by process {} ", ::getpid())));
}

TEST_F(MmCtlAlone, SucceedsTwentyTimesAtOnce) {
  std::vector<Child> children;
  for (int i = 0; i < 20; ++i) children.push_back(start({"--bind-port", port, "tap0"}, "60"));
  for (Child& child : children) expect_silent_success(child.wait());
  EXPECT_EQ(place(port), "tap0@" + host);
}

TEST_F(MmCtlAlone, MakesNoFileThatOthersMayRead) {
  std::filesystem::remove(database + ".lock");
  expect_silent_success(start_bind().wait());
  for (const auto& entry : std::filesystem::directory_iterator(directory.path())) {
    const std::string name = entry.path().filename();
    if (!name.starts_with("midonet.db")) continue;
    EXPECT_EQ(static_cast<unsigned>(entry.status().permissions()) & 077, 0U) << name;
  }
}

// ---------------------------------------------------------------------------------------------- not permitted

class MmCtlAsNobody : public MmCtlAlone {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root, to become somebody else";
    MmCtlAlone::SetUp();
    ::chmod(directory.path().c_str(), 0755);
  }
  Ended as_nobody(std::vector<std::string> arguments) {
    return run(command(std::move(arguments)), [] {
      if (::setgroups(0, nullptr) != 0 || ::setresgid(65534, 65534, 65534) != 0 ||
          ::setresuid(65534, 65534, 65534) != 0)
        ::_exit(125);
    });
  }
};

TEST_F(MmCtlAsNobody, Exits13AtTheAgentsSocket) {
  const FakeAgent agent(socket, 0600);
  expect_failure(as_nobody({"--bind-port", port, "tap0"}), 13,
                 "mm-ctl: bind port " + port + " to tap0: the agent at " + socket +
                     " does not answer: Permission denied (EACCES)");
}

TEST_F(MmCtlAsNobody, Exits13AtTheStore) {
  const Ended ended = as_nobody({"--bind-port", port, "tap0"});
  EXPECT_EQ(ended.status, 13);
  EXPECT_THAT(ended.err, HasSubstr("Permission denied (EACCES)"));
}

TEST_F(MmCtlAsNobody, Exits13AtTheHostId) {
  ::chmod(host_id_file.c_str(), 0600);
  EXPECT_EQ(as_nobody({"--unbind-port", port}).status, 13);
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
}  // namespace midonet::programs
