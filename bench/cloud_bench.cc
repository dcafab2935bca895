// Many hosts against one real ZooKeeper: real agents, each with a session of its own, fake links and datapaths, all in this
// process. Prints the time from all bindings written to all ports active and every peer knowing every port, ZooKeeper's counters, and
// which agents read when one more port is attached. The server has 2 GB to grow into: with the 96 MB of the tests' servers it only
// collects garbage.
//
//   cloud_bench [--agents 100] [--ports 10000] [--bridges 200] [--spread 20]
//
// `spread`: on how many hosts the ports of a bridge are.
#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <cstdlib>

#include "agent/testbed.h"
#include "base/log.h"
#include "model/paths.h"
#include "store/uri.h"
#include "store/zookeeper_server.h"
#include "topology/attach.h"
#include "topology/ports.h"

namespace midonet::agent {
namespace {

namespace paths = model::paths;
using Steady = std::chrono::steady_clock;

Uuid id(std::size_t kind, std::size_t n) { return *Uuid::parse(fmt::format("{:08x}-0000-4000-8000-{:012x}", kind, n)); }
double seconds_since(Steady::time_point begin) { return std::chrono::duration<double>(Steady::now() - begin).count(); }

struct Size {
  std::size_t agents = 100, ports = 10'000, bridges = 200, spread = 20;
  std::size_t bridge_of(std::size_t port) const { return port % bridges; }
  std::size_t host_of(std::size_t port) const {
    const std::size_t bridge = bridge_of(port);
    return (bridge * 7 + port / bridges % spread) % agents;
  }
};

class Bench {
 public:
  explicit Bench(const Size& size)
      : size_(size), cloud_(static_cast<int>(size.agents), [this] {
          // The first one makes the store's layout, and is waited for. The others connect later.
          const auto open = std::exchange(first_, false) ? store::open : store::connect;
          auto session = open(cloud_.loop, servers_.uri("/midonet"), {.patience = std::chrono::seconds(60)});
          if (!session) fmt::print(stderr, "{}\n", session.error().message), std::abort();
          return *std::move(session);
        }) {}

  void run() {
    auto begin = Steady::now();
    fill();
    fmt::print("{} bridges, {} ports bound on {} hosts, {} hosts a bridge: written in {:.1f} s\n", size_.bridges,
               size_.ports, size_.agents, size_.spread, seconds_since(begin));
    counters("before the agents start");

    begin = Steady::now();
    cloud_.start_all();
    wait([&] { return active() == size_.ports; }, "all active");
    fmt::print("all {} ports active after {:.2f} s\n", size_.ports, seconds_since(begin));
    const std::size_t places = expected();
    auto said = Steady::now();
    wait(
        [&] {
          const std::size_t now = known();
          if (now != places && seconds_since(said) >= 5) {
            said = Steady::now();
            std::size_t idle = 0;
            for (const auto& host : cloud_.hosts) idle += host->agent->idle() ? 1 : 0;
            fmt::print("... {} of {} places known, {} agents have nothing to do\n", now, places, idle);
          }
          return now == places;
        },
        "all known");
    fmt::print("all {} places of ports known to peers after {:.2f} s\n", places, seconds_since(begin));
    if (!cloud_.settle()) fmt::print("not at rest\n");
    fmt::print("at rest after {:.2f} s\n", seconds_since(begin));
    std::size_t followed = 0, reads = 0, commits = 0;
    for (const auto& host : cloud_.hosts) {
      followed += host->agent->followed();
      reads += static_cast<std::size_t>(host->store->reads());
      commits += static_cast<std::size_t>(host->store->commits());
    }
    fmt::print("per agent: follows {} nodes and lists, {} reads, {} commits so far\n", followed / size_.agents,
               reads / size_.agents, commits / size_.agents);
    counters("with all of them");
    one_more();
  }

 private:
  // Looks now and then: what is asked goes over all ports, and the loop has better things to do after every event.
  void wait(const std::function<bool()>& done, const char* what,
            std::chrono::milliseconds pause = std::chrono::milliseconds(50)) {
    const auto end = Steady::now() + std::chrono::minutes(10);
    while (Steady::now() < end) {
      if (done()) return;
      static_cast<void>(cloud_.loop.run_until([] { return false; }, pause));
    }
    fmt::print(stderr, "{}: not within 10 minutes\n", what);
    std::abort();
  }

