#include "store/transaction.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>

#include "store/embedded_store.h"
#include "store/flaky_store.h"
#include "store/hint.h"

namespace midonet::store::transaction_test {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using Names = std::vector<std::string>;

class TransactionTest : public testing::Test {
 protected:
  TransactionTest() { commit({Op::create("/a", "1"), Op::create("/a/x", ""), Op::create("/b", "2")}); }

  template <class T>
  Result<T> run(std::function<Result<T>(Transaction&)> body) {
    std::optional<Result<T>> answer;
    transact<T>(store_, std::move(body), [&](Result<T> result) { answer = std::move(result); });
    EXPECT_FALSE(answer) << "answered inside the call";
    EXPECT_TRUE(loop_.run_until([&] { return answer.has_value(); }, 10s));
    return *answer;
  }
  Result<Revision> run_untyped(std::function<Status(Transaction&)> body) {
    std::optional<Result<Revision>> answer;
    transact(store_, std::move(body), [&](Result<Revision> result) { answer = std::move(result); });
    EXPECT_TRUE(loop_.run_until([&] { return answer.has_value(); }, 10s));
    return *answer;
  }
  void commit(std::vector<Op> ops) {
    std::optional<Result<Revision>> answer;
    other_->commit(std::move(ops), [&](Result<Revision> result) { answer = std::move(result); });
    ASSERT_TRUE(loop_.run_until([&] { return answer.has_value(); }, 10s));
    ASSERT_TRUE(*answer) << answer->error().message;
  }
  // What another client commits just before this one's next `times` commits reach the store.
  void race(int times, std::function<std::vector<Op>()> ops) {
    store_.before_commit([this, left = times, ops = std::move(ops)]() mutable {
      if (left-- > 0) other_->commit(ops(), [](const Result<Revision>& done) { EXPECT_TRUE(done); });
    });
  }
  std::string value(const std::string& path) {
    const auto node = run<std::string>([&](Transaction& t) -> Result<std::string> {
      const auto read = t.get(path);
      if (!read) return failed(read);
      return (*read)->value;
    });
    return node ? *node : std::string(name(node.error().code));
  }

