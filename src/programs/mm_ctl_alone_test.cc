// mm-ctl, the program, without an agent: it writes the binding itself, into the real store.
#include <gmock/gmock.h>
#include <grp.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>

#include "base/loop.h"
#include "model/paths.h"
#include "programs/mm_ctl_fixture.h"
#include "store/transaction.h"
#include "store/uri.h"
#include "topology/attach.h"
#include "topology/bridges.h"
#include "topology/hosts.h"
#include "topology/ports.h"

namespace midonet::programs::mm_ctl_alone_test {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::StartsWith;
using namespace std::chrono_literals;

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
      if (!record) return failed(record);
      found.clear();
      if (!record->record.host_id) return {};
      const auto binding = t.get(model::paths::binding(*record->record.host_id, id(which)));
      if (!binding) return failed(binding);
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
      return attached ? Status{} : failed(attached);
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
  std::filesystem::rename(socket + ".kept", socket);  // the file, and no listener
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
    if (::geteuid() != 0) GTEST_SKIP() << "needs root, to become another user";
    MmCtlAlone::SetUp();
    ::chmod(directory.path().c_str(), 0755);
  }
  Ended as_nobody(std::vector<std::string> arguments) {
    // A copy that another user can reach: the build may lie in a folder that is root's alone.
    std::vector<std::string> words = command(std::move(arguments));
    const std::string program = directory.path() + "/mm-ctl";
    std::filesystem::copy_file(words[0], program, std::filesystem::copy_options::overwrite_existing);
    words[0] = program;
    return run(words, [] {
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

}  // namespace
}  // namespace midonet::programs::mm_ctl_alone_test
