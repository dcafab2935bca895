// Keeps the ports that forward on this host when the store has lost them: during a hold the agent adds and changes entries in the
// kernel, and removes none. A hold begins when the store no longer knows this host although ports forward here. It outlives the
// agent by a file in the run directory, which goes with the kernel's state at a reboot. It ends when the store knows each of these
// ports again, or when the operator says so (`midonet agent accept`).
#pragma once

#include <string>

#include "datapath/datapath.h"

namespace midonet::agent {

class Hold {
 public:
  // `file` is where it is remembered; empty: nowhere.
  explicit Hold(std::string file);

  bool on() const { return !reason_.empty(); }
  std::string warning() const;  // with the cure
  void begin(std::string reason);
  // The store has lost this host: what forwards here goes on. Nothing when no port does.
  bool begin_for(datapath::Datapath& datapath, const std::string& store);
  // Ends when all that forwards here is desired.
  void end_if_known(const datapath::Desired& desired, datapath::Datapath& datapath, const std::string& store);
  void end();

 private:
  std::string file_;
  std::string reason_;  // one line; empty: it is off
};

}  // namespace midonet::agent
