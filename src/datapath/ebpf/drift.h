// Notices changes of our objects by other programs: of our clsact or filters (rtnetlink's tc group), of our pins and those of our links
// (inotify). Used by EbpfDatapath, on the loop's thread. No polling. A rewritten map entry is not noticed here.
//
// Our own changes are not reported: tc's notifications name the socket that asked for the change, and of pins only the
// loss of a current one counts. Several events in a row are one report.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/loop.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "netlink/tc.h"

namespace midonet::datapath {

using netlink::TcEvent;
using netlink::TcMonitor;

class Drift {
 public:
  struct Ours {
    std::uint32_t port_id;                               // of the Tc that makes our changes
    std::function<bool(std::uint32_t ifindex)> plugged;  // do we have hooks there, or want them?
    std::function<bool(const TcEvent&)> concerns;        // is this about them?
    std::function<std::optional<std::uint32_t>(const std::string& file)> linked;  // the interface of a link's pin
    std::function<bool(const std::string& file)> pin;                             // is this the name of a current pin?
  };

  // `drifted` is called from the loop, not before this returns.
  static Result<std::unique_ptr<Drift>> open(Loop& loop, Ours ours, std::function<void(const std::string&)> drifted);

  // (Re)starts to watch the folders with the pins and with those of links, which may have been deleted and made again.
  Status watch_pins(const std::string& folder, const std::string& links);

  // Reads what the kernel has sent so far; a drift in it is reported later. Called in the middle of long work, so that
  // the kernel's buffer does not overrun.
  void drain();

 private:
  Drift(Loop& loop, Ours ours, std::function<void(const std::string&)> drifted)
      : loop_(loop), ours_(std::move(ours)), drifted_(std::move(drifted)) {}
  bool is_pin(bool link, const std::string& file) const;
  void read_pins();
  void report();

  Loop& loop_;
  Ours ours_;
  std::function<void(const std::string&)> drifted_;
  std::unique_ptr<TcMonitor> monitor_;
  UniqueFd inotify_;
  int watch_ = -1;
  int links_watch_ = -1;
  std::string folder_;
  std::string links_;
  std::string what_;  // not reported yet
  Timer report_timer_;
  FdWatch tc_watch_;
  FdWatch pin_watch_;
};

}  // namespace midonet::datapath
