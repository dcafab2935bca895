// Addresses that may no longer send through the tunnel, or receive from it, and are still admitted for a while. Used by EbpfDatapath
// (admission.cc has its part, too), on the loop's thread.
//
// A host is admitted to a bridge by its record there, which the commit of a binding or its agent makes (ADR 19); it leaves when the
// record is removed. Frames and records take different ways, so the set grows at once and shrinks late. Frames on their way are not
// lost, nor those of a host that does not know a new address of this one yet, nor those of a host whose record comes late. An entry
// that comes back in time stays.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <utility>
#include <vector>

#include "base/loop.h"
#include "datapath/ebpf/tables.h"

namespace midonet::datapath {

class Leaving {
 public:
  using Clock = std::chrono::steady_clock;

  // `remove` is called from the loop for each entry whose time is over.
  Leaving(Loop& loop, std::chrono::milliseconds linger, std::function<void(const abi::admitted_key&)> remove)
      : loop_(loop), linger_(linger), remove_(std::move(remove)) {}

  // Of what is in scope, exactly `gone` leaves; the time of an entry that was leaving before goes on.
  void keep(const std::function<bool(const abi::admitted_key&)>& in_scope, const std::vector<abi::admitted_key>& gone);
  void clear();

 private:
  void arm();
  void fire();

  Loop& loop_;
  std::chrono::milliseconds linger_;
  std::function<void(const abi::admitted_key&)> remove_;
  std::map<abi::admitted_key, Clock::time_point, BytesLess> due_;
  Timer timer_;
};

}  // namespace midonet::datapath
