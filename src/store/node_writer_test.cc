#include "store/node_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <cstdlib>
#include <map>
#include <optional>

#include "store/embedded_store.h"
#include "store/flaky_store.h"

namespace midonet::store::node_writer_test {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::Pair;
using Life = NodeWriter::Life;
using Nodes = std::map<std::string, std::string>;

const NodeWriter::Kind first{.rank = 0, .life = Life::ephemeral};
const NodeWriter::Kind second{.rank = 1, .life = Life::ephemeral};
NodeWriter::Kind in_group(const std::string& name, std::uint8_t order = 1) {
  return {.rank = 2, .group = std::make_shared<const std::string>(name), .order = order};
}

// A writer of the children of /first (ephemeral), of /second (likewise, less urgent), of /tree and its children (durable),
// and of the value of /given.
class Bed {
 public:
  Bed() {
    auto opened = EmbeddedDatabase::open(loop, ":memory:", 1s);
    database = *std::move(opened);
    other = database->session();
    store = std::make_unique<FlakyStore>([this] { return database->session(); });
    commit({Op::create("/first", ""), Op::create("/second", ""), Op::create("/tree", ""), Op::create("/given", "old")});
  }

  void start() {
    writer = std::make_unique<NodeWriter>(
        loop, *store, registry.counter("commits", "Commits"), registry.counter("failures", "Failures"),
        std::vector<NodeWriter::Area>{{.path = "/first", .kind = first, .children = true},
                                      {.path = "/second", .kind = second, .children = true},
                                      {.path = "/tree", .kind = {.rank = 2}, .children = true},
                                      {.path = "/given", .kind = {.rank = 3, .life = Life::given}, .self = true}},
        NodeWriter::Events{.found =
                               [this](const std::string& path, const Node& node) {
                                 found[path] = node.value;
                                 if (path.starts_with("/tree/") && path.rfind('/') == 5)
                                   writer->look_at({.path = path, .kind = {.rank = 2}, .children = true});
                               },
                           .missing = [this](const std::string& path) { missing = path; },
                           .written = [this](const std::string& path) { written.push_back(path); },
                           .committing =
                               [this](std::vector<Op>& ops) {
                                 if (committing) committing(ops);
                               }});
    writer->start();
  }

  template <class T>
  void wait(const std::optional<T>& answer) {
    if (!loop.run_until([&] { return answer.has_value(); }, 10s)) std::abort();
  }
  Status commit(std::vector<Op> ops) {
    std::optional<Result<Revision>> answer;
    other->commit(std::move(ops), [&](Result<Revision> result) { answer = std::move(result); });
    wait(answer);
    if (!*answer) return failed(*answer);
    return {};
  }
  std::optional<Node> node(const std::string& path) {
    std::optional<Result<NodePtr>> answer;
    other->get(path, [&](Result<NodePtr> result) { answer = std::move(result); });
    wait(answer);
    return *answer ? std::optional<Node>(***answer) : std::nullopt;
  }
  Nodes below(const std::string& path) {
    std::optional<Result<std::vector<std::string>>> answer;
    other->list(path, [&](auto result) { answer = std::move(result); });
    wait(answer);
    Nodes out;
    for (const std::string& name : answer->value_or(std::vector<std::string>())) {
      if (const auto there = node(path + "/" + name)) out[name] = there->value;
      for (const auto& [child, value] : below(path + "/" + name)) out[name + "/" + child] = value;
    }
    return out;
  }
  bool settle() {
    return loop.run_until([&] { return writer->settled(); }, 20s);
  }
  // Refuses each commit with an operation on this path.
  void refuse(const std::string& path, Code code) {
    store->before_commit([this, path, code] {
      for (const Op& op : store->last_commit)
        if (op.path == path) return store->fail_next(code);
    });
  }

