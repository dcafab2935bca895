// A datapath without a kernel, for tests of the code that drives one: it keeps the applied state in memory, as the kernel would, and
// fails on request. Forwarding is not simulated.
//
// Used on one thread. `plugged()` is the "kernel": what a test looks at, and what survives the driver's
// restart when the test keeps the FakeDatapath (or takes plugged() into the next one).
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "datapath/datapath.h"

namespace midonet::datapath {

class FakeDatapath : public Datapath {
 public:
  FakeDatapath() = default;
  // Starts with what an earlier datapath left in the kernel.
  explicit FakeDatapath(Desired left_over) : plugged_(std::move(left_over)) {}

  Applied apply(const Desired& desired, Sweep sweep) override;
  Applied apply_bridges(const Desired& desired, const std::set<Vni>& bridges, Sweep sweep) override;
  bool plugged(std::uint32_t ifindex) override;
  const std::set<std::uint32_t>& closed() const override { return closed_; }
  void on_drift(std::function<void(const std::string& what)> drifted) override { drifted_ = std::move(drifted); }
  std::vector<PortCounters> counters() override;
  std::optional<TunnelCounters> tunnel_counters() override { return tunnel_counters_; }
  std::vector<FdbEntry> fdb() override;
  void on_learned(std::function<void(const std::vector<FdbEntry>&)> learned) override {
    on_learned_ = std::move(learned);
  }
  void forget(Vni vni, const Mac& mac) override {
    std::erase_if(learned_, [&](const FdbEntry& entry) { return entry.vni == vni && entry.mac == mac; });
  }
  Status remove_everything() override;

  // The next `times` applies answer `error` for this port, and leave it as it was in the kernel.
  void fail_next(const Uuid& port, Error error, int times = 1);
  // The next apply reports this error, which belongs to no port.
  void fail_next_apply(Error error) { general_failures_.push_back(std::move(error)); }
  // From now on (until a call with an empty text) this program stands before the hooks of the port.
  void precede(const Uuid& port, const std::string& what) {
    if (what.empty())
      preceded_.erase(port);
    else
      preceded_[port] = what;
  }
  // From now on, until a call without an error, no tunnel can be made.
  void fail_tunnel(std::optional<Error> error) { tunnel_failure_ = std::move(error); }
  // This interface is one of those that stay closed. No other one is.
  void close(std::uint32_t ifindex) { closed_.insert(ifindex); }
  // As if another program had unplugged a port in the kernel; the drift is reported as the real datapath does it.
  void lose(const Uuid& port, const std::string& what = "filter deleted");
  // Something else is different than it was; nothing is in fact.
  void drift(const std::string& what = "nothing") {
    if (drifted_) drifted_(what);
  }
  void set_counters(PortCounters counters) { counters_[counters.id] = std::move(counters); }
  void set_tunnel_counters(TunnelCounters counters) { tunnel_counters_ = std::move(counters); }
  // As if a frame with this source had come from the port.
  void learn(FdbEntry entry) {
    learned_.push_back(entry);
    if (on_learned_) on_learned_({entry});
  }

  struct Call {
    Desired desired;
    Sweep sweep = Sweep::no;
  };
  const std::vector<Call>& calls() const { return calls_; }
  void remember_calls(bool remember) { remembers_calls_ = remember; }
  const Desired& plugged() const { return plugged_; }
  // Ports that some apply really plugged, changed or unplugged, in that order: an idle apply adds none.
  const std::vector<Uuid>& touched() const { return touched_; }

 private:
  struct Failure {
    Error error;
    int times = 0;
  };
  Applied apply(const Desired& desired, Sweep sweep, const std::set<Vni>* bridges);
  Status apply_port(const PortSpec& spec);

  Desired plugged_;
  std::set<std::uint32_t> closed_;
  Desired desired_;  // by the last apply()
  std::map<Uuid, Failure> failures_;
  std::map<Uuid, std::string> preceded_;
  std::vector<Error> general_failures_;
  std::map<Uuid, PortCounters> counters_;
  std::optional<TunnelCounters> tunnel_counters_;
  std::vector<FdbEntry> learned_;
  std::vector<Call> calls_;
  bool remembers_calls_ = true;
  std::optional<Error> tunnel_failure_;
  std::vector<Uuid> touched_;
  std::function<void(const std::string&)> drifted_;
  std::function<void(const std::vector<FdbEntry>&)> on_learned_;
};

}  // namespace midonet::datapath
