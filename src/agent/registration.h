// Makes the record of this host and its folders in the store, and tries until they are there. On the loop's thread.
#pragma once

#include <functional>
#include <string>

#include "base/liveness.h"
#include "base/loop.h"
#include "base/uuid.h"
#include "store/store.h"

namespace midonet::agent {

class Registration {
 public:
  // `done` is called when the host is there; `made`: it was not there before.
  using Done = std::function<void(bool made)>;
  Registration(Loop& loop, store::Store& store, const Uuid& host, std::string name, Done done);

  void start();  // nothing when an attempt is about to begin
  bool waiting() const { return timer_.armed(); }

 private:
  void attempt();

  Loop& loop_;
  store::Store& store_;
  const Uuid host_;
  const std::string name_;
  Done done_;
  bool absent_ = false;
  unsigned attempts_ = 0;  // in a row
  Liveness liveness_;
  Timer timer_;
};

}  // namespace midonet::agent