  Loop loop_;
  std::shared_ptr<EmbeddedDatabase> database_ = *EmbeddedDatabase::open(loop_, ":memory:", 0ms);
  FlakyStore store_{[this] { return database_->session(); }};
  std::unique_ptr<Store> other_ = database_->session();
};

// Adds a digit to what stands in /a.
Status add(Transaction& t, const std::string& digit) {
  const auto node = t.get("/a");
  if (!node) return failed(node);
  t.set("/a", (*node)->value + digit);
  return {};
}

TEST_F(TransactionTest, ReadsThenWritesWhatTheBodyStaged) {
  const auto revision = run_untyped([](Transaction& t) { return add(t, "x"); });
  ASSERT_TRUE(revision);
  EXPECT_GT(*revision, 0);
  EXPECT_EQ(value("/a"), "1x");
}

TEST_F(TransactionTest, ABodyThatStagesNothingWritesNothing) {
  const auto revision = run_untyped([](Transaction& t) -> Status { return t.get("/a").map([](const auto&) {}); });
  EXPECT_EQ(revision, Revision(0));
  EXPECT_EQ(store_.commits, 0);
}

TEST_F(TransactionTest, ABodyThatDoesNotTouchTheStoreIsAnsweredLater) {
  EXPECT_EQ(run<int>([](Transaction&) -> Result<int> { return 7; }), 7);
  const auto ended = run<int>([](Transaction&) -> Result<int> { return fail(Code::invalid, "no"); });
  EXPECT_EQ(ended.error(), (Error{Code::invalid, "no", ""}));
}

TEST_F(TransactionTest, TheBodysErrorPassesThroughUnchangedAndNothingIsWritten) {
  const auto ended = run<int>([](Transaction& t) -> Result<int> {
    if (auto added = add(t, "x"); !added) return failed(added);
    return failed(Error{Code::conflict, "held by host h", "interface"});
  });
  EXPECT_EQ(ended.error(), (Error{Code::conflict, "held by host h", "interface"}));
  EXPECT_EQ(store_.commits, 0);
}

TEST_F(TransactionTest, AllThatOneRunAskedForIsReadInOneRound) {
  int runs = 0;
  const auto done = run<std::size_t>([&](Transaction& t) -> Result<std::size_t> {
    ++runs;
    const auto a = t.get("/a");
    const auto b = t.get("/b");
    const auto absent = t.get("/absent");
    const auto names = t.list("/a");
    const auto none = t.list("/absent");
    for (const auto* node : {&a, &b}) {
      if (!*node) return failed(*node);
    }
    if (!names) return failed(names);
    EXPECT_EQ(absent.error().code, Code::not_found);
    EXPECT_EQ(none.error().code, Code::not_found);
    return names->size();
  });
  EXPECT_EQ(done, 1u);
  EXPECT_EQ(runs, 2);
  EXPECT_EQ(store_.gets, 3);
  EXPECT_EQ(store_.lists, 2);
}

TEST_F(TransactionTest, AFolderTellsWhatWasStagedBelowIt) {
  ASSERT_TRUE(run_untyped([](Transaction& t) -> Status {
    t.create("/a/y", R"({"n":1})");
    t.create("/a/z", R"({"n":2})");
    t.remove("/a/z");
    t.tell("/a", {"/a/y", "/a/z", "/b"});
    return {};
  }));
  EXPECT_EQ(decode_hint(value("/a")), (Hint{{"/a/y", R"({"n":1})"}})) << "not what is gone, nor what it did not write";
}

TEST_F(TransactionTest, WhatTheStoreCannotReadReachesTheBodyAndTheCaller) {
  store_.fail_next(Code::unavailable);
  const auto ended = run_untyped([](Transaction& t) { return add(t, "x"); });
  EXPECT_EQ(ended.error().code, Code::unavailable);
  EXPECT_EQ(value("/a"), "1");
}

TEST_F(TransactionTest, ACommitThatTheStoreCannotDoIsNotTriedAgain) {
  for (const Code code : {Code::unavailable, Code::exhausted, Code::invalid, Code::internal}) {
    store_.commits = 0;
    store_.before_commit([&] { store_.fail_next(code); });
    const auto ended = run_untyped([](Transaction& t) { return add(t, "x"); });
    EXPECT_EQ(ended.error().code, code);
    EXPECT_EQ(store_.commits, 1);
  }
}

TEST_F(TransactionTest, ALostRaceRunsTheBodyAgainOnWhatIsThereNow) {
  race(1, [] { return std::vector<Op>{Op::set("/a", "theirs")}; });
  ASSERT_TRUE(run_untyped([](Transaction& t) { return add(t, "+ours"); }));
  EXPECT_EQ(value("/a"), "theirs+ours");
  EXPECT_EQ(store_.commits, 2);
}

TEST_F(TransactionTest, TheLoserOfARaceMayFindThatItHasNothingToDoOrMayNot) {
  race(1, [] { return std::vector<Op>{Op::create("/new", "theirs")}; });
  const auto ended = run<int>([](Transaction& t) -> Result<int> {
    const auto node = t.get("/new");
    if (node) return fail(Code::conflict, "/new is {}", (*node)->value);
    if (node.error().code != Code::not_found) return failed(node);
    t.create("/new", "ours");
    return 0;
  });
  EXPECT_EQ(ended.error(), (Error{Code::conflict, "/new is theirs", ""}));
}

TEST_F(TransactionTest, ANodeThatVanishesMeanwhileIsALostRaceToo) {
  race(1, [] { return std::vector<Op>{Op::remove("/b")}; });
  const auto ended = run_untyped([](Transaction& t) -> Status {
    const auto node = t.get("/b");
    if (!node) return failed(node);
    t.set("/b", "x");
    return {};
  });
  EXPECT_EQ(ended.error().code, Code::not_found);
  EXPECT_EQ(store_.commits, 1);
}

TEST_F(TransactionTest, WhoLosesTooOftenIsToldSo) {
  race(1000, [] { return std::vector<Op>{Op::set("/a", "theirs")}; });
  const auto ended = run_untyped([](Transaction& t) { return add(t, "+ours"); });
  EXPECT_EQ(ended.error().code, Code::conflict);
  EXPECT_THAT(ended.error().message, HasSubstr("/a"));
  EXPECT_EQ(store_.commits, max_races + 1);
  EXPECT_EQ(value("/a"), "theirs");
}

TEST_F(TransactionTest, ARaceThatIsWonAtTheLastTryIsWon) {
  race(max_races, [] { return std::vector<Op>{Op::set("/a", "theirs")}; });
  EXPECT_TRUE(run_untyped([](Transaction& t) { return add(t, "+ours"); }));
  EXPECT_EQ(value("/a"), "theirs+ours");
}

TEST_F(TransactionTest, AGuardMakesALostRaceOfAChangeToWhatWasOnlyRead) {
  const auto copy = [](bool guarded) {
    return [guarded](Transaction& t) -> Status {
      const auto node = t.get("/b");
      if (!node) return failed(node);
      if (guarded) t.guard("/b");
      t.set("/a", (*node)->value);
      return {};
    };
  };
  race(1, [] { return std::vector<Op>{Op::set("/b", "newer")}; });
  ASSERT_TRUE(run_untyped(copy(false)));
  EXPECT_EQ(value("/a"), "2");
  race(1, [] { return std::vector<Op>{Op::set("/b", "newest")}; });
  ASSERT_TRUE(run_untyped(copy(true)));
  EXPECT_EQ(value("/a"), "newest");
}

TEST_F(TransactionTest, AGuardHoldsForWhatWasAbsent) {
  const auto when_absent = [](Transaction& t) -> Status {
    const auto node = t.get("/a/alive");
    if (node) return fail(Code::forbidden, "it is alive");
    if (node.error().code != Code::not_found) return failed(node);
    t.guard("/a/alive");
    t.set("/b", "done");
    return {};
  };
  race(1, [] { return std::vector<Op>{Op::create_ephemeral("/a/alive", "")}; });
  EXPECT_EQ(run_untyped(when_absent).error().code, Code::forbidden);
  EXPECT_EQ(value("/b"), "2");
  commit({Op::remove("/a/alive")});
  EXPECT_TRUE(run_untyped(when_absent));
  EXPECT_EQ(value("/b"), "done");
  EXPECT_EQ(value("/a/alive"), "not_found");
}

TEST_F(TransactionTest, AGuardOfAPathThatWasNotReadAsksThatItExists) {
  EXPECT_TRUE(run_untyped([](Transaction& t) -> Status {
    t.guard("/b");
    t.set("/a", "x");
    return {};
  }));
  EXPECT_EQ(run_untyped([](Transaction& t) -> Status {
              t.guard("/absent");
              t.set("/a", "y");
              return {};
            })
                .error()
                .code,
            Code::conflict);
  EXPECT_EQ(value("/a"), "x");
}

TEST_F(TransactionTest, ReadsSeeWhatWasStaged) {
  const auto done = run<int>([&](Transaction& t) -> Result<int> {
    const auto a = t.get("/a");
    const auto names = t.list("/a");
    const auto root = t.list("/");
    if (!a) return failed(a);
    if (!names) return failed(names);
    if (!root) return failed(root);

    t.set("/a", "new");
    EXPECT_EQ((*t.get("/a"))->value, "new");
    EXPECT_EQ((*t.get("/a"))->stat.version, (*a)->stat.version + 1);
    EXPECT_EQ((*t.get("/a"))->stat.created, (*a)->stat.created);
    t.set("/a", "newer");
    EXPECT_EQ((*t.get("/a"))->value, "newer");

    t.create("/a/y", "why");
    t.create_ephemeral("/a/w", "");
    EXPECT_EQ((*t.get("/a/y"))->value, "why");
    EXPECT_EQ(*t.list("/a"), (Names{"w", "x", "y"}));
    EXPECT_EQ(*t.list("/a/y"), Names());  // what is made here has no children in the store: nothing to wait for
    t.create("/a/y/deep", "");
    EXPECT_EQ(*t.list("/a/y"), Names{"deep"});
    EXPECT_EQ(*t.list("/a"), (Names{"w", "x", "y"}));
    EXPECT_EQ(*t.list("/"), (Names{"a", "b"}));

    t.remove("/a/x");
    EXPECT_EQ(t.get("/a/x").error().code, Code::not_found);
    EXPECT_EQ(t.list("/a/x").error().code, Code::not_found);
    EXPECT_EQ(*t.list("/a"), (Names{"w", "y"}));
    t.create("/a/x", "again");
    EXPECT_EQ((*t.get("/a/x"))->value, "again");
    EXPECT_EQ(*t.list("/a"), (Names{"w", "x", "y"}));
    t.remove("/a/x");
    t.create("/c", "");
    t.remove("/b");
    EXPECT_EQ(*t.list("/"), (Names{"a", "c"}));
    return 0;
  });
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(value("/a"), "newer");
  EXPECT_EQ(value("/a/y/deep"), "");
  EXPECT_EQ(value("/a/x"), "not_found");
  EXPECT_EQ(value("/b"), "not_found");
}

TEST_F(TransactionTest, WhatWasReadGuardsTheFirstWriteAndWhatWasNotDoesNot) {
  ASSERT_TRUE(run_untyped([](Transaction& t) -> Status {
    const auto a = t.get("/a");
    if (!a) return failed(a);
    t.set("/a", "x");
    t.set("/a", "y");
    t.set("/b", "blind");
    t.remove("/a/x");
    return {};
  }));
  ASSERT_EQ(store_.last_commit.size(), 4u);
  EXPECT_EQ(store_.last_commit[0].version, 0);
  EXPECT_EQ(store_.last_commit[1].version, any_version);
  EXPECT_EQ(store_.last_commit[2].version, any_version);
  EXPECT_EQ(store_.last_commit[3].version, any_version);
}

TEST_F(TransactionTest, ABodyThatWaitsForNothingIsAnErrorAndNotALoop) {
  const auto ended = run_untyped([](Transaction&) -> Status { return fail(Code::pending, "for what"); });
  EXPECT_EQ(ended.error().code, Code::internal);
}

TEST_F(TransactionTest, ADestroyedStoreEndsItsTransactionsInSilence) {
  const auto content = std::make_shared<int>();
  auto store = database_->session();
  transact(
      *store, [content](Transaction& t) { return add(t, "x"); },
      [content](const Result<Revision>&) { ADD_FAILURE() << "answered"; });
  transact(
      *store, [content](Transaction&) -> Status { return {}; },
      [content](const Result<Revision>&) { ADD_FAILURE() << "answered"; });
  store.reset();
  EXPECT_EQ(value("/a"), "1");
  EXPECT_EQ(content.use_count(), 1);
}

TEST_F(TransactionTest, NothingOfAFinishedTransactionIsKept) {
  const auto content = std::make_shared<int>();
  int answers = 0;
  transact(
      store_, [content](Transaction& t) { return add(t, "x"); }, [content, &answers](const auto&) { ++answers; });
  ASSERT_TRUE(loop_.run_until([&] { return answers == 1; }, 10s));
  EXPECT_EQ(value("/a"), "1x");
  EXPECT_EQ(content.use_count(), 1);
}

TEST_F(TransactionTest, ConcurrentTransactionsOnOneNodeAllCount) {
  int done = 0;
  for (int i = 0; i < 12; ++i) {
    transact(
        store_, [](Transaction& t) { return add(t, "+"); },
        [&](const Result<Revision>& revision) {
          EXPECT_TRUE(revision);
          ++done;
        });
  }
  ASSERT_TRUE(loop_.run_until([&] { return done == 12; }, 10s));
  EXPECT_EQ(value("/a"), "1" + std::string(12, '+'));
}

}  // namespace
}  // namespace midonet::store::transaction_test
