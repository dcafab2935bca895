#include "store/recent.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>

#include "store/embedded_store.h"
#include "store/flaky_store.h"
#include "store/transaction.h"

namespace midonet::store::recent_test {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;

class RecentTest : public testing::Test {
 protected:
  RecentTest() { commit({Op::create("/a", "1"), Op::create("/a/x", ""), Op::create("/b", "2")}); }

  void commit(std::vector<Op> ops) {
    std::optional<Result<Revision>> answer;
    other_->commit(std::move(ops), [&](Result<Revision> result) { answer = std::move(result); });
    ASSERT_TRUE(loop_.run_until([&] { return answer.has_value(); }, 10s));
    ASSERT_TRUE(*answer) << answer->error().message;
  }
  // The value of a node, which is followed, as soon as it is known.
  std::string value(const std::string& path) {
    recent_->follow_node(path);
    EXPECT_TRUE(loop_.run_until([&] { return recent_->get(path) != nullptr; }, 10s));
    const NodePtr node = recent_->get(path);
    return node ? node->value : "unknown";
  }
  Recent::Names names(const std::string& path) {
    recent_->follow_list(path);
    EXPECT_TRUE(loop_.run_until([&] { return recent_->list(path).has_value(); }, 10s));
    return recent_->list(path).value_or(Recent::Names{"unknown"});
  }
  void settle() {
    bool over = false;
    const Timer timer = loop_.after(50ms, [&] { over = true; });
    ASSERT_TRUE(loop_.run_until([&] { return over; }, 10s));
  }
  // A digit more in /a, from what is recalled of it if that can be.
  Result<Revision> add(const std::function<void()>& before_done = [] {}) {
    std::optional<Result<Revision>> answer;
    transact(
        store_,
        [this, before_done](Transaction& t) -> Status {
          ++runs_;
          recalled_ = t.recall({"/a", "/b"});
          const auto node = t.get("/a");
          if (!node) return failed(node);
          before_done();
          if ((*node)->value == "full") return fail(Code::exhausted, "it is full");
          t.set("/a", (*node)->value + "+");
          return {};
        },
        [&](Result<Revision> result) { answer = std::move(result); }, recent_.get());
    EXPECT_TRUE(loop_.run_until([&] { return answer.has_value(); }, 10s));
    return *answer;
  }