  Loop loop;
  Registry registry;
  std::shared_ptr<EmbeddedDatabase> database;
  std::unique_ptr<Store> other;
  std::unique_ptr<FlakyStore> store;
  std::unique_ptr<NodeWriter> writer;
  Nodes found;
  std::string missing;
  std::vector<std::string> written;
  std::function<void(std::vector<Op>&)> committing;
};

class NodeWriterTest : public testing::Test, protected Bed {};

TEST_F(NodeWriterTest, WhatIsPutStandsThereAndIsTold) {
  start();
  writer->put("/first/a", first, "1");
  writer->put("/second/b", second, "2");
  ASSERT_TRUE(settle());
  EXPECT_THAT(below("/first"), ElementsAre(Pair("a", "1")));
  EXPECT_EQ(node("/first/a")->stat.owner, store->session());
  EXPECT_THAT(below("/second"), ElementsAre(Pair("b", "2")));
  EXPECT_THAT(written, ElementsAre("/first/a", "/second/b"));
  writer->remove("/first/a");
  ASSERT_TRUE(settle());
  EXPECT_THAT(below("/first"), ElementsAre());
}

TEST_F(NodeWriterTest, WhatStandsThereAsWantedIsNotWritten) {
  ASSERT_TRUE(commit({Op::create("/tree/a", "1"), Op::create("/tree/a/0", "2")}));
  start();
  writer->put("/tree/a", in_group("a"), "1");
  writer->put("/tree/a/0", in_group("a"), "2");
  ASSERT_TRUE(settle());
  EXPECT_EQ(store->commits, 0);
  EXPECT_THAT(found, testing::IsSupersetOf({Pair("/tree/a", "1"), Pair("/tree/a/0", "2")}));
  EXPECT_THAT(written, ElementsAre("/tree/a", "/tree/a/0"));
}

TEST_F(NodeWriterTest, WhatIsPutLongAfterItWasFoundAsWantedIsNotWritten) {
  ASSERT_TRUE(commit({Op::create("/tree/a", "1")}));
  start();
  ASSERT_TRUE(settle());
  writer->put("/tree/a", in_group("a"), "1");
  ASSERT_TRUE(settle());
  EXPECT_EQ(store->commits, 0);
}

TEST_F(NodeWriterTest, WhatWasNeverPutGoesWithASweepOfItsRankAlone) {
  std::unique_ptr<Store> earlier = database->session();
  std::optional<Result<Revision>> done;
  earlier->commit({Op::create_ephemeral("/first/x", ""), Op::create_ephemeral("/second/y", "")},
                  [&](Result<Revision> result) { done = std::move(result); });
  ASSERT_TRUE(loop.run_until([&] { return done.has_value(); }, 10s));
  start();
  ASSERT_TRUE(settle());
  EXPECT_THAT(below("/first"), ElementsAre(Pair("x", "")));
  writer->sweep(0);
  ASSERT_TRUE(settle());
  EXPECT_THAT(below("/first"), ElementsAre());
  EXPECT_THAT(below("/second"), ElementsAre(Pair("y", "")));
}

TEST_F(NodeWriterTest, ANodeOfAnotherSessionIsReplaced) {
  std::unique_ptr<Store> earlier = database->session();
  std::optional<Result<Revision>> done;
  earlier->commit({Op::create_ephemeral("/first/x", "1")}, [&](Result<Revision> result) { done = std::move(result); });
  ASSERT_TRUE(loop.run_until([&] { return done.has_value(); }, 10s));
  start();
  writer->put("/first/x", first, "1");
  ASSERT_TRUE(settle());
  earlier.reset();
  EXPECT_EQ(node("/first/x")->stat.owner, store->session());
}

TEST_F(NodeWriterTest, ACommitHoldsNodesOfOneRankTheLowestFirst) {
  start();
  ASSERT_TRUE(settle());
  std::vector<std::set<std::string>> commits;
  store->before_commit([&] {
    std::set<std::string> folders;
    for (const Op& op : store->last_commit) folders.insert(op.path.substr(0, op.path.rfind('/')));
    commits.push_back(folders);
  });
  for (int n = 0; n < 5; ++n) {
    writer->put(fmt::format("/second/{}", n), second, "");
    writer->put(fmt::format("/first/{}", n), first, "");
  }
  ASSERT_TRUE(settle());
  EXPECT_THAT(commits, ElementsAre(ElementsAre("/first"), ElementsAre("/second")));
}

// Of a group of 600 nodes, index, parent and children.
TEST_F(NodeWriterTest, AGroupThatFitsIntoNoCommitIsWrittenAndRemovedInOrder) {
  start();
  constexpr int children = 600;
  for (int n = 0; n < children; ++n) writer->put(fmt::format("/tree/g/{}", n), in_group("g"), "x");
  writer->put("/tree/g", in_group("g"), "parent");
  writer->put("/tree/index", in_group("g", 0), "");
  ASSERT_TRUE(settle());
  EXPECT_EQ(below("/tree").size(), children + 2U);
  EXPECT_GE(store->commits, 3);
  bool index_stands = true;
  store->before_commit([&] {
    for (const Op& op : store->last_commit) {
      if (op.path == "/tree/index") index_stands = false;
      if (op.path == "/tree/g") EXPECT_TRUE(index_stands) << "it leads to the others until they are gone";
    }
  });
  for (int n = 0; n < children; ++n) writer->remove(fmt::format("/tree/g/{}", n));
  writer->remove("/tree/g");
  writer->remove("/tree/index");
  ASSERT_TRUE(settle());
  EXPECT_TRUE(below("/tree").empty());
}

TEST_F(NodeWriterTest, AGroupThatFitsGoesIntoOneCommitAndItsOwnerMayAddToIt) {
  committing = [](std::vector<Op>& ops) {
    for (const Op& op : ops)
      if (op.path == "/tree/g") return ops.push_back(Op::set("/tree", "g is new"));
  };
  start();
  ASSERT_TRUE(settle());
  for (int n = 0; n < 250; ++n) writer->put(fmt::format("/tree/f{}", n), in_group(fmt::format("f{}", n)), "");
  for (int n = 0; n < 10; ++n) writer->put(fmt::format("/tree/g/{}", n), in_group("g"), "");
  writer->put("/tree/g", in_group("g"), "");
  std::vector<std::size_t> of_g;
  store->before_commit([&] {
    std::size_t count = 0;
    for (const Op& op : store->last_commit) count += op.path.starts_with("/tree/g") ? 1 : 0;
    of_g.push_back(count);
  });
  ASSERT_TRUE(settle());
  EXPECT_THAT(of_g, ElementsAre(0, 11));
  EXPECT_EQ(node("/tree")->value, "g is new");
}

TEST_F(NodeWriterTest, AGuardThatDoesNotHoldKeepsItsGroupBackAlone) {
  start();
  writer->put("/tree/a", in_group("a"), "1", {"/first/here"});
  writer->put("/tree/b", in_group("b"), "1");
  ASSERT_TRUE(loop.run_until([&] { return !writer->refused().empty(); }, 20s));
  ASSERT_TRUE(loop.run_until([&] { return !below("/tree").empty(); }, 20s));
  EXPECT_THAT(below("/tree"), ElementsAre(Pair("b", "1")));
  writer->put("/first/here", first, "");
  ASSERT_TRUE(settle());
  EXPECT_THAT(below("/tree"), ElementsAre(Pair("a", "1"), Pair("b", "1")));
  EXPECT_THAT(writer->refused(), ElementsAre());
  // What was written is not fenced again.
  writer->remove("/first/here");
  writer->put("/tree/a", in_group("a"), "2");
  ASSERT_TRUE(settle());
  EXPECT_EQ(node("/tree/a")->value, "2");
}

TEST_F(NodeWriterTest, ADurableNodeThatAnotherProcessWroteIsLookedAtBeforeItIsWritten) {
  start();
  writer->put("/tree/a", in_group("a"), "1");
  ASSERT_TRUE(settle());
  ASSERT_TRUE(commit({Op::set("/tree/a", "not ours")}));
  found.clear();
  writer->put("/tree/a", in_group("a"), "2");
  ASSERT_TRUE(settle());
  EXPECT_EQ(node("/tree/a")->value, "2");
  EXPECT_EQ(found["/tree/a"], "not ours");
}

TEST_F(NodeWriterTest, OfAGivenNodeTheValueAloneIsWritten) {
  start();
  const NodeWriter::Kind given{.rank = 3, .life = Life::given};
  writer->put("/given", given, "new");
  ASSERT_TRUE(settle());
  EXPECT_EQ(node("/given")->value, "new");
  writer->remove("/given");
  ASSERT_TRUE(settle());
  EXPECT_TRUE(node("/given"));
  ASSERT_TRUE(commit({Op::remove("/given")}));
  writer->look_again();
  writer->put("/given", given, "newer");
  ASSERT_TRUE(settle());
  EXPECT_FALSE(node("/given"));
}

TEST_F(NodeWriterTest, NothingIsWrittenWhileItPauses) {
  start();
  writer->pause();
  writer->put("/first/a", first, "1");
  for (int turn = 0; turn < 20; ++turn) node("/first");
  EXPECT_EQ(store->commits, 0);
  EXPECT_FALSE(writer->settled());
  writer->resume();
  ASSERT_TRUE(settle());
  EXPECT_THAT(below("/first"), ElementsAre(Pair("a", "1")));
}

TEST_F(NodeWriterTest, AFolderThatIsNotThereIsTold) {
  ASSERT_TRUE(commit({Op::remove("/second")}));
  start();
  ASSERT_TRUE(settle());
  EXPECT_EQ(missing, "/second");
}

TEST_F(NodeWriterTest, ARecordThatTheStoreRefusesHoldsUpNoOther) {
  start();
  refuse("/first/7", Code::invalid);
  for (int n = 0; n < 20; ++n) writer->put(fmt::format("/first/{}", n), first, "");
  ASSERT_TRUE(loop.run_until([&] { return !writer->refused().empty(); }, 20s));
  ASSERT_TRUE(loop.run_until([&] { return below("/first").size() == 19; }, 20s));
  EXPECT_THAT(writer->refused(), ElementsAre("/first/7 is not written: told to fail"));
  refuse("", Code::invalid);
  ASSERT_TRUE(settle());
  EXPECT_EQ(below("/first").size(), 20U);
}

// Whatever fails and whatever others do, in the end the store holds what was said last.
TEST(NodeWriterProperty, EveryHistoryEndsAsTheLastWordDemands) {
  EXPECT_TRUE(rc::check([] {
    Bed bed;
    bed.start();
    Nodes wanted;
    bed.writer->sweep(0);
    bed.writer->sweep(2);
    const auto steps = *rc::gen::container<std::vector<std::pair<int, int>>>(
        rc::gen::pair(rc::gen::inRange(0, 12), rc::gen::inRange(0, 4)));
    for (const auto& [what, n] : steps) {
      const std::string eph = fmt::format("/first/{}", n);
      const std::string parent = fmt::format("/tree/{}", n);
      switch (what) {
        case 0: bed.writer->put(eph, first, wanted[eph] = "a"); break;
        case 1: bed.writer->put(eph, first, wanted[eph] = "b"); break;
        case 2: bed.writer->remove(eph), wanted.erase(eph); break;
        case 3:
        case 4:
          bed.writer->put(parent, in_group(parent), wanted[parent] = std::to_string(what));
          bed.writer->put(parent + "/0", in_group(parent), wanted[parent + "/0"] = std::to_string(what));
          break;
        case 5:
          bed.writer->remove(parent), wanted.erase(parent);
          bed.writer->remove(parent + "/0"), wanted.erase(parent + "/0");
          break;
        case 6: bed.store->fail_next(Code::unavailable, n + 1); break;
        case 7: bed.store->fail_next(Code::internal); break;
        case 8: bed.store->disconnect(); break;
        case 9: n % 2 == 0 ? bed.store->reconnect() : bed.store->lose_session(); break;
        case 10: static_cast<void>(bed.commit({Op::set(parent, "other")})), bed.writer->look_again(); break;
        case 11: bed.node("/"); break;  // some turns of the loop
        default: break;
      }
    }
    bed.store->recover();
    bed.writer->look_again();
    RC_ASSERT(bed.settle());
    // A look finds what another process wrote without a conflict.
    bed.writer->look_again();
    RC_ASSERT(bed.settle());
    Nodes there;
    for (const std::string folder : {"/first", "/tree"})
      for (const auto& [name, value] : bed.below(folder)) there[folder + "/" + name] = value;
    RC_ASSERT(there == wanted);
  }));
}

}  // namespace
}  // namespace midonet::store::node_writer_test
