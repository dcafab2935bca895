// The agent of one host: hears that something changed, works out what the host should look like, makes the datapath match,
// and says what became of each port.
//
//   observe/: Observer --.                        .--> Datapath: apply, read back
//   LinkSource ----------+--> dirty --> reconcile +--> publish/: statuses at once, interfaces later
//   drift, retries ------+    what?     plan/     +--> publish/: what other hosts are to know
//   learned MACs --------'                        '--> retries with growing delays
//
// The unit of work is a bridge: an event marks those that it concerns, and reconcile(), which looks at levels alone and is the
// only place that acts, reads, plans, applies and reports these. At the start, in a new session and after drift these are all;
// the outcome is the same. On the loop's thread.
//
// The agent outlives every failure of the store: what was read last stays in force, and nothing is deleted from the kernel
// before the host's bindings were read completely. Destroying it touches nothing in the kernel.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/applier.h"
#include "agent/attach_times.h"
#include "agent/claim.h"
#include "agent/failures.h"
#include "agent/hold.h"
#include "agent/observe/observer.h"
#include "agent/plan/overlay.h"
#include "agent/plan/plan.h"
#include "agent/publish/migrations.h"
#include "agent/publish/offering.h"
#include "agent/publish/report.h"
#include "agent/publish/statuses.h"
#include "agent/registration.h"
#include "base/loop.h"
#include "base/metrics.h"
#include "datapath/datapath.h"
#include "netlink/monitor.h"
#include "store/mirror.h"
#include "store/node_writer.h"
#include "store/store.h"

namespace midonet::agent {

class Agent {
 public:
  struct Options {
    Uuid host;
    std::string host_name;
    std::string version;
    OverlayOptions overlay{};
    std::string tunnel_device{};    // as the datapath calls it, for who asks
    std::uint16_t tunnel_port = 0;  // UDP; likewise
    // Which agent this is, for others with the same host id (claim.h).
    std::string place{};
    std::vector<std::string> addresses{};
    std::string hold_file{};   // where a hold (hold.h) is remembered
    std::string hold{};        // why one is to begin at the start; empty: it is not
    std::string store_file{};  // where it is remembered which store has this host's ports (host_identity.h)
    // How long a learned MAC that is not heard again stays offered to other hosts, at least.
    std::chrono::seconds mac_ageing{300};
    Clock now = [] { return std::chrono::system_clock::now(); };
  };

  // All of these outlive the agent.
  Agent(Loop& loop, store::Store& store, netlink::LinkSource& links, datapath::Datapath& datapath, Registry& registry,
        Options options);
  ~Agent();
  Agent(const Agent&) = delete;
  Agent& operator=(const Agent&) = delete;

  // Once, when the store's layout is known to be one that this program may write to. The agent acts from the moment on when no
  // other one has this host's id.
  void start();
  bool started() const { return started_; }  // it acts
  // The operator's word that what the store does not know may go.
  void accept_store();
  // The addresses of the store's servers: an interface that leads to one of them is not plugged.
  void use_store_servers(std::vector<Ip> servers);

  struct LastReconcile {
    WallTime when{};
    std::chrono::nanoseconds took{};
  };
  const Uuid& host() const { return options_.host; }
  const std::string& version() const { return options_.version; }
  const store::Store& store() const { return store_; }
  WallTime store_since() const { return store_since_; }  // since when it answers, or does not
  const std::map<Uuid, model::PortStatus>& statuses() const { return report_.current(); }
  const Snapshot& snapshot() const { return observer_.snapshot(); }  // as read last
  const Offering& offering() const { return offering_; }
  // Ports that other hosts have taken over and that stay plugged here (ADR 9), as planned last.
  const std::map<Uuid, LingeringPlan>& lingering() const { return migrations_.lingering(); }
  // Ports that are bound here and whose guests are still where they were taken over from.
  const std::map<Uuid, Uuid>& standby() const { return migrations_.standby(); }  // port -> host
  const Options& options() const { return options_; }
  struct Tunnel {
    std::optional<Overlay> overlay;  // none: the host is in no tunnel zone
    Status state;                    // as the datapath said last
  };
  const Tunnel& tunnel() const { return tunnel_; }
  std::size_t followed() const { return mirror_.followed(); }  // nodes and lists of the store
  // The interface that a port is bound to, as last read; empty for a port that is not bound here.
  std::string interface_of(const Uuid& port) const;
  datapath::Datapath& datapath() { return datapath_; }
  const netlink::LinkTable& links() const { return links_.links(); }
  const std::optional<LastReconcile>& last_reconcile() const { return last_; }
  // What is wrong with the host as a whole, a sentence each; what is wrong with one port stands in its status.
  std::vector<std::string> warnings() const;
  std::uint64_t reconciles() const { return reconciles_; }
  bool synchronised() const { return swept_; }  // the host's bindings were read and applied completely once
  bool idle() const;                            // nothing is waiting to be done, written or retried

