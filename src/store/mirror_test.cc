#include "store/mirror.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <map>
#include <optional>

#include "store/embedded_store.h"
#include "store/flaky_store.h"
#include "store/hint.h"

namespace midonet::store::mirror_test {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using Names = std::vector<std::string>;

class MirrorTest : public testing::Test {
 protected:
  MirrorTest() {
    commit({Op::create("/p", ""), Op::create("/p/1", "one"), Op::create("/p/2", "two"), Op::create("/q", "")});
  }

  void commit(std::vector<Op> ops) {
    std::optional<Result<Revision>> answer;
    other_->commit(std::move(ops), [&](Result<Revision> result) { answer = std::move(result); });
    ASSERT_TRUE(loop_.run_until([&] { return answer.has_value(); }, 10s));
    ASSERT_TRUE(*answer) << answer->error().message;
  }
  // All that is under way has been read and told.
  void settle() {
    for (int i = 0; i < 3; ++i) {
      bool answered = false;
      store_.get("/", [&](const auto&) { loop_.post([&] { answered = true; }); }, {});
      ASSERT_TRUE(loop_.run_until([&] { return answered; }, 10s));
    }
  }
  // Reads /p and its children, as long as it is told of changes; the last view is `seen_`.
  Status read_children() {
    return mirror_.read([&](View& view) -> Status {
      const auto names = view.list("/p");
      if (!names) return failed(names);
      std::map<std::string, std::string> seen;
      Status status;
      for (const std::string& name : *names) {
        const auto node = view.get("/p/" + name);
        if (node) {
          seen[name] = (*node)->value;
        } else if (status) {
          status = failed(node);
        }
      }
      if (status) seen_ = seen;
      return status;
    });
  }
  void read_until_complete() {
    while (true) {
      const Status status = read_children();
      if (status) break;
      ASSERT_EQ(status.error().code, Code::pending) << status.error().message;
      const int before = changes_;
      ASSERT_TRUE(loop_.run_until([&] { return changes_ > before; }, 10s));
    }
    settle();
    changes_ = 0;
  }
  static Code code_of(const Status& status) { return status ? Code::internal : status.error().code; }

