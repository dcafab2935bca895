// The agent's word to other hosts: which of its ports they reach here, with which MAC addresses, configured and learned, and
// with which IP addresses.
// Told after each reconcile; hears from the datapath what was learned. On the loop's thread.
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
#include "agent/observe/snapshot.h"
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
    std::function<void(const char* why)> dirty;  // reconcile again
    std::function<void()> known;                 // what this host offers was read: reconcile again
    std::function<void(const Uuid& port, store::Revision revision)> offered;
    std::function<void()> lost;  // the host's own folders are gone
  };
  // All of these outlive it; `snapshot` is always the one that was planned from last.
  Offering(Loop& loop, store::Store& store, datapath::Datapath& datapath, Registry& registry, const Snapshot& snapshot,
           std::chrono::seconds ageing, const Uuid& host, Events events);
  ~Offering();
  Offering(const Offering&) = delete;
  Offering& operator=(const Offering&) = delete;

  void start();          // from now on it hears
  void start_writing();  // the host's folders exist
  void stop_writing();   // as Offers::stop

  // What was planned was applied, and this became of the ports.
  // Of a port in `preceded` stays what is offered: it is plugged, though its status is an error.
  void applied(const Plan& plan, const std::map<Uuid, model::PortStatus>& statuses,
               const std::set<Uuid>& preceded = {});

  const Learned& learned() const { return learned_; }
  // The ports that were taken over from another host (ADR 9) whose guests were heard here since: what was learned says so, or,
  // after a restart, what an earlier agent offered. To be asked before each plan.
  const Heard& heard();
  // What stands in the store; null while it is being read.
  const OwnOffers* stored() const { return offers_.known() ? &offers_.own() : nullptr; }
  bool known() const { return known_; }  // it was read once
  const Offers& offers() const { return offers_; }
  bool settled() const { return offers_.settled() && (seeded_ || !tunnel_) && !release_timer_.armed(); }

 private:
  void heard(const std::vector<datapath::FdbEntry>& entries);
  void read_fdb(const Learned::Stored& stored);
  void release();
  std::optional<Learned::Moves> stored(const Uuid& port, const Mac& mac) const;
  bool offered_as_heard(const BoundPort& port) const;
  void watch_self();
  std::map<Uuid, WantedBridge> wanted(const Plan& plan, const std::map<Uuid, model::PortStatus>& statuses,
                                      const std::set<Uuid>& preceded) const;

  Loop& loop_;
  datapath::Datapath& datapath_;
  const Snapshot& snapshot_;
  const std::chrono::seconds ageing_;
  Events events_;
  Learned learned_;
  Heard heard_;
  Offers offers_;
  std::vector<Uuid> served_;  // bridges that the store showed this host to serve
  bool known_ = false;        // what stands in the store was read once
  bool tunnel_ = false;       // the host takes part in the overlay
  bool seeded_ = false;       // with what was learned before this agent began to hear
  Timer release_timer_, ageing_timer_;
};

}  // namespace midonet::agent
