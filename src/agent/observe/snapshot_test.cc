// What a folder's news (model/latest.h) is good for, and what it must not do.
#include "agent/observe/snapshot.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/binding.h"
#include "model/latest.h"
#include "model/paths.h"
#include "model/port_vni.h"
#include "model/record.h"

namespace midonet::agent {
namespace {

namespace paths = model::paths;
using ::testing::IsEmpty;
using ::testing::SizeIs;

const Uuid host = *Uuid::parse("aaaaaaaa-0000-4000-8000-00000000000a");
const Uuid other = *Uuid::parse("bbbbbbbb-0000-4000-8000-00000000000b");
const Uuid net = *Uuid::parse("11111111-0000-4000-8000-000000000001");
const Uuid port_1 = *Uuid::parse("22222222-0000-4000-8000-000000000001");
const Uuid port_2 = *Uuid::parse("22222222-0000-4000-8000-000000000002");
const Uuid zone = *Uuid::parse("33333333-0000-4000-8000-000000000001");

// What has been read so far of a store; the rest is pending. Lists are read, but for one.
class Read : public store::View {
 public:
  Result<store::NodePtr> get(const std::string& path) override {
    if (const auto at = nodes.find(path); at != nodes.end()) return at->second;
    if (path == absent) return fail(Code::not_found, "there is no {}", path);
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
  std::string unread_list, absent;
};

std::string binding(const Uuid& port, const std::string& interface) { return encode(model::Binding{port, interface}); }
std::string port_record(const std::string& interface) {
  model::Port port;
  port.bridge_id = net;
  port.host_id = host;
  port.interface_name = interface;
  return encode(port);
}

class SnapshotNews : public ::testing::Test {
 protected:
  SnapshotNews() {
    store.put(paths::bindings(host), "", 1);
    store.put(paths::bridge(net), encode(model::Bridge{}), 1);
    store.put(paths::bridge_hosts(net), "", 1);
    store.put(paths::tunnel_zone_host(zone, host), R"({"ipAddress": "172.30.0.1"})", 1);
    store.lists[paths::tunnel_zones] = {zone.to_string()};
    look();
  }

  const Snapshot& look() { return now = *read_snapshot(store, host, now); }

  void bound(const Uuid& port) { store.lists[paths::bindings(host)].push_back(port.to_string()); }
  void told(const Uuid& port, const std::string& interface, store::Revision revision) {
    store.put(paths::bindings(host),
              model::encode_latest({{paths::binding(host, port), binding(port, interface)},
                                    {paths::port(port), port_record(interface)}}),
              revision);
  }
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

