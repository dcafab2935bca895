// Keeps what this host offers to others, on each bridge that it serves, as it should be in the store: durable nodes, since a
// host without an agent still forwards. A level like all else: told the whole of what is to be offered, it reads once what
// stands there (an earlier agent's word), and writes the difference.
//
// One commit at a time, many bridges in one, bounded; what comes meanwhile goes into the next. A commit that is refused is
// taken apart, so that one bridge that fails holds up no other, and is tried again with growing delays. What stands there is
// read anew after every failure and in every new session; between those nobody else writes it. On the loop's thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <vector>

#include "agent/publish/offer_step.h"
#include "base/loop.h"
#include "base/metrics.h"
#include "base/uuid.h"
#include "model/offer.h"
#include "store/store.h"

namespace midonet::agent {

class Offers {
 public:
  struct Events {
    // A port is offered now, at this revision of its binding.
    std::function<void(const Uuid& port, store::Revision revision)> offered;
    std::function<void()> lost;   // the host's own folders are gone, somebody has to make them again
    std::function<void()> known;  // what stood in the store was read
  };
  Offers(Loop& loop, store::Store& store, Registry& registry, const Uuid& host, Events events);
  ~Offers();
  Offers(const Offers&) = delete;
  Offers& operator=(const Offers&) = delete;

  void start();  // the host's folders exist, or do so again
  void stop();   // another agent is that of this host: nothing is written until start()
  // Without `self` the host takes no part in the overlay, and offers nothing. Only with `complete` something goes.
  void want(std::optional<model::BridgeHost> self, std::map<Uuid, WantedBridge> bridges, bool complete);
  // Somebody removed what is ours.
  void look_again();

  bool known() const { return looked_; }
  const std::map<Uuid, OwnBridge>& own() const { return own_; }  // as it stands, with what is being written
  const std::map<Uuid, WantedBridge>& wanted() const { return wanted_; }
  bool settled() const;

  static constexpr OfferLimits limits{};

 private:
  struct Trouble {
    unsigned failures = 0;
    std::chrono::steady_clock::time_point not_before{};
  };

  void on_state(store::State state);
  void look();
  void look_at(const Uuid& bridge);
  void look_at(const Uuid& bridge, std::int64_t chunk);
  template <class T>
  std::function<void(Result<T>)> expect(std::function<void(T)> found, std::function<void()> absent = {});
  void looked();
  void dirty_all();
  void pump_soon();
  void pump();
  void committed(const std::vector<Uuid>& bridges, const std::vector<std::pair<Uuid, store::Revision>>& offered,
                 const Result<store::Revision>& result);
  void try_later();
  std::optional<std::string> new_place() const;
  std::chrono::nanoseconds delay(unsigned failures);

  Loop& loop_;
  store::Store& store_;
  Uuid host_;
  Events events_;
  Counter commits_, failures_;
  Gauge bridges_;

  std::map<Uuid, OwnBridge> own_;
  std::optional<std::string> place_;  // what stands in the index's folder; none: there is no folder
  std::optional<model::BridgeHost> self_;
  std::map<Uuid, WantedBridge> wanted_;
  bool told_ = false;  // what is wanted
  bool complete_ = false;
  std::set<Uuid> dirty_;
  std::set<Uuid> alone_;  // were in a commit that was refused
  std::map<Uuid, Trouble> troubles_;

  bool started_ = false;
  bool looked_ = false;
  bool look_failed_ = false;
  std::uint64_t look_ = 0;  // number of the look: answers to an older one do not count
  std::size_t looking_ = 0;
  bool in_flight_ = false;
  unsigned failed_ = 0;  // attempts in a row to look, or to be answered at all
  std::minstd_rand random_{std::random_device{}()};
  store::Store::Subscription subscription_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  Timer pump_timer_, retry_;
};

}  // namespace midonet::agent
