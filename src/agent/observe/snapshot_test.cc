// What a snapshot knows of a bridge on which the commit of a binding made this host's record.
#include "agent/observe/snapshot.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/binding.h"
#include "model/paths.h"
#include "model/record.h"

namespace midonet::agent {
namespace {

namespace paths = model::paths;
using ::testing::SizeIs;

const Uuid host = *Uuid::parse("aaaaaaaa-0000-4000-8000-00000000000a");
const Uuid other = *Uuid::parse("bbbbbbbb-0000-4000-8000-00000000000b");
const Uuid net = *Uuid::parse("11111111-0000-4000-8000-000000000001");
const Uuid port_1 = *Uuid::parse("22222222-0000-4000-8000-000000000001");
const Uuid zone = *Uuid::parse("33333333-0000-4000-8000-000000000001");

// What has been read so far of a store; the rest is pending. Lists are read, but for one.
class Read : public store::View {
 public:
  Result<store::NodePtr> get(const std::string& path) override {
    if (const auto at = nodes.find(path); at != nodes.end()) return at->second;
    return fail(Code::pending, "{} is being read", path);
  }
  Result<std::vector<std::string>> list(const std::string& path) override {
    if (path == unread_list) return fail(Code::pending, "{} is being read", path);
    return lists[path];
  }

  void put(const std::string& path, std::string value, store::Revision revision) {
    nodes[path] = std::make_shared<const store::Node>(store::Node{std::move(value), {revision, revision, 0, 0}});
  }

  std::map<std::string, store::NodePtr> nodes;
  std::map<std::string, std::vector<std::string>> lists;
  std::string unread_list;
};

std::string binding(const Uuid& port, const std::string& interface) { return encode(model::Binding{port, interface}); }
std::string port_record(const std::string& interface) {
  model::Port port;
  port.bridge_id = net;
  port.host_id = host;
  port.interface_name = interface;
  return encode(port);
}

class SnapshotOfHosts : public ::testing::Test {
 protected:
  SnapshotOfHosts() {
    store.put(paths::bindings(host), "", 1);
    store.put(paths::bridge(net), encode(model::Bridge{}), 1);
    store.put(paths::bridge_hosts(net), "", 1);
    store.put(paths::tunnel_zone_host(zone, host), R"({"ipAddress": "172.30.0.1"})", 1);
    store.lists[paths::tunnel_zones] = {zone.to_string()};
    look();
  }

  const Snapshot& look() { return now = *read_snapshot(store, host, now, &offered); }

  void bound(const Uuid& port) { store.lists[paths::bindings(host)].push_back(port.to_string()); }
  void read(const Uuid& port, const std::string& interface, store::Revision revision) {
    store.put(paths::binding(host, port), binding(port, interface), revision);
    store.put(paths::port(port), port_record(interface), revision);
  }

  // The host has a port of the bridge, as it is known.
  void serve() {
    bound(port_1);
    read(port_1, "tap1", 5);
    look();
  }
  static model::BridgeHost reached_at(const char* vtep) {
    model::BridgeHost record;
    record.vtep = *Ip::parse(vtep);
    return record;
  }

  Read store;
  OwnOffers offered;  // by this host, as it knows
  Snapshot now;
};

TEST_F(SnapshotOfHosts, WhetherThisHostServesABridgeIsKnownWithTheListOfItsHosts) {
  store.unread_list = paths::bridge_hosts(net);
  serve();
  EXPECT_FALSE(now.bridges.at(net).self_known);
  store.unread_list.clear();
  look();
  EXPECT_TRUE(now.bridges.at(net).self_known);
  EXPECT_FALSE(now.bridges.at(net).self);
  store.unread_list = paths::bridge_hosts(net);  // it is being read again
  look();
  EXPECT_TRUE(now.bridges.at(net).self_known);
}

TEST_F(SnapshotOfHosts, ARecordOfThisHostThatItDidNotMakeIsFound) {
  const std::string own = paths::bridge_host(net, host);
  store.lists[paths::bridge_hosts(net)] = {host.to_string()};
  serve();
  EXPECT_TRUE(now.bridges.at(net).self);
  EXPECT_FALSE(now.bridges.at(net).found) << "it is being read";
  EXPECT_FALSE(now.bridges.at(net).self_known);
  EXPECT_TRUE(now.complete && now.peers_read) << "and nothing waits for it";
  store.put(own, encode(reached_at("172.30.0.1")), 5);
  look();
  EXPECT_EQ(now.bridges.at(net).found, store.nodes.at(own));
  EXPECT_TRUE(now.bridges.at(net).self_known);
  EXPECT_THAT(now.bridges.at(net).peers->hosts, SizeIs(0));
  offered[net];
  look();
  EXPECT_FALSE(now.bridges.at(net).found) << "it is this host's own word now";
}

TEST_F(SnapshotOfHosts, AHostWithARecordIsAPeerBeforeItOffersAnything) {
  store.lists[paths::bridge_hosts(net)] = {other.to_string()};
  store.put(paths::bridge_host(net, other), encode(reached_at("172.30.0.2")), 5);
  serve();
  const ServedBridge& bridge = now.bridges.at(net);
  ASSERT_THAT(bridge.peers->hosts, SizeIs(1));
  EXPECT_EQ(bridge.peers->hosts.at(other)->record->vtep, *Ip::parse("172.30.0.2"));
  EXPECT_TRUE(bridge.peers_known);
}

}  // namespace
}  // namespace midonet::agent
