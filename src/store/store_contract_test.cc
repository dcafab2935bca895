#include "store/store_contract_test.h"

#include <gmock/gmock.h>

namespace midonet::store {

using namespace std::chrono_literals;
using testing::ElementsAre;
using Names = std::vector<std::string>;

StoreContract::StoreContract()
    : under_test_(GetParam().make(loop_)), a_(under_test_->session()), b_(under_test_->session()) {}

bool StoreContract::wait(const std::function<bool()>& done) { return loop_.run_until(done, 60s); }

Result<NodePtr> StoreContract::get(Store& store, const std::string& path, Notify watch) {
  const auto answer = std::make_shared<std::optional<Result<NodePtr>>>();
  store.get(
      path, [answer](Result<NodePtr> result) { *answer = std::move(result); }, std::move(watch));
  if (!wait([&] { return answer->has_value(); })) return fail(Code::internal, "get {}: no answer", path);
  return **answer;
}

Result<Names> StoreContract::list(Store& store, const std::string& path, Notify watch) {
  const auto answer = std::make_shared<std::optional<Result<Names>>>();
  store.list(
      path, [answer](Result<Names> result) { *answer = std::move(result); }, std::move(watch));
  if (!wait([&] { return answer->has_value(); })) return fail(Code::internal, "list {}: no answer", path);
  return **answer;
}

Result<Revision> StoreContract::commit(Store& store, std::vector<Op> ops) {
  const auto answer = std::make_shared<std::optional<Result<Revision>>>();
  store.commit(std::move(ops), [answer](Result<Revision> result) { *answer = std::move(result); });
  if (!wait([&] { return answer->has_value(); })) return fail(Code::internal, "commit: no answer");
  return **answer;
}

// A session hears of changes in the order in which they happened, so also before the answer to a later commit of its own.
void StoreContract::settle(Store& store) {
  const auto made = commit(store, {Op::set("/settle", "")});
  if (!made && made.error().code == Code::not_found) {
    ASSERT_TRUE(commit(store, {Op::create("/settle", "")}));
  }
}

std::map<std::string, Node> StoreContract::tree(Store& store) {
  std::map<std::string, Node> all;
  std::vector<std::string> todo{"/"};
  while (!todo.empty()) {
    const std::string path = todo.back();
    todo.pop_back();
    const auto node = get(store, path);
    const auto names = list(store, path);
    EXPECT_TRUE(node && names) << path;
    if (!node || !names) return all;
    all[path] = **node;
    for (const std::string& name : *names) {
      if (path != "/" || name != "settle") todo.push_back((path == "/" ? "" : path) + "/" + name);
    }
  }
  return all;
}

// --- sessions, order, callbacks ------------------------------------------------------------------------------------

TEST_P(StoreContract, AFreshStoreHasItsRootAndNothingElse) {
  EXPECT_EQ(list(*a_, "/"), Names());
  ASSERT_TRUE(get(*a_, "/"));
  EXPECT_EQ((*get(*a_, "/"))->value, "");
  EXPECT_EQ((*get(*a_, "/"))->stat.owner, 0);
  EXPECT_EQ(a_->state(), State::connected);
  EXPECT_FALSE(a_->uri().empty());
}

TEST_P(StoreContract, CallbacksRunLaterExactlyOnceAndNeverInsideTheCall) {
  int calls = 0;
  bool inside = true;
  const auto count = [&](const auto&) {
    EXPECT_FALSE(inside);
    ++calls;
  };
  a_->commit({Op::create("/a", "")}, count);
  a_->get("/a", count);
  a_->list("/a", count);
  a_->get("/absent", count);
  a_->get("not a path", count);
  a_->list("not a path", count);
  a_->commit({}, count);
  a_->commit({Op::create("not a path", "")}, count);
  inside = false;
  EXPECT_EQ(calls, 0);
  ASSERT_TRUE(wait([&] { return calls >= 8; }));
  settle(*a_);
  EXPECT_EQ(calls, 8);
}

TEST_P(StoreContract, CallsOfOneSessionTakeEffectAndAreAnsweredInTheirOrder) {
  Names seen;
  const auto value = [&](const Result<NodePtr>& node) { seen.push_back(node ? (*node)->value : "absent"); };
  const auto outcome = [&](const Result<Revision>& done) { seen.push_back(done ? "done" : "failed"); };
  const auto names = [&](const Result<Names>& list) { seen.push_back(list ? std::to_string(list->size()) : "absent"); };
  a_->get("/a", value);
  a_->commit({Op::create("/a", "1")}, outcome);
  a_->get("/a", value);
  a_->commit({Op::set("/a", "2"), Op::create("/a/x", "")}, outcome);
  a_->list("/a", names);
  a_->commit({Op::remove("/a")}, outcome);
  a_->get("/a", value);
  a_->commit({Op::remove("/a/x"), Op::remove("/a")}, outcome);
  a_->list("/a", names);
  a_->get("/a", value);
  ASSERT_TRUE(wait([&] { return seen.size() == 10; }));
  EXPECT_THAT(seen, ElementsAre("absent", "done", "1", "done", "1", "failed", "2", "done", "absent", "absent"));
}

TEST_P(StoreContract, ManyCallsWithoutWaitingKeepTheirOrder) {
  ASSERT_TRUE(commit(*a_, {Op::create("/a", "")}));
  Names expected;
  Names seen;
  for (int i = 0; i < 3000; ++i) {
    const std::string value = std::to_string(i);
    expected.push_back(value);
    a_->commit({Op::set("/a", value, i)}, [&](const Result<Revision>& done) { EXPECT_TRUE(done); });
    a_->get("/a", [&](const Result<NodePtr>& node) { seen.push_back((*node)->value); });
  }
  ASSERT_TRUE(wait([&] { return seen.size() == expected.size(); }));
  EXPECT_EQ(seen, expected);
}

TEST_P(StoreContract, ACallbackMayMakeFurtherCalls) {
  std::string seen;
  a_->commit({Op::create("/a", "1")}, [&](const Result<Revision>&) {
    a_->get("/a", [&](const Result<NodePtr>& node) {
      a_->commit({Op::set("/a", (*node)->value + "2")}, [&](const Result<Revision>&) {
        a_->get("/a", [&](const Result<NodePtr>& again) { seen = (*again)->value; });
      });
    });
  });
  ASSERT_TRUE(wait([&] { return !seen.empty(); }));
  EXPECT_EQ(seen, "12");
}

TEST_P(StoreContract, ADestroyedSessionRunsNoCallback) {
  ASSERT_TRUE(commit(*a_, {Op::create("/a", "")}));
  int calls = 0;
  const auto count = [&](const auto&) { ++calls; };
  ASSERT_TRUE(get(*b_, "/a", [&] { ++calls; }));
  b_->get("/a", count, [&] { ++calls; });
  b_->list("/", count, [&] { ++calls; });
  b_->commit({Op::create("/b", "")}, count);
  b_.reset();
  ASSERT_TRUE(commit(*a_, {Op::set("/a", "changed"), Op::create("/c", "")}));
  settle(*a_);
  EXPECT_EQ(calls, 0);
}

TEST_P(StoreContract, ACallbackMayDestroyItsSession) {
  ASSERT_TRUE(commit(*a_, {Op::create("/a", "")}));
  int later = 0;
  bool gone = false;
  b_->get(
      "/a",
      [&](const auto&) {
        b_.reset();
        gone = true;
      },
      [&] { ++later; });
  b_->get("/a", [&](const auto&) { ++later; });
  b_->commit({Op::set("/a", "x")}, [&](const auto&) { ++later; });
  ASSERT_TRUE(wait([&] { return gone; }));
  auto c = under_test_->session();
  int heard = 0;
  ASSERT_TRUE(get(*c, "/a", [&] {
    c.reset();
    ++heard;
  }));
  ASSERT_TRUE(commit(*a_, {Op::set("/a", "y")}));
  ASSERT_TRUE(wait([&] { return heard == 1; }));
  settle(*a_);
  EXPECT_EQ(later, 0);
}

// --- ephemeral nodes -----------------------------------------------------------------------------------------------

TEST_P(StoreContract, EphemeralNodesLiveAndDieWithTheirSession) {
  ASSERT_TRUE(commit(*a_, {Op::create("/p", "")}));
  ASSERT_TRUE(
      commit(*b_, {Op::create_ephemeral("/p/1", "x"), Op::create_ephemeral("/p/2", ""), Op::create("/p/durable", "")}));
  ASSERT_TRUE(commit(*a_, {Op::create_ephemeral("/p/mine", "")}));
  const auto node = get(*a_, "/p/1");
  EXPECT_EQ((*node)->value, "x");
  EXPECT_NE((*node)->stat.owner, 0);
  EXPECT_EQ((*get(*a_, "/p/2"))->stat.owner, (*node)->stat.owner);
  EXPECT_NE((*get(*a_, "/p/mine"))->stat.owner, (*node)->stat.owner);
  EXPECT_EQ((*get(*a_, "/p/durable"))->stat.owner, 0);
  // Another session may change it, which does not make it that session's.
  ASSERT_TRUE(commit(*a_, {Op::set("/p/1", "y", 0)}));
  EXPECT_EQ((*get(*a_, "/p/1"))->stat.owner, (*node)->stat.owner);
  int fired = 0;
  ASSERT_TRUE(get(*a_, "/p/1", [&] { ++fired; }));
  ASSERT_TRUE(get(*a_, "/p/durable", [] { ADD_FAILURE() << "a durable node went with the session"; }));
  ASSERT_TRUE(list(*a_, "/p", [&] { ++fired; }));
  b_.reset();
  ASSERT_TRUE(wait([&] { return fired == 2; }));
  EXPECT_EQ(list(*a_, "/p"), (Names{"durable", "mine"}));
  EXPECT_EQ(code_of(get(*a_, "/p/1")), Code::not_found);
  EXPECT_TRUE(commit(*a_, {Op::create("/p/1", "now durable"), Op::create("/p/1/child", "")}));
}

TEST_P(StoreContract, AnEphemeralNodeCanBeRemovedAndKeepsItsParentFromBeingRemoved) {
  ASSERT_TRUE(commit(*a_, {Op::create("/p", ""), Op::create_ephemeral("/p/e", "")}));
  EXPECT_EQ(code_of(commit(*b_, {Op::remove("/p")})), Code::conflict);
  EXPECT_TRUE(commit(*b_, {Op::remove("/p/e"), Op::remove("/p")}));
  EXPECT_EQ(list(*a_, "/"), Names());
}

TEST_P(StoreContract, WhatASessionLeavesIsFreeForTheNext) {
  ASSERT_TRUE(commit(*a_, {Op::create_ephemeral("/alive", "a")}));
  EXPECT_EQ(code_of(commit(*b_, {Op::create_ephemeral("/alive", "b")})), Code::conflict);
  bool gone = false;
  ASSERT_TRUE(get(*b_, "/alive", [&] { gone = true; }));
  a_.reset();
  ASSERT_TRUE(wait([&] { return gone; }));
  EXPECT_TRUE(commit(*b_, {Op::create_ephemeral("/alive", "b")}));
}

// --- a new start ---------------------------------------------------------------------------------------------------

TEST_P(StoreContract, WhatWasAcknowledgedOutlivesARestartAndEphemeralNodesDoNot) {
  ASSERT_TRUE(commit(*a_, {Op::create("/a", "1"), Op::create("/a/b", "Ω")}));
  ASSERT_TRUE(commit(*b_, {Op::set("/a", "2")}));
  ASSERT_TRUE(commit(*b_, {Op::set("/", "root")}));
  const auto before = tree(*a_);
  const auto last = commit(*a_, {Op::create_ephemeral("/a/e", "")});
  ASSERT_TRUE(last);
  a_.reset();
  b_.reset();
  if (!under_test_->restart()) return;  // a store in memory has nothing to show here
  a_ = under_test_->session();
  const auto after = tree(*a_);
  ASSERT_EQ(before.size(), after.size());
  for (const auto& [path, node] : before) {
    EXPECT_EQ(after.at(path).value, node.value);
    EXPECT_EQ(after.at(path).stat, node.stat) << path;
  }
  const auto next = commit(*a_, {Op::create_ephemeral("/a/e", "")});
  ASSERT_TRUE(next);
  EXPECT_GT(*next, *last);
}

}  // namespace midonet::store
