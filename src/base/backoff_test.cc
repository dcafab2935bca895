#include "base/backoff.h"

#include <gtest/gtest.h>

namespace midonet::backoff_test {
namespace {

using namespace std::chrono_literals;

TEST(Backoff, DoublesUpToTheLastAndBeginsAgainAfterASuccess) {
  Backoff backoff(100ms, 450ms);
  for (const auto expected : {100ms, 200ms, 400ms, 450ms, 450ms}) EXPECT_EQ(backoff.next(), expected);
  backoff.reset();
  EXPECT_EQ(backoff.next(), 100ms);
}

TEST(Backoff, IsBoundedAfterAnyNumberOfFailures) {
  constexpr Backoff backoff(50ms, 10s);
  EXPECT_EQ(backoff.after(0), 0ms);
  EXPECT_EQ(backoff.after(1), 50ms);
  EXPECT_EQ(backoff.after(4), 400ms);
  EXPECT_EQ(backoff.after(64), 10s);
  EXPECT_EQ(backoff.after(~0U), 10s);
}

TEST(Backoff, JitterTakesAwayHalfAtMost) {
  std::minstd_rand random(1);
  bool shorter = false;
  for (int i = 0; i < 100; ++i) {
    Backoff backoff(100ms, 1s);
    const auto delay = backoff.next(random);
    EXPECT_TRUE(delay >= 50ms && delay <= 100ms) << delay.count();
    shorter |= delay < 90ms;
  }
  EXPECT_TRUE(shorter);
}

}  // namespace
}  // namespace midonet::backoff_test
