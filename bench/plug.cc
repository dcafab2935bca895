// Plugs interfaces of the present namespace into one bridge and ends; the kernel goes on. For benches of the datapath alone,
// with no agent and no store: `plug PIN_DIR VNI LOCAL-VTEP REMOTE-VTEP MTU INTERFACE=MAC… [@REMOTE-MAC…]`. What is behind the
// other host is written with an @.
#include <net/if.h>

#include <charconv>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/loop.h"
#include "datapath/ebpf/ebpf_datapath.h"

namespace {

using midonet::Code;
using midonet::fail;
using midonet::Result;
using midonet::Status;
namespace datapath = midonet::datapath;

Status plug(const std::string& pin_dir, const datapath::Desired& desired) {
  midonet::Loop loop;
  datapath::EbpfOptions options;
  options.pin_dir = pin_dir;
  const auto opened = datapath::EbpfDatapath::open(loop, options);
  if (!opened) return failed(opened);
  const datapath::Applied applied = (*opened)->apply(desired, datapath::Sweep::yes);
  for (const auto& [id, status] : applied.ports) {
    if (!status) return status;
  }
  if (!applied.errors.empty()) return failed(applied.errors.front());
  return applied.tunnel;
}

Result<datapath::Desired> desired_from(int argc, char** argv) {
  const auto vni = midonet::Vni::from(static_cast<std::uint32_t>(std::atoi(argv[2])));
  const auto local = midonet::Ip::parse(argv[3]);
  const auto remote = midonet::Ip::parse(argv[4]);
  if (!vni || !local || !remote) return fail(Code::invalid, "a VNI and two addresses are wanted");
  datapath::Desired desired;
  desired.tunnel = datapath::TunnelSpec{.local = *local, .mtu = static_cast<std::uint32_t>(std::atoi(argv[5]))};
  datapath::BridgeSpec bridge{.vni = *vni, .peers = {*remote}};
  for (int i = 6; i < argc; i++) {
    const std::string_view word = argv[i];
    const auto split = word.find_first_of("=@");
    if (split == std::string_view::npos) return fail(Code::invalid, "{}: INTERFACE=MAC or @MAC is wanted", word);
    const auto mac = midonet::Mac::parse(word.substr(split + 1));
    if (!mac) return failed(mac);
    if (word[split] == '@') {
      bridge.remote_macs.emplace(*mac, datapath::RemoteMac{*remote, true});
      continue;
    }
    const std::string interface(word.substr(0, split));
    const midonet::Uuid id(std::array<std::uint8_t, 16>{static_cast<std::uint8_t>(i)});
    desired.ports.emplace(id, datapath::PortSpec{.id = id,
                                                 .vni = *vni,
                                                 .ifindex = ::if_nametoindex(interface.c_str()),
                                                 .interface = interface,
                                                 .mac = *mac});
  }
  desired.bridges.emplace(*vni, bridge);
  return desired;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 7) {
    fmt::print(stderr, "usage: plug PIN_DIR VNI LOCAL-VTEP REMOTE-VTEP MTU INTERFACE=MAC... [@REMOTE-MAC...]\n");
    return 1;
  }
  const auto desired = desired_from(argc, argv);
  const Status done = desired ? plug(argv[1], *desired) : failed(desired);
  if (done) return 0;
  fmt::print(stderr, "plug: {}\n", done.error().message);
  return 3;
}