  Loop loop_;
  std::shared_ptr<EmbeddedDatabase> database_ = *EmbeddedDatabase::open(loop_, ":memory:", 0ms);
  FlakyStore store_{[this] { return database_->session(); }};
  std::unique_ptr<Store> other_ = database_->session();
  std::unique_ptr<Recent> recent_ = std::make_unique<Recent>(loop_, store_, 4);
  int runs_ = 0;
  bool recalled_ = false;
};

TEST_F(RecentTest, WhatIsFollowedIsKnownAMomentLaterAndNotReadAgain) {
  EXPECT_FALSE(recent_->get("/a"));
  recent_->follow_node("/a");
  recent_->follow_list("/a");
  EXPECT_EQ(store_.gets + store_.lists, 0);
  EXPECT_FALSE(recent_->get("/a"));
  EXPECT_EQ(value("/a"), "1");
  EXPECT_THAT(names("/a"), ElementsAre("x"));
  EXPECT_EQ(store_.gets, 1);
  EXPECT_EQ(store_.lists, 1);
}

TEST_F(RecentTest, WhatIsOnlyAskedForIsNotFollowed) {
  EXPECT_FALSE(recent_->get("/a"));
  settle();
  EXPECT_FALSE(recent_->get("/a"));
  EXPECT_EQ(store_.gets, 0);
}

TEST_F(RecentTest, WhatChangedIsUnknownUntilItWasReadAgain) {
  EXPECT_EQ(value("/a"), "1");
  EXPECT_THAT(names("/a"), ElementsAre("x"));
  commit({Op::set("/a", "2"), Op::create("/a/y", "")});
  ASSERT_TRUE(loop_.run_until([&] { return !recent_->get("/a") && !recent_->list("/a"); }, 10s));
  EXPECT_EQ(value("/a"), "2");
  EXPECT_THAT(names("/a"), ElementsAre("x", "y"));
  for (int n = 3; n < 6; ++n) {
    commit({Op::set("/a", std::to_string(n))});
    settle();
    EXPECT_EQ(value("/a"), std::to_string(n));
  }
}

TEST_F(RecentTest, WhatIsGoneIsFollowedNoMoreAndLeavesNoWatch) {
  EXPECT_EQ(value("/b"), "2");
  EXPECT_THAT(names("/a"), ElementsAre("x"));
  commit({Op::remove("/b"), Op::remove("/a/x"), Op::remove("/a")});
  settle();
  EXPECT_EQ(store_.watching(), 0U);
  const int reads = store_.gets + store_.lists;
  commit({Op::create("/b", "new"), Op::create("/a", "")});
  settle();
  EXPECT_FALSE(recent_->get("/b"));
  EXPECT_FALSE(recent_->list("/a"));
  EXPECT_EQ(store_.gets + store_.lists, reads);
  EXPECT_EQ(value("/b"), "new");
}

TEST_F(RecentTest, OfMoreThanItHoldsTheOneThatNobodyAskedForTheLongestGoes) {
  commit({Op::create("/c", "3"), Op::create("/d", "4"), Op::create("/e", "5")});
  for (const char* path : {"/a", "/b", "/c", "/d"}) value(path);
  EXPECT_EQ(value("/a"), "1");
  EXPECT_EQ(value("/e"), "5");
  const int gets = store_.gets;
  EXPECT_EQ(value("/a"), "1");
  EXPECT_EQ(store_.gets, gets);
  // The watch of what went leads to nothing.
  commit({Op::set("/b", "new")});
  settle();
  EXPECT_EQ(store_.gets, gets);
  EXPECT_EQ(value("/b"), "new");
}

TEST_F(RecentTest, NothingIsKnownWhileTheStoreIsAwayAndAllAfterANewSessionAgain) {
  EXPECT_EQ(value("/a"), "1");
  store_.disconnect();
  EXPECT_FALSE(recent_->get("/a"));
  store_.reconnect();
  EXPECT_EQ(value("/a"), "1");
  store_.disconnect();
  commit({Op::set("/a", "meanwhile")});
  store_.lose_session();
  EXPECT_FALSE(recent_->get("/a"));
  EXPECT_EQ(value("/a"), "meanwhile");
}

TEST_F(RecentTest, WhatCouldNotBeReadIsFollowedNoMore) {
  recent_->follow_node("/a");
  store_.fail_next(Code::unavailable);
  settle();
  EXPECT_EQ(store_.gets, 1);
  EXPECT_FALSE(recent_->get("/a"));
  EXPECT_EQ(value("/a"), "1");
}

TEST_F(RecentTest, HearsOfNothingOnceItIsGone) {
  EXPECT_EQ(value("/a"), "1");
  recent_->follow_node("/b");
  ASSERT_TRUE(loop_.run_until([&] { return store_.gets == 2; }, 10s));
  recent_.reset();  // with one read under way, and a watch on /a
  commit({Op::set("/a", "2")});
  settle();
  EXPECT_EQ(store_.gets, 2);
}

TEST_F(RecentTest, ACommitMayGoOnFromItWithoutAnyRead) {
  ASSERT_TRUE(add());
  EXPECT_FALSE(recalled_);
  settle();  // what the first one asked for is followed since
  const int gets = store_.gets;
  runs_ = 0;
  ASSERT_TRUE(add());
  EXPECT_TRUE(recalled_);
  EXPECT_EQ(runs_, 1);
  EXPECT_EQ(store_.gets, gets);
  ASSERT_EQ(store_.last_commit.size(), 2U);
  EXPECT_EQ(store_.last_commit[1].kind, Op::Kind::check) << "of the node that was recalled and is not written";
  EXPECT_EQ(value("/a"), "1++");
}

// Or whoever names what does not exist would have the servers keep watches for ever.
TEST_F(RecentTest, WhatABodyThatFailedAskedForIsNotFollowed) {
  commit({Op::set("/a", "full")});
  EXPECT_EQ(add().error().code, Code::exhausted);
  const int gets = store_.gets;
  settle();
  EXPECT_EQ(store_.gets, gets);
  EXPECT_FALSE(recent_->get("/a"));
}

TEST_F(RecentTest, WhatACommitFoundAbsentIsNotFollowed) {
  std::optional<Result<Revision>> answer;
  transact(
      store_,
      [](Transaction& t) -> Status {
        t.recall({"/a", "/absent"}, {"/absent"});
        const auto node = t.get("/a");
        const auto absent = t.get("/absent");
        const auto names = t.list("/absent");
        if (!node) return failed(node);
        if (absent || names || absent.error().code == Code::pending) return fail(Code::pending, "it is read");
        t.set("/a", "2");
        return {};
      },
      [&](Result<Revision> result) { answer = std::move(result); }, recent_.get());
  ASSERT_TRUE(loop_.run_until([&] { return answer.has_value(); }, 10s));
  ASSERT_TRUE(*answer);
  settle();
  EXPECT_EQ(store_.watching(), 1U);
  EXPECT_TRUE(recent_->get("/a"));
}

TEST_F(RecentTest, ACommitThatWentOnFromWhatHadChangedReads) {
  for (const char* changed : {"/a", "/b"}) {
    commit({Op::set("/a", "1")});
    settle();
    EXPECT_EQ(value("/a"), "1");
    EXPECT_EQ(value("/b"), "2");
    runs_ = 0;
    store_.before_commit([&, once = true]() mutable {
      if (std::exchange(once, false))
        other_->commit({Op::set(changed, "2")}, [](const Result<Revision>& done) { EXPECT_TRUE(done); });
    });
    ASSERT_TRUE(add());
    EXPECT_FALSE(recalled_);
    EXPECT_EQ(runs_, 3) << "recalled and refused, reading, read";
    EXPECT_EQ(value("/a"), std::string(changed) == "/a" ? "2+" : "1+");
  }
}

TEST_F(RecentTest, AnErrorIsNeverDecidedByIt) {
  commit({Op::set("/a", "full")});
  EXPECT_EQ(value("/a"), "full");
  EXPECT_EQ(value("/b"), "2");
  // What another client committed already, and this one has not been told yet.
  bool first = true;
  const auto emptied = add([&] {
    if (std::exchange(first, false))
      other_->commit({Op::set("/a", "empty")}, [](const Result<Revision>& done) { EXPECT_TRUE(done); });
  });
  EXPECT_TRUE(emptied);
  EXPECT_EQ(value("/a"), "empty+");

  commit({Op::set("/a", "full")});
  settle();
  EXPECT_EQ(value("/a"), "full");
  const int gets = store_.gets;
  EXPECT_EQ(add().error().code, Code::exhausted);
  EXPECT_EQ(store_.gets, gets + 1) << "it was read before that was said";
}

}  // namespace
}  // namespace midonet::store::recent_test
