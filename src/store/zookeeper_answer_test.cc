// Answers that no ZooKeeper server gives, through the real client library.
#include <gtest/gtest.h>

#include <atomic>
#include <optional>

#include "store/fake_zookeeper.h"
#include "store/zookeeper_store.h"

namespace midonet::store::zookeeper_answer_test {
namespace {

using namespace std::chrono_literals;

struct ZookeeperAnswers : testing::Test {
  Result<std::vector<std::string>> list() {
    std::optional<Result<std::vector<std::string>>> answer;
    store->list("/a", [&](auto names) { answer = std::move(names); }, {});
    EXPECT_TRUE(loop.run_until([&] { return answer.has_value(); }, 60s));
    return answer ? *answer : fail(Code::internal, "no answer");
  }

  FakeZookeeper::Answer answer(std::int32_t operation) {
    if (operation != FakeZookeeper::get_children) return {0, JuteWriter().stat(1, 0).take()};
    switch (spoilt) {
      case 0: return {0, JuteWriter().number32(2).buffer("x").buffer("y").take()};
      case 1: return {0, JuteWriter().number32(2).buffer("x").number32(-1).take()};  // a name of length -1
      case 2: return {0, JuteWriter().number32(3).buffer("x").take()};               // names that are not there
      case 3:
        return {0, JuteWriter().number32(1).number32(1'000'000).raw("x").take()};  // a name longer than the answer
      default: return {};
    }
  }

  std::atomic<int> spoilt = 0;
  Loop loop;
  FakeZookeeper server{[this](std::int32_t operation, std::string_view) { return answer(operation); }};
  std::unique_ptr<Store> store =
      *connect_zookeeper(loop, *ZookeeperAddress::parse("zookeeper://" + server.address()), {.patience = 30s});
};

TEST_F(ZookeeperAnswers, ThatAreSpoiltAreAnErrorOfThatReadAlone) {
  ASSERT_TRUE(list()) << list().error().message;
  for (spoilt = 1; spoilt <= 3; ++spoilt) {
    const auto names = list();
    ASSERT_FALSE(names) << spoilt;
    EXPECT_EQ(names.error().code, Code::internal) << names.error().message;
    EXPECT_NE(names.error().message.find("node /a: marshalling error"), std::string::npos) << names.error().message;
  }
  spoilt = 0;
  EXPECT_EQ(*list(), (std::vector<std::string>{"x", "y"}));
}

}  // namespace
}  // namespace midonet::store::zookeeper_answer_test
