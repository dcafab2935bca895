#include "programs/store_gate.h"

#include <utility>

#include "base/log.h"
#include "model/paths.h"
#include "store/layout.h"

namespace midonet::programs {
namespace {

// A store that has not answered by then is talked of.
constexpr std::chrono::milliseconds patience{2'000};

}  // namespace

StoreGate::StoreGate(Loop& loop, store::Store& store, std::function<void()> open,
                     std::function<void(const Error&)> refused, std::function<void()> waits)
    : loop_(loop), store_(store), open_(std::move(open)), refused_(std::move(refused)), waits_(std::move(waits)) {
  subscription_ = store_.on_state([this](store::State state) {
    if (state != store::State::disconnected) look();
    if (state == store::State::new_session && opened_) look_after_loss();
  });
  say_ = loop_.after(patience, [this] { say("does not answer"); });
  look();
}

void StoreGate::say(const std::string& why) {
  say_.cancel();
  if (std::exchange(said_, true)) return;
  log::warning("store {}: {}: waiting for it; what is in the kernel goes on as it is", store_.uri(), why);
  if (waits_) waits_();
}

void StoreGate::look_after_loss() {
  store_.get(model::paths::version, liveness_.guard([this](const Result<store::NodePtr>& version) {
    if (version || version.error().code != Code::not_found) return;
    log::error("store {}: it has lost its data: its layout is made again", store_.uri());
    store::ensure_layout(store_, liveness_.guard([this](const Status& made) {
      if (!made) log::error("store {}: {}", store_.uri(), made.error().message);
    }));
  }));
}

void StoreGate::look() {
  if (looking_ || done_) return;
  looking_ = true;
  again_.cancel();
  store::ensure_layout(store_, liveness_.guard([this](const Status& layout) { looked(layout); }));
}

void StoreGate::looked(const Status& layout) {
  looking_ = false;
  if (layout) {
    done_ = opened_ = true;
    say_.cancel();
    if (said_) log::info("store {} answers", store_.uri());
    return open_();
  }
  if (layout.error().code != Code::unavailable) {
    done_ = true;
    say_.cancel();
    return refused_(Error{layout.error().code, fmt::format("store {}: {}", store_.uri(), layout.error().message)});
  }
  say(layout.error().message);
  if (store_.state() == store::State::disconnected) return;  // on_state tells
  again_ = loop_.after(backoff_.next(), [this] { look(); });
}

}  // namespace midonet::programs
