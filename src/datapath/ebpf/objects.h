// The kernel's side of the datapath: the programs and the maps, loaded or adopted, and their pins in the BPF file
// system. Used by EbpfDatapath, on its thread.
//
// What is ours there: the folder PIN_DIR/v1 (abi.h, MIDONET_LAYOUT). In it each map under its name, and the programs as
// from_tap-HASH, to_tap-HASH and from_tunnel-HASH, where HASH is of the programs' code and settings. A start with the same
// hash adopts them; with another one (an upgrade, a changed setting) it loads the new programs over the same maps, and the user of
// this object replaces the filters. A pinned map keeps the size that it was made with.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/unique_fd.h"
#include "datapath/ebpf/abi.h"
#include "datapath/ebpf/hooks.h"
#include "datapath/ebpf/kernel_maps.h"

namespace midonet::datapath {

struct EbpfOptions {
  // A folder within a mounted BPF file system; made, with its parents, when it is not there.
  std::string pin_dir = "/sys/fs/bpf/midolman";
  std::uint32_t max_ports = 16384;    // on this host; costs 32 bytes each and per CPU
  std::uint32_t fdb_entries = 65536;  // configured MACs
  // Addresses that guests of secured ports may send from, beyond the two IPv4 and three IPv6 ones that each port has room for.
  std::uint32_t allowed_entries = 65536;
  std::uint32_t learned_entries = 131072;
  // Of those that are known of ports, here and on other hosts. 16 bytes each from the start, 64 when used.
  std::uint32_t neighbour_entries = 262144;
  std::uint32_t remote_entries = 262144;  // MACs behind other hosts; 16 bytes each from the start, 100 when used
  // The VXLAN device (tunnel_device.h), made when a tunnel is wanted.
  std::string tunnel_device = "midonet-vxlan";
  std::uint16_t tunnel_port = 4789;
  // A learned MAC that was not seen for so long is forgotten (IEEE 802.1Q, table 8-6: 300 s by default).
  std::chrono::seconds ageing{300};
  // Learned MACs per port, 1 to MIDONET_RING_SPOTS.
  std::uint32_t learn_quota = MIDONET_RING_SPOTS;
  // Frames that a port may flood (broadcast, multicast, to an unknown MAC) in a second, and at once; 0: no limit.
  std::uint32_t flood_limit = 2000;
  // How all interfaces are attached; nothing: by filters in a clsact qdisc, and by tcx (from Linux 6.6 on) where another program
  // would run before those.
  std::optional<Hooks::Way> hooks{};
  // How often the tcx hooks of plugged interfaces are looked at for what others have attached meanwhile.
  std::chrono::milliseconds look_every{10'000};
  // Take frames of a bridge only from hosts that serve it; false: from any address of the underlay.
  bool check_sources = true;
  // How long an address that may no longer send is still taken (admission.h).
  std::chrono::milliseconds admission_linger{60'000};
};

// Whether the kernel takes the source address of a tunnel packet from the program (Linux 6.0).
bool sets_tunnel_source();

class Objects {
 public:
  // Loads or adopts, and pins. Code::unavailable when there is no BPF file system at PIN_DIR.
  static Result<std::unique_ptr<Objects>> open(const EbpfOptions& options);
  ~Objects();

  const Maps& maps() const { return maps_; }
  int from_tap() const { return from_tap_.get(); }
  int to_tap() const { return to_tap_.get(); }
  int from_tunnel() const { return from_tunnel_.get(); }
  bool adopted() const { return adopted_; }  // the programs were pinned before
  std::string links() const { return folder_ + "/links"; }
  // The map "admitted" was made by this object: the programs before it let everybody send.
  bool admits_anew() const { return admits_anew_; }

  // Pins objects again that are no longer pinned as they should be, from the descriptors that are open here.
  Status pin();
  // Whether a file of this name in folder() is one of ours, of this version.
  bool is_pin(std::string_view file) const;
  const std::string& folder() const { return folder_; }
  Status unpin();

 private:
  struct Pin {
    std::string file;
    int fd;
    bool program;
  };
  explicit Objects(const EbpfOptions& options);
  Status load(const EbpfOptions& options);
  std::vector<Pin> pins() const;
  Status remove_old_programs();

  std::string pin_dir_;
  std::string folder_;
  std::string hash_;
  Maps maps_;
  UniqueFd from_tap_;
  UniqueFd to_tap_;
  UniqueFd from_tunnel_;
  bool adopted_ = false;
  bool admits_anew_ = false;
};

// For BPF_OBJ_GET_INFO_BY_FD: the id that the kernel gave to a loaded program.
Result<std::uint32_t> program_id(int program_fd);

}  // namespace midonet::datapath
