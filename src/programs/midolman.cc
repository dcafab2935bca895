// midolman: the agent of this host; `midolman standalone`: the agent and the REST API in one process, on the embedded store.
// Exit code 0 after SIGTERM or SIGINT (nothing in the kernel is touched by a stop), 1 when it cannot start, 2 for wrong
// usage.
#include <sys/resource.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <functional>
#include <iostream>
#include <optional>

#include "agent/agent.h"
#include "agent/binding_socket.h"
#include "agent/host_identity.h"
#include "agent/plan/overlay.h"
#include "agent/port_metrics.h"
#include "agent/run_directory.h"
#include "api/api_server.h"
#include "base/descriptor_limit.h"
#include "base/interface_name.h"
#include "base/log.h"
#include "base/memory.h"
#include "datapath/ebpf/ebpf_datapath.h"
#include "netlink/monitor.h"
#include "programs/api_flags.h"
#include "programs/server_flags.h"
#include "programs/store_gate.h"
#include "programs/systemd.h"

namespace {

using namespace midonet;

using programs::cannot_start;
using programs::wrong_usage;

const std::string default_config = "/etc/midolman/midolman.conf";
const std::string standalone_store = "embedded:/var/lib/midolman/midonet.db";

struct Flags : programs::ServerFlags {
  std::string host_id_file = "/etc/midonet_host_id.properties";
  std::string run_dir = "/var/run/midolman";
  std::string bpffs = "/sys/fs/bpf";
  std::string tunnel_device = datapath::EbpfOptions().tunnel_device;
  std::uint16_t tunnel_port = datapath::EbpfOptions().tunnel_port;
  std::string tunnel_sources = "members";
  std::string hooks = "auto";
  std::uint32_t flood_limit = datapath::EbpfOptions().flood_limit;
  agent::OverlayOptions overlay;
  std::string release_tap = "auto";  // for mm-ctl, which reads the same file
  bool remove_datapath = false;
  bool standalone = false;
  api::ApiServer::Options api;
};

int refuse(const Error& error) { return programs::refuse("midolman", error); }

// Kernels before 5.11 count the memory of BPF maps against this. Where we may not, and it was needed, loading the maps says so.
void raise_memory_lock() {
  const rlimit unlimited{RLIM_INFINITY, RLIM_INFINITY};
  if (::setrlimit(RLIMIT_MEMLOCK, &unlimited) != 0)
    log::debug("{}", fail_errno(errno, "raise the limit of locked memory").value().message);
}

std::string host_name() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "";
}

Result<std::unique_ptr<datapath::EbpfDatapath>> open_datapath(Loop& loop, const Flags& flags,
                                                              const agent::RunDirectory& run_directory) {
  raise_memory_lock();
  if (const Status mounted = agent::ensure_bpffs(flags.bpffs); !mounted) return failed(mounted);
  datapath::EbpfOptions options;
  options.pin_dir = agent::pin_directory(flags.bpffs, run_directory.path());
  options.tunnel_device = flags.tunnel_device;
  options.tunnel_port = flags.tunnel_port;
  options.flood_limit = flags.flood_limit;
  if (flags.hooks != "auto")
    options.hooks = flags.hooks == "tcx" ? datapath::Hooks::Way::tcx : datapath::Hooks::Way::clsact;
  options.check_sources = flags.tunnel_sources != "any";
  return datapath::EbpfDatapath::open(loop, options);
}

int remove_datapath(const Flags& flags) {
  const auto run_directory = agent::RunDirectory::claim(flags.run_dir);
  if (!run_directory) return refuse(run_directory.error());
  Loop loop;
  const auto datapath = open_datapath(loop, flags, *run_directory);
  if (!datapath) return refuse(datapath.error());
  if (const Status removed = (*datapath)->remove_everything(); !removed) {
    log::error("remove the datapath: {}", removed.error().message);
    return cannot_start;
  }
  log::info("the datapath of {} is removed from the kernel", run_directory->path());
  return 0;
}

