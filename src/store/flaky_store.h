// For tests: a session of another store that fails, or loses its connection or its session, when a test says so, as a store behind a
// network does. Calls go through in order; a setting acts on later calls.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "store/store.h"

namespace midonet::store {

class FlakyStore : public Store {
 public:
  // `new_session` opens a session of the store behind.
  explicit FlakyStore(std::function<std::unique_ptr<Store>()> new_session)
      : new_session_(std::move(new_session)), inner_(new_session_()) {}

  // The next calls are answered with this, one each; they do not reach the store.
  void fail_next(Code code, int calls = 1) { failures_.insert(failures_.end(), static_cast<std::size_t>(calls), code); }
  // Runs before each commit goes to the store: a test lets another client be quicker there.
  void before_commit(std::function<void()> hook) { before_commit_ = std::move(hook); }

  void disconnect() { set_state(State::disconnected); }
  // The session survived: watches and ephemeral nodes are as they were.
  void reconnect() { set_state(State::connected); }
  // All is well from now on.
  void recover() {
    failures_.clear();
    reconnect();
  }
  // The session is lost: unanswered calls fail, every watch fires, and nothing of the session is left.
  void lose_session() {
    inner_ = new_session_();
    for (auto& [number, fail] : std::exchange(outstanding_, {})) fail();
    for (const auto& watch : std::exchange(watches_, {})) fire(watch);
    set_state(State::new_session);
    state_ = State::connected;
  }

  void get(const std::string& path, GetDone done, Notify watch) override {
    ++gets;
    if (const auto error = next_error()) return refuse<NodePtr>(*error, std::move(done));
    inner_->get(path, expect<NodePtr>(std::move(done)), hold(std::move(watch)));
  }
  void list(const std::string& path, ListDone done, Notify watch) override {
    ++lists;
    if (const auto error = next_error()) return refuse<std::vector<std::string>>(*error, std::move(done));
    inner_->list(path, expect<std::vector<std::string>>(std::move(done)), hold(std::move(watch)));
  }
  void backup(BackupDone done) override { inner_->backup(std::move(done)); }
  void release(const std::string& path) override { inner_->release(path); }
  void commit(std::vector<Op> ops, CommitDone done) override {
    ++commits;
    last_commit = ops;
    if (before_commit_) before_commit_();
    if (const auto error = next_error()) return refuse<Revision>(*error, std::move(done));
    inner_->commit(std::move(ops), expect<Revision>(std::move(done)));
  }
  [[nodiscard]] Subscription on_state(std::function<void(State)> changed) override {
    auto subscription = std::make_shared<std::function<void(State)>>(std::move(changed));
    subscriptions_.push_back(subscription);
    return subscription;
  }
  std::int64_t session() const override { return inner_->session(); }
  State state() const override { return state_; }
  std::string uri() const override { return "flaky:" + inner_->uri(); }

  // How many watches are set and have not fired.
  std::size_t watching() const {
    return static_cast<std::size_t>(
        std::count_if(watches_.begin(), watches_.end(), [](const auto& watch) { return static_cast<bool>(*watch); }));
  }

  int gets = 0;
  int lists = 0;
  int commits = 0;
  std::vector<Op> last_commit;

 private:
  std::optional<Code> next_error() {
    if (state_ == State::disconnected) return Code::unavailable;
    if (failures_.empty()) return std::nullopt;
    const Code code = failures_.front();
    failures_.pop_front();
    return code;
  }

  // Records that `done` is owed an answer, until it gets one.
  template <class T, class Done>
  std::function<void(Result<T>)> expect(Done done) {
    const std::uint64_t number = ++last_call_;
    outstanding_[number] = [this, done] { refuse<T>(Code::unavailable, done); };
    return [this, number, done = std::move(done)](Result<T> result) {
      outstanding_.erase(number);
      done(std::move(result));
    };
  }

  // Later, and in the order of the calls: by way of a call to the store behind.
  template <class T, class Done>
  void refuse(Code code, Done done) {
    GetDone then = [code, done = std::move(done)](const Result<NodePtr>&) {
      done(Result<T>(failed(Error{code, "told to fail"})));
    };
    inner_->get("/", expect<NodePtr>(std::move(then)), {});
  }

  // A watch that fires once: by the store behind, or by the end of the session.
  Notify hold(Notify watch) {
    if (!watch) return {};
    auto held = std::make_shared<Notify>(std::move(watch));
    watches_.push_back(held);
    return [held] { fire(held); };
  }
  static void fire(const std::shared_ptr<Notify>& held) {
    const Notify notify = std::exchange(*held, {});
    if (notify) notify();
  }

  void set_state(State state) {
    state_ = state;
    for (const auto& weak : std::vector(subscriptions_)) {
      if (const auto subscription = weak.lock()) (*subscription)(state);
    }
  }

  std::function<std::unique_ptr<Store>()> new_session_;
  std::unique_ptr<Store> inner_;
  State state_ = State::connected;
  std::uint64_t last_call_ = 0;
  std::map<std::uint64_t, std::function<void()>> outstanding_;
  std::deque<Code> failures_;
  std::function<void()> before_commit_;
  std::vector<std::shared_ptr<Notify>> watches_;
  std::vector<std::weak_ptr<std::function<void(State)>>> subscriptions_;
};

}  // namespace midonet::store