 private:
  using Steady = std::chrono::steady_clock;

  // Reads the parts of a mirror.
  struct MirrorParts : Parts {
    explicit MirrorParts(store::Mirror& from) : mirror(from) {}
    Status read(const store::Mirror::Part& part, const std::function<Status(store::View&)>& reader) override {
      return mirror.read(part, reader);
    }
    void drop(const store::Mirror::Part& part) override { mirror.drop(part); }
    store::Mirror& mirror;
  };

  void begin();
  void found(const std::string& path, const store::Node& node);
  void registered(bool made);
  void hold_what_forwards();
  void end_hold_if_known(const Plan& plan);
  void on_store();
  void note_store(bool answers);
  void on_links();
  void free_uplinks();
  void mark_dirty(const char* why);
  void mark_dirty(const Scope& scope, const char* why);
  void mark_all_dirty(const char* why);
  void on_offers(const Scope& again);
  void mark_port_dirty(const Uuid& id, Scope& scope) const;
  void reconcile();
  bool look_at_store();
  void look_at_bindings(const std::set<Uuid>& changed);
  void look_at_links();
  bool knows_enough() const;
  bool worth_waiting(Steady::time_point now);
  bool may_sweep() const;
  Scope take_due();
  void let_go(const Uuid& lingering);
  void apply(const Plan& plan, const Scope& scope, Steady::time_point now);
  void complain();
  void say(const Plan& plan, const Scope& scope, const datapath::Applied& applied, Steady::time_point now);

  Loop& loop_;
  store::Store& store_;
  netlink::LinkSource& links_;
  datapath::Datapath& datapath_;
  Options options_;

  AttachTimes times_;
  Counter reconcile_counter_, retry_counter_, drift_counter_;
  Gauge connected_, closed_gauge_;

  Claim claim_;
  Hold hold_;
  Registration registration_;
  bool looked_since_hold_ = false;  // at what the store says
  bool store_noted_ = false;
  store::NodeWriter nodes_;  // ephemeral ones
  Report report_;
  Statuses statuses_;
  Migrations migrations_;
  store::Mirror mirror_;
  MirrorParts parts_{mirror_};
  Observer observer_;
  bool store_answers_ = false;
  WallTime store_since_;
  bool store_dirty_ = true;
  std::optional<Steady::time_point> store_dirty_since_;
  std::optional<Steady::time_point> incomplete_since_;
  bool started_ = false;
  Scope due_{.all = true};                // what is to be reconciled
  bool everything_due_ = true;            // and what was read of it, to be looked at again
  std::set<store::Mirror::Part> reread_;  // likewise, of bridges alone
  std::set<Uuid> changed_bindings_;       // since the last reconcile
  bool underlay_dirty_ = true;
  Underlay underlay_;
  std::uint64_t links_seen_ = 0;      // version of the table of links
  std::set<std::string> complaints_;  // as last logged
  Applier applier_;
  Failures failures_;
  Offering offering_;
  Tunnel tunnel_;
  bool swept_ = false;
  std::optional<LastReconcile> last_;
  std::uint64_t reconciles_ = 0;
  Steady::time_point free_at_{};  // the next reconcile not before
  store::Store::Subscription subscription_;
  Timer reconcile_timer_, patience_, interfaces_timer_, memory_timer_;
};

}  // namespace midonet::agent