int run(const Flags& flags) {
  if (const Status raised = raise_descriptor_limit(); !raised) log::warning("{}", raised.error().message);
  map_large_blocks();
  const auto run_directory = agent::RunDirectory::claim(flags.run_dir);
  if (!run_directory) return refuse(run_directory.error());
  const auto host = agent::host_identity(flags.host_id_file);
  if (!host) return refuse(host.error());

  Loop loop;
  Registry registry;
  store::OpenOptions options = flags.store_options;
  options.session_file = run_directory->path() + "/session";
  options.session_owner = fmt::format("host {} boot {}", *host, agent::boot_id());
  std::function<void(const std::vector<Ip>&)> use_servers;
  options.on_servers = [&](const std::vector<Ip>& servers) { use_servers(servers); };
  const auto store = store::connect(loop, flags.store, options);
  if (!store) return refuse(store.error());
  const std::string store_file = flags.host_id_file + ".store";
  const Status known = agent::check_store_of_ports(store_file, (*store)->identity(), (*store)->uri());
  if (!known && !options.accept_loss) return refuse(known.error());
  if (!known) {
    log::warning("{}", known.error().message);
    const Status noted = agent::note_store_of_ports(store_file, (*store)->identity());
    if (!noted) return refuse(noted.error());
  }
  const auto datapath = open_datapath(loop, flags, *run_directory);
  if (!datapath) return refuse(datapath.error());
  const auto monitor = netlink::Monitor::open(loop, registry);
  if (!monitor) return refuse(monitor.error());

  agent::collect_port_metrics(registry, **datapath);
  agent::OverlayOptions overlay = flags.overlay;
  overlay.device = flags.tunnel_device;
  overlay.sets_source = datapath::sets_tunnel_source();
  agent::Agent agent(loop, **store, **monitor, **datapath, registry,
                     {.host = *host,
                      .host_name = host_name(),
                      .version = MIDONET_VERSION,
                      .overlay = std::move(overlay),
                      .tunnel_device = flags.tunnel_device,
                      .tunnel_port = flags.tunnel_port,
                      .place = fmt::format("{} {}", agent::boot_id(), run_directory->lock_id()),
                      .addresses = agent::machine_addresses(),
                      .hold_file = run_directory->path() + "/hold",
                      .hold = options.accept_loss ? "the store was started with --accept-store-loss" : "",
                      .store_file = store_file});
  use_servers = [&](const std::vector<Ip>& servers) { agent.use_store_servers(servers); };
  agent::BindingSocket socket(loop, **store, agent, registry);
  if (const Status listening = socket.listen(run_directory->socket()); !listening) return refuse(listening.error());
  std::optional<api::ApiServer> api;
  std::string bound;
  if (flags.standalone) {
    api.emplace(loop, **store, registry, flags.api);
    auto listening = api->listen();
    if (!listening) return refuse(listening.error());
    bound = *std::move(listening);
  }

  // Nothing of the store is touched before its layout is known to be ours.
  int exit_code = 0;
  const auto end = [&](const Error& error) {
    exit_code = refuse(error);
    loop.stop();
  };
  // A host that boots during an outage of ZooKeeper has a running agent, which waits: its unit sets no limit to its start.
  const auto ready = [&] {
    log::info("ready host={} store={} run-dir={}", *host, (*store)->uri(), run_directory->path());
    programs::tell_systemd(programs::systemd_ready);
  };
  const programs::StoreGate gate(
      loop, **store,
      [&] {
        if (api) {
          api->serve();
          log::info("api=http://{}/midonet-api", bound);
        }
        agent.start();
        // What is reported as ready answers: the next turn of the loop has made the listener accept.
        loop.post(ready);
      },
      end, [] { programs::tell_systemd(programs::systemd_waiting); });

  loop.on_stop_signal([&] {
    log::info("midolman stops: requests in progress may finish, the kernel goes on forwarding");
    programs::tell_systemd("STOPPING=1");
    const auto stop_socket = [&] { socket.stop([&] { loop.stop(); }); };
    if (api)
      api->stop(stop_socket);
    else
      stop_socket();
  });
  loop.run();
  if (exit_code == 0) log::info("midolman stopped");
  return exit_code;
}

}  // namespace

