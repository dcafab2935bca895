// What a snapshot knows of the hosts of a bridge, and what goes with the last port of one.
#include "agent/observe/observer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/binding.h"
#include "model/paths.h"
#include "model/record.h"

namespace midonet::agent {
namespace {

namespace paths = model::paths;
using ::testing::ElementsAre;
using ::testing::SizeIs;

const Uuid host = *Uuid::parse("aaaaaaaa-0000-4000-8000-00000000000a");
const Uuid other = *Uuid::parse("bbbbbbbb-0000-4000-8000-00000000000b");
const Uuid net = *Uuid::parse("11111111-0000-4000-8000-000000000001");
const Uuid net_2 = *Uuid::parse("11111111-0000-4000-8000-000000000002");
const Uuid port_1 = *Uuid::parse("22222222-0000-4000-8000-000000000001");
const Uuid port_2 = *Uuid::parse("22222222-0000-4000-8000-000000000002");
const Uuid zone = *Uuid::parse("33333333-0000-4000-8000-000000000001");

// What has been read so far of a store; the rest is pending. Lists are read, but for one.
class Read : public store::View {
 public:
  Result<store::NodePtr> get(const std::string& path) override {
    if (absent.contains(path)) return fail(Code::not_found, "there is no {}", path);
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
  std::set<std::string> absent;
};

std::string binding(const Uuid& port, const std::string& interface) { return encode(model::Binding{port, interface}); }
std::string port_record(const std::string& interface, const Uuid& bridge = net) {
  model::Port port;
  port.bridge_id = bridge;
  port.host_id = host;
  port.interface_name = interface;
  return encode(port);
}
std::string taken_record() {
  model::Port port;
  port.bridge_id = net;
  port.host_id = other;
  port.interface_name = "tap9";
  port.set_taken_from(model::TakenFrom{host, "tap1"});
  return encode(port);
}
std::string bridge_record(Vni vni) {
  model::Bridge bridge;
  bridge.vni = vni;
  return encode(bridge);
}

class ViewParts : public Parts {
 public:
  explicit ViewParts(store::View& view) : view_(view) {}
  Status read(const store::Mirror::Part&, const std::function<Status(store::View&)>& reader) override {
    return reader(view_);
  }
  void drop(const store::Mirror::Part&) override {}

 private:
  store::View& view_;
};

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

  const Snapshot& look() {
    observer.update({}, &offered, true);
    return now = observer.snapshot();
  }

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
  // The other host has taken the port over: this one still offers it, and it alone is left of the bridge.
  void keep_one_that_was_taken() {
    offered[net].chunks[0].ports.resize(1);
    offered[net].chunks[0].ports[0].port_id = port_1;
    store.absent.insert(paths::binding(host, port_1));
    store.put(paths::port(port_1), taken_record(), 5);
    look();
  }
  static model::BridgeHost reached_at(const char* vtep) {
    model::BridgeHost record;
    record.vtep = *Ip::parse(vtep);
    return record;
  }

  Read store;
  ViewParts parts{store};
  Observer observer{parts, host};
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
  EXPECT_TRUE(now.own == Known::complete && now.others == Known::complete) << "and nothing waits for it";
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
  EXPECT_EQ(bridge.peers_known, Known::complete);
}

TEST_F(SnapshotOfHosts, TheHostsOfABridgeThatGoesWithItsLastPortAreNotWaitedFor) {
  store.unread_list = paths::bridge_hosts(net);
  keep_one_that_was_taken();
  ASSERT_TRUE(observer.snapshot().lingering.contains(port_1));
  EXPECT_EQ(observer.snapshot().others, Known::partial);
  observer.let_go(port_1);
  EXPECT_THAT(observer.snapshot().bridges, SizeIs(0));
  EXPECT_EQ(observer.snapshot().others, Known::complete);
}

TEST_F(SnapshotOfHosts, ABridgeThatGoesConcernsTheOneThatHasItsVniToo) {
  store.put(paths::bridge(net), bridge_record(*Vni::from(7)), 1);
  store.put(paths::bridge(net_2), bridge_record(*Vni::from(7)), 2);
  bound(port_2);
  store.put(paths::binding(host, port_2), binding(port_2, "tap2"), 6);
  store.put(paths::port(port_2), port_record("tap2", net_2), 6);
  keep_one_that_was_taken();
  ASSERT_THAT(observer.snapshot().bridges, SizeIs(2));
  EXPECT_THAT(observer.let_go(port_1).concerned.bridges, ElementsAre(net_2));
}

}  // namespace
}  // namespace midonet::agent
