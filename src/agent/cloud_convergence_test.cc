// Properties of several agents on one store: whatever happened to ports, hosts, agents and connections, in whatever order,
// in the end each host's kernel holds what one look at the last levels demands, and the store no offer beyond that.
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <cstdlib>
#include <map>
#include <set>

#include "agent/testbed.h"
#include "model/offer.h"
#include "model/paths.h"
#include "topology/attach.h"
#include "topology/lookup.h"

namespace midonet::agent::cloud_convergence_test {
namespace {

namespace paths = model::paths;

constexpr int ports = 5;
constexpr std::size_t hosts = 3;

Uuid id(int n) { return *Uuid::parse(fmt::format("{:08x}-0000-4000-8000-000000000000", n)); }
Mac mac(int n) { return Mac({2, 0, 0, 0, 0, static_cast<std::uint8_t>(n)}); }
Uuid bridge_of(int port) { return id(900 + port % 2); }
const Uuid zone = id(800);

class History {
 public:
  History() {
    cloud_.create_bridge(id(900));
    cloud_.create_bridge(id(901));
    for (int n = 0; n < ports; ++n) RC_ASSERT(cloud_.create_port(id(n), bridge_of(n), mac(n)).has_value());
    cloud_.join_all(zone);
    for (std::size_t n = 0; n < hosts; ++n)
      for (int port = 0; port < ports; ++port) h(n).links.add(tap(port));
    cloud_.start_all();
  }

  void step(int what, int port, std::size_t on) {
    TestHost& host = h(on);
    switch (what) {
      case 0:
      case 1:
      case 2:
        if (cloud_.take(id(port), host, tap(port))) place_[port] = on;
        break;
      case 3:
        if (cloud_.detach(id(port))) place_.erase(port);
        break;
      case 4: cloud_.stop(host); break;
      case 5: cloud_.stop(host, true); break;
      case 6:
        if (!host.agent) cloud_.start(host);
        break;
      case 7:
        if (host.store) host.store->cut();
        break;
      case 8:
      case 9:
        if (host.store) host.store->restore(what == 8);
        break;
      case 10:
        if (host.store) host.store->fail_commits(Error{Code::unavailable, "not now"}, 2);
        break;
      case 11: host.links.remove(tap(port)); break;
      case 12: host.links.add(tap(port)); break;
      case 13:
        if (member_[on])
          cloud_.leave(host, zone);
        else
          cloud_.join(host, zone, Cloud::address(on));
        member_[on] = !member_[on];
        break;
      case 15:
        // As mm-ctl does: a port whose guest runs elsewhere is given back to it.
        if (cloud_.verb([&](store::Transaction& t) -> Status {
              const auto detached = topology::detach(t, id(port), host.id);
              if (!detached) return failed(detached);
              return {};
            }))
          look_up(port);
        break;
      case 14:
        if (place_.contains(port) && place_.at(port) == on && host.agent &&
            host.store->state() == store::State::connected)
          host.kernel.learn({.vni = vni(bridge_of(port)), .mac = mac(50 + port % 2), .port = id(port)});
        break;
      default: break;
    }
    for (int turns = (what * 5 + port * 3 + static_cast<int>(on)) % 4; turns > 0; --turns) cloud_.turn();
  }

  void end() {
    for (std::size_t n = 0; n < hosts; ++n) {
      if (h(n).store) h(n).store->restore(true);
      if (!h(n).agent) cloud_.start(h(n));
    }
    RC_ASSERT(cloud_.settle());
    for (int port = 0; port < ports; ++port) guest_arrives(port);
    RC_ASSERT(cloud_.settle());
    check();
    // A full pass has the outcome of all those that came to it by parts.
    const auto told = offers();
    for (const auto& host : cloud_.hosts) {
      const auto kernel = host->kernel.plugged();
      const auto desired = host->kernel.calls().back().desired;
      const auto reconciles = host->agent->reconciles();
      host->kernel.drift();
      RC_ASSERT(cloud_.until([&] { return host->agent->reconciles() > reconciles; }));
      RC_ASSERT(cloud_.settle());
      RC_ASSERT(host->kernel.calls().back().desired == desired);
      RC_ASSERT(host->kernel.plugged() == kernel);
    }
    RC_ASSERT(offers() == told);
    // New agents find it as it should be, and write no offer.
    const auto before = offers();
    for (const auto& host : cloud_.hosts) cloud_.restart(*host);
    RC_ASSERT(cloud_.settle());
    check();
    RC_ASSERT(offers() == before);
  }