int main(int argc, char** argv) {
  Flags flags;
  flags.api.require_tunnel_zone = false;
  CLI::App app("The agent of this host: plugs interfaces into virtual networks as the store says.", "midolman");
  programs::add_server_flags(
      app, flags, default_config,
      "File with the same keys as these flags, one `key = value` a line; those of standalone below "
      "a line [standalone]");
  app.add_option("--store", flags.store,
                 "embedded:FILE, or zookeeper://HOST:PORT,…/ROOT (standalone: " + standalone_store + " by default)");
  // A key of the file that is added here is added to cli/agent_config.cc, too.
  app.add_option("--host-id-file", flags.host_id_file, "File with the id of this host; made at the first start")
      ->capture_default_str();
  app.add_option("--run-dir", flags.run_dir,
                 "Folder of the lock, of the socket midolman.sock and of the session; for one agent")
      ->capture_default_str();
  app.add_option("--bpffs", flags.bpffs, "The BPF file system; mounted if nothing is mounted there")
      ->capture_default_str();
  app.add_option("--tunnel-device", flags.tunnel_device, "Name of the VXLAN device, which the agent makes and owns")
      ->check([](const std::string& name) {
        const Status valid = check_interface_name(name);
        return valid ? std::string() : valid.error().message;
      })
      ->capture_default_str();
  app.add_option("--tunnel-port", flags.tunnel_port, "UDP port of the tunnels, the same on every host")
      ->check(CLI::Range(1, 65535))
      ->capture_default_str();
  app.add_option_function<std::string>(
         "--tunnel-family",
         [&flags](const std::string& name) { flags.overlay.family = *agent::parse_tunnel_family(name); },
         "Which addresses of tunnel zones are used")
      ->check(CLI::IsMember({"any", "ipv4", "ipv6"}))
      ->default_str("any");
  app.add_option(
         "--overlay-mtu", flags.overlay.mtu,
         "The largest IP packet that fits into the tunnel; 0: what the paths to other hosts leave, 50 bytes less over "
         "IPv4, 70 over IPv6")
      ->check((CLI::Range(0, 0) | CLI::Range(68, 65535)).description("0 or 68 to 65535"))
      ->capture_default_str();
  app.add_option("--hooks", flags.hooks,
                 "Where the programs are attached at taps: in a clsact qdisc, first at the tcx hooks (Linux 6.6 and "
                 "later), or (auto) in a clsact qdisc, and at the tcx hooks where another program stands in the way")
      ->check(CLI::IsMember({"auto", "clsact", "tcx"}))
      ->capture_default_str();
  app.add_option("--tunnel-sources", flags.tunnel_sources,
                 "From where a bridge takes frames through the tunnel: the addresses of the hosts that serve it "
                 "(members), or any address")
      ->check(CLI::IsMember({"members", "any"}))
      ->capture_default_str();
  app.add_option("--flood-limit", flags.flood_limit,
                 "Frames that a port may flood (broadcast, multicast, unknown unicast) in a second; 0: no limit")
      ->check(CLI::Range(0, 1'000'000))
      ->capture_default_str();
  app.add_option("--release-tap", flags.release_tap,
                 "For mm-ctl, which reads the same file: whether it deletes the tap after binding it (auto, yes, no)")
      ->check(CLI::IsMember({"auto", "yes", "no"}))
      ->capture_default_str();
  app.add_flag("--remove-datapath", flags.remove_datapath,
               "Remove every hook, map and program of this run directory's agent from the kernel and end: for "
               "uninstalling, with the agent stopped. Traffic of all plugged ports stops");

  CLI::App* standalone = app.add_subcommand("standalone", "Agent and REST API in one process, on the embedded store");
  standalone->fallthrough();
  programs::add_api_flags(*standalone, flags.api);
  if (const auto exit_code = programs::parse(app, argc, argv, flags)) return *exit_code;
  flags.standalone = standalone->parsed();
  if (flags.remove_datapath) return remove_datapath(flags);
  if (flags.store.empty() && flags.standalone) flags.store = standalone_store;
  if (flags.store.empty()) {
    std::cerr << "midolman: --store is missing (`midolman standalone` needs none: it has the embedded one)\n";
    return wrong_usage;
  }
  return run(flags);
}
