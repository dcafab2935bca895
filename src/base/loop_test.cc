#include "base/loop.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <string>
#include <vector>

#include "base/unique_fd.h"

namespace midonet::loop_test {
namespace {

using namespace std::chrono_literals;

TEST(Loop, PostedTasksRunInOrderAndNeverInsideTheCall) {
  Loop loop;
  std::vector<int> seen;
  loop.post([&] {
    loop.post([&] { seen.push_back(3); });
    seen.push_back(1);
  });
  loop.post([&] { seen.push_back(2); });
  EXPECT_TRUE(seen.empty());
  EXPECT_TRUE(loop.run_until([&] { return seen.size() == 3; }, 10s));
  EXPECT_EQ(seen, (std::vector<int>{1, 2, 3}));
}

TEST(Loop, ACancelledTimerNeverFires) {
  Loop loop;
  bool cancelled_fired = false;
  bool done = false;
  Timer cancelled = loop.after(1ms, [&] { cancelled_fired = true; });
  Timer kept = loop.after(20ms, [&] { done = true; });
  EXPECT_TRUE(cancelled.armed());
  cancelled = Timer();
  EXPECT_TRUE(loop.run_until([&] { return done; }, 10s));
  EXPECT_FALSE(cancelled_fired);
  EXPECT_FALSE(kept.armed());
}

TEST(Loop, AReadableDescriptorCallsUntilItIsDrainedAndTheWatchMayEndItself) {
  Loop loop;
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const UniqueFd read_end(ends[0]);
  const UniqueFd write_end(ends[1]);
  ASSERT_EQ(::write(write_end.get(), "ab", 2), 2);
  std::string seen;
  FdWatch watch;
  watch = loop.on_readable(read_end.get(), [&] {
    char c = 0;
    ASSERT_EQ(::read(read_end.get(), &c, 1), 1);
    seen += c;
    if (c == 'b') watch.cancel();
  });
  EXPECT_TRUE(loop.run_until([&] { return seen == "ab"; }, 10s));
  ASSERT_EQ(::write(write_end.get(), "c", 1), 1);
  EXPECT_FALSE(loop.run_until([&] { return seen.size() > 2; }, 20ms));
}

TEST(Loop, RunUntilGivesUpAtItsDeadline) {
  Loop loop;
  EXPECT_FALSE(loop.run_until([] { return false; }, 1ms));
}

TEST(Loop, AStopSignalIsHeardOnTheLoop) {
  Loop loop;
  bool heard = false;
  loop.on_stop_signal([&] { heard = true; });
  ASSERT_EQ(::raise(SIGTERM), 0);
  EXPECT_TRUE(loop.run_until([&] { return heard; }, 10s));
}

}  // namespace
}  // namespace midonet::loop_test
