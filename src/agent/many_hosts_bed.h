// For tests of several agents on one store: three hosts that serve one bridge, with six ports to plug, and short words for what
// each knows of the others.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <set>
#include <string>

#include "agent/testbed.h"
#include "model/offer.h"
#include "model/paths.h"
#include "model/record.h"
#include "topology/bridges.h"

namespace midonet::agent::many_hosts {

namespace paths = model::paths;
using datapath::RemoteMac;
using model::PortState;

inline Uuid id(int n) { return *Uuid::parse(fmt::format("{:08x}-0000-4000-8000-000000000000", n)); }
inline Mac mac(int n) { return Mac({2, 0, 0, 0, 0, static_cast<std::uint8_t>(n)}); }
inline Ip ip(const std::string& text) { return *Ip::parse(text); }
inline const Uuid net = id(900), net2 = id(901), zone = id(800);

class ManyHosts : public testing::Test {
 protected:
  ManyHosts() {
    cloud.create_bridge(net);
    cloud.create_bridge(net2);
    for (int n = 1; n <= 6; ++n) EXPECT_TRUE(cloud.create_port(id(n), net, mac(n)));
    cloud.join_all(zone);
    cloud.start_all();
    EXPECT_TRUE(cloud.settle());
  }

  TestHost& h(std::size_t n) { return *cloud.hosts[n]; }
  Ip vtep(std::size_t n) { return ip(Cloud::address(n)); }
  // Port n is plugged on this host, to a tap of its own.
  void plug(int n, std::size_t host) {
    const std::string tap = fmt::format("tap{}", n);
    if (!h(host).links.links().find(tap)) h(host).links.add(tap);
    ASSERT_TRUE(cloud.take(id(n), h(host), tap));
  }
  Vni vni(const Uuid& bridge = net) {
    return *model::decode<model::Bridge>(cloud.node(paths::bridge(bridge))->value)->vni;
  }
  const datapath::BridgeSpec* bridge(std::size_t host, const Uuid& of = net) {
    const auto& all = h(host).kernel.plugged().bridges;
    const auto at = all.find(vni(of));
    return at == all.end() ? nullptr : &at->second;
  }
  // Where a host sends frames for this MAC through the tunnel.
  std::optional<RemoteMac> where(std::size_t host, const Mac& wanted) {
    const datapath::BridgeSpec* spec = bridge(host);
    if (!spec) return {};
    const auto at = spec->remote_macs.find(wanted);
    return at == spec->remote_macs.end() ? std::nullopt : std::optional(at->second);
  }
  std::set<Ip> peers(std::size_t host) {
    const datapath::BridgeSpec* spec = bridge(host);
    return spec ? spec->peers : std::set<Ip>();
  }
  std::optional<model::BridgeHost> offered_host(std::size_t host, const Uuid& of = net) {
    const auto node = cloud.node(paths::bridge_host(of, h(host).id));
    return node ? std::optional(*model::decode_bridge_host(node->value)) : std::nullopt;
  }
  std::string chunk_path(std::size_t host, int number, const Uuid& of = net) {
    return paths::child(paths::bridge_host(of, h(host).id), std::to_string(number));
  }
  model::OfferChunk chunk(std::size_t host, int number = 0, const Uuid& of = net) {
    const auto node = cloud.node(chunk_path(host, number, of));
    return node ? *model::decode_offer_chunk(node->value) : model::OfferChunk{};
  }
  std::set<Uuid> offered(std::size_t host, const Uuid& of = net) {
    std::set<Uuid> out;
    for (const std::string& name : cloud.children(paths::bridge_host(of, h(host).id)))
      for (const auto& port : chunk(host, std::stoi(name), of).ports) out.insert(port.port_id);
    return out;
  }
  void learn(std::size_t host, int port, const Mac& heard) {
    h(host).kernel.learn({.vni = vni(), .mac = heard, .port = id(port)});
  }

  Cloud cloud{3};
};

}  // namespace midonet::agent::many_hosts
