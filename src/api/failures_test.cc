#include "api/failures.h"

#include <gtest/gtest.h>

namespace midonet::api {
namespace {

using namespace std::chrono_literals;

TEST(Failures, MakeTheNextNoWaitLongerAndLonger) {
  Failures failures;
  const auto now = Failures::Clock::now();
  std::vector<std::chrono::milliseconds> delays;
  for (int i = 0; i < 12; ++i) delays.push_back(failures.add("a", now));
  EXPECT_EQ(delays, (std::vector<std::chrono::milliseconds>{0ms, 0ms, 0ms, 100ms, 200ms, 400ms, 800ms, 1600ms, 3200ms,
                                                            5000ms, 5000ms, 5000ms}));
  EXPECT_EQ(failures.add("b", now), 0ms) << "another client";
  EXPECT_EQ(failures.add("a", now + 59s), 5000ms);
  EXPECT_EQ(failures.add("a", now + 59s + 61s), 0ms) << "forgotten";
}

TEST(Failures, OfMoreClientsThanThereIsRoomForAreHeldBackToo) {
  Failures failures;
  const auto now = Failures::Clock::now();
  for (std::size_t i = 0; i < Failures::most_clients; ++i)
    EXPECT_EQ(failures.add("client " + std::to_string(i), now), 0ms);
  EXPECT_EQ(failures.add("one more", now), Failures::longest);
  EXPECT_EQ(failures.clients(), Failures::most_clients);
  EXPECT_EQ(failures.add("one more", now + 61s), 0ms);
  EXPECT_EQ(failures.clients(), 1u);
}

}  // namespace
}  // namespace midonet::api
