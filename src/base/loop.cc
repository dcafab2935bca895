#include "base/loop.h"

#include <csignal>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>

namespace midonet {

namespace asio = boost::asio;

struct Timer::State {
  State(asio::io_context& io, std::chrono::nanoseconds delay, Loop::Task t) : timer(io, delay), task(std::move(t)) {}
  asio::steady_timer timer;
  Loop::Task task;  // empty once fired or cancelled
};

Timer& Timer::operator=(Timer&& other) noexcept {
  if (this != &other) {
    cancel();
    state_ = std::move(other.state_);
  }
  return *this;
}

void Timer::cancel() {
  if (!state_) return;
  state_->task = nullptr;
  state_->timer.cancel();
  state_.reset();
}

bool Timer::armed() const { return state_ && state_->task; }

struct FdWatch::State : std::enable_shared_from_this<FdWatch::State> {
  State(asio::io_context& io, int fd, Loop::Task t) : descriptor(io, fd), task(std::move(t)) {}
  ~State() { descriptor.release(); }

  void arm() {
    descriptor.async_wait(asio::posix::stream_descriptor::wait_read,
                          [self = shared_from_this()](const boost::system::error_code& error) {
                            if (error || !self->task) return;
                            // The task may end this watch; keep what is running alive until it returns.
                            const Loop::Task running = self->task;
                            running();
                            if (self->task) self->arm();
                          });
  }

  asio::posix::stream_descriptor descriptor;
  Loop::Task task;
};

FdWatch& FdWatch::operator=(FdWatch&& other) noexcept {
  if (this != &other) {
    cancel();
    state_ = std::move(other.state_);
  }
  return *this;
}

void FdWatch::cancel() {
  if (!state_) return;
  state_->task = nullptr;
  state_->descriptor.release();
  state_.reset();
}

struct Loop::Impl {
  asio::io_context io{1};
  asio::executor_work_guard<asio::io_context::executor_type> work{io.get_executor()};
  std::unique_ptr<asio::signal_set> signals;
};

Loop::Loop() : impl_(std::make_unique<Impl>()) {}
Loop::~Loop() = default;

void Loop::post(Task task) { asio::post(impl_->io, std::move(task)); }

Timer Loop::after(std::chrono::nanoseconds delay, Task task) {
  auto state = std::make_shared<Timer::State>(impl_->io, delay, std::move(task));
  state->timer.async_wait([state](const boost::system::error_code& error) {
    if (error || !state->task) return;
    const Task running = std::exchange(state->task, nullptr);
    running();
  });
  return Timer(std::move(state));
}

FdWatch Loop::on_readable(int fd, Task task) {
  auto state = std::make_shared<FdWatch::State>(impl_->io, fd, std::move(task));
  state->arm();
  return FdWatch(std::move(state));
}

void Loop::on_stop_signal(Task task) {
  impl_->signals = std::make_unique<asio::signal_set>(impl_->io, SIGINT, SIGTERM);
  impl_->signals->async_wait([this, task = std::move(task)](const boost::system::error_code& error, int) {
    if (error) return;
    impl_->signals->clear();  // back to the default action: a second signal ends the process
    task();
  });
}

void Loop::run() { impl_->io.run(); }

void Loop::stop() { impl_->io.stop(); }

bool Loop::run_until(const std::function<bool()>& done, std::chrono::nanoseconds deadline) {
  const auto end = std::chrono::steady_clock::now() + deadline;
  impl_->io.restart();
  while (!done()) {
    if (impl_->io.run_one_until(end) == 0) return done();
  }
  return true;
}

boost::asio::io_context& Loop::io() { return impl_->io; }

}  // namespace midonet
