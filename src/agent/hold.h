// Keeps the ports that forward on this host when the store has lost them: during a hold the agent adds and changes entries in the
// kernel, and removes none. A hold begins when the store no longer knows this host although ports forward here. It outlives the
// agent by a file in the run directory, which goes with the kernel's state at a reboot. It ends when the store knows each of these
// ports again, or when the operator says so (`midonet agent accept`).
#pragma once

#include <string>

namespace midonet::agent {

class Hold {
 public:
  // `file` is where it is remembered; empty: nowhere.
  explicit Hold(std::string file);

  bool on() const { return !reason_.empty(); }
  const std::string& reason() const { return reason_; }
  void begin(std::string reason);
  void end();

 private:
  std::string file_;
  std::string reason_;  // one line; empty: it is off
};

}  // namespace midonet::agent
