#include "programs/store_gate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>

#include "model/paths.h"
#include "store/embedded_store.h"
#include "store/flaky_store.h"

namespace midonet::programs::store_gate_test {
namespace {

using namespace std::chrono_literals;
using store::Op;
using testing::HasSubstr;

class StoreGateTest : public testing::Test {
 protected:
  void write_version(std::string value) {
    std::optional<Result<store::Revision>> answer;
    store_.commit({Op::create(model::paths::version, std::move(value))},
                  [&](Result<store::Revision> result) { answer = std::move(result); });
    ASSERT_TRUE(loop_.run_until([&] { return answer.has_value(); }, 10s));
    ASSERT_TRUE(*answer) << answer->error().message;
    store_.commits = 0;
  }
  void make_gate() {
    gate_.emplace(
        loop_, store_, [this] { ++opened_; },
        [this](const Error& error) {
          ++refused_;
          error_ = error;
        },
        [this] { ++waited_; });
  }
  bool decided() {
    return loop_.run_until([this] { return opened_ + refused_ > 0; }, 10s);
  }

  Loop loop_;
  std::shared_ptr<store::EmbeddedDatabase> database_ = store::EmbeddedDatabase::open(loop_, ":memory:", 0ms).value();
  store::FlakyStore store_{[this] { return database_->session(); }};
  int opened_ = 0, refused_ = 0;
  Error error_{};
  int waited_ = 0;
  std::optional<StoreGate> gate_;
};

TEST_F(StoreGateTest, OpensWhenTheLayoutIsMade) {
  make_gate();
  ASSERT_TRUE(decided());
  EXPECT_EQ(opened_, 1);
  EXPECT_EQ(waited_, 0);
  EXPECT_EQ(store_.commits, 1);
}

TEST_F(StoreGateTest, WaitsForAStoreThatIsOutOfReachAndOpensOnceWhenItAnswers) {
  store_.disconnect();
  make_gate();
  EXPECT_FALSE(loop_.run_until([this] { return opened_ + refused_ > 0; }, 300ms));
  EXPECT_EQ(store_.commits, 0);
  store_.reconnect();
  ASSERT_TRUE(decided());
  store_.disconnect();
  store_.reconnect();
  EXPECT_FALSE(loop_.run_until([this] { return opened_ + refused_ > 1; }, 100ms));
  EXPECT_EQ(opened_, 1);
}

TEST_F(StoreGateTest, AsksAgainWhereTheStoreIsConnectedButFails) {
  store_.fail_next(Code::unavailable, 8);
  make_gate();
  ASSERT_TRUE(decided());
  EXPECT_EQ(opened_, 1);
  EXPECT_EQ(waited_, 1);
}

TEST_F(StoreGateTest, RefusesALayoutThatIsNewerAndWritesNothing) {
  write_version(R"({"layout": 9, "minReader": 9})");
  make_gate();
  ASSERT_TRUE(decided());
  EXPECT_EQ(refused_, 1);
  EXPECT_EQ(error_.code, Code::conflict);
  EXPECT_THAT(error_.message, HasSubstr("needs a program that knows layout 9"));
  EXPECT_EQ(store_.commits, 0);
}

TEST_F(StoreGateTest, RefusesADamagedVersionAndWritesNothing) {
  write_version("{");
  make_gate();
  ASSERT_TRUE(decided());
  EXPECT_EQ(refused_, 1);
  EXPECT_EQ(store_.commits, 0);
}

TEST_F(StoreGateTest, ALayoutThatIsGoneAfterALostSessionIsMadeAnew) {
  make_gate();
  ASSERT_TRUE(decided());
  store_.lose_session();
  EXPECT_FALSE(loop_.run_until([this] { return store_.commits > 1; }, 100ms)) << "a lost session alone is no loss";
  database_ = store::EmbeddedDatabase::open(loop_, ":memory:", 0ms).value();
  store_.lose_session();
  EXPECT_TRUE(loop_.run_until([this] { return store_.commits > 1; }, 10s));
  EXPECT_EQ(opened_, 1);
}

}  // namespace
}  // namespace midonet::programs::store_gate_test
