// Delays a server until its store has answered and has a layout that the program knows. A host may boot during an outage of ZooKeeper.
// So the gate logs what it waits for, and tries again at each change of the store's state (and after a growing delay while the store
// answers with errors), for as long as it takes.
//
// If the layout is gone later, because the servers have lost their data, it is made again, and that is logged.
//
// On the loop's thread; it and the store outlive the loop's run.
#pragma once

#include <chrono>
#include <functional>
#include <string>

#include "base/backoff.h"
#include "base/liveness.h"
#include "base/loop.h"
#include "store/store.h"

namespace midonet::programs {

class StoreGate {
 public:
  // One of the two is called, once: `open` when the layout is there, `refused` when it cannot be read (then nothing was
  // written). Before that `waits`, once, after a longer wait for the store.
  StoreGate(Loop& loop, store::Store& store, std::function<void()> open, std::function<void(const Error&)> refused,
            std::function<void()> waits = {});
  StoreGate(const StoreGate&) = delete;
  StoreGate& operator=(const StoreGate&) = delete;

 private:
  void look();
  void looked(const Status& layout);
  void look_after_loss();
  void say(const std::string& why);

  Loop& loop_;
  store::Store& store_;
  std::function<void()> open_;
  std::function<void(const Error&)> refused_;
  std::function<void()> waits_;
  bool looking_ = false;
  bool done_ = false;
  bool opened_ = false;
  bool said_ = false;
  Backoff backoff_{std::chrono::milliseconds(100), std::chrono::milliseconds(10'000)};
  Timer again_, say_;
  store::Store::Subscription subscription_;
  Liveness liveness_;
};

}  // namespace midonet::programs
