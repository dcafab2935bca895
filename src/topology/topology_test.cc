#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/json.h"
#include "model/binding.h"
#include "model/offer.h"
#include "model/paths.h"
#include "store/hint.h"
#include "topology/attach.h"
#include "topology/bridges.h"
#include "topology/hosts.h"
#include "topology/ports.h"
#include "topology/store_fixture.h"

namespace midonet::topology::topology_test {
namespace {

namespace paths = model::paths;
using model::Bridge;
using model::Json;
using model::Port;
using model::PortState;
using model::PortStatus;
using store::Transaction;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

Uuid uuid(const char* text) { return *Uuid::parse(text); }
const Uuid host_a = uuid("aaaaaaaa-0000-4000-8000-00000000000a");
const Uuid host_b = uuid("bbbbbbbb-0000-4000-8000-00000000000b");
const Uuid net = uuid("11111111-0000-4000-8000-000000000001");
const Uuid port_1 = uuid("22222222-0000-4000-8000-000000000001");
const Uuid port_2 = uuid("22222222-0000-4000-8000-000000000002");
const Uuid nobody = uuid("99999999-0000-4000-8000-000000000009");

class Topology : public ::testing::Test {
 protected:
  Topology() {
    for (const Uuid& host : {host_a, host_b})
      EXPECT_TRUE(fixture.run([=](Transaction& t) { return register_host(t, host, "h"); }));
    EXPECT_TRUE(create_bridge(net));
    EXPECT_TRUE(create_port(port_1));
    EXPECT_TRUE(create_port(port_2));
  }

  Status create_bridge(const Uuid& id) {
    Bridge bridge;
    bridge.id = id;
    return fixture.run([=](Transaction& t) { return topology::create_bridge(t, bridge); });
  }
  Status create_port(const Uuid& id) {
    Port port;
    port.id = id;
    port.bridge_id = net;
    return fixture.run([=](Transaction& t) { return topology::create_port(t, port); });
  }
  Result<Attached> attach(const AttachRequest& request) {
    return fixture.run<Attached>([=](Transaction& t) { return topology::attach(t, request); });
  }
  Result<Detached> detach(const Uuid& port, std::optional<Uuid> only_host = {}) {
    return fixture.run<Detached>([=](Transaction& t) { return topology::detach(t, port, only_host); });
  }
  Port port(const Uuid& id) {
    return fixture
        .run<Port>([=](Transaction& t) -> Result<Port> {
          const auto stored = read_port(t, id);
          if (!stored) return failed(stored);
          return stored->record;
        })
        .value_or(Port{});
  }
  PortStatus status(const Uuid& id) {
    return *fixture.run<PortStatus>([=](Transaction& t) -> Result<PortStatus> {
      const auto stored = read_port(t, id);
      if (!stored) return failed(stored);
      return port_status(t, stored->record);
    });
  }
  // The call is refused so, and nothing was written.
  template <class T>
  void expect_refused(const std::function<Result<T>()>& call, Code code, const std::string& message) {
    const auto before = fixture.dump();
    const Result<T> outcome = call();
    ASSERT_FALSE(outcome);
    EXPECT_EQ(name(outcome.error().code), name(code));
    EXPECT_EQ(outcome.error().message, message);
    EXPECT_EQ(fixture.dump(), before);
  }
  void expect_attach_refused(const AttachRequest& request, Code code, const std::string& message) {
    expect_refused<Attached>([&] { return attach(request); }, code, message);
  }

