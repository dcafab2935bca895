// The interface between the agent and a datapath. The agent hands over the desired state of its host; the datapath makes the kernel
// match, reads the kernel back and answers per port. Implementations: ebpf/ebpf_datapath.h (the real one) and fake_datapath.h (in
// memory, for tests of the agent).
//
// All calls are made on the loop's thread and return when the work is done. Nothing here knows tenants, names
// of bridges or the store; agent/plan translates.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/ip.h"
#include "base/mac.h"
#include "base/uuid.h"
#include "base/vni.h"

namespace midonet::datapath {

// Addresses that a guest may send from, with this MAC: one, or a prefix of `length` bits.
struct AllowedAddress {
  Mac mac;
  Ip ip;
  std::uint8_t length = 0;
  auto operator<=>(const AllowedAddress&) const = default;
};

// Port security: what a guest may send from. What else it sends is dropped and counted (ebpf/guard.h).
struct Guard {
  std::optional<Mac> mac{};  // its own
  std::set<AllowedAddress> addresses{};
  // Also allowed is the link-local IPv6 address (RFC 4291, appendix A) of `mac` and of each MAC in `addresses`.
  bool operator==(const Guard&) const = default;
};

// One port that is plugged on this host: the interface `ifindex` carries the frames of port `id` of bridge
// `vni`. The interface exists, is not a member of another switch, and may be up or down.
struct PortSpec {
  Uuid id;
  Vni vni;
  std::uint32_t ifindex = 0;
  // Its name, for messages and logs only.
  std::string interface;
  // The configured MAC of the guest: in the FDB from the start, never aged, never moved.
  std::optional<Mac> mac{};
  // false: every frame from and to the port is dropped and counted.
  bool admin_up = true;
  std::optional<Guard> guard{};  // nothing: the guest may send from any address
  bool operator==(const PortSpec&) const = default;
};

// A MAC address that is at another host.
struct RemoteMac {
  Ip vtep;
  // Configured at its port there: it is never learned here. Else learned there: a frame with this source from a local
  // port moves it here, for as long as it is heard (fdb.h).
  bool configured = false;
  bool operator==(const RemoteMac&) const = default;
};

struct BridgeSpec {
  Vni vni;
  bool admin_up = true;  // false: no frame passes
  // More configured FDB entries: MAC -> port (ignored where the port is not here).
  std::map<Mac, Uuid> static_macs{};
  // Addresses that ARP is answered for in the datapath (ebpf/arp.h says which requests). IPv6 ones are ignored.
  std::map<Ip, Mac> neighbours{};
  // The tunnel end points of the other hosts that serve the bridge: each gets one copy of what is flooded from a local
  // port. Nothing that came through the tunnel goes back into it. Ignored while Desired::tunnel is absent.
  std::set<Ip> peers{};
  // The addresses from which frames of the bridge are taken through the tunnel: those of the hosts that serve it, `peers` among them.
  // An address that leaves the set is still admitted for a while (ebpf/admission.h).
  std::set<Ip> sources{};
  // False: the hosts that serve the bridge were never read completely. Any address may then send, unless an earlier set
  // stands in the kernel.
  bool sources_known = true;
  // A local configured MAC comes first, then one that is configured remotely, then the one that was heard last.
  std::map<Mac, RemoteMac> remote_macs{};
  bool operator==(const BridgeSpec&) const = default;
};

// This host takes part in the overlay: VXLAN (RFC 7348) through one device in collect-metadata mode, whose name and UDP
// port are settings of the implementation. The outer family is that of each peer's address.
struct TunnelSpec {
  Ip local;               // this host's own tunnel end point: what its peers send to
  std::uint32_t mtu = 0;  // the largest IP packet that fits into the tunnel; larger frames are dropped and counted
  // Further addresses of this host that peers may send to. Packets to other addresses are dropped and counted.
  std::set<Ip> addresses{};
  // The source of outer packets; nothing: as the host's routes choose it. A kernel before 6.0 always uses the route's.
  std::optional<Ip> source_v4{}, source_v6{};
  std::map<Ip, Ip> sources{};  // for these peers another one
  bool operator==(const TunnelSpec&) const = default;
};

// The whole of this host. Every PortSpec's vni has a BridgeSpec.
struct Desired {
  std::map<Uuid, PortSpec> ports{};
  std::map<Vni, BridgeSpec> bridges{};
  std::optional<TunnelSpec> tunnel{};  // absent: no device, frames stay on this host
  // Ports whose desired state is not known, and which must stay: if the kernel has one plugged, it stays with all entries of its
  // bridge.
  std::set<Uuid> held{};
  // Interfaces that must not carry hooks of ours, by ifindex: they are unplugged, or opened, at once, also without a sweep.
  std::set<std::uint32_t> banned{};
  bool operator==(const Desired&) const = default;
};

enum class Sweep {
  no,   // the view is not complete yet: add and change, delete nothing
  yes,  // objects of ours in the kernel that are not desired are removed
};

// Per desired port: success means that hooks, map entries and ifindex were read back from the kernel and are
// complete.
struct Applied {
  std::map<Uuid, Status> ports;
  // Ports that are complete, but whose frames another program sees before the datapath does, so that they may bypass the bridge or get
  // to the host; with the name of that program.
  std::map<Uuid, std::string> preceded{};
  // Whether the tunnel, where one is desired, was read back from the kernel as complete. Local forwarding does not
  // depend on it.
  Status tunnel{};
  // What failed and belongs to no single port (a sweep, a bridge's map); empty when all went well.
  std::vector<Error> errors;
  // True when something failed that a later apply() of the same Desired may mend.
  bool retry() const;
};

struct PortCounters {
  Uuid id;
  // "rx" is from the guest into the bridge, "tx" is to the guest. Frames and bytes; a GSO frame counts once.
  std::uint64_t rx_packets = 0, rx_bytes = 0, tx_packets = 0, tx_bytes = 0;
  // Reason (ebpf/abi.h) -> frames, reasons with a count only.
  std::map<std::string, std::uint64_t> drops{};
};

// Of the tunnel to other hosts as a whole. "rx" came from them, "tx" went to them: a flooded frame once for each.
struct TunnelCounters {
  std::uint64_t rx_packets = 0, rx_bytes = 0, tx_packets = 0, tx_bytes = 0;
  // Frames that came and did not pass. Those that were not sent are among the drops of the port that they came from.
  std::map<std::string, std::uint64_t> drops{};
};

struct FdbEntry {
  Vni vni;
  Mac mac;
  Uuid port{};               // nil for a remote one
  bool configured = false;   // else learned, here or there
  std::optional<Ip> vtep{};  // the address of a remote one's host
  bool operator==(const FdbEntry&) const = default;
};

class Datapath {
 public:
  virtual ~Datapath() = default;

