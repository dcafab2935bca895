// The ephemeral nodes that this agent keeps in the store: who it is, what became of each port, the host's interfaces.
// A caller says what should stand there; this makes the store match: only differences, many in one commit, one commit at
// a time, the more urgent first. After a failure or in a new session it looks at what is there and goes on from that.
//
// A commit holds records of one kind, so that no status waits for an interface. A commit that the store refuses is
// split, until the record that it refuses stands alone; that record is tried again with growing delays, and holds up
// no other.
//
// A session that an earlier agent of this host had and this one resumed keeps its nodes: they are compared, and what is as
// it should be is not written. Nodes of another session that is not over yet (its agent was killed, and the store has not
// noticed) are replaced. Either are removed when nobody wants them, once all that is wanted of their kind was said. On the
// loop's thread; nothing here fails towards the caller: what cannot
// be written now is tried again with growing delays.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/loop.h"
#include "base/metrics.h"
#include "base/uuid.h"
#include "store/store.h"

namespace midonet::agent {

class Published {
 public:
  enum class Urgency : std::uint8_t { alive, status, interface };

  // `written(path)` is called when what was last put at (or removed from) a path is in the store. `lost()`: the host's own
  // folders are gone, somebody has to make them again.
  // `barred(value)`: whether the alive node of another session, with this value, is that of an agent which goes on. Then
  // nothing is written until resume().
  // `found(path, value)`: what stood at the path before anything was written there; always before it is written.
  struct Events {
    std::function<void(const std::string& path)> written;
    std::function<void()> lost;
    std::function<void(const std::string& path, const std::string& value)> found;
    std::function<bool(const std::string& value)> barred{};
  };
  Published(Loop& loop, store::Store& store, Registry& registry, const Uuid& host, Events events);
  ~Published();
  Published(const Published&) = delete;
  Published& operator=(const Published&) = delete;

  // From now on it may write: the host's folders exist.
  void start();
  void resume();  // after `barred`, or when another process wrote what is ours: looks again, and writes what differs

  void put(Urgency urgency, const std::string& path, std::string value);
  void remove(const std::string& path);
  // All that is wanted of this kind was put: what else stands there may go.
  void all_said(Urgency urgency);

  bool settled() const;  // everything stands in the store as asked for
  // Records that the store refused more than once, a sentence each.
  std::vector<std::string> refused() const;
  // What goes into one commit at most: it must stay far below what a store takes at once.
  static constexpr std::size_t ops_per_commit = 256;
  static constexpr std::size_t bytes_per_commit = 256 * 1024;
  static constexpr std::size_t reads_at_once = 256;

 private:
  enum class Presence : std::uint8_t { absent, ours, foreign };
  struct Entry {
    std::string value;
    std::string there{};       // as found, until it is written
    std::uint32_t change = 0;  // number of the last put or remove
    Urgency urgency = Urgency::status;
    bool wanted = false;
    Presence presence = Presence::absent;
  };
  struct Sent {
    std::string path;
    std::uint32_t change;
    bool wanted;
  };
  // A record that the store refused although it was alone in its commit.
  struct Trouble {
    unsigned failures = 0;
    std::chrono::steady_clock::time_point not_before{};
    std::string why{};
  };
  struct Scope {
    std::string folder;
    std::string only;  // this child alone; empty: all
    Urgency urgency;
  };

  void mark(const std::string& path, const Entry& entry);
  void on_state(store::State state);
  void look();
  void listed(const Scope& scope, const Result<std::vector<std::string>>& names);
  void read_more();
  void found(const Scope& scope, const std::string& path, const Result<store::NodePtr>& node);
  void looked();
  void pump_soon();
  void pump();
  void committed(std::vector<Sent> sent, const Result<store::Revision>& result);
  void refused(const std::vector<Sent>& sent, const Error& error);
  void try_later();

  Loop& loop_;
  store::Store& store_;
  Events events_;
  Counter commits_;
  Counter failures_;
  std::array<Scope, 3> scopes_;
  std::unordered_map<std::string, Entry> entries_;
  std::set<std::pair<Urgency, std::string>> dirty_;
  std::map<std::string, Trouble> troubles_;
  std::size_t limit_ =
      ops_per_commit;  // of records in the next commit; halved when one is refused, doubled after each success
  bool started_ = false;
  bool looked_ = false;      // `presence` is right
  std::size_t looking_ = 0;  // reads that are under way or to be made
  std::deque<std::pair<const Scope*, std::string>> unread_;
  std::size_t reading_ = 0;
  std::array<bool, 3> said_{};
  bool look_failed_ = false;
  bool in_flight_ = false;
  bool barred_ = false;
  unsigned failed_ = 0;        // attempts in a row
  std::uint64_t session_ = 0;  // answers of an older one do not count
  std::uint32_t changes_ = 0;
  store::Store::Subscription subscription_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  Timer pump_timer_;
  Timer retry_;
  Timer postponed_;  // until the first of troubles_ is due
};

}  // namespace midonet::agent
