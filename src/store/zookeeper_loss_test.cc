// Servers that lost their data, or got back that of an earlier day.
#include <filesystem>

#include "store/zookeeper_fixture.h"

namespace midonet::store::zookeeper_loss_test {
namespace {

namespace fs = std::filesystem;

class ZookeeperLossTest : public ZookeeperTest {
 protected:
  static OpenOptions quick() {
    return {.patience = std::chrono::seconds(60), .session_timeout = std::chrono::seconds(2)};
  }
  void stop(ZookeeperServers& servers, const std::vector<Store*>& clients) {
    for (std::size_t i = 0; i < servers.size(); ++i) servers.kill(i);
    for (const Store* client : clients) ASSERT_TRUE(wait([&] { return client->state() == State::disconnected; }));
  }
};

TEST_F(ZookeeperLossTest, AStoreComesBackToServersThatLostTheirData) {
  ZookeeperServers server(1, 500);
  auto store = open(server.uri("/midonet"), quick());
  ASSERT_TRUE(commit(*store, {Op::create("/p", "old"), Op::create_ephemeral("/e", "")}));
  std::vector<State> states;
  const auto subscription = store->on_state([&](State state) { states.push_back(state); });
  bool fired = false;
  ASSERT_TRUE(get(*store, "/p", [&] { fired = true; }));
  stop(server, {store.get()});
  fs::remove_all(server.data(0) + "/version-2");
  server.start(0);
  ASSERT_TRUE(wait([&] { return store->state() == State::connected; }));
  EXPECT_EQ(states, (std::vector<State>{State::disconnected, State::new_session}));
  EXPECT_TRUE(fired);
  EXPECT_EQ(get(*store, "/p").error().code, Code::not_found);
  EXPECT_TRUE(commit(*store, {Op::create("/p", "new"), Op::create_ephemeral("/e", "")})) << "the root is made again";
}

TEST_F(ZookeeperLossTest, AStoreComesBackToServersThatWereRestoredFromABackup) {
  ZookeeperServers server(1, 500);
  auto store = open(server.uri("/midonet"), quick());
  ASSERT_TRUE(commit(*store, {Op::create("/p", "of the backup")}));
  stop(server, {store.get()});
  const std::string backup = server.data(0) + ".backup";
  fs::copy(server.data(0), backup, fs::copy_options::recursive);
  server.start(0);
  ASSERT_TRUE(wait([&] { return store->state() == State::connected; }));
  ASSERT_TRUE(commit(*store, {Op::set("/p", "later"), Op::create_ephemeral("/e", "")}));
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(commit(*store, {Op::create(fmt::format("/p/{}", i), "")}));

  std::vector<State> states;
  const auto subscription = store->on_state([&](State state) { states.push_back(state); });
  bool fired = false;
  ASSERT_TRUE(get(*store, "/p", [&] { fired = true; }));
  stop(server, {store.get()});
  fs::remove_all(server.data(0));
  fs::rename(backup, server.data(0));
  server.start(0);
  ASSERT_TRUE(wait([&] { return store->state() == State::connected; }));
  // Also when the servers still know the session: what was read of the later data counts no more.
  EXPECT_EQ(states.back(), State::new_session);
  EXPECT_TRUE(fired);
  const auto node = get(*store, "/p");
  ASSERT_TRUE(node);
  EXPECT_EQ((*node)->value, "of the backup");
  EXPECT_FALSE(get(*store, "/e"));
  EXPECT_TRUE(commit(*store, {Op::create_ephemeral("/e", "")}));
}

}  // namespace
}  // namespace midonet::store::zookeeper_loss_test
