// The ZooKeeper store on three servers of which some die.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <set>
#include <thread>

#include "store/zookeeper_fixture.h"

namespace midonet::store::zookeeper_ensemble_test {
namespace {

using namespace std::chrono_literals;

class ZookeeperEnsembleTest : public ZookeeperTest {};

// As when a test or a benchmark is ended in the middle.
TEST_F(ZookeeperEnsembleTest, NothingIsLeftBehindByAProcessThatIsKilled) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe(ends.data()), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const ZookeeperServers servers(1);
    const std::string& directory = servers.directory();
    if (::write(ends[1], directory.data(), directory.size()) < 0) ::_exit(1);
    ::pause();
    ::_exit(0);
  }
  std::array<char, 256> name{};
  const ssize_t got = ::read(ends[0], name.data(), name.size());
  ASSERT_GT(got, 0);
  const std::string directory(name.data(), static_cast<std::size_t>(got));
  EXPECT_TRUE(std::filesystem::exists(directory));
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  const auto deadline = std::chrono::steady_clock::now() + 30s;
  while (std::filesystem::exists(directory) && std::chrono::steady_clock::now() < deadline)
    std::this_thread::sleep_for(10ms);
  EXPECT_FALSE(std::filesystem::exists(directory));
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST_F(ZookeeperEnsembleTest, NoAcknowledgedCommitIsLostWhenServersDie) {
  ZookeeperServers servers(3);
  auto store = open(servers.uri("/midonet"));
  auto other = open(servers.uri("/midonet"));
  ASSERT_TRUE(commit(*store, {Op::create("/p", "")}));
  std::set<std::string> acknowledged;
  int number = 0;
  int unknown = 0;
  const auto write = [&](int count) {
    for (int i = 0; i < count; ++i) {
      const std::string name = fmt::format("{:04}", ++number);
      const auto done = commit(number % 2 == 0 ? *store : *other, {Op::create("/p/" + name, name)});
      if (done) {
        acknowledged.insert(name);
      } else {
        EXPECT_EQ(done.error().code, Code::unavailable) << done.error().message;
        ++unknown;
      }
    }
  };
  write(20);
  ASSERT_LT(servers.leader(), servers.size());
  const std::size_t follower = (servers.leader() + 1) % 3;
  servers.kill(follower);
  write(20);
  servers.start(follower);
  ASSERT_TRUE(servers.wait());
  const std::size_t leader = servers.leader();
  ASSERT_LT(leader, servers.size());
  servers.kill(leader);
  write(20);  // from the moment of the election on
  servers.start(leader);
  ASSERT_TRUE(servers.wait());
  write(20);
  // What was under way at the moment of a kill is not known to have been done: one for each client and kill at most.
  EXPECT_LE(unknown, 4);
  const auto names = list(*store, "/p");
  ASSERT_TRUE(names) << names.error().message;
  for (const std::string& name : acknowledged) {
    EXPECT_TRUE(std::binary_search(names->begin(), names->end(), name)) << name;
  }
  EXPECT_LE(names->size(), acknowledged.size() + static_cast<std::size_t>(unknown));
}

TEST_F(ZookeeperEnsembleTest, AnOutageOfAllServersIsADelayAndTheSessionGoesOn) {
  ZookeeperServers servers(3);
  auto store = open(servers.uri("/midonet"));
  auto other = open(servers.uri("/midonet"));
  ASSERT_TRUE(commit(*store, {Op::create("/p", ""), Op::create_ephemeral("/e", "")}));
  const std::int64_t session = store->session();
  bool fired = false;
  ASSERT_TRUE(get(*store, "/p", [&] { fired = true; }));
  for (std::size_t i = 0; i < servers.size(); ++i) servers.kill(i);
  ASSERT_TRUE(wait([&] { return store->state() == State::disconnected; }));
  for (std::size_t i = 0; i < servers.size(); ++i) servers.start(i);
  ASSERT_TRUE(commit(*other, {Op::set("/p", "x")}));
  EXPECT_TRUE(wait([&] { return fired; }));
  EXPECT_EQ(store->session(), session);
  EXPECT_TRUE(get(*store, "/e"));
}

}  // namespace
}  // namespace midonet::store::zookeeper_ensemble_test
