// Keeps what forwards on this host when the store has lost it: while a hold is on, the agent adds and changes, and removes
// nothing from the kernel. It begins when the store does not know this host any more although ports forward here, outlives
// the agent by a file in the run directory (which goes with the kernel's state at a reboot), and ends when the store knows
// each of these ports again or the operator says so (`midonet agent accept`).
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
