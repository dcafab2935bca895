// The agent's word to other hosts: which of its ports they reach here, with which MAC addresses, configured and learned, and
// with which IP addresses.
// Told of each bridge that was reconciled; hears from the datapath what was learned. On the loop's thread.
//
//   datapath.on_learned --> Learned (numbers, limits) --.
//   plan, statuses ------------------------------------ +--> Offers --> store
//
// A learned MAC that another host has heard since is forgotten here. One that has aged is taken back: the datapath is asked
// each `ageing`, for as long as there are any.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <optional>
#include <set>

#include "agent/observe/learned.h"
#include "agent/observe/observer.h"
#include "agent/plan/plan.h"
#include "agent/publish/offers.h"
#include "base/loop.h"
#include "base/metrics.h"
#include "datapath/datapath.h"
#include "model/binding.h"
#include "store/store.h"

namespace midonet::agent {

class Offering {
 public:
  struct Events {
    std::function<void(const Scope& scope, const char* why)> dirty;  // plan these again
    // What this host offers was read: plan these again, with whether this host serves them.
    std::function<void(const Scope& again)> known;
    std::function<void(const Uuid& port, store::Revision revision)> offered;
    std::function<void()> lost;  // the host's own folders are gone
  };
  // All of these outlive it.
  Offering(Loop& loop, store::Store& store, datapath::Datapath& datapath, Registry& registry, const Observer& observer,
           std::chrono::seconds ageing, const Uuid& host, Events events);
  ~Offering();
  Offering(const Offering&) = delete;
  Offering& operator=(const Offering&) = delete;

  void start();          // from now on it hears
  void start_writing();  // the host's folders exist
  void stop_writing();   // as Offers::stop

  struct Round {
    const Plan& plan;
    const Scope& scope;  // that it is a plan of
    const std::optional<Overlay>& overlay;
    const std::set<Uuid>& bindings;  // that have changed since the last round
    const std::map<Uuid, model::PortStatus>& statuses;
    // Of such a port stays what is offered: it is plugged, though its status is an error.
    const std::map<Uuid, std::string>& preceded;
  };
  // What was planned was applied, and this became of the ports.
  void applied(const Round& round);
  // What is to be planned again now that more is known than when it was planned.
  Scope due() const;

  const Learned& learned() const { return learned_; }
  // The ports that were taken over from another host (ADR 9) whose guests were heard here since: what was learned says so, or,
  // after a restart, what an earlier agent offered. To be asked before each plan, for what it is of.
  const Heard& heard(const Scope& scope);
  // What this host offers; null while what stands in the store is being read for the first time.
  const OwnOffers* stored() const { return known_ ? &offers_.own() : nullptr; }
  bool known() const { return known_; }  // it was read once
  const Offers& offers() const { return offers_; }
  bool settled() const { return offers_.settled() && (seeded_ || !tunnel_) && !release_timer_.armed(); }

 private:
  void heard(const std::vector<datapath::FdbEntry>& entries);
  void read_fdb(const Learned::Stored& stored);
  void release();
  std::optional<Learned::Moves> stored(const Uuid& port, const Mac& mac) const;
  bool offered_as_heard(const BoundPort& port) const;
  bool seeds() const;
  void adopt(const Round& round);
  void forget_learned(const Round& round);
  void watch_self(const Round& round);
  std::map<Uuid, WantedBridge> wanted(const Round& round) const;
  bool keeps(const PortPlan& port, const model::PortStatus* status, const Round& round) const;
  model::OfferedPort offer(const PortPlan& port, const BoundPort& bound, bool down) const;
  std::optional<Learned::Moves> elsewhere(Vni vni, const Mac& mac) const;

  Loop& loop_;
  datapath::Datapath& datapath_;
  const Observer& observer_;
  const std::chrono::seconds ageing_;
  Events events_;
  Learned learned_;
  Heard heard_;
  Offers offers_;
  std::set<Uuid> served_;                    // bridges that the store showed this host to serve
  std::map<Uuid, store::Revision> adopted_;  // by bridge, the creation of the record that was taken over last
  bool known_ = false;                       // what stands in the store was read once
  bool tunnel_ = false;                      // the host takes part in the overlay
  bool seeded_ = false;                      // with what was learned before this agent began to hear
  Timer release_timer_, ageing_timer_;
};

}  // namespace midonet::agent
