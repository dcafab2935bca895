// Keeps nodes of the store at the values that their owner puts: path -> value. The owner puts a level. The writer looks once at the
// present nodes, and commits the differences: many in one commit, one commit at a time. After a failure, and in a new session, it
// looks again and goes on from there. The owner sees no failure: a write that fails is tried again with growing delays.
//
// A node has a rank: a commit holds nodes of one rank, the lowest first, so that no status waits for an interface. Nodes
// of one group go into one commit, as far as it has room. A commit that the store refuses is split, until the group that it
// refuses stands alone; that group is tried again with growing delays, and holds up no other.
//
// On the loop's thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/liveness.h"
#include "base/loop.h"
#include "base/metrics.h"
#include "store/store.h"

namespace midonet::store {

class NodeWriter {
 public:
  enum class Life : std::uint8_t {
    // The node lives and dies with this session. A node of another session, which is not over yet, is replaced.
    ephemeral,
    // It is written at the version that is known, so that another process does not write unseen.
    durable,
    // Other writers make and remove the node; only its value is this owner's.
    given,
  };
  struct Kind {
    unsigned rank = 0;
    Life life = Life::durable;
    std::shared_ptr<const std::string> group{};  // null: the node is a group of its own
    // Order within its group: a node of a lower number is written before one of a higher number, and removed after it. Of two with the
    // same number, a parent comes first.
    std::uint8_t order = 0;
  };
  // A part of the tree that a look reads.
  struct Area {
    std::string path;
    Kind kind;
    bool self = false;      // the node at `path`
    bool children = false;  // the nodes below it
  };
  struct Events {
    // A look begins: the owner may add areas by look_at(), now or when a node is found.
    std::function<void()> looking{};
    // The present node at a path; always before anything is written there.
    std::function<void(const std::string& path, const Node& node)> found{};
    std::function<void()> looked{};  // all of it was found
    // An area whose children are to be read is not there.
    std::function<void(const std::string& path)> missing{};
    // The store has the node as it was put (or removed) last.
    std::function<void(const std::string& path)> written{};
    // The operations on one group, before the owner adds its own.
    std::function<void(std::vector<Op>& ops)> committing{};
  };
  NodeWriter(Loop& loop, Store& store, Counter commits, Counter failures, std::vector<Area> areas, Events events);
  ~NodeWriter();
  NodeWriter(const NodeWriter&) = delete;
  NodeWriter& operator=(const NodeWriter&) = delete;

  void start();   // from now on it may write, also after pause(); called again it does nothing
  void pause();   // nothing is written until resume()
  void resume();  // after pause(), or when another process wrote a node of ours: looks, and writes the differences
  void look_again();
  void look_at(Area area);  // with the look that is under way

  // `guards` are paths of nodes that must exist when it is written.
  void put(const std::string& path, const Kind& kind, std::string value, std::vector<std::string> guards = {});
  void remove(const std::string& path);
  // Another process made a node where nothing stood, for this owner: it stands there from now on.
  void adopt(const std::string& path, const Kind& kind, const Node& node);
  // Whether nodes that were never put are removed: all wanted nodes of this rank were put.
  void sweep(unsigned rank, bool sweeps = true);

  bool known() const { return looked_; }  // the present nodes were read
  bool settled() const;                   // the store has every node as it was put
  // Records that the store refused more than once, a sentence each.
  std::vector<std::string> refused() const;

  // The bounds of one commit: they must stay far below the limits of a store.
  static constexpr std::size_t ops_per_commit = 256;
  static constexpr std::size_t bytes_per_commit = 256 * 1024;
  // At a start an agent also reads the bindings of its host, which are as many, and these come first.
  static constexpr std::size_t reads_at_once = 256;

 private:
  using Steady = std::chrono::steady_clock;
  enum class Presence : std::uint8_t { absent, there, foreign };
  struct Entry {
    Kind kind;
    std::string value{};
    std::unique_ptr<std::string> found{};  // until it is written
    std::vector<std::string> guards{};
    std::int32_t version = 0;
    std::uint32_t change = 0;  // number of the last put or remove; 0: there was none
    bool wanted = false;
    Presence presence = Presence::absent;
  };
  using Item = std::pair<const std::string, Entry>;
  static const std::string& group_of(const Item& item);
  static std::size_t ops_of(const Entry& entry);
  struct Before {
    bool operator()(const Item* a, const Item* b) const;
  };
  using Dirty = std::set<Item*, Before>;
  struct Sent {
    Item* item;
    std::uint32_t change;
    bool wanted;
  };
  struct Commit {
    std::vector<Op> ops;
    std::vector<Sent> sent;
    std::set<std::string> groups;
    std::optional<unsigned> rank;
    std::size_t bytes = 0;
  };
  // A group that the store refused although it was alone in its commit.
  struct Trouble {
    std::string path;
    unsigned failures = 0;
    Steady::time_point not_before{};
    std::string why{};
  };
  struct Read {
    std::string path;
    Kind kind;
    bool list;
  };

  Item& item_at(const std::string& path, const Kind& kind);
  void set_kind(Item& item, const Kind& kind);
  void changed(Item& item);
  void on_state(State state);
  void look();
  void read_more();
  void listed(const Read& read, const Result<std::vector<std::string>>& names);
  void found(const Read& read, const Result<NodePtr>& node);
  void answered(bool failed);
  void pump_soon();
  void pump();
  bool as_wanted(Item& item);
  void take(Dirty::iterator first, Dirty::iterator last, Commit& commit);
  void committed(const std::vector<Sent>& sent, std::size_t groups, const Result<Revision>& result);
  void refused(const std::vector<Sent>& sent, std::size_t groups, const Error& error);
  void try_later();

  Loop& loop_;
  Store& store_;
  Counter commits_, failures_;
  const std::vector<Area> areas_;
  Events events_;
  std::unordered_map<std::string, Entry> entries_;
  Dirty dirty_;
  std::map<std::string, Trouble> troubles_;  // by group
  std::set<unsigned> sweeps_;
  std::size_t limit_ =
      ops_per_commit;  // of groups in the next commit; halved when one is refused, doubled after each success
  bool started_ = false;
  bool paused_ = false;
  bool looked_ = false;
  bool look_failed_ = false;
  std::uint64_t look_ = 0;  // number of the look: answers to what was asked before it do not count
  std::deque<Read> unread_;
  std::size_t reading_ = 0;
  bool in_flight_ = false;
  unsigned failed_ = 0;  // attempts in a row
  std::uint32_t changes_ = 0;
  std::minstd_rand random_{std::random_device{}()};
  Store::Subscription subscription_;
  Liveness liveness_;
  Timer pump_timer_, retry_, postponed_;
};

}  // namespace midonet::store
