#include "base/liveness.h"

#include <gtest/gtest.h>

#include <functional>
#include <optional>
#include <string>

namespace midonet::liveness_test {
namespace {

TEST(Liveness, AGuardedCallRunsUntilItsOwnerIsGone) {
  int calls = 0;
  std::optional<Liveness> owner(std::in_place);
  const std::function<void(const std::string&)> call = owner->guard([&](const std::string& what) {
    EXPECT_EQ(what, "news");
    ++calls;
  });
  call("news");
  EXPECT_EQ(calls, 1);
  owner.reset();
  call("news");
  EXPECT_EQ(calls, 1);
}

TEST(Liveness, ACallMayEndItsOwner) {
  std::optional<Liveness> owner(std::in_place);
  const auto token = owner->token();
  owner->guard([&] { owner.reset(); })();
  EXPECT_TRUE(token.expired());
}

}  // namespace
}  // namespace midonet::liveness_test
