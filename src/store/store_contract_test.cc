#include "store/store_contract_test.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <set>

namespace midonet::store {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using Names = std::vector<std::string>;

namespace {

template <class T>
Code code_of(const Result<T>& result) {
  EXPECT_FALSE(result.has_value());
  return result ? Code::internal : result.error().code;
}

std::string many(std::size_t bytes, char c) { return std::string(bytes, c); }

}  // namespace

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

// --- values, names, lists ------------------------------------------------------------------------------------------

TEST_P(StoreContract, ValuesComeBackAsTheyWere) {
  const std::string zero("a\0b", 3);
  const Names values{"", "{}", "Grüße, 世界 🌍", zero, many(max_value_bytes, 'x')};
  ASSERT_TRUE(commit(*a_, {Op::create("/a", "first")}));
  for (const std::string& value : values) {
    ASSERT_TRUE(commit(*a_, {Op::set("/a", value)}));
    const auto node = get(*b_, "/a");
    ASSERT_TRUE(node);
    EXPECT_TRUE((*node)->value == value) << value.substr(0, 20);
  }
}

TEST_P(StoreContract, AValueThatIsTooLargeIsRefusedAndChangesNothing) {
  ASSERT_TRUE(commit(*a_, {Op::create("/a", "small")}));
  const std::string large = many(max_value_bytes + 1, 'x');
  for (const Op& op : {Op::set("/a", large), Op::create("/b", large), Op::create_ephemeral("/b", large)}) {
    const auto refused = commit(*a_, {Op::set("/a", "other"), op});
    ASSERT_EQ(code_of(refused), Code::invalid);
    EXPECT_THAT(refused.error().message, HasSubstr(op.path));
  }
  EXPECT_EQ((*get(*a_, "/a"))->value, "small");
  EXPECT_EQ(list(*a_, "/"), Names{"a"});
}

TEST_P(StoreContract, PathsThatAreIllFormedAreInvalid) {
  const Names paths{"",
                    "a",
                    "a/b",
                    "//",
                    "/a/",
                    "/a//b",
                    "//a",
                    "/.",
                    "/..",
                    "/a/./b",
                    "/a/../b",
                    "/a\n",
                    "/a\x7f",
                    "/a\x80",
                    "/\xff",
                    "/\xc0\xaf",
                    "/\xed\xa0\x80",
                    "/\xef\xbf\xbf",
                    "/\xe2\x82",
                    "/🌍",
                    std::string("/a\0b", 4),
                    "/\xf4\x90\x80\x80"};
  for (const std::string& path : paths) {
    EXPECT_EQ(code_of(get(*a_, path)), Code::invalid) << path;
    EXPECT_EQ(code_of(list(*a_, path)), Code::invalid) << path;
    for (const Op& op :
         {Op::create(path, ""), Op::create_ephemeral(path, ""), Op::set(path, ""), Op::remove(path), Op::check(path)}) {
      EXPECT_EQ(code_of(commit(*a_, {Op::create("/ok", ""), op})), Code::invalid) << path;
    }
  }
  EXPECT_EQ(list(*a_, "/"), Names());
}

TEST_P(StoreContract, NamesMayHoldWhatUtf8Holds) {
  const Names names{"'; DROP TABLE nodes; --", "%", "*", "...", "a b", "tap-0.1", "Ω", "日本", many(200, 'n')};
  std::vector<Op> ops;
  for (const std::string& name : names) ops.push_back(Op::create("/" + name, name));
  ASSERT_TRUE(commit(*a_, ops));
  Names sorted = names;
  std::sort(sorted.begin(), sorted.end());
  EXPECT_EQ(list(*b_, "/"), sorted);
  for (const std::string& name : names) EXPECT_EQ((*get(*b_, "/" + name))->value, name);
}

TEST_P(StoreContract, ListsGiveTheNamesOfTheChildrenInByteOrder) {
  std::vector<Op> ops{Op::create("/p", ""), Op::create("/p!", ""), Op::create("/p/below", ""),
                      Op::create("/p/below/deep", "")};
  for (const char* name : {"b", "a-", "a.b", "a", "Z", "10", "9", "é", "aa", "~"})
    ops.push_back(Op::create(std::string("/p/") + name, ""));
  ops.push_back(Op::create_ephemeral("/p/ab", ""));
  ops.push_back(Op::create_ephemeral("/p/\xc3\xa8", ""));
  ASSERT_TRUE(commit(*a_, ops));
  const auto names = list(*b_, "/p");
  ASSERT_TRUE(names);
  EXPECT_THAT(*names, ElementsAre("10", "9", "Z", "a", "a-", "a.b", "aa", "ab", "b", "below", "~", "\xc3\xa8", "é"));
  EXPECT_EQ(list(*b_, "/p/a"), Names());
  EXPECT_EQ(code_of(list(*b_, "/absent")), Code::not_found);
}

TEST_P(StoreContract, ANodeMayHaveTenThousandChildren) {
  ASSERT_TRUE(commit(*a_, {Op::create("/p", "")}));
  Names expected;
  for (int i = 0; i < 10'000; i += 500) {
    std::vector<Op> ops;
    for (int j = i; j < i + 500; ++j) {
      expected.push_back(fmt::format("00000000-0000-4000-8000-{:012}", j));
      ops.push_back(Op::create("/p/" + expected.back(), ""));
    }
    ASSERT_TRUE(commit(*a_, std::move(ops)));
  }
  EXPECT_EQ(list(*b_, "/p"), expected);
}

// --- commits -------------------------------------------------------------------------------------------------------

TEST_P(StoreContract, ACommitWithoutOperationsIsInvalid) { EXPECT_EQ(code_of(commit(*a_, {})), Code::invalid); }

TEST_P(StoreContract, EachOperationThatCannotBeFailsWithItsCodeAndItsPath) {
  ASSERT_TRUE(commit(*a_, {Op::create("/a", ""), Op::create("/a/b", ""), Op::create_ephemeral("/e", "")}));
  const std::vector<std::pair<Op, Code>> cases{
      {Op::create("/a", ""), Code::conflict},
      {Op::create("/e", ""), Code::conflict},
      {Op::create("/", ""), Code::conflict},
      {Op::create("/x/y", ""), Code::not_found},
      {Op::create("/e/y", ""), Code::invalid},
      {Op::create_ephemeral("/a", ""), Code::conflict},
      {Op::create_ephemeral("/e", ""), Code::conflict},
      {Op::create_ephemeral("/x/y", ""), Code::not_found},
      {Op::create_ephemeral("/e/y", ""), Code::invalid},
      {Op::set("/x", ""), Code::not_found},
      {Op::set("/a", "", 1), Code::conflict},
      {Op::set("/e", "", 7), Code::conflict},
      {Op::set("/a", "", -2), Code::invalid},
      {Op::remove("/x"), Code::not_found},
      {Op::remove("/a/b", 3), Code::conflict},
      {Op::remove("/a"), Code::conflict},
      {Op::remove("/"), Code::invalid},
      {Op::check("/x"), Code::not_found},
      {Op::check("/a", 1), Code::conflict},
  };
  const auto before = tree(*a_);
  int fired = 0;
  for (const auto& [path, node] : before) {
    ASSERT_TRUE(get(*b_, path, [&] { ++fired; }));
    ASSERT_TRUE(list(*b_, path, [&] { ++fired; }));
  }
  for (std::size_t i = 0; i < cases.size(); ++i) {
    const auto& [op, code] = cases[i];
    // In each position, among operations that could be done and that the failing one does not depend on.
    for (std::size_t position = 0; position <= 5; ++position) {
      std::vector<Op> ops{Op::create("/n", "1"), Op::create_ephemeral("/n/e", ""), Op::set("/n", "2"),
                          Op::check("/n", 1), Op::remove("/n/e")};
      ops.insert(ops.begin() + static_cast<std::ptrdiff_t>(position), op);
      const auto refused = commit(*a_, std::move(ops));
      ASSERT_FALSE(refused) << "case " << i;
      EXPECT_EQ(refused.error().code, code) << "case " << i << ": " << refused.error().message;
      EXPECT_THAT(refused.error().message, HasSubstr(op.path)) << "case " << i;
    }
  }
  const auto after = tree(*b_);
  ASSERT_EQ(before.size(), after.size());
  for (const auto& [path, node] : before) {
    EXPECT_EQ(after.at(path).value, node.value);
    EXPECT_EQ(after.at(path).stat, node.stat) << path;
  }
  EXPECT_EQ(fired, 0);
}

TEST_P(StoreContract, TheErrorIsThatOfTheFirstOperationThatFails) {
  ASSERT_TRUE(commit(*a_, {Op::create("/a", "")}));
  const auto refused =
      commit(*a_, {Op::check("/a", 0), Op::set("/missing", ""), Op::create("/a", ""), Op::check("/gone")});
  ASSERT_EQ(code_of(refused), Code::not_found);
  EXPECT_THAT(refused.error().message, HasSubstr("/missing"));
}

TEST_P(StoreContract, OperationsSeeThoseBeforeThemInTheSameCommit) {
  const auto revision =
      commit(*a_, {Op::create("/a", "1"), Op::create("/a/b", ""), Op::set("/a", "2", 0), Op::check("/a", 1),
                   Op::remove("/a/b"), Op::create("/a/b", "again"), Op::create("/c", ""), Op::remove("/c", 0)});
  ASSERT_TRUE(revision) << revision.error().message;
  EXPECT_EQ(list(*b_, "/"), Names{"a"});
  const auto node = get(*b_, "/a");
  EXPECT_EQ((*node)->value, "2");
  EXPECT_EQ((*node)->stat, (Stat{*revision, *revision, 1, 0}));
  EXPECT_EQ((*get(*b_, "/a/b"))->value, "again");
}

TEST_P(StoreContract, ALargeCommitIsOnePiece) {
  std::vector<Op> ops{Op::create("/p", "")};
  for (int i = 0; i < 2000; ++i) ops.push_back(Op::create(fmt::format("/p/{:04}", i), "{\"hostId\": \"x\"}"));
  std::vector<Op> spoilt = ops;
  spoilt.push_back(Op::check("/absent"));
  EXPECT_EQ(code_of(commit(*a_, std::move(spoilt))), Code::not_found);
  EXPECT_EQ(list(*a_, "/"), Names());
  const auto revision = commit(*a_, std::move(ops));
  ASSERT_TRUE(revision);
  EXPECT_EQ(list(*b_, "/p")->size(), 2000u);
  EXPECT_EQ((*get(*b_, "/p/1999"))->stat.created, *revision);
}

TEST_P(StoreContract, VersionsCountTheChangesOfTheValueSinceCreation) {
  ASSERT_TRUE(commit(*a_, {Op::create("/a", "")}));
  for (std::int32_t version = 0; version < 5; ++version) {
    EXPECT_EQ((*get(*b_, "/a"))->stat.version, version);
    EXPECT_EQ(code_of(commit(*b_, {Op::set("/a", "", version + 1)})), Code::conflict);
    EXPECT_TRUE(commit(*b_, {Op::check("/a", version)}));
    EXPECT_TRUE(commit(*b_, {Op::set("/a", "", version)}));  // also when the value stays what it is
  }
  ASSERT_TRUE(commit(*a_, {Op::remove("/a", 5)}));
  ASSERT_TRUE(commit(*a_, {Op::create("/a", "")}));
  EXPECT_EQ((*get(*b_, "/a"))->stat.version, 0);
}

TEST_P(StoreContract, RevisionsGrowOverTheWholeStoreAndStandInTheNodes) {
  std::vector<Revision> revisions;
  const auto record = [&](const Result<Revision>& revision) {
    ASSERT_TRUE(revision) << revision.error().message;
    if (!revisions.empty()) {
      EXPECT_GT(*revision, revisions.back());
    }
    revisions.push_back(*revision);
  };
  record(commit(*a_, {Op::create("/a", ""), Op::create("/b", "")}));
  record(commit(*b_, {Op::set("/b", "x")}));
  record(commit(*a_, {Op::create_ephemeral("/a/e", "")}));
  record(commit(*b_, {Op::check("/a")}));
  record(commit(*b_, {Op::set("/a/e", "y")}));
  record(commit(*a_, {Op::create("/a/c", "")}));
  record(commit(*a_, {Op::remove("/a/c")}));
  EXPECT_GT(revisions.front(), 0);
  // A child's coming, changing and going is no change of the node.
  EXPECT_EQ((*get(*b_, "/a"))->stat, (Stat{revisions[0], revisions[0], 0, 0}));
  EXPECT_EQ((*get(*a_, "/b"))->stat, (Stat{revisions[0], revisions[1], 1, 0}));
  const Stat ephemeral = (*get(*b_, "/a/e"))->stat;
  EXPECT_EQ(ephemeral.created, revisions[2]);
  EXPECT_EQ(ephemeral.modified, revisions[4]);
}

TEST_P(StoreContract, TheRootCanBeSetAndHasVersions) {
  ASSERT_TRUE(commit(*a_, {Op::set("/", "root", 0)}));
  EXPECT_EQ((*get(*b_, "/"))->value, "root");
  EXPECT_EQ((*get(*b_, "/"))->stat.version, 1);
}

TEST_P(StoreContract, OfTwoSessionsThatRaceForANodeOneWins) {
  ASSERT_TRUE(commit(*a_, {Op::create("/p", ""), Op::create("/owner", "")}));
  for (int round = 0; round < 50; ++round) {
    const std::string path = fmt::format("/p/{}", round);
    std::vector<Result<Revision>> answers;
    const auto note = [&](Result<Revision> answer) { answers.push_back(std::move(answer)); };
    Store& first = round % 2 == 0 ? *a_ : *b_;
    Store& second = round % 2 == 0 ? *b_ : *a_;
    first.commit({Op::create(path, "first"), Op::set("/owner", "first", round)}, note);
    second.commit({Op::create(path, "second"), Op::set("/owner", "second", round)}, note);
    ASSERT_TRUE(wait([&] { return answers.size() == 2; }));
    ASSERT_NE(answers[0].has_value(), answers[1].has_value());
    EXPECT_EQ(code_of(answers[answers[0] ? 1 : 0]), Code::conflict);
    const std::string winner = (*get(*a_, path))->value;
    EXPECT_EQ((*get(*b_, "/owner"))->value, winner);
    EXPECT_EQ((*get(*b_, "/owner"))->stat.version, round + 1);
  }
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

// --- watches -------------------------------------------------------------------------------------------------------

TEST_P(StoreContract, AWatchOnANodeFiresOnceWhenItAppearsIsSetOrGoes) {
  // Each case: the commits before the watch, and the one that fires it, by the own session and by another.
  const std::vector<std::pair<std::vector<Op>, Op>> cases{
      {{}, Op::create("/w", "")},
      {{}, Op::create_ephemeral("/w", "")},
      {{Op::create("/w", "")}, Op::set("/w", "new")},
      {{Op::create("/w", "same")}, Op::set("/w", "same")},
      {{Op::create("/w", "")}, Op::remove("/w")},
      {{Op::create_ephemeral("/w", "")}, Op::remove("/w")},
  };
  for (Store* other : {a_.get(), b_.get()}) {
    for (const auto& [before, change] : cases) {
      if (!before.empty()) {
        ASSERT_TRUE(commit(*b_, before));
      }
      int fired = 0;
      int second = 0;
      const bool present = get(*a_, "/w", [&] { ++fired; }).has_value();
      EXPECT_EQ(present, !before.empty());
      ASSERT_EQ(get(*a_, "/w", [&] { ++second; }).has_value(), present);
      settle(*a_);
      EXPECT_EQ(fired, 0);
      ASSERT_TRUE(commit(*other, {change}));
      ASSERT_TRUE(wait([&] { return fired > 0 && second > 0; }));
      // Gone or made once more: nobody is told again.
      ASSERT_TRUE(commit(*other, {change.kind == Op::Kind::remove ? Op::create("/w", "") : Op::remove("/w")}));
      settle(*a_);
      EXPECT_EQ(fired, 1);
      EXPECT_EQ(second, 1);
      static_cast<void>(commit(*other, {Op::remove("/w")}));
    }
  }
}

TEST_P(StoreContract, AWatchOnAListFiresOnceWhenAChildComesOrGoesOrTheNodeItselfDoes) {
  const std::vector<std::pair<std::vector<Op>, std::vector<Op>>> cases{
      {{}, {Op::create("/w", "")}},
      {{Op::create("/w", "")}, {Op::create("/w/c", "")}},
      {{Op::create("/w", "")}, {Op::create_ephemeral("/w/c", "")}},
      {{Op::create("/w", ""), Op::create("/w/c", "")}, {Op::remove("/w/c")}},
      {{Op::create("/w", "")}, {Op::remove("/w")}},
      {{Op::create("/w", ""), Op::create("/w/c", "")}, {Op::remove("/w/c"), Op::remove("/w")}},
      {{Op::create("/w", "")}, {Op::create("/w/1", ""), Op::create("/w/2", ""), Op::set("/w", "")}},
  };
  for (Store* other : {a_.get(), b_.get()}) {
    for (const auto& [before, change] : cases) {
      if (!before.empty()) {
        ASSERT_TRUE(commit(*b_, before));
      }
      int fired = 0;
      EXPECT_EQ(list(*a_, "/w", [&] { ++fired; }).has_value(), !before.empty());
      settle(*a_);
      EXPECT_EQ(fired, 0);
      ASSERT_TRUE(commit(*other, change));
      ASSERT_TRUE(wait([&] { return fired > 0; }));
      // Back to nothing, which would fire it again.
      std::vector<Op> clear;
      if (const auto names = list(*b_, "/w")) {
        for (const std::string& name : *names) clear.push_back(Op::remove("/w/" + name));
        clear.push_back(Op::remove("/w"));
      }
      if (!clear.empty()) {
        ASSERT_TRUE(commit(*other, clear));
      }
      settle(*a_);
      EXPECT_EQ(fired, 1);
    }
  }
}

TEST_P(StoreContract, AWatchDoesNotFireForWhatDoesNotConcernIt) {
  ASSERT_TRUE(commit(*a_, {Op::create("/w", ""), Op::create("/w/c", ""), Op::create("/wx", "")}));
  const auto fail_it = [](const char* which) { return [which] { ADD_FAILURE() << which; }; };
  ASSERT_TRUE(get(*a_, "/w", fail_it("node")));
  ASSERT_TRUE(list(*a_, "/w", fail_it("list")));
  EXPECT_EQ(code_of(get(*a_, "/absent", fail_it("absent node"))), Code::not_found);
  EXPECT_EQ(code_of(list(*a_, "/absent", fail_it("absent list"))), Code::not_found);
  for (Store* other : {a_.get(), b_.get()}) {
    ASSERT_TRUE(commit(*other, {Op::set("/w/c", "x"), Op::create("/w/c/deep", ""), Op::remove("/w/c/deep")}));
    ASSERT_TRUE(commit(*other, {Op::set("/wx", "x"), Op::create("/wx/c", ""), Op::remove("/wx/c"), Op::check("/w")}));
    EXPECT_EQ(code_of(commit(
                  *other, {Op::set("/w", "x"), Op::create("/w/d", ""), Op::create("/absent", ""), Op::check("/none")})),
              Code::not_found);
  }
  settle(*a_);
}

TEST_P(StoreContract, ANodesWatchIsNotAboutItsChildren) {
  ASSERT_TRUE(commit(*a_, {Op::create("/w", "")}));
  ASSERT_TRUE(get(*a_, "/w", [] { ADD_FAILURE(); }));
  ASSERT_TRUE(commit(*b_, {Op::create("/w/c", "")}));
  ASSERT_TRUE(commit(*b_, {Op::remove("/w/c")}));
  settle(*a_);
}

TEST_P(StoreContract, AListsWatchIsNotAboutTheNodesValue) {
  ASSERT_TRUE(commit(*a_, {Op::create("/w", "")}));
  ASSERT_TRUE(list(*a_, "/w", [] { ADD_FAILURE(); }));
  ASSERT_TRUE(commit(*b_, {Op::set("/w", "x")}));
  settle(*a_);
}

TEST_P(StoreContract, ACallThatIsInvalidSetsNoWatch) {
  EXPECT_EQ(code_of(get(*a_, "bad", [] { ADD_FAILURE(); })), Code::invalid);
  EXPECT_EQ(code_of(list(*a_, "/bad/", [] { ADD_FAILURE(); })), Code::invalid);
  ASSERT_TRUE(commit(*a_, {Op::create("/bad", "")}));
  settle(*a_);
}

TEST_P(StoreContract, ReadingAndWatchingAreOneStepSoNoChangeIsMissed) {
  ASSERT_TRUE(commit(*a_, {Op::create("/w", "0")}));
  for (int round = 1; round <= 200; ++round) {
    const std::string value = std::to_string(round);
    const auto fired = std::make_shared<bool>(false);
    std::string seen;
    bool committed = false;
    const auto read = [&] {
      a_->get(
          "/w", [&](const Result<NodePtr>& node) { seen = (*node)->value; }, [fired] { *fired = true; });
    };
    if (round % 2 == 0) read();
    b_->commit({Op::set("/w", value)}, [&](const auto&) { committed = true; });
    if (round % 2 == 1) read();
    ASSERT_TRUE(wait([&] { return committed && !seen.empty(); }));
    if (seen != value) {
      ASSERT_TRUE(wait([&] { return *fired; }));
    }
    if (seen == value) {
      EXPECT_FALSE(*fired);
    }
  }
}

TEST_P(StoreContract, AWatchIsHeardBeforeNewerThingsAreRead) {
  ASSERT_TRUE(commit(*a_, {Op::create("/w", "old")}));
  for (int round = 0; round < 20; ++round) {
    const std::string value = std::to_string(round);
    bool heard = false;
    bool read = false;
    ASSERT_TRUE(get(*a_, "/w", [&] { heard = true; }));
    b_->commit({Op::set("/w", value)}, [](const auto&) {});
    const std::function<void()> look = [&] {
      a_->get("/w", [&](const Result<NodePtr>& node) {
        if ((*node)->value != value) return look();
        EXPECT_TRUE(heard);
        read = true;
      });
    };
    look();
    ASSERT_TRUE(wait([&] { return read; }));
  }
}

TEST_P(StoreContract, AWatchWhoseOwnerIsGoneDoesNotFireAndIsLetGo) {
  ASSERT_TRUE(commit(*a_, {Op::create("/w", ""), Op::create("/never", "")}));
  const auto content = std::make_shared<int>();  // each watch holds it: how many there are is seen by its count
  {
    const auto owner = std::make_shared<int>();
    ASSERT_TRUE(get(*a_, "/w", Notify(owner, [content] { ADD_FAILURE(); })));
    ASSERT_TRUE(list(*a_, "/w", Notify(owner, [content] { ADD_FAILURE(); })));
  }
  const auto living = std::make_shared<int>();
  int fired = 0;
  ASSERT_TRUE(get(*a_, "/w", Notify(living, [&] { ++fired; })));
  for (int i = 0; i < 20'000; ++i) {
    const auto owner = std::make_shared<int>();
    a_->get(
        i % 2 == 0 ? "/never" : fmt::format("/absent{}", i), [](const auto&) {},
        Notify(owner, [content] { ADD_FAILURE(); }));
  }
  settle(*a_);
  EXPECT_LT(content.use_count(), 5'000);
  ASSERT_TRUE(commit(*b_, {Op::set("/w", ""), Op::set("/never", ""), Op::create("/w/c", "")}));
  ASSERT_TRUE(wait([&] { return fired == 1; }));
  settle(*a_);
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