  void fill() {
    cloud_.join_all(id(8, 0));
    for (std::size_t n = 0; n < size_.bridges; ++n) cloud_.create_bridge(id(9, n));
    // Many at a time, as many clients would.
    std::size_t begun = 0, done = 0;
    while (done < size_.ports) {
      for (; begun < size_.ports && begun < done + 200; ++begun) make_and_bind(begun, [&done] { ++done; });
      const std::size_t before = done;
      wait([&] { return done >= before + 100 || done == begun; }, "ports written");
    }
    for (const auto& host : cloud_.hosts) host->kernel.remember_calls(false);
  }
  void make_and_bind(std::size_t n, const std::function<void()>& done) {
    model::Port port;
    port.id = id(1, n);
    port.bridge_id = id(9, size_.bridge_of(n));
    port.mac_address = Mac(
        {2, 0, 0, static_cast<std::uint8_t>(n >> 16), static_cast<std::uint8_t>(n >> 8), static_cast<std::uint8_t>(n)});
    TestHost& host = *cloud_.hosts[size_.host_of(n)];
    const std::string tap = fmt::format("tap{}", n);
    host.links.add(tap);
    store::transact(
        *cloud_.other,
        [=, host = host.id](store::Transaction& t) -> Status {
          if (Status made = topology::create_port(t, port); !made) return made;
          const auto attached = topology::attach(t, {.port_id = port.id, .host_id = host, .interface_name = tap});
          if (!attached) return failed(attached);
          return {};
        },
        [done](const Result<store::Revision>& made) {
          if (!made) fmt::print(stderr, "{}\n", made.error().message), std::abort();
          done();
        });
  }
  void plug(std::size_t port, std::size_t host) {
    const std::string tap = fmt::format("tap{}", port);
    cloud_.hosts[host]->links.add(tap);
    if (!cloud_.take(id(1, port), *cloud_.hosts[host], tap)) std::abort();
  }

  std::size_t active() const {
    std::size_t out = 0;
    for (const auto& host : cloud_.hosts)
      for (const auto& [port, status] : host->agent->statuses())
        out += status.state == model::PortState::active ? 1 : 0;
    return out;
  }
  // Remote MACs in all kernels: each port once for each other host that serves its bridge.
  std::size_t known() const {
    std::size_t out = 0;
    for (const auto& host : cloud_.hosts)
      for (const auto& [vni, bridge] : host->kernel.plugged().bridges) out += bridge.remote_macs.size();
    return out;
  }
  std::size_t expected() const {
    std::vector<std::set<std::size_t>> serving(size_.bridges);
    for (std::size_t n = 0; n < size_.ports; ++n) serving[size_.bridge_of(n)].insert(size_.host_of(n));
    std::size_t out = 0;
    for (std::size_t n = 0; n < size_.ports; ++n) out += serving[size_.bridge_of(n)].size() - 1;
    return out;
  }

  void one_more() {
    const std::size_t port = size_.ports, host = size_.host_of(0);
    if (!cloud_.create_port(id(1, port), id(9, 0), Mac({2, 1, 0, 0, 0, 1}))) std::abort();
    cloud_.hosts[host]->links.add(fmt::format("tap{}", port));
    if (!cloud_.settle()) fmt::print("not at rest\n");
    std::vector<int> before;
    for (const auto& one : cloud_.hosts) before.push_back(one->store->reads());
    const std::size_t known_before = known();
    std::set<std::size_t> serving;
    for (std::size_t n = 0; n < size_.ports; n += size_.bridges) serving.insert(size_.host_of(n));
    const auto begin = Steady::now();
    plug(port, host);
    wait([&] { return known() == known_before + serving.size() - 1; }, "one more port known",
         std::chrono::milliseconds(1));
    fmt::print("one more port on a bridge that {} hosts serve: known to all of them after {:.1f} ms\n", serving.size(),
               seconds_since(begin) * 1000);
    if (!cloud_.settle()) fmt::print("not at rest\n");
    int readers = 0, others = 0, reads = 0;
    for (std::size_t n = 0; n < size_.agents; ++n) {
      const int more = cloud_.hosts[n]->store->reads() - before[n];
      if (more == 0) continue;
      reads += more;
      ++(serving.contains(n) ? readers : others);
    }
    fmt::print("read by {} of the {} hosts that serve it, and by {} others: {} reads in all\n", readers, serving.size(),
               others, reads);
    if (others != 0) std::abort();
  }

  void counters(const char* when) const {
    fmt::print("ZooKeeper {}:", when);
    const auto all = servers_.counters(0);
    for (const char* name :
         {"zk_znode_count", "zk_watch_count", "zk_packets_received", "zk_packets_sent", "zk_avg_latency",
          "zk_max_latency", "zk_approximate_data_size", "zk_num_alive_connections"}) {
      const auto at = all.find(name);
      if (at != all.end()) fmt::print(" {}={}", name + 3, at->second);
    }
    fmt::print("\n");
  }

  Size size_;
  bool first_ = true;
  store::ZookeeperServers servers_{1, 500, {"-Xmx2g"}};
  Cloud cloud_;
};

}  // namespace
}  // namespace midonet::agent

int main(int argc, char** argv) {
  midonet::agent::Size size;
  CLI::App app("Many agents against one ZooKeeper.", "cloud_bench");
  app.add_option("--agents", size.agents)->capture_default_str();
  app.add_option("--ports", size.ports)->capture_default_str();
  app.add_option("--bridges", size.bridges)->capture_default_str();
  app.add_option("--spread", size.spread)->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  if (const auto why = midonet::store::ZookeeperServers::missing()) {
    fmt::print(stderr, "cloud_bench: {}\n", *why);
    return 1;
  }
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  static_cast<void>(midonet::log::set_level("error"));
  midonet::agent::Bench(size).run();
  return 0;
}