  // Makes the kernel match `desired` as far as it can; one port that fails holds up no other. Idempotent: a
  // second call with the same argument changes nothing in the kernel. Work is proportional to the difference
  // to this object's copy of the kernel's state, which the first call and the call after a reported drift read again.
  virtual Applied apply(const Desired& desired, Sweep sweep) = 0;

  // The same for these bridges: nothing else is different from what was applied last. `desired` has these bridges and their
  // ports alone, and the whole of what belongs to no bridge. The answer is about these, and about those where something was
  // left to do before.
  virtual Applied apply_bridges(const Desired& desired, const std::set<Vni>& bridges, Sweep sweep) = 0;

  // Whether the kernel has a port plugged at this interface, also one from before the first apply().
  virtual bool plugged(std::uint32_t ifindex) = 0;

  // Taps whose port was unplugged and that stay closed, by ifindex: no frame passes between the guest, which may still run,
  // and the host. Where one is to serve something else, Desired::banned opens it.
  virtual const std::set<std::uint32_t>& closed() const = 0;

  // `drifted(what)` is called from the loop when another program changed an object of ours (a qdisc, a filter, a
  // pin); the agent then calls apply() again, which reads the kernel again and repairs. `what` is for the log.
  virtual void on_drift(std::function<void(const std::string& what)> drifted) = 0;

  virtual std::vector<PortCounters> counters() = 0;
  virtual std::optional<TunnelCounters> tunnel_counters() = 0;  // nothing without a tunnel
  virtual std::vector<FdbEntry> fdb() = 0;                      // configured and learned, aged entries left out

  // `learned(entries)` is called from the loop with the MACs that, since the last call, were learned at local ports for the first time,
  // or moved to one (from another port, or from a remote host). A refreshed one is not among them.
  // When the kernel had more to report than it had room for, the entries are all learned ones. MACs that were learned before this
  // object was opened are not reported: fdb() has them.
  virtual void on_learned(std::function<void(const std::vector<FdbEntry>& learned)> learned) = 0;
  // A learned MAC has moved to another host: its local entry goes. Nothing happens when there is none.
  virtual void forget(Vni vni, const Mac& mac) = 0;

  // Removes everything of ours from the kernel (hooks, pins): for uninstalling, never for a stop or restart.
  virtual Status remove_everything() = 0;
};

}  // namespace midonet::datapath
