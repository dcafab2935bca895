// The event loop: one per process, run by one thread. All of our code runs on it unless its header says otherwise.
// A library's own thread may call post() and nothing else.
//
// Callbacks are never run inside the call that hands them over: always later, from run(). A callback that was cancelled
// (its Timer or FdWatch destroyed or reset) is not run afterwards.
#pragma once

#include <chrono>
#include <functional>
#include <memory>

namespace boost::asio {
class io_context;
}

namespace midonet {

// A pending callback; destroying it cancels it. Movable; a moved-from or default one does nothing.
class Timer {
 public:
  struct State;
  Timer() = default;
  explicit Timer(std::shared_ptr<State> state) : state_(std::move(state)) {}
  Timer(Timer&&) noexcept = default;
  Timer& operator=(Timer&& other) noexcept;
  ~Timer() { cancel(); }
  void cancel();
  bool armed() const;  // given and neither fired nor cancelled

 private:
  std::shared_ptr<State> state_;
};

// Interest in a file descriptor; destroying it ends the interest. The descriptor stays the caller's, which keeps it open
// for as long as this lives.
class FdWatch {
 public:
  struct State;
  FdWatch() = default;
  explicit FdWatch(std::shared_ptr<State> state) : state_(std::move(state)) {}
  FdWatch(FdWatch&&) noexcept = default;
  FdWatch& operator=(FdWatch&& other) noexcept;
  ~FdWatch() { cancel(); }
  void cancel();

 private:
  std::shared_ptr<State> state_;
};

class Loop {
 public:
  using Task = std::function<void()>;

  Loop();
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  // Run the task later on the loop's thread, in the order of the calls. The one call that any thread may make.
  void post(Task task);
  // Run the task once after the delay (monotonic clock).
  [[nodiscard]] Timer after(std::chrono::nanoseconds delay, Task task);
  // Run the task each time the descriptor is readable (level-triggered: it runs again until the data is taken).
  [[nodiscard]] FdWatch on_readable(int fd, Task task);
  // Run the task once, when SIGINT or SIGTERM comes for the first time; a second signal ends the process at once.
  void on_stop_signal(Task task);

  // Runs until stop(). Returns at once if stop() was called before.
  void run();
  void stop();  // from the loop's thread
  // For tests and one-shot programs: runs until `done` returns true or the deadline is over; says whether it is done.
  // Waits for events, it does not poll: `done` is looked at after each event.
  [[nodiscard]] bool run_until(const std::function<bool()>& done, std::chrono::nanoseconds deadline);

  boost::asio::io_context& io();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace midonet
