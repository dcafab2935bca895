#include "agent/retry.h"

#include <gtest/gtest.h>

namespace midonet::agent::retry_test {
namespace {

using namespace std::chrono_literals;
using Time = Retry::Time;

TEST(Retry, NothingFailedNothingToDo) {
  Retry retry;
  retry.attempted({}, Time{});
  EXPECT_TRUE(retry.empty());
  EXPECT_EQ(retry.next(), std::nullopt);
}

TEST(Retry, DelaysGrowUpToABound) {
  Retry retry;
  Time now{1h};
  std::chrono::nanoseconds last{0};
  for (int i = 0; i < 20; ++i) {
    retry.attempted({"a"}, now);
    const auto delay = *retry.next() - now;
    EXPECT_GE(delay, last);
    EXPECT_LE(delay, Retry::last_delay);
    last = delay;
    now = *retry.next();
  }
  EXPECT_EQ(last, Retry::last_delay);
}

TEST(Retry, ANewFailureDoesNotWaitForAnOldOne) {
  Retry retry;
  Time now{1h};
  for (int i = 0; i < 10; ++i) {
    retry.attempted({"old"}, now);
    now = *retry.next();
  }
  retry.attempted({"old"}, now);
  now += 1ms;
  retry.attempted({"old", "new"}, now);
  EXPECT_EQ(*retry.next() - now, Retry::first_delay);
}

TEST(Retry, AnAttemptForAnotherReasonDoesNotPutOffWhatIsDue) {
  Retry retry;
  Time now{1h};
  retry.attempted({"a"}, now);
  const auto due = retry.next();
  retry.attempted({"a"}, now + 10ms);
  EXPECT_EQ(retry.next(), due);
}

TEST(Retry, SuccessForgets) {
  Retry retry;
  retry.attempted({"a", "b"}, Time{1h});
  retry.attempted({"b"}, Time{1h} + 1s);
  EXPECT_FALSE(retry.contains("a"));
  EXPECT_TRUE(retry.contains("b"));
}

}  // namespace
}  // namespace midonet::agent::retry_test