 private:
  void look_up(int port) {
    const auto record = model::decode<model::Port>(cloud_.node(paths::port(id(port)))->value);
    place_.erase(port);
    for (std::size_t n = 0; n < hosts; ++n)
      if (record->host_id == h(n).id) place_[port] = n;
  }
  // The end of whatever migration its port was in: its guest is heard where it is bound (by a host that can tell others), or
  // is seen to have left all else.
  void guest_arrives(int port) {
    const auto at = place_.find(port);
    if (at == place_.end()) return;
    if (port % 2 == 0 && member_[at->second] && h(at->second).kernel.plugged().ports.contains(id(port))) {
      h(at->second).kernel.learn({.vni = vni(bridge_of(port)), .mac = mac(port), .port = id(port)});
      return;
    }
    for (std::size_t n = 0; n < hosts; ++n)
      if (n != at->second) h(n).links.remove(tap(port));
  }
  static std::string tap(int n) { return "tap" + std::to_string(n); }
  TestHost& h(std::size_t n) { return *cloud_.hosts[n]; }
  Vni vni(const Uuid& bridge) { return *model::decode<model::Bridge>(cloud_.node(paths::bridge(bridge))->value)->vni; }
  std::optional<std::size_t> plugged_at(int port) {
    const auto at = place_.find(port);
    if (at == place_.end() || !h(at->second).links.links().find(tap(port))) return {};
    return at->second;
  }

  // What stands in the store: bridge, host, port, and whether it was learned -> revision and MACs.
  std::map<std::tuple<int, std::size_t, Uuid>, model::OfferedPort> offers() {
    std::map<std::tuple<int, std::size_t, Uuid>, model::OfferedPort> out;
    for (int bridge = 900; bridge < 902; ++bridge) {
      for (std::size_t n = 0; n < hosts; ++n) {
        const std::string path = paths::bridge_host(id(bridge), h(n).id);
        for (const std::string& name : cloud_.children(path)) {
          const auto chunk = model::decode_offer_chunk(cloud_.node(paths::child(path, name))->value);
          RC_ASSERT(chunk.has_value());
          for (const auto& port : chunk->ports)
            RC_ASSERT(out.emplace(std::tuple(bridge, n, port.port_id), port).second);
        }
        const bool served = cloud_.node(path).has_value();
        RC_ASSERT(served == cloud_.node(paths::served_bridge(h(n).id, id(bridge))).has_value());
        RC_ASSERT(served == !cloud_.children(path).empty());
      }
    }
    return out;
  }

  // Worked out again, from the levels alone, in the plainest way.
  void check() {
    std::set<std::tuple<int, std::size_t, Uuid>> should_be, is;
    for (int port = 0; port < ports; ++port)
      if (const auto at = plugged_at(port); at && member_[*at]) should_be.emplace(900 + port % 2, *at, id(port));
    for (const auto& [key, offer] : offers()) is.insert(key);
    RC_ASSERT(is == should_be);

    for (std::size_t n = 0; n < hosts; ++n) {
      const datapath::Desired& kernel = h(n).kernel.plugged();
      RC_ASSERT(kernel.tunnel.has_value() == member_[n]);
      std::map<Vni, std::pair<std::set<Ip>, std::map<Mac, Ip>>> wanted, found;
      std::set<Uuid> wanted_ports, found_ports;
      for (int port = 0; port < ports; ++port)
        if (plugged_at(port) == n) {
          wanted_ports.insert(id(port));
          wanted[vni(bridge_of(port))];
        }
      for (int port = 0; port < ports; ++port) {
        const auto at = plugged_at(port);
        const auto bridge = wanted.find(vni(bridge_of(port)));
        if (!at || at == n || !member_[*at] || !member_[n] || bridge == wanted.end()) continue;
        bridge->second.first.insert(*Ip::parse(Cloud::address(*at)));
        bridge->second.second[mac(port)] = *Ip::parse(Cloud::address(*at));
      }
      for (const auto& [vni, bridge] : kernel.bridges) {
        auto& entry = found[vni];
        entry.first = bridge.peers;
        for (const auto& [mac, remote] : bridge.remote_macs)
          if (remote.configured) entry.second[mac] = remote.vtep;
      }
      for (const auto& [port, spec] : kernel.ports) found_ports.insert(port);
      RC_ASSERT(found_ports == wanted_ports);
      RC_ASSERT(found == wanted);
    }
  }

  Cloud cloud_{static_cast<int>(hosts)};
  std::map<int, std::size_t> place_;
  std::array<bool, hosts> member_{true, true, true};
};

TEST(CloudConvergence, EveryHistoryEndsAsTheLastLevelsDemandOnEveryHost) {
  // A case takes about a second; the environment may ask for more, or for a smaller history.
  ::setenv("RC_PARAMS", "max_success=25 noshrink=1", 0);
  EXPECT_TRUE(rc::check([] {
    const auto steps = *rc::gen::container<std::vector<std::tuple<int, int, int>>>(rc::gen::tuple(
        rc::gen::inRange(0, 16), rc::gen::inRange(0, ports), rc::gen::inRange(0, static_cast<int>(hosts))));
    History run;
    for (const auto& [what, port, on] : steps) run.step(what, port, static_cast<std::size_t>(on));
    run.end();
  }));
}

}  // namespace
}  // namespace midonet::agent::cloud_convergence_test
