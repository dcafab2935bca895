#include "datapath/ebpf/drift.h"

#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "datapath/ebpf/hooks.h"

namespace midonet::datapath {

Result<std::unique_ptr<Drift>> Drift::open(Loop& loop, Ours ours, std::function<void(const std::string&)> drifted) {
  std::unique_ptr<Drift> drift(new Drift(loop, std::move(ours), std::move(drifted)));
  auto monitor = TcMonitor::open();
  if (!monitor) return failed(monitor);
  drift->monitor_ = std::move(*monitor);
  drift->inotify_.reset(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  if (!drift->inotify_) return fail_errno(errno, "watch the pins");
  drift->tc_watch_ = loop.on_readable(drift->monitor_->fd(), [self = drift.get()] { self->drain(); });
  drift->pin_watch_ = loop.on_readable(drift->inotify_.get(), [self = drift.get()] { self->read_pins(); });
  return drift;
}

Status Drift::watch_pins(const std::string& folder, const std::string& links) {
  folder_ = folder;
  links_ = links;
  for (auto [path, watch] : {std::pair(&folder_, &watch_), std::pair(&links_, &links_watch_)}) {
    // For a folder that is watched already this changes nothing.
    *watch = ::inotify_add_watch(inotify_.get(), path->c_str(),
                                 IN_DELETE | IN_MOVED_FROM | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR);
    if (*watch < 0) return fail_errno(errno, "watch the pins in {}", *path);
  }
  return {};
}

void Drift::drain() {
  const bool complete = monitor_->drain(ours_.port_id, [this](const TcEvent& event) {
    if (!ours_.concerns(event) || !ours_.plugged(event.place.ifindex)) return;
    const char* object = event.qdisc                               ? "the clsact qdisc"
                         : event.place.priority == Hooks::priority ? "the filter"
                                                                   : "a filter before ours";
    what_ =
        fmt::format("{} of interface {} was {}", object, event.place.ifindex, event.deleted ? "deleted" : "changed");
  });
  if (!complete) what_ = "notifications about qdiscs and filters were lost";
  report();
}

bool Drift::is_pin(bool link, const std::string& file) const {
  if (!link) return ours_.pin(file);
  // One that we have just replaced is there again.
  const auto ifindex = ours_.linked(file);
  return ifindex && ours_.plugged(*ifindex) && ::access((links_ + "/" + file).c_str(), F_OK) != 0;
}

void Drift::read_pins() {
  alignas(inotify_event) std::array<char, 4096> buffer;
  for (;;) {
    const ssize_t got = ::read(inotify_.get(), buffer.data(), buffer.size());
    if (got <= 0) return report();
    for (std::size_t at = 0; at < static_cast<std::size_t>(got);) {
      inotify_event event;
      std::memcpy(&event, buffer.data() + at, sizeof event);
      const std::string file(event.len > 0 ? buffer.data() + at + sizeof event : "");
      at += sizeof event + event.len;
      if ((event.mask & IN_Q_OVERFLOW) != 0) what_ = "notifications about pins were lost";
      if (event.wd != watch_ && event.wd != links_watch_) continue;  // a folder before these
      const std::string& folder = event.wd == watch_ ? folder_ : links_;
      if ((event.mask & (IN_DELETE | IN_MOVED_FROM)) != 0 && is_pin(event.wd == links_watch_, file))
        what_ = fmt::format("the pin {}/{} was deleted", folder, file);
      if ((event.mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT)) != 0)
        what_ = fmt::format("the folder {} was removed", folder);
    }
  }
}

void Drift::report() {
  if (what_.empty() || report_timer_.armed()) return;
  report_timer_ = loop_.after(std::chrono::nanoseconds(0), [this] { drifted_(std::exchange(what_, {})); });
}

}  // namespace midonet::datapath