  Loop loop_;
  std::shared_ptr<EmbeddedDatabase> database_ = *EmbeddedDatabase::open(loop_, ":memory:", 0ms);
  FlakyStore store_{[this] { return database_->session(); }};
  std::unique_ptr<Store> other_ = database_->session();
  int changes_ = 0;
  Mirror mirror_{loop_, store_, [this] { ++changes_; }};
  std::map<std::string, std::string> seen_;
};

TEST_F(MirrorTest, WhatIsNotThereYetIsPendingAndThenThere) {
  EXPECT_EQ(code_of(read_children()), Code::pending);
  EXPECT_EQ(changes_, 0);
  settle();
  EXPECT_EQ(changes_, 1);
  EXPECT_EQ(code_of(read_children()), Code::pending);  // the list is there, its children now are asked for
  settle();
  EXPECT_EQ(changes_, 2);
  EXPECT_TRUE(read_children());
  EXPECT_EQ(seen_, (std::map<std::string, std::string>{{"1", "one"}, {"2", "two"}}));
  EXPECT_EQ(mirror_.followed(), 3u);
  settle();
  EXPECT_EQ(changes_, 2);
}

TEST_F(MirrorTest, AChangeIsToldOnceAndSeenByTheNextRead) {
  read_until_complete();
  commit({Op::set("/p/1", "uno")});
  settle();
  EXPECT_EQ(changes_, 1);
  EXPECT_TRUE(read_children());
  EXPECT_EQ(seen_["1"], "uno");
  settle();
  EXPECT_EQ(changes_, 1);
  commit({Op::set("/p/1", "eins")});  // and again: the watch was set again
  settle();
  EXPECT_EQ(changes_, 2);
}

// A folder whose value may hold a hint. Commits of another client are told by it, or not.
class HintTest : public MirrorTest {
 protected:
  static std::string record(int number) { return fmt::format(R"({{"n":{}}})", number); }
  // What the reader sees of the children of /q, with those that it knows only by their names as "?".
  std::map<std::string, std::string> look() {
    std::map<std::string, std::string> seen;
    static_cast<void>(mirror_.read([&](View& view) -> Status {
      const auto names = view.list_told("/q");
      if (!names) return tl::unexpected<Error>(names.error());
      Status status;
      for (const std::string& name : *names) {
        const auto node = view.get("/q/" + name);
        seen[name] = node ? (*node)->value : "?";
        if (node) revision_ = (*node)->stat.modified;
        if (!node && status) status = tl::unexpected<Error>(node.error());
      }
      return status;
    }));
    return seen;
  }
  // Until the children's names are known again; their records are then still being read.
  std::map<std::string, std::string> look_when_told() {
    const int before = changes_;
    EXPECT_TRUE(loop_.run_until([&] { return changes_ > before; }, 10s));
    return look();
  }
  void follow() {
    look();
    settle();
    look();
    settle();
    changes_ = 0;
  }
  Op add(const std::string& name, int number) { return Op::create("/q/" + name, record(number)); }
  Op tell(const std::string& name, int number) { return Op::set("/q", encode_hint({{"/q/" + name, record(number)}})); }
  using Seen = std::map<std::string, std::string>;
  Revision revision_ = 0;
};

TEST_F(HintTest, StandsInForARecordThatIsBeingRead) {
  follow();
  commit({add("a", 1), tell("a", 1)});
  EXPECT_EQ(look_when_told(), (Seen{{"a", record(1)}}));
  const Revision told = revision_;
  settle();
  EXPECT_EQ(changes_, 1) << "that the record is what the hint said is no change";
  EXPECT_EQ(look(), (Seen{{"a", record(1)}}));
  EXPECT_EQ(revision_, told);
}

TEST_F(HintTest, WithoutOneARecordIsReadFirst) {
  follow();
  commit({add("a", 1)});
  EXPECT_EQ(look_when_told(), (Seen{{"a", "?"}}));
  EXPECT_EQ(look_when_told(), (Seen{{"a", record(1)}}));
}

TEST_F(HintTest, WhatIsReadReplacesItAndIsAChangeIfItDiffers) {
  follow();
  commit({add("a", 1), tell("a", 2)});
  EXPECT_EQ(look_when_told(), (Seen{{"a", record(2)}}));
  EXPECT_EQ(look_when_told(), (Seen{{"a", record(1)}}));
}

TEST_F(HintTest, ThatWasThereBeforeTheFolderWasFollowedIsNone) {
  commit({add("a", 1), tell("a", 2)});
  look();
  EXPECT_EQ(look_when_told(), (Seen{{"a", "?"}}));
}

TEST_F(HintTest, OfANodeThatIsNotAskedForIsForgotten) {
  follow();
  commit({tell("a", 1)});
  settle();
  EXPECT_EQ(look(), Seen());
  commit({add("a", 2)});  // by a client that gives no hint
  EXPECT_EQ(look_when_told(), (Seen{{"a", "?"}}));
}

TEST_F(HintTest, OfANodeThatWasReadIsForgotten) {
  follow();
  commit({add("a", 1), tell("a", 1)});
  look_when_told();
  settle();
  look();
  commit({Op::remove("/q/a")});
  settle();
  EXPECT_EQ(look(), Seen());
  commit({add("a", 2)});
  EXPECT_EQ(look_when_told(), (Seen{{"a", "?"}}));
}

TEST_F(HintTest, LeavesWhatIsKnownAsItIs) {
  follow();
  commit({add("a", 1)});
  settle();
  look();
  settle();
  look();
  commit({tell("a", 7)});
  settle();
  EXPECT_EQ(look(), (Seen{{"a", record(1)}}));
}

TEST_F(HintTest, ThatIsDamagedIsNone) {
  follow();
  commit({add("a", 1), Op::set("/q", R"({"latest": 7)")});
  EXPECT_EQ(look_when_told(), (Seen{{"a", "?"}}));
}

TEST_F(MirrorTest, ManyChangesOfOneMomentAreToldOnce) {
  for (int i = 3; i < 300; ++i) commit({Op::create("/p/" + std::to_string(i), "")});
  read_until_complete();
  std::vector<Op> ops;
  for (int i = 1; i < 300; ++i) ops.push_back(Op::set("/p/" + std::to_string(i), "new"));
  commit(std::move(ops));
  settle();
  EXPECT_EQ(changes_, 1);
  EXPECT_TRUE(read_children());
  EXPECT_EQ(seen_.size(), 299u);
  for (const auto& [name, value] : seen_) EXPECT_EQ(value, "new") << name;
}

TEST_F(MirrorTest, TheFirstReadOfManyNodesIsToldOnce) {
  std::vector<Op> ops;
  for (int i = 10; i < 5000; ++i) ops.push_back(Op::create("/p/" + std::to_string(i), ""));
  commit(std::move(ops));
  EXPECT_EQ(code_of(read_children()), Code::pending);
  settle();
  changes_ = 0;
  EXPECT_EQ(code_of(read_children()), Code::pending);
  ASSERT_TRUE(loop_.run_until([&] { return changes_ > 0; }, 10s));
  EXPECT_TRUE(read_children());
  settle();
  EXPECT_EQ(changes_, 1);
  EXPECT_EQ(seen_.size(), 4992u);
}

TEST_F(MirrorTest, OfVeryManyReadsAFewAreWithTheStoreAtATimeAndTheReaderIsToldOnce) {
  constexpr std::size_t number = 2 * Mirror::reads_at_once + 100;
  for (std::size_t first = 0; first < number; first += 1000) {
    std::vector<Op> ops;
    for (std::size_t n = first; n < std::min(number, first + 1000); ++n)
      ops.push_back(Op::create(fmt::format("/q/{}", n), "x"));
    commit(std::move(ops));
  }
  std::size_t known = 0;
  const auto read = [&] {
    return mirror_.read([&](View& view) -> Status {
      known = 0;
      for (std::size_t n = 0; n < number; ++n) known += view.get(fmt::format("/q/{}", n)) ? 1U : 0U;
      return {};
    });
  };
  EXPECT_TRUE(read());
  EXPECT_EQ(static_cast<std::size_t>(store_.gets), Mirror::reads_at_once);
  ASSERT_TRUE(loop_.run_until([&] { return changes_ > 0; }, 10s));
  EXPECT_TRUE(read());
  EXPECT_EQ(known, number);
  EXPECT_EQ(static_cast<std::size_t>(store_.gets), number);
  settle();
  EXPECT_EQ(changes_, 1);

  // A lost session: all of it is read again, and what changed is told.
  commit({Op::set("/q/7", "y")});
  store_.lose_session();
  ASSERT_TRUE(loop_.run_until([&] { return changes_ > 1; }, 10s));
  settle();
  EXPECT_EQ(changes_, 2);
  EXPECT_EQ(mirror_.followed(), number);
}

TEST_F(MirrorTest, WhatIsNotFollowedIsNotTold) {
  read_until_complete();
  commit({Op::set("/q", "x"), Op::create("/q/1", ""), Op::create("/p/1/deep", ""), Op::set("/p", "x")});
  settle();
  EXPECT_EQ(changes_, 0);
}

TEST_F(MirrorTest, AbsentNodesAreFollowedToo) {
  std::optional<Code> code;
  const auto read = [&] {
    return mirror_.read([&](View& view) -> Status {
      const auto node = view.get("/q/later");
      const auto names = view.list("/q/later");
      code = node ? Code::internal : node.error().code;
      return node.map([](const auto&) {});
    });
  };
  EXPECT_EQ(code_of(read()), Code::pending);
  settle();
  EXPECT_EQ(code_of(read()), Code::not_found);
  EXPECT_EQ(mirror_.followed(), 2u);
  changes_ = 0;
  commit({Op::create("/q/later", "")});
  settle();
  EXPECT_EQ(changes_, 1);
  EXPECT_TRUE(read());
}

TEST_F(MirrorTest, WhatTheReaderNoLongerAsksForIsDropped) {
  read_until_complete();
  const auto read_one = [&] {
    return mirror_.read([](View& view) { return view.get("/p/1").map([](const auto&) {}); });
  };
  EXPECT_TRUE(read_one());
  EXPECT_EQ(mirror_.followed(), 1u);
  commit({Op::set("/p/2", "x"), Op::create("/p/3", "")});
  settle();
  EXPECT_EQ(changes_, 0);
  commit({Op::set("/p/1", "x")});
  settle();
  EXPECT_EQ(changes_, 1);
  // Followed again, it is read again: what was dropped is not answered from memory.
  EXPECT_EQ(code_of(read_children()), Code::pending);
  settle();
  read_until_complete();
  EXPECT_EQ(seen_, (std::map<std::string, std::string>{{"1", "x"}, {"2", "x"}, {"3", ""}}));
}

TEST_F(MirrorTest, FollowingAndDroppingOverAndOverSetsNoSecondWatch) {
  const auto follow = [&](bool second) {
    static_cast<void>(mirror_.read([&](View& view) -> Status {
      static_cast<void>(view.get("/p/1"));
      if (second) static_cast<void>(view.get("/p/2"));
      return {};
    }));
    settle();
  };
  for (int i = 0; i < 50; ++i) follow(i % 2 == 0);
  follow(true);
  changes_ = 0;
  const int before = store_.gets;
  commit({Op::set("/p/2", "x")});
  settle();
  EXPECT_EQ(changes_, 1);
  EXPECT_EQ(store_.gets, before + 1 + 3);  // one for the event; three are settle()'s
}

TEST_F(MirrorTest, AReaderThatStopsEarlyBecauseItWaitsDropsNothing) {
  read_until_complete();
  const Status status = mirror_.read([](View& view) { return view.get("/q").map([](const auto&) {}); });
  EXPECT_EQ(code_of(status), Code::pending);
  EXPECT_EQ(mirror_.followed(), 4u);
}

TEST_F(MirrorTest, AReaderThatRanMeanwhileIsNotToldOfWhatItSaw) {
  read_until_complete();
  commit({Op::set("/p/1", "x")});
  // Until the new value has been read, and not further: `changed` is on its way.
  ASSERT_TRUE(loop_.run_until(
      [&] {
        static_cast<void>(read_children());
        return seen_["1"] == "x";
      },
      10s));
  changes_ = 0;
  settle();
  EXPECT_EQ(changes_, 0);
}

TEST_F(MirrorTest, AfterALostSessionOnlyDifferencesAreTold) {
  read_until_complete();
  store_.lose_session();
  settle();
  EXPECT_EQ(changes_, 0);
  store_.disconnect();
  commit({Op::set("/p/1", "x"), Op::create("/p/3", "three")});
  settle();
  EXPECT_EQ(changes_, 0);
  EXPECT_TRUE(read_children());  // the old copy
  EXPECT_EQ(seen_["1"], "one");
  store_.lose_session();
  settle();
  EXPECT_EQ(changes_, 1);
  read_until_complete();
  EXPECT_EQ(seen_, (std::map<std::string, std::string>{{"1", "x"}, {"2", "two"}, {"3", "three"}}));
  // And the watches of the new session are set.
  commit({Op::set("/p/2", "y")});
  settle();
  EXPECT_EQ(changes_, 1);
}

TEST_F(MirrorTest, AStoreThatDoesNotAnswerLeavesTheCopyOldButNeverEmpty) {
  read_until_complete();
  for (const Code code : {Code::unavailable, Code::internal, Code::exhausted}) {
    store_.fail_next(code);
    commit({Op::set("/p/1", std::string(name(code)))});
    settle();
    EXPECT_TRUE(read_children());
    EXPECT_NE(seen_["1"], name(code));
    EXPECT_EQ(changes_, 0);
    // It is tried again by itself.
    ASSERT_TRUE(loop_.run_until([&] { return changes_ == 1; }, 10s));
    EXPECT_TRUE(read_children());
    EXPECT_EQ(seen_["1"], name(code));
    changes_ = 0;
  }
}

TEST_F(MirrorTest, WhatCouldNotBeReadAtAllIsUnavailableUntilItIs) {
  store_.disconnect();
  EXPECT_EQ(code_of(read_children()), Code::pending);
  settle();
  EXPECT_EQ(changes_, 1);
  EXPECT_EQ(code_of(read_children()), Code::unavailable);
  store_.reconnect();
  settle();
  EXPECT_EQ(changes_, 2);
  read_until_complete();
  EXPECT_EQ(seen_.size(), 2u);
}

TEST_F(MirrorTest, AReconnectedSessionIsNotReadAgainExceptForWhatFailed) {
  read_until_complete();
  const int before = store_.gets;
  store_.disconnect();
  store_.reconnect();
  ASSERT_TRUE(loop_.run_until([&] { return true; }, 1s));
  EXPECT_EQ(store_.gets, before);
  commit({Op::set("/p/1", "x")});
  settle();
  EXPECT_EQ(changes_, 1);
}

TEST_F(MirrorTest, APathThatCannotBeIsAnErrorAndNotTriedAgain) {
  const auto read = [&] {
    return mirror_.read([](View& view) { return view.get("no path").map([](const auto&) {}); });
  };
  EXPECT_EQ(code_of(read()), Code::pending);
  settle();
  EXPECT_EQ(code_of(read()), Code::invalid);
  const int before = store_.gets;
  store_.disconnect();
  store_.reconnect();
  settle();
  EXPECT_EQ(store_.gets, before + 3);
}

TEST_F(MirrorTest, AMirrorMayBeDestroyedAnytimeAlsoByItsCallback) {
  const auto content = std::make_shared<int>();
  std::unique_ptr<Mirror> mirror;
  mirror = std::make_unique<Mirror>(loop_, store_, [&, content] { mirror.reset(); });
  static_cast<void>(mirror->read([](View& view) { return view.get("/p/1").map([](const auto&) {}); }));
  ASSERT_TRUE(loop_.run_until([&] { return mirror == nullptr; }, 10s));
  mirror = std::make_unique<Mirror>(loop_, store_, [content] { ADD_FAILURE(); });
  static_cast<void>(mirror->read([](View& view) { return view.get("/p/1").map([](const auto&) {}); }));
  mirror.reset();
  commit({Op::set("/p/1", "x")});
  settle();
  EXPECT_EQ(content.use_count(), 1);
}

TEST_F(MirrorTest, AMirrorThatComesAndGoesLeavesNothingWithTheStore) {
  const auto session = database_->session();
  const auto content = std::make_shared<int>();
  for (int i = 0; i < 4000; ++i) {
    Mirror mirror(loop_, *session, [content] {});
    static_cast<void>(mirror.read([](View& view) {
      static_cast<void>(view.get("/p/1"));
      return view.list("/p").map([](const auto&) {});
    }));
    if (i % 100 == 0) settle();
  }
  EXPECT_EQ(content.use_count(), 1);
}

// Whatever happened in whatever order and however it was squashed, the last view is the store's last state.
TEST(MirrorProperty, TheLastViewEqualsTheStore) {
  EXPECT_TRUE(rc::check([] {
    Loop loop;
    const auto database = *EmbeddedDatabase::open(loop, ":memory:", 0ms);
    const auto other = database->session();
    FlakyStore store([&] { return database->session(); });
    using Tree = std::map<std::string, std::string>;
    Tree seen;
    bool complete = false;
    bool want_read = true;
    Mirror mirror(loop, store, [&] { want_read = true; });
    // Follows the whole tree, three levels deep.
    const auto read = [&](View& view) -> Status {
      Tree tree;
      Status status;
      const std::function<void(const std::string&)> visit = [&](const std::string& path) {
        const auto node = view.get(path.empty() ? "/" : path);
        const auto names = view.list(path.empty() ? "/" : path);
        for (const auto* error : {node ? nullptr : &node.error(), names ? nullptr : &names.error()}) {
          // A child may be gone since its parent's list was read: then that list is on its way.
          if (error != nullptr && error->code != Code::not_found) status = failed(*error);
        }
        if (node) tree[path] = (*node)->value;
        if (!names) return;
        for (const std::string& name : *names) visit(path + "/" + name);
      };
      visit("");
      if (status) seen = tree;
      complete = status.has_value();
      return status;
    };
    const auto path = rc::gen::map(rc::gen::container<std::vector<char>>(rc::gen::element('a', 'b', 'c')),
                                   [](std::vector<char> parts) {
                                     std::string out;
                                     parts.resize(1 + parts.size() % 3, 'a');
                                     for (const char c : parts) out += std::string("/") + c;
                                     return out;
                                   });
    const int steps = *rc::gen::inRange(1, 60);
    for (int step = 0; step < steps; ++step) {
      switch (*rc::gen::weightedElement<int>({{10, 0}, {4, 1}, {3, 2}, {1, 3}, {1, 4}, {1, 5}, {1, 6}})) {
        case 0: {
          std::vector<Op> ops;
          const int count = *rc::gen::inRange(1, 4);
          for (int i = 0; i < count; ++i) {
            const std::string at = *path;
            const std::string value = std::to_string(step);
            switch (*rc::gen::inRange(0, 4)) {
              case 0: ops.push_back(Op::create(at, value)); break;
              case 1: ops.push_back(Op::create_ephemeral(at, value)); break;
              case 2: ops.push_back(Op::set(at, value)); break;
              default: ops.push_back(Op::remove(at)); break;
            }
          }
          // By another client, or by the session that is mirrored.
          (*rc::gen::arbitrary<bool>() ? *other : static_cast<Store&>(store)).commit(std::move(ops), [](const auto&) {
          });
          break;
        }
        case 1: {  // some of what is under way happens
          int left = *rc::gen::inRange(1, 8);
          static_cast<void>(loop.run_until([&] { return left-- == 0; }, 1ms));
          break;
        }
        case 2: static_cast<void>(mirror.read(read)); break;
        case 3: store.disconnect(); break;
        case 4: store.reconnect(); break;
        case 5: store.lose_session(); break;
        default: store.fail_next(Code::unavailable, *rc::gen::inRange(1, 4)); break;
      }
    }
    store.recover();
    // From here on as the agent does: read when told to.
    const auto truth = [&] {
      Tree tree;
      const auto session = database->session();
      const std::function<void(const std::string&)> visit = [&](const std::string& at) {
        std::optional<Result<NodePtr>> node;
        std::optional<Result<Names>> names;
        session->get(at.empty() ? "/" : at, [&](auto result) { node = std::move(result); });
        session->list(at.empty() ? "/" : at, [&](auto result) { names = std::move(result); });
        RC_ASSERT(loop.run_until([&] { return names.has_value(); }, 10s));
        tree[at] = (**node)->value;
        for (const std::string& name : **names) visit(at + "/" + name);
      };
      visit("");
      return tree;
    };
    const Tree expected = truth();
    const bool converged = loop.run_until(
        [&] {
          if (std::exchange(want_read, false)) static_cast<void>(mirror.read(read));
          return complete && seen == expected;
        },
        10s);
    RC_ASSERT(converged);
    RC_ASSERT(seen == expected);
  }));
}

}  // namespace
}  // namespace midonet::store::mirror_test
