// The contract of store.h: watches.
#include <gtest/gtest.h>

#include "store/store_contract_test.h"

namespace midonet::store {

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
      // Gone or made once more: the watch does not fire again.
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

TEST_P(StoreContract, AReleasedWatchIsGoneAndTheOthersOfItsNodeStay) {
  ASSERT_TRUE(commit(*b_, {Op::create("/w", "")}));
  for (const char* path : {"/w", "/absent"}) {
    auto owner = std::make_shared<int>();
    int released = 0, kept = 0;
    static_cast<void>(get(*a_, path, Notify(std::weak_ptr(owner), [&] { ++released; })));
    static_cast<void>(list(*a_, path, Notify(std::weak_ptr(owner), [&] { ++released; })));
    static_cast<void>(get(*a_, path, [&] { ++kept; }));
    owner.reset();
    a_->release(path);
    settle(*a_);
    ASSERT_TRUE(commit(*b_, {path == std::string("/w") ? Op::set(path, "x") : Op::create(path, "")}));
    ASSERT_TRUE(wait([&] { return kept == 1; })) << path;
    settle(*a_);
    EXPECT_EQ(released, 0) << path;
  }
}

TEST_P(StoreContract, AWatchThatIsSetRightAfterARelease) {
  ASSERT_TRUE(commit(*b_, {Op::create("/w", "")}));
  for (int round = 0; round < 20; ++round) {
    for (const char* path : {"/w", "/absent"}) {
      auto owner = std::make_shared<int>();
      static_cast<void>(list(*a_, path, Notify(std::weak_ptr(owner), [] { ADD_FAILURE() << "it was released"; })));
      owner.reset();
      int fired = 0;
      int answered = 0;
      const auto answer = [&](const auto&) { ++answered; };
      // Before the call, after it, and with the answer on its way.
      if (round % 3 == 0) a_->release(path);
      a_->get(path, answer, [&] { ++fired; });
      if (round % 3 == 1) a_->release(path);
      ASSERT_TRUE(wait([&] { return answered == 1; }));
      if (round % 3 == 2) a_->release(path);
      settle(*a_);
      ASSERT_TRUE(commit(*b_, {path == std::string("/w") ? Op::set(path, "x") : Op::create(path, "")}));
      ASSERT_TRUE(wait([&] { return fired == 1; })) << path << round;
    }
    ASSERT_TRUE(commit(*b_, {Op::remove("/absent")}));
  }
}

}  // namespace midonet::store
