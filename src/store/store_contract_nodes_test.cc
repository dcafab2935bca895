// The contract of store.h: nodes, and commits that change them.
#include <gmock/gmock.h>

#include <algorithm>

#include "store/store_contract_test.h"

namespace midonet::store {

using testing::ElementsAre;
using testing::HasSubstr;
using Names = std::vector<std::string>;

namespace {

std::string many(std::size_t bytes, char c) { return std::string(bytes, c); }

}  // namespace

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

}  // namespace midonet::store
