#include "http/fair_queue.h"

#include <gtest/gtest.h>

namespace midonet::http {
namespace {

TEST(FairQueue, ServesTheClientsInTurnAndEachInItsOrder) {
  FairQueue<int> queue(10, 100);
  for (int i = 1; i <= 3; ++i) EXPECT_FALSE(queue.push("a", i));
  EXPECT_FALSE(queue.push("c", 30));
  EXPECT_FALSE(queue.push("b", 20));
  std::vector<int> order;
  while (auto next = queue.pop()) order.push_back(*next);
  EXPECT_EQ(order, (std::vector<int>{1, 20, 30, 2, 3}));
  EXPECT_TRUE(queue.empty());
}

TEST(FairQueue, ALineHasALength) {
  FairQueue<int> queue(2, 100);
  EXPECT_FALSE(queue.push("a", 1));
  EXPECT_FALSE(queue.push("a", 2));
  EXPECT_EQ(queue.push("a", 3), 3);
  EXPECT_FALSE(queue.push("b", 4));
  EXPECT_EQ(queue.size(), 3u);
}

TEST(FairQueue, AFullQueueTakesANewcomerForTheLastOfTheLongestLine) {
  FairQueue<int> queue(10, 4);
  for (int i = 1; i <= 4; ++i) EXPECT_FALSE(queue.push("a", i));
  EXPECT_EQ(queue.push("a", 5), 5);
  EXPECT_EQ(queue.push("b", 6), 4);
  EXPECT_EQ(queue.push("b", 7), 3);
  EXPECT_EQ(queue.push("b", 8), 8) << "its line would be the longest then";
  EXPECT_EQ(queue.push("c", 9), 2);
  EXPECT_EQ(queue.size(), 4u);
  std::vector<int> order;
  while (auto next = queue.pop()) order.push_back(*next);
  EXPECT_EQ(order, (std::vector<int>{1, 6, 9, 7}));
}

}  // namespace
}  // namespace midonet::http
