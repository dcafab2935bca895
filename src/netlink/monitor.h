// The links and addresses of this network namespace, live: read once, then kept by the kernel's events. No
// polling. The agent is told to look again and reads the table; it never sees single events.
//
// On the loop's thread. When the kernel drops events (the socket's buffer overran), everything is read again;
// until that is done the table keeps what it had, and `changed` comes when it is right again. A failing
// socket is opened again.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <unordered_set>
#include <utility>

#include "base/loop.h"
#include "base/metrics.h"
#include "base/result.h"
#include "netlink/link.h"
#include "netlink/message.h"
#include "netlink/route.h"
#include "netlink/routes.h"
#include "netlink/socket.h"

namespace midonet::netlink {

// The agent's source of links and routes: the Monitor, or a test's tables.
class LinkSource {
 public:
  virtual ~LinkSource() = default;
  virtual const LinkTable& links() const = 0;
  virtual bool ready() const = 0;  // false until the table is complete for the first time
  // The routes to these destinations, which are followed until the next call names others.
  virtual const RouteTable& routes(const std::set<Destination>& wanted) = 0;
  // `changed` is called from the loop, once for many changes, and when ready() becomes true.
  virtual void on_changed(std::function<void()> changed) = 0;
};

class Monitor : public LinkSource {
 public:
  // Large enough for the events of some thousand links at once.
  static constexpr int default_buffer_bytes = 8 * 1024 * 1024;

  // Looks at the namespace that the calling thread is in.
  static Result<std::unique_ptr<Monitor>> open(Loop& loop, Registry& registry, int buffer_bytes = default_buffer_bytes);
  ~Monitor() override = default;

  const LinkTable& links() const override { return links_; }
  bool ready() const override { return ready_; }
  const RouteTable& routes(const std::set<Destination>& wanted) override { return routes_->follow(wanted); }
  void on_changed(std::function<void()> changed) override { changed_ = std::move(changed); }
  std::uint64_t overruns() const { return overruns_; }

 private:
  enum class Phase { dumping_links, dumping_addresses, following };

  Monitor(Loop& loop, Registry& registry, Socket socket, int buffer_bytes);
  void watch();
  void begin_dump();
  void read();
  void take(Message&& message);
  void dump_part_done(int error_number);
  void finish_dump();
  void start_over(const char* why);
  void reopen(const Error& error);
  void notify();

  Loop& loop_;
  Counter overrun_counter_;
  Socket socket_;
  int buffer_bytes_;
  LinkTable links_;
  std::unique_ptr<Routes> routes_;
  Phase phase_ = Phase::dumping_links;
  bool ready_ = false;
  bool unreported_ = false;   // the table changed since the last `changed`
  bool interrupted_ = false;  // the running dump is inconsistent
  std::uint32_t sequence_ = 0;
  std::uint64_t overruns_ = 0;
  // Seen in a running dump, or in an event since its start; links that are not here when it ends are gone.
  std::unordered_set<std::uint32_t> seen_links_;
  struct AddressHash {
    std::size_t operator()(const std::pair<std::uint32_t, Ip>& key) const;
  };
  std::unordered_set<std::pair<std::uint32_t, Ip>, AddressHash> seen_addresses_;
  std::function<void()> changed_;
  FdWatch readable_;
  Timer notifier_;
  Timer retry_;
};

}  // namespace midonet::netlink
