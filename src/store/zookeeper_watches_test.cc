// The watches that stores keep with the servers: those that a caller waits for, and no others.
#include "store/mirror.h"
#include "store/zookeeper_fixture.h"

namespace midonet::store::zookeeper_watches_test {
namespace {

class ZookeeperWatchesTest : public ZookeeperTest {
 protected:
  std::int64_t watches() { return shared_server().counters(0)["zk_watch_count"]; }
  [[nodiscard]] bool wait_watches(std::int64_t count) {
    return loop_.run_until([&] { return watches() <= count; }, std::chrono::seconds(20));
  }
  // A node that comes, is watched, and goes.
  void cycle(Store& other, const std::string& name, const std::function<void(const std::string&)>& while_there) {
    const std::string path = "/p/" + name;
    ASSERT_TRUE(commit(other, {Op::create(path, ""), Op::create(path + "/c", "")}));
    while_there(path);
    ASSERT_TRUE(commit(other, {Op::remove(path + "/c"), Op::remove(path)}));
  }
};

TEST_F(ZookeeperWatchesTest, AMirrorWhosePathsComeAndGoLeavesNoWatch) {
  auto store = open(shared_server().uri(fresh_root()));
  auto other = open(store->uri());
  ASSERT_TRUE(commit(*other, {Op::create("/p", "")}));
  bool changed = false;
  std::set<std::string> wanted;
  Mirror mirror(loop_, *store, [&] { changed = true; });
  const auto read = [&] {
    return mirror.read([&](View& view) -> Status {
      Status status;
      for (const std::string& path : wanted) {
        for (const auto& error : {view.get(path).map([](const auto&) {}), view.list(path).map([](const auto&) {}),
                                  view.get(path + "/absent").map([](const auto&) {})})
          if (!error && error.error().code == Code::pending) status = error;
      }
      return status;
    });
  };
  const auto read_all = [&] {
    changed = true;
    ASSERT_TRUE(wait([&] { return std::exchange(changed, false) && read(); }));
  };
  wanted = {"/p"};
  read_all();
  ASSERT_EQ(mirror.followed(), 3U);
  const std::int64_t before = watches();
  for (int i = 0; i < 300; ++i) {
    cycle(*other, std::to_string(i), [&](const std::string& path) {
      wanted.insert(path);
      read_all();
    });
    // Half of them are not asked for any more before the mirror has heard that they are gone.
    if (i % 2 == 0) {
      ASSERT_TRUE(wait([&] { return changed; }));
      read_all();
    }
    wanted = {"/p"};
    read_all();
    ASSERT_EQ(mirror.followed(), 3U);
  }
  EXPECT_TRUE(wait_watches(before)) << watches() << " watches, and " << before << " before";
}

TEST_F(ZookeeperWatchesTest, MirrorsThatComeAndGoLeaveFewWatches) {
  auto store = open(shared_server().uri(fresh_root()));
  const std::int64_t before = watches();
  for (int i = 0; i < 400; ++i) {
    bool changed = false;
    Mirror mirror(loop_, *store, [&] { changed = true; });
    static_cast<void>(
        mirror.read([&](View& view) { return view.get(fmt::format("/absent{}", i)).map([](const auto&) {}); }));
    ASSERT_TRUE(wait([&] { return changed; }));
  }
  EXPECT_TRUE(wait_watches(before + 64)) << watches() << " watches, and " << before << " before";
}

TEST_F(ZookeeperWatchesTest, ARemovalThatALostConnectionInterruptedIsMadeUpFor) {
  auto store = open(shared_server().uri(fresh_root()));
  const std::int64_t before = watches();
  auto owner = std::make_shared<int>();
  for (int i = 0; i < 50; ++i)
    static_cast<void>(get(*store, fmt::format("/absent{}", i), Notify(std::weak_ptr(owner), [] { ADD_FAILURE(); })));
  owner.reset();
  shared_server().kill(0);
  ASSERT_TRUE(wait([&] { return store->state() == State::disconnected; }));
  for (int i = 0; i < 50; ++i) store->release(fmt::format("/absent{}", i));
  shared_server().start(0);
  ASSERT_TRUE(wait([&] { return store->state() == State::connected; }));
  EXPECT_TRUE(wait_watches(before)) << watches() << " watches, and " << before << " before";
}

}  // namespace
}  // namespace midonet::store::zookeeper_watches_test