  StoreFixture fixture;
};

TEST_F(Topology, AttachWritesTheBindingTheIndexAndThePortInOneCommit) {
  EXPECT_TRUE(attach({port_1, host_a, "tap0"})->changed);
  const auto binding = fixture.get(paths::binding(host_a, port_1));
  ASSERT_TRUE(binding);
  EXPECT_EQ(Json::parse(binding->value), Json::parse(R"({"portId": "22222222-0000-4000-8000-000000000001",
                                                         "interfaceName": "tap0"})"));
  const auto index = fixture.get(paths::bound_interface(host_a, "tap0"));
  ASSERT_TRUE(index);
  EXPECT_EQ(Json::parse(index->value), Json::parse(R"({"portId": "22222222-0000-4000-8000-000000000001"})"));
  EXPECT_EQ(port(port_1).host_id, host_a);
  EXPECT_EQ(port(port_1).interface_name, "tap0");
  EXPECT_EQ(index->stat.modified, binding->stat.modified);
  const auto record = fixture.get(paths::port(port_1));
  EXPECT_EQ(record->stat.modified, binding->stat.modified);
  // The host hears of it with the records themselves.
  const auto hint = fixture.get(paths::bindings(host_a));
  EXPECT_EQ(hint->stat.modified, binding->stat.modified);
  EXPECT_THAT(store::decode_hint(hint->value), ElementsAre(Pair(paths::binding(host_a, port_1), binding->value),
                                                           Pair(paths::port(port_1), record->value)));
}

TEST_F(Topology, AttachReadsThePortAndCommits) {
  int tries = 0;
  ASSERT_TRUE(fixture.run<Attached>([&](Transaction& t) {
    ++tries;
    const auto attached = topology::attach(t, {port_1, host_a, "tap0"});
    if (attached) EXPECT_FALSE(t.get(paths::host(host_a))) << "the host was read";
    return attached;
  }));
  EXPECT_EQ(tries, 2);
}

TEST_F(Topology, TheFirstPortOfABridgeOnAHostMakesItsRecordThereInTheSameCommit) {
  const std::string folder = paths::bridge_hosts(net), path = paths::bridge_host(net, host_a);
  fixture.put(paths::served_bridges(host_a), R"({"vtep": "192.0.2.1", "adopts": true})");
  EXPECT_TRUE(attach({port_1, host_a, "tap0"}));
  const auto record = fixture.get(path);
  ASSERT_TRUE(record);
  EXPECT_EQ(record->stat.created, fixture.get(paths::binding(host_a, port_1))->stat.modified);
  EXPECT_EQ(*model::decode_bridge_host(record->value), (model::BridgeHost{*Ip::parse("192.0.2.1"), {}, {}}));
  EXPECT_TRUE(fixture.get(paths::served_bridge(host_a, net)));
  EXPECT_THAT(store::decode_hint(fixture.get(folder)->value), ElementsAre(Pair(path, record->value)));

  EXPECT_TRUE(attach({port_2, host_a, "tap1"}));
  EXPECT_EQ(fixture.get(folder)->stat.modified, record->stat.created) << "it serves the bridge already";
  EXPECT_EQ(fixture.get(path)->stat.version, 0);
}

TEST_F(Topology, ARecordThatTheAgentHasNotTakenOverGoesWithTheBinding) {
  const std::string path = paths::bridge_host(net, host_a), index = paths::served_bridge(host_a, net);
  fixture.put(paths::served_bridges(host_a), R"({"vtep": "192.0.2.1", "adopts": true})");
  EXPECT_TRUE(attach({port_1, host_a, "tap0"}));
  ASSERT_TRUE(fixture.run<Detached>([](Transaction& t) { return topology::detach(t, port_1); }));
  EXPECT_FALSE(fixture.get(path));
  EXPECT_FALSE(fixture.get(index));

  EXPECT_TRUE(attach({port_1, host_a, "tap0"}));
  fixture.put(path, R"({"vtep": "192.0.2.1", "chunks": [0]})");  // the agent offers something
  ASSERT_TRUE(fixture.run<Detached>([](Transaction& t) { return topology::detach(t, port_1); }));
  EXPECT_TRUE(fixture.get(path));
  EXPECT_TRUE(fixture.get(index));
}

TEST_F(Topology, AHostThatNobodyReachesOrWhoseAgentDoesNotAdoptGetsNoRecord) {
  for (const char* place : {"", R"({"vtep": "192.0.2.1"})", "{"}) {
    fixture.put(paths::served_bridges(host_a), place);
    EXPECT_TRUE(attach({port_1, host_a, "tap0"}));
    EXPECT_FALSE(fixture.get(paths::bridge_host(net, host_a))) << place;
    EXPECT_EQ(fixture.value(paths::bridge_hosts(net)), "");
    ASSERT_TRUE(fixture.run<Detached>([](Transaction& t) { return topology::detach(t, port_1); }));
  }
}

TEST_F(Topology, AFirstPortThatFindsTheHostsRecordThereIsBoundAllTheSame) {
  const std::string path = paths::bridge_host(net, host_a);
  fixture.put(paths::served_bridges(host_a), R"({"vtep": "192.0.2.1", "adopts": true})");
  fixture.put(path, R"({"vtep": "192.0.2.9", "chunks": [0]})");  // made since the list was read
  EXPECT_TRUE(attach({port_1, host_a, "tap0"}));
  EXPECT_TRUE(fixture.get(paths::binding(host_a, port_1)));
  EXPECT_EQ(fixture.get(path)->stat.version, 0);
}

TEST_F(Topology, AttachingAgainWritesNothing) {
  ASSERT_TRUE(attach({port_1, host_a, "tap0"}));
  const auto before = fixture.dump();
  const auto again = attach({port_1, host_a, "tap0"});
  ASSERT_TRUE(again);
  EXPECT_FALSE(again->changed);
  EXPECT_EQ(fixture.dump(), before);
}

TEST_F(Topology, WhatIsUnknownOrIllFormedIsRefused) {
  expect_attach_refused({nobody, host_a, "tap0"}, Code::not_found, fmt::format("There is no Port with ID {}.", nobody));
  expect_attach_refused({port_1, nobody, "tap0"}, Code::not_found, fmt::format("There is no Host with ID {}.", nobody));
  for (const char* bad : {"", ".", "..", "a/b", "a b", "sixteen-bytes-xx", "tap\t0"}) {
    const auto refused = attach({port_1, host_a, bad});
    ASSERT_FALSE(refused) << bad;
    EXPECT_EQ(refused.error().code, Code::invalid) << bad;
    EXPECT_EQ(refused.error().property, "interface") << bad;
  }
  EXPECT_FALSE(port(port_1).host_id);
}

TEST_F(Topology, ABoundPortIsRefusedElsewhereAndTheMessageSaysWhereItIs) {
  ASSERT_TRUE(attach({port_1, host_a, "tap0"}));
  const std::string where = fmt::format("Port {} is already bound to interface tap0 of host {}.", port_1, host_a);
  expect_attach_refused({port_1, host_a, "tap1"}, Code::conflict, where);
  expect_attach_refused({port_1, host_b, "tap0"}, Code::conflict, where);
}

TEST_F(Topology, ATakenInterfaceIsRefusedAndTheMessageSaysByWhom) {
  ASSERT_TRUE(attach({port_1, host_a, "tap0"}));
  expect_attach_refused({port_2, host_a, "tap0"}, Code::conflict,
                        fmt::format("Interface tap0 of host {} already carries port {}.", host_a, port_1));
  EXPECT_TRUE(attach({port_2, host_b, "tap0"}));  // the same name on another host is another interface
}

TEST_F(Topology, AMoveIsOneCommitAndWantsToKnowWhereThePortIs) {
  AttachRequest move{port_1, host_b, "tap1", host_a};
  expect_attach_refused(move, Code::conflict,
                        fmt::format("Port {} is not bound on host {}; it is not bound.", port_1, host_a));
  ASSERT_TRUE(attach({port_1, host_a, "tap0"}));
  move.previous_host_id = nobody;
  expect_attach_refused(move, Code::conflict,
                        fmt::format("Port {} is not bound on host {}; it is bound to interface tap0 of host {}.",
                                    port_1, nobody, host_a));
  move.previous_host_id = host_a;
  const auto before = fixture.get(paths::binding(host_a, port_1))->stat.modified;
  EXPECT_TRUE(attach(move)->changed);
  EXPECT_FALSE(fixture.get(paths::binding(host_a, port_1)));
  EXPECT_FALSE(fixture.get(paths::bound_interface(host_a, "tap0")));
  EXPECT_EQ(port(port_1).host_id, host_b);
  EXPECT_EQ(fixture.get(paths::binding(host_b, port_1))->stat.modified, before + 1);
  EXPECT_FALSE(attach(move)->changed);  // sent again, it has moved already
}

TEST_F(Topology, AMoveToATakenInterfaceLeavesThePortWhereItIs) {
  ASSERT_TRUE(attach({port_1, host_a, "tap0"}));
  ASSERT_TRUE(attach({port_2, host_b, "tap0"}));
  expect_attach_refused({port_1, host_b, "tap0", host_a}, Code::conflict,
                        fmt::format("Interface tap0 of host {} already carries port {}.", host_b, port_2));
}

TEST_F(Topology, AMoveWithinAHostChangesTheInterface) {
  ASSERT_TRUE(attach({port_1, host_a, "tap0"}));
  EXPECT_TRUE(attach({port_1, host_a, "tap1", host_a})->changed);
  EXPECT_THAT(fixture.list(paths::bound_interfaces(host_a)), ElementsAre("tap1"));
  EXPECT_THAT(fixture.list(paths::bindings(host_a)), ElementsAre(port_1.to_string()));
  EXPECT_EQ(port(port_1).interface_name, "tap1");
}

TEST_F(Topology, MmCtlMovesAPortFromAnotherHostAndFromAnotherInterface) {
  ASSERT_TRUE(attach({port_1, host_a, "tap0"}));
  EXPECT_TRUE(attach({port_1, host_a, "tap1", {}, Takeover::allow})->changed);
  EXPECT_EQ(port(port_1).interface_name, "tap1");
  EXPECT_THAT(fixture.list(paths::bound_interfaces(host_a)), ElementsAre("tap1"));
  ASSERT_TRUE(attach({port_2, host_a, "tap0"}));  // which is free again
  expect_attach_refused({port_1, host_a, "tap0", {}, Takeover::allow}, Code::conflict,
                        fmt::format("Interface tap0 of host {} already carries port {}.", host_a, port_2));
  EXPECT_EQ(port(port_1).interface_name, "tap1");
  EXPECT_TRUE(attach({port_1, host_b, "tap0", {}, Takeover::allow})->changed);
  EXPECT_EQ(port(port_1).host_id, host_b);
  // The late unbind from the old host changes nothing.
  EXPECT_FALSE(detach(port_1, host_a)->changed);
  EXPECT_EQ(port(port_1).host_id, host_b);
  EXPECT_TRUE(detach(port_1, host_b)->changed);
  EXPECT_FALSE(detach(nobody, host_b)->changed);
}

TEST_F(Topology, DetachIsIdempotentAndFreesTheInterface) {
  ASSERT_TRUE(attach({port_1, host_a, "tap0"}));
  EXPECT_TRUE(detach(port_1)->changed);
  EXPECT_FALSE(detach(port_1)->changed);
  EXPECT_FALSE(fixture.get(paths::binding(host_a, port_1)));
  EXPECT_TRUE(attach({port_2, host_a, "tap0"})->changed);
  expect_refused<Detached>([&] { return detach(nobody); }, Code::not_found,
                           fmt::format("There is no Port with ID {}.", nobody));
}

TEST_F(Topology, BindingsWhoseRecordsAreHalfGoneCanStillBeDetached) {
  ASSERT_TRUE(attach({port_1, host_a, "tap0"}));
  ASSERT_TRUE(fixture.run([](Transaction& t) -> Status {
    t.remove(paths::binding(host_a, port_1));
    return {};
  }));
  EXPECT_TRUE(detach(port_1)->changed);
  EXPECT_THAT(fixture.list(paths::bound_interfaces(host_a)), IsEmpty());
}

TEST_F(Topology, TheStrictFaceChecksInTheOrderOfTheContract) {
  const auto bind = [&](const Uuid& host, const Uuid& port, const std::string& name, bool zone) {
    return fixture.run([=](Transaction& t) { return bind_unbound(t, host, {port, name}, zone); });
  };
  const auto expect = [&](const Status& outcome, Code code, const std::string& message) {
    ASSERT_FALSE(outcome);
    EXPECT_EQ(outcome.error(), (Error{code, message}));
  };
  expect(bind(nobody, nobody, "tap0", true), Code::not_found, fmt::format("There is no Host with ID {}.", nobody));
  expect(bind(host_a, nobody, "tap0", true), Code::conflict, "The specified host is not in any tunnel zone.");
  expect(bind(host_a, nobody, "tap0", false), Code::not_found, fmt::format("There is no Port with ID {}.", nobody));
  fixture.put("/tunnel_zones/" + nobody.to_string(), "{}");
  fixture.put("/tunnel_zones/" + nobody.to_string() + "/hosts", "");
  expect(bind(host_a, nobody, "tap0", true), Code::conflict, "The specified host is not in any tunnel zone.");
  fixture.put("/tunnel_zones/" + nobody.to_string() + "/hosts/" + host_a.to_string(), "{}");
  EXPECT_TRUE(bind(host_a, port_1, "tap0", true));
  expect(bind(host_a, port_1, "tap0", true), Code::conflict,
         fmt::format("Port {} is already bound to an interface", port_1));
  expect(bind(host_a, port_2, "tap0", true), Code::conflict, "Interface tap0 is already bound to a port.");
}

TEST_F(Topology, ABridgeGetsAVniAndItsFolders) {
  const auto stored = fixture.get(paths::bridge(net));
  const Json record = Json::parse(stored->value);
  const Vni vni = *Vni::from(record["vni"].get<std::uint64_t>());
  EXPECT_EQ(Json::parse(*fixture.value(paths::vni(vni))), (Json{{"bridgeId", net.to_string()}}));
  EXPECT_THAT(fixture.list(paths::bridge(net)), ElementsAre("arp_table", "hosts", "mac_table", "ports"));
  expect_refused<void>([&] { return create_bridge(net); }, Code::conflict,
                       fmt::format("A(n) Bridge with ID {} already exists.", net));
}

TEST_F(Topology, ATakenVniIsPassedOver) {
  const Uuid other = uuid("11111111-0000-4000-8000-000000000002");
  fixture.put(paths::vni(vni_candidate(other, 0)), "{}");
  fixture.put(paths::vni(vni_candidate(other, 1)), "{}");
  ASSERT_TRUE(create_bridge(other));
  EXPECT_EQ(Json::parse(*fixture.value(paths::bridge(other)))["vni"], vni_candidate(other, 2).number());
}

TEST_F(Topology, WithoutAFreeVniNothingIsMade) {
  const Uuid other = uuid("11111111-0000-4000-8000-000000000002");
  for (std::uint32_t attempt = 0; attempt < max_vni_attempts; ++attempt)
    fixture.put(paths::vni(vni_candidate(other, attempt)), "{}");
  expect_refused<void>([&] { return create_bridge(other); }, Code::exhausted,
                       fmt::format("bridge {}: no free VNI found in 64 attempts", other));
}

TEST_F(Topology, DeletingAPortDetachesItInTheSameCommit) {
  ASSERT_TRUE(attach({port_1, host_a, "tap0"}));
  ASSERT_TRUE(fixture.run([](Transaction& t) { return delete_port(t, port_1); }));
  EXPECT_THAT(fixture.list(paths::bindings(host_a)), IsEmpty());
  EXPECT_THAT(fixture.list(paths::bound_interfaces(host_a)), IsEmpty());
  EXPECT_THAT(fixture.list(paths::bridge_ports(net)), ElementsAre(port_2.to_string()));
  EXPECT_FALSE(fixture.get(paths::port(port_1)));
}

TEST_F(Topology, ASmallBridgeGoesWithAllThatIsItsInOneCommit) {
  ASSERT_TRUE(attach({port_1, host_a, "tap0"}));
  ASSERT_TRUE(attach({port_2, host_b, "tap1"}));
  fixture.put(paths::child(paths::bridge_hosts(net), host_a.to_string()), "{}");
  fixture.put(paths::child(paths::bridge_hosts(net), host_a.to_string()) + "/0", "{}");
  fixture.put(paths::mac_entry(net, *Mac::parse("02:00:00:00:00:01")), "{}");
  const store::Revision before = fixture.get(paths::port(port_2))->stat.modified;
  ASSERT_TRUE(fixture.run_steps([](Transaction& t) { return delete_bridge(t, net); }));
  for (const std::string& folder : {paths::bridges, paths::ports, paths::vnis, paths::bindings(host_a),
                                    paths::bindings(host_b), paths::bound_interfaces(host_a)})
    EXPECT_THAT(fixture.list(folder), IsEmpty()) << folder;
  // mac, host, chunk made three commits after `before`; the deletion is the next one.
  ASSERT_TRUE(create_bridge(net));
  EXPECT_EQ(fixture.get(paths::bridge(net))->stat.modified, before + 5);
}

// An older agent would let everything pass.
TEST_F(Topology, TheFirstSecuredPortKeepsOlderProgramsFromTheStore) {
  const auto version = [&] { return fixture.get("/version")->value; };
  const auto secure = [&](std::optional<bool> how) {
    return fixture.run([=](Transaction& t) { return update_port(t, port_1, [=](Port& p) { p.port_security = how; }); });
  };
  const std::string before = version();
  EXPECT_EQ(before, R"({"layout":1,"minReader":1})");
  ASSERT_TRUE(secure(false));
  EXPECT_EQ(version(), before);
  ASSERT_TRUE(secure(true));
  EXPECT_EQ(version(), R"({"layout":2,"minReader":2})");
  ASSERT_TRUE(secure({}));
  EXPECT_EQ(version(), R"({"layout":2,"minReader":2})");
  ASSERT_TRUE(fixture.run([&](Transaction& t) {
    t.set("/version", R"({"layout":7,"minReader":1,"other":true})");
    return Status();
  }));
  Port made;
  made.id = *Uuid::parse("77777777-0000-4000-8000-000000000001");
  made.bridge_id = net;
  made.port_security = true;
  ASSERT_TRUE(fixture.run([=](Transaction& t) { return topology::create_port(t, made); }));
  EXPECT_EQ(version(), R"({"layout":7,"minReader":2,"other":true})");
}

TEST_F(Topology, UpdatesKeepWhatANewerProgramWrote) {
  Json record = Json::parse(*fixture.value(paths::port(port_1)));
  record["colour"] = "red";
  fixture.put(paths::port(port_1), record.dump());
  ASSERT_TRUE(attach({port_1, host_a, "tap0"}));
  ASSERT_TRUE(fixture.run([](Transaction& t) { return update_port(t, port_1, [](Port& p) { p.vlan_id = 5; }); }));
  const Json now = Json::parse(*fixture.value(paths::port(port_1)));
  EXPECT_EQ(now["colour"], "red");
  EXPECT_EQ(now["vlanId"], 5);
  EXPECT_EQ(now["interfaceName"], "tap0");
}

TEST_F(Topology, AReferenceThatLeadsNowhereIsRefused) {
  expect_refused<void>(
      [&] {
        return fixture.run(
            [](Transaction& t) { return update_port(t, port_1, [](Port& p) { p.inbound_filter_id = nobody; }); });
      },
      Code::not_found, fmt::format("There is no Chain with ID {}.", nobody));
}

TEST_F(Topology, AHostRegistersOnceAndFollowsItsName) {
  const auto before = fixture.dump();
  ASSERT_TRUE(fixture.run([](Transaction& t) { return register_host(t, host_a, "h"); }));
  EXPECT_EQ(fixture.dump(), before);
  ASSERT_TRUE(fixture.run([](Transaction& t) { return register_host(t, host_a, "renamed"); }));
  EXPECT_EQ(Json::parse(*fixture.value(paths::host(host_a)))["name"], "renamed");
  EXPECT_THAT(fixture.list(paths::host(host_a)),
              ElementsAre("bound_interfaces", "interfaces", "ports", "served_bridges", "status"));
}

TEST_F(Topology, AHostIsDeletedOnlyWhenNothingHangsOnIt) {
  const auto remove = [&] { return fixture.run_steps([](Transaction& t) { return delete_host(t, host_a); }); };
  ASSERT_TRUE(attach({port_1, host_a, "tap0"}));
  fixture.put(paths::alive(host_a), "{}");
  expect_refused<void>(remove, Code::forbidden, fmt::format("Cannot delete host {} because it is active.", host_a));
  ASSERT_TRUE(fixture.run([](Transaction& t) -> Status {
    t.remove(paths::alive(host_a));
    return {};
  }));
  expect_refused<void>(remove, Code::forbidden,
                       fmt::format("Cannot delete host {} because it has 1 binding(s).", host_a));
  ASSERT_TRUE(detach(port_1));
  fixture.put("/tunnel_zones/" + nobody.to_string(), "{}");
  fixture.put("/tunnel_zones/" + nobody.to_string() + "/hosts", "");
  const std::string member = "/tunnel_zones/" + nobody.to_string() + "/hosts/" + host_a.to_string();
  fixture.put(member, R"({"ipAddress": "192.0.2.1"})");
  const std::string offers = paths::bridge_host(net, host_a);
  fixture.put(paths::served_bridge(host_a, net), "");
  fixture.put(paths::served_bridge(host_a, nobody), "");  // of a bridge that has gone
  fixture.put(offers, "{}");
  fixture.put(offers + "/0", "{}");
  ASSERT_TRUE(remove());
  for (const std::string& path : {paths::host(host_a), member, offers}) EXPECT_FALSE(fixture.get(path)) << path;
  expect_refused<void>(remove, Code::not_found, fmt::format("There is no Host with ID {}.", host_a));
}

TEST_F(Topology, AStatusCountsOnlyForItsRevisionAndWhileTheAgentLives) {
  EXPECT_EQ(status(port_1), PortStatus{});
  ASSERT_TRUE(attach({port_1, host_a, "tap0"}));
  const store::Revision revision = fixture.get(paths::binding(host_a, port_1))->stat.modified;
  EXPECT_EQ(status(port_1), (PortStatus{PortState::pending_host, "the host has no live agent", revision, 0, ""}));
  fixture.put(paths::alive(host_a), "{}");
  EXPECT_EQ(status(port_1).reason, "the host's agent has not reported on this binding yet");
  const PortStatus active{PortState::active, "", revision, 7, "2026-01-31T12:00:00.123Z"};
  fixture.put(paths::status(host_a, port_1), encode(active));
  EXPECT_EQ(status(port_1), active);
  // Detached and attached again: the old report is about another binding.
  ASSERT_TRUE(detach(port_1));
  ASSERT_TRUE(attach({port_1, host_a, "tap0"}));
  EXPECT_EQ(status(port_1).state, PortState::pending_host);
  EXPECT_GT(status(port_1).revision, revision);
}

}  // namespace
}  // namespace midonet::topology::topology_test