  const std::string folder = paths::bridge_host(net, other);  // of the other host, on the bridge
  Read store;
  Snapshot now;
};

TEST_F(SnapshotNews, ABindingIsKnownByTheNewsUntilItsRecordsAreRead) {
  bound(port_1);
  told(port_1, "tap1", 5);
  for (int i = 0; i < 2; ++i) {
    look();
    ASSERT_THAT(now.ports, SizeIs(1));
    EXPECT_EQ(now.ports[0].interface, "tap1");
    EXPECT_EQ(now.ports[0].revision, 5);
    EXPECT_EQ(now.ports[0].port_revision, 5);
    ASSERT_TRUE(now.ports[0].port);
    EXPECT_EQ(now.ports[0].port->id, port_1);
    EXPECT_TRUE(now.bridges.contains(net));
    EXPECT_TRUE(now.complete);
  }
  const auto port = now.ports[0].port;
  read(port_1, "tap1", 5);
  look();
  ASSERT_THAT(now.ports, SizeIs(1));
  EXPECT_EQ(now.ports[0].port, port) << "what did not change is not parsed again";
  EXPECT_TRUE(now.complete);
}

TEST_F(SnapshotNews, WhatIsReadCountsAndNotTheNews) {
  bound(port_1);
  told(port_1, "tap1", 5);
  read(port_1, "tap9", 7);
  look();
  ASSERT_THAT(now.ports, SizeIs(1));
  EXPECT_EQ(now.ports[0].interface, "tap9");
  EXPECT_EQ(now.ports[0].revision, 7);
}

TEST_F(SnapshotNews, NewsOfAPortThatIsNotBoundIsNothing) {
  told(port_1, "tap1", 5);
  EXPECT_THAT(look().ports, IsEmpty());
}

TEST_F(SnapshotNews, NewsThatStoodThereBeforeIsOld) {
  told(port_1, "tap1", 5);
  now = {};
  bound(port_1);
  look();  // the first look of an agent: the news may be about a binding that has been made again since
  EXPECT_THAT(now.ports, IsEmpty());
  EXPECT_FALSE(now.complete);
  look();
  EXPECT_THAT(now.ports, IsEmpty());
}

TEST_F(SnapshotNews, NewsIsOldOnceItsRecordsWereRead) {
  bound(port_1);
  told(port_1, "tap1", 5);
  read(port_1, "tap1", 5);
  look();
  // Unbound and bound again by a program that tells no news: what was told of the first time is not taken for it.
  store.nodes.erase(paths::binding(host, port_1));
  store.nodes.erase(paths::port(port_1));
  EXPECT_THAT(look().ports, IsEmpty());
  EXPECT_FALSE(now.complete);
}

TEST_F(SnapshotNews, OfTwoBindingsTheOneThatIsNotToldOfWaits) {
  bound(port_1), bound(port_2);
  told(port_2, "tap2", 6);
  look();
  ASSERT_THAT(now.ports, SizeIs(1));
  EXPECT_EQ(now.ports[0].id, port_2);
  EXPECT_FALSE(now.complete);
}

TEST_F(SnapshotNews, DamagedNewsIsNone) {
  bound(port_1);
  store.put(paths::bindings(host), R"({"latest": 7)", 5);
  EXPECT_THAT(look().ports, IsEmpty());
  EXPECT_FALSE(now.complete);
}

// The news of a port whose record has a copy of its bridge's VNI.
void tell_with_vni(Read& store, const Uuid& port, Vni vni, store::Revision revision) {
  store.put(paths::bindings(host),
            model::encode_latest({{paths::binding(host, port), binding(port, "tap1")},
                                  {paths::port(port), model::with_port_vni(port_record("tap1"), vni)}}),
            revision);
}

TEST_F(SnapshotNews, ABridgeIsKnownByItsVniUntilItIsRead) {
  store.nodes.erase(paths::bridge(net));
  store.unread_list = paths::mac_table(net);
  bound(port_1);
  tell_with_vni(store, port_1, *Vni::from(7), 5);
  for (int i = 0; i < 2; ++i) {
    look();
    EXPECT_TRUE(now.complete);
    EXPECT_TRUE(now.provisional);
    const ServedBridge& bridge = now.bridges.at(net);
    EXPECT_TRUE(bridge.known);
    EXPECT_TRUE(bridge.provisional);
    ASSERT_TRUE(bridge.record);
    EXPECT_EQ(bridge.record->vni, *Vni::from(7));
    read(port_1, "tap1", 5);  // the port's record is read first
  }
  model::Bridge record;
  record.vni = *Vni::from(8);
  store.put(paths::bridge(net), encode(record), 3);
  look();
  EXPECT_FALSE(now.complete) << "its tables are being read";
  EXPECT_FALSE(now.provisional);
  store.unread_list.clear();
  look();
  EXPECT_TRUE(now.complete);
  EXPECT_EQ(now.bridges.at(net).record->vni, *Vni::from(8));
  EXPECT_EQ(now.bridges.at(net).created, 3);
}

TEST_F(SnapshotNews, ABridgeThatIsGoneIsNoProvisionalOne) {
  store.nodes.erase(paths::bridge(net));
  bound(port_1);
  tell_with_vni(store, port_1, *Vni::from(7), 5);
  look();
  store.absent = paths::bridge(net);
  look();
  EXPECT_TRUE(now.bridges.at(net).known);
  EXPECT_FALSE(now.bridges.at(net).provisional);
  EXPECT_FALSE(now.bridges.at(net).record);
}

TEST_F(SnapshotNews, OfABridgeThatWasKnownBeforeNothingIsMadeUp) {
  store.nodes.erase(paths::bridge(net));
  bound(port_1), bound(port_2);
  read(port_1, "tap1", 4);
  look();
  EXPECT_FALSE(now.complete);
  tell_with_vni(store, port_2, *Vni::from(7), 5);
  look();
  EXPECT_FALSE(now.complete);
  EXPECT_FALSE(now.provisional);
  EXPECT_FALSE(now.bridges.at(net).known);
}

TEST_F(SnapshotNews, AVniThatWasNotToldButReadIsNoReasonToHurry) {
  now = {};
  store.nodes.erase(paths::bridge(net));
  bound(port_1);
  read(port_1, "tap1", 5);
  store.put(paths::port(port_1), model::with_port_vni(port_record("tap1"), *Vni::from(7)), 5);
  look();  // a start: the kernel may have tables of this bridge
  EXPECT_FALSE(now.complete);
  EXPECT_FALSE(now.bridges.at(net).known);
}

TEST_F(SnapshotNews, AHostThatBeginsToServeABridgeIsKnownByTheNews) {
  serve();
  const std::string chunk = paths::child(folder, "0");
  model::BridgeHost record = reached_at("172.30.0.2");
  record.chunks = {0};
  model::OfferChunk offers;
  offers.ports.push_back({.port_id = port_2, .revision = 8});
  store.lists[paths::bridge_hosts(net)] = {other.to_string()};
  store.put(paths::bridge_hosts(net), model::encode_latest({{folder, encode(record)}, {chunk, encode(offers)}}), 9);
  store.unread_list = paths::bridge_hosts(net);  // the news may be there before the list is
  EXPECT_FALSE(look().bridges.at(net).peers_known);
  store.unread_list.clear();
  look();
  const Peers& peers = *now.bridges.at(net).peers;
  ASSERT_TRUE(peers.find(port_2));
  EXPECT_EQ(peers.find(port_2)->peer->record->vtep, record.vtep);
  EXPECT_TRUE(now.bridges.at(net).peers_known);
  EXPECT_TRUE(now.bridges.at(net).peers_seen);
  // Its records count as soon as they are read.
  offers.ports[0].revision = 10;
  store.put(folder, encode(record), 9);
  store.put(chunk, encode(offers), 11);
  look();
  EXPECT_EQ(now.bridges.at(net).peers->find(port_2)->port->revision, 10);
}

TEST_F(SnapshotNews, AHostThatOnlyTheNewsNamesIsExpected) {
  serve();
  model::BridgeHost record = reached_at("172.30.0.2");
  store.put(paths::bridge_hosts(net),
            model::encode_latest(
                {{folder, encode(record)}, {paths::bridge_host(net, host), encode(reached_at("172.30.0.1"))}}),
            9);
  for (int i = 0; i < 2; ++i) {
    look();
    const ServedBridge& bridge = now.bridges.at(net);
    ASSERT_THAT(bridge.peers->hosts, SizeIs(1)) << "this host needs no news of itself";
    ASSERT_TRUE(bridge.peers->hosts.contains(other));
    EXPECT_EQ(bridge.peers->hosts.at(other)->record->vtep, record.vtep);
    EXPECT_TRUE(bridge.peers_known);
    EXPECT_TRUE(now.peers_read);
    EXPECT_TRUE(bridge.expected.contains(other));
  }
  const auto peers = now.bridges.at(net).peers;
  look();
  EXPECT_EQ(now.bridges.at(net).peers, peers) << "nothing has changed";

  // Other news leaves it expected; the keeper of the snapshot forgets it.
  store.put(paths::bridge_hosts(net), "", 10);
  EXPECT_THAT(look().bridges.at(net).peers->hosts, SizeIs(1));
  now.bridges.at(net).expected.clear();
  EXPECT_THAT(look().bridges.at(net).peers->hosts, IsEmpty());
}

TEST_F(SnapshotNews, AnExpectedHostIsOneThatServesOnceItIsListed) {
  serve();
  model::BridgeHost record = reached_at("172.30.0.2");
  store.put(paths::bridge_hosts(net), model::encode_latest({{folder, encode(record)}}), 9);
  look();
  store.lists[paths::bridge_hosts(net)] = {other.to_string()};
  look();
  EXPECT_THAT(now.bridges.at(net).expected, IsEmpty());
  EXPECT_FALSE(now.bridges.at(net).peers_known);
  EXPECT_TRUE(now.bridges.at(net).peers_seen) << "they were read before";
  ASSERT_THAT(now.bridges.at(net).peers->hosts, SizeIs(1));
  EXPECT_TRUE(now.bridges.at(net).peers->hosts.at(other)->record) << "what was told stays until its record is read";
  record.vtep = *Ip::parse("172.30.0.3");
  store.put(folder, encode(record), 12);
  look();
  EXPECT_EQ(now.bridges.at(net).peers->hosts.at(other)->record->vtep, record.vtep);
  store.lists[paths::bridge_hosts(net)].clear();
  EXPECT_THAT(look().bridges.at(net).peers->hosts, IsEmpty());
}

TEST_F(SnapshotNews, AHostThatWasToldOfBeforeIsNotExpected) {
  model::BridgeHost record = reached_at("172.30.0.2");
  store.put(paths::bridge_hosts(net), model::encode_latest({{folder, encode(record)}}), 9);
  bound(port_1);
  read(port_1, "tap1", 10);
  look();
  EXPECT_THAT(look().bridges.at(net).peers->hosts, IsEmpty());
}

}  // namespace
}  // namespace midonet::agent
