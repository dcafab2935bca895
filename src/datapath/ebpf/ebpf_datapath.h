// The datapath of Linux: two BPF programs at each tap and one at the tunnel device (bridge.bpf.c), and the maps that they
// share. Made by the agent's main; on the loop's thread.
//
// It keeps a copy of the kernel's tables in memory. The first apply(), and the one after a drift, reads them again and checks every
// hook; otherwise an unchanged port costs a comparison. Nothing is undone when the object goes: frames flow on, and the next open()
// with the same pin_dir adopts everything.
//
// The order of writes keeps these true at every moment, also when we are killed between two of them:
//   * an interface that the maps lead frames to has our to_tap, which lets only frames of its port's bridge through; the
//     tunnel device that they lead to is complete;
//   * a from_tap that starts to run finds its maps complete;
//   * a port that stays loses no frame, whatever comes or goes beside it;
//   * a tap whose port goes keeps its hooks, which drop what they find no port for. So its guest never reaches the host. The
//     hooks go with the tap, or when it gets a master (a Linux bridge, say). Other interfaces lose their hooks with their port.
#pragma once

#include <memory>
#include <set>
#include <unordered_set>
#include <utility>

#include "base/loop.h"
#include "datapath/datapath.h"
#include "datapath/ebpf/admission.h"
#include "datapath/ebpf/delta.h"
#include "datapath/ebpf/drift.h"
#include "datapath/ebpf/hooks.h"
#include "datapath/ebpf/news.h"
#include "datapath/ebpf/objects.h"
#include "datapath/ebpf/tables.h"
#include "datapath/ebpf/tunnel_device.h"

namespace midonet::datapath {

class EbpfDatapath : public Datapath {
 public:
  // Loads or adopts the programs and maps; touches no interface yet. Works in the network namespace that the calling
  // thread is in, now and whenever it is called later.
  static Result<std::unique_ptr<EbpfDatapath>> open(Loop& loop, const EbpfOptions& options);

  Applied apply(const Desired& desired, Sweep sweep) override;
  Applied apply_bridges(const Desired& desired, const std::set<Vni>& bridges, Sweep sweep) override;
  bool plugged(std::uint32_t ifindex) override;
  const std::set<std::uint32_t>& closed() const override { return closed_; }
  void on_drift(std::function<void(const std::string& what)> drifted) override { drifted_ = std::move(drifted); }
  std::vector<PortCounters> counters() override;
  std::optional<TunnelCounters> tunnel_counters() override;
  std::vector<FdbEntry> fdb() override;
  void on_learned(std::function<void(const std::vector<FdbEntry>& learned)> learned) override {
    learned_ = std::move(learned);
  }
  void forget(Vni vni, const Mac& mac) override;
  Status remove_everything() override;

  // For tests: the programs as they run now.
  const Objects& objects() const { return *objects_; }

 private:
  struct Round;  // one apply()

  EbpfDatapath(Loop& loop, std::unique_ptr<Objects> objects, std::unique_ptr<Tc> tc, const Hooks& hooks,
               const Hooks& tunnel_hooks, VxlanLinks links, const EbpfOptions& options);
  Status listen(Loop& loop, const EbpfOptions& options);
  void drifted(const std::string& what);
  Applied run(Round& round, bool everything);
  void note(Round& round, bool everything);
  void answer(const PortSpec& spec, Applied& applied) const;
  std::set<Vni> left_to_do(const Desired& desired, Sweep sweep) const;
  void pin(Round& round);
  Status read_kernel();
  void prepare_interfaces(Round& round);
  void write_ports(Round& round);
  void attach(Round& round, Hook hook);
  void write_bridges(Round& round);
  void confirm_hooks(Round& round);
  void note_standing(std::uint32_t ifindex, const std::string& interface, const Hooks::Standing& standing);
  void look_before();
  void look_later();
  void remove_ports(Round& round);
  void remove_strays(Round& round);
  bool is_tap(std::uint32_t ifindex);
  Status close(std::uint32_t ifindex);
  void close_or_detach(Round& round, std::uint32_t ifindex, std::optional<bool> owns_clsact);
  void open_banned(Round& round);
  void verify(Round& round);
  void prepare_tunnel(Round& round, bool everything);
  void finish_tunnel(Round& round);
  Status hook_tunnel(std::uint32_t ifindex);
  void withdraw_tunnel(Round& round);
  Status write_tunnel(const abi::tunnel& entry);
  template <class Table>
  Status read_table(Tables& read) const;
  template <class Table>
  void write_set(Round& round);
  template <class Table>
  void write_gone(Round& round);
  template <class Table>
  void verify_table(Round& round);
  void differs(Round& round, const std::string& map, std::uint32_t ifindex);
  Status open_bridges(Tables& read);
  void expire_admitted(Round& round);
  void remove_admitted(const abi::admitted_key& key);
  Status write_addresses(const std::optional<TunnelSpec>& tunnel, Sweep sweep);
  Status write_sources(const TunnelSpec& wanted);
  abi::tunnel tunnel_entry(const TunnelSpec& wanted, std::uint32_t ifindex) const;
  void tell_learned(const std::set<std::pair<std::uint32_t, Mac>>& keys, bool all);
  std::optional<FdbEntry> learned_entry(std::uint32_t vni, const Mac& mac, const abi::learned_entry& entry,
                                        std::uint64_t now) const;
  Status fresh_port(std::uint32_t ifindex, const abi::port& port);
  void forget_learned(std::uint32_t ifindex, std::uint32_t vni);
  void forget_counts(std::uint32_t ifindex);

  std::unique_ptr<Objects> objects_;
  std::unique_ptr<Tc> tc_;
  Hooks hooks_;
  Hooks tunnel_hooks_;
  VxlanLinks links_;
  Loop& loop_;
  std::chrono::nanoseconds ageing_;
  std::chrono::milliseconds look_every_;
  std::unique_ptr<TunnelDevice> device_;
  std::unique_ptr<News> news_;
  std::unique_ptr<Drift> drift_;
  Timer look_timer_;
  std::function<void(const std::string&)> drifted_;
  std::function<void(const std::vector<FdbEntry>&)> learned_;

  Leaving leaving_;
  bool admits_anew_;   // until the map "admitted" was filled for the first time
  bool stale_ = true;  // the kernel has to be read again
  bool pinned_ = true;
  bool swept_ = false;
  bool tunnel_preceded_ = false;  // another program stands before our hook at the tunnel device
  bool tunnel_settled_ = false;   // as the last Desired has it
  Status tunnel_status_;
  Tables known_;
  Desired applied_;              // by the last apply()
  PortsByBridge applied_ports_;  // of these
  std::set<std::uint32_t> closed_;
  std::unordered_set<std::uint32_t> hooked_;     // interfaces whose hooks were read back as complete
  std::map<std::uint32_t, std::string> before_;  // what stands before our hooks, by interface
  std::unordered_set<std::uint32_t> troubled_;   // interfaces of the ports in failed_
  std::map<Uuid, Error> failed_;                 // ports of the last Desired that are not complete
  std::set<Vni> unswept_;                        // bridges where an incomplete view may have left something standing
  std::set<Vni> unfinished_;                     // bridges that something failed in
};

}  // namespace midonet::datapath
