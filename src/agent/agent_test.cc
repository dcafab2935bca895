#include "agent/agent.h"

#include <gtest/gtest.h>

#include "agent/testbed.h"
#include "base/json.h"
#include "model/paths.h"
#include "topology/attach.h"
#include "topology/bridges.h"
#include "topology/ports.h"

namespace midonet::agent::agent_test {
namespace {

namespace paths = model::paths;
using model::PortState;
using namespace std::chrono_literals;

Uuid id(int n) { return *Uuid::parse(fmt::format("{:08x}-0000-4000-8000-000000000000", n)); }
const Uuid net = id(900);

class AgentOnFakes : public testing::Test {
 protected:
  AgentOnFakes() {
    bed.create_bridge(net);
    for (int n = 1; n <= 3; ++n) EXPECT_TRUE(bed.create_port(id(n), net));
    bed.start();
    EXPECT_TRUE(bed.settle());
  }

  bool plugged(int n) { return bed.kernel.plugged().ports.contains(id(n)); }
  std::uint32_t ifindex(const std::string& name) { return bed.links.links().find(name)->ifindex; }
  testing::AssertionResult reaches(int n, PortState state) {
    std::optional<model::PortStatus> is;
    if (bed.until([&] { return (is = bed.status(id(n))) && is->state == state; })) return testing::AssertionSuccess();
    return testing::AssertionFailure() << "port " << n << " is "
                                       << (is ? std::string(model::name(is->state)) + " " + is->reason
                                              : "not reported");
  }

  Testbed bed;
};

TEST_F(AgentOnFakes, RegistersTheHostAndIsAlive) {
  ASSERT_TRUE(bed.node(paths::host(bed.host)));
  const auto alive = bed.node(paths::alive(bed.host));
  ASSERT_TRUE(alive);
  EXPECT_NE(alive->stat.owner, 0) << "it goes with the session";
  const auto json = nlohmann::json::parse(alive->value);
  EXPECT_EQ(json["pid"], ::getpid());
  EXPECT_EQ(json["version"], "test");
  EXPECT_EQ(json["started"], "2023-11-14T22:13:20.000Z");
}

TEST_F(AgentOnFakes, TapFirstThenBindingIsActive) {
  bed.links.add("tap1");
  ASSERT_TRUE(bed.attach(id(1), "tap1"));
  ASSERT_TRUE(reaches(1, PortState::active));
  const auto status = bed.status(id(1));
  EXPECT_EQ(status->revision, bed.binding_revision(id(1)));
  EXPECT_EQ(status->ifindex, ifindex("tap1"));
  EXPECT_EQ(status->reason, "");
  EXPECT_EQ(bed.kernel.plugged().ports.at(id(1)).ifindex, ifindex("tap1"));
  EXPECT_NE(bed.node(paths::status(bed.host, id(1)))->stat.owner, 0);
}

// Nothing is forwarded by a part of the records: from the first moment it is as the bridge says.
TEST_F(AgentOnFakes, APortIsPluggedWhenItsBridgeWasRead) {
  ASSERT_TRUE(bed.verb([](store::Transaction& t) {
    return topology::update_bridge(t, net, [](model::Bridge& bridge) { bridge.admin_state_up = false; });
  }));
  bed.links.add("tap1");
  ASSERT_TRUE(bed.attach(id(1), "tap1"));
  ASSERT_TRUE(reaches(1, PortState::active));
  EXPECT_EQ(bed.agent->statuses().at(id(1)).reason, "the bridge's adminStateUp is false: no frame passes");
  bool any = false;
  for (const auto& call : bed.kernel.calls()) {
    if (!call.desired.ports.contains(id(1))) continue;
    any = true;
    EXPECT_FALSE(call.desired.bridges.begin()->second.admin_up);
  }
  EXPECT_TRUE(any);
}

TEST_F(AgentOnFakes, BindingFirstThenTapIsPendingThenActive) {
  ASSERT_TRUE(bed.attach(id(1), "tap1"));
  ASSERT_TRUE(reaches(1, PortState::pending_interface));
  EXPECT_FALSE(plugged(1));
  bed.links.add("tap1");
  ASSERT_TRUE(reaches(1, PortState::active));
}

TEST_F(AgentOnFakes, ATapMadeAgainIsPluggedWithItsNewIfindex) {
  bed.links.add("tap1");
  ASSERT_TRUE(bed.attach(id(1), "tap1"));
  ASSERT_TRUE(reaches(1, PortState::active));
  bed.links.remove("tap1");
  ASSERT_TRUE(reaches(1, PortState::pending_interface));
  EXPECT_FALSE(plugged(1));
  bed.links.add("tap1");
  ASSERT_TRUE(reaches(1, PortState::active));
  EXPECT_EQ(bed.kernel.plugged().ports.at(id(1)).ifindex, ifindex("tap1"));
}

TEST_F(AgentOnFakes, LinkDownIsReportedAndTheBindingStays) {
  bed.links.add("tap1");
  ASSERT_TRUE(bed.attach(id(1), "tap1"));
  ASSERT_TRUE(reaches(1, PortState::active));
  bed.links.change("tap1", [](netlink::Link& link) { link.carrier = false; });
  ASSERT_TRUE(reaches(1, PortState::down));
  EXPECT_TRUE(plugged(1));
  bed.links.change("tap1", [](netlink::Link& link) { link.carrier = true; });
  ASSERT_TRUE(reaches(1, PortState::active));
}

TEST_F(AgentOnFakes, AClosedTapIsOpenedWhenItGetsAMasterOrGoes) {
  bed.links.add("tap1");
  bed.links.add("tap2");
  bed.kernel.close(ifindex("tap1"));
  bed.kernel.close(ifindex("tap2"));
  bed.links.add("br0");
  ASSERT_TRUE(bed.settle());
  EXPECT_EQ(bed.kernel.closed().size(), 2U);
  const auto master = ifindex("br0");
  bed.links.change("tap1", [&](netlink::Link& link) { link.master = master, link.master_kind = "bridge"; });
  ASSERT_TRUE(bed.until([&] { return !bed.kernel.closed().contains(ifindex("tap1")); }));
  EXPECT_EQ(bed.kernel.closed().size(), 1U);
  bed.links.remove("tap2");
  ASSERT_TRUE(bed.until([&] { return bed.kernel.closed().empty(); }));
}

TEST_F(AgentOnFakes, UnboundIsUnpluggedAndItsStatusGoes) {
  bed.links.add("tap1");
  ASSERT_TRUE(bed.attach(id(1), "tap1"));
  ASSERT_TRUE(reaches(1, PortState::active));
  ASSERT_TRUE(bed.detach(id(1)));
  ASSERT_TRUE(bed.until([&] { return !bed.status(id(1)); }));
  EXPECT_FALSE(plugged(1));
  EXPECT_TRUE(bed.kernel.plugged().bridges.empty());
}

TEST_F(AgentOnFakes, ADeletedBridgeLeavesNothing) {
  bed.links.add("tap1");
  ASSERT_TRUE(bed.attach(id(1), "tap1"));
  ASSERT_TRUE(reaches(1, PortState::active));
  ASSERT_TRUE(bed.verb([](store::Transaction& t) -> Status {
    const auto deleted = topology::delete_bridge(t, net);
    if (!deleted) return failed(deleted);
    return {};
  }));
  ASSERT_TRUE(bed.until([&] { return bed.kernel.plugged().ports.empty() && bed.kernel.plugged().bridges.empty(); }));
  ASSERT_TRUE(bed.settle());
  EXPECT_FALSE(bed.status(id(1)));
}

TEST_F(AgentOnFakes, AnInterfaceOfAnotherSwitchIsAnErrorUntilItIsFreed) {
  bed.links.add("br0");
  bed.links.add("tap1");
  const auto master = ifindex("br0");
  bed.links.change("tap1", [&](netlink::Link& link) { link.master = master, link.master_kind = "bridge"; });
  ASSERT_TRUE(bed.attach(id(1), "tap1"));
  ASSERT_TRUE(reaches(1, PortState::error));
  EXPECT_EQ(bed.status(id(1))->reason, "tap1 is a member of Linux bridge br0");
  EXPECT_FALSE(plugged(1));
  bed.links.change("tap1", [&](netlink::Link& link) { link.master = 0, link.master_kind = ""; });
  ASSERT_TRUE(reaches(1, PortState::active));
}

TEST_F(AgentOnFakes, WhatTheDatapathRefusesIsAnErrorAndIsTriedAgain) {
  bed.links.add("tap1");
  bed.links.add("tap2");
  bed.kernel.fail_next(id(1), Error{Code::exhausted, "the map is full"}, 2);
  ASSERT_TRUE(bed.attach(id(1), "tap1"));
  ASSERT_TRUE(bed.attach(id(2), "tap2"));
  ASSERT_TRUE(reaches(2, PortState::active)) << "one port that fails holds up no other";
  ASSERT_TRUE(reaches(1, PortState::error));
  EXPECT_EQ(bed.status(id(1))->reason, "the map is full");
  ASSERT_TRUE(reaches(1, PortState::active)) << "without any event";
  ASSERT_TRUE(bed.settle());
}

TEST_F(AgentOnFakes, AnErrorOfNoPortIsTriedAgain) {
  bed.kernel.fail_next_apply(Error{Code::unavailable, "the sweep failed"});
  const auto calls = bed.kernel.calls().size();
  bed.links.add("tap1");
  ASSERT_TRUE(bed.until([&] { return bed.kernel.calls().size() >= calls + 2; }));
  ASSERT_TRUE(bed.settle());
}

TEST_F(AgentOnFakes, DriftIsRepaired) {
  bed.links.add("tap1");
  ASSERT_TRUE(bed.attach(id(1), "tap1"));
  ASSERT_TRUE(reaches(1, PortState::active));
  bed.kernel.lose(id(1));
  ASSERT_FALSE(plugged(1));
  ASSERT_TRUE(bed.until([&] { return plugged(1); }));
}

TEST_F(AgentOnFakes, SinceChangesOnlyWithTheState) {
  bed.links.add("tap1");
  ASSERT_TRUE(bed.attach(id(1), "tap1"));
  ASSERT_TRUE(reaches(1, PortState::active));
  EXPECT_EQ(bed.status(id(1))->since, "2023-11-14T22:13:20.000Z");
  bed.now += 1h;
  ASSERT_TRUE(bed.verb([](store::Transaction& t) {
    return topology::update_port(t, id(1), [](model::Port& port) { port.admin_state_up = false; });
  }));
  ASSERT_TRUE(bed.until([&] { return bed.status(id(1))->reason != ""; }));
  EXPECT_EQ(bed.status(id(1))->since, "2023-11-14T22:13:20.000Z");
  bed.links.change("tap1", [](netlink::Link& link) { link.up = false; });
  ASSERT_TRUE(reaches(1, PortState::down));
  EXPECT_EQ(bed.status(id(1))->since, "2023-11-14T23:13:20.000Z");
}

TEST_F(AgentOnFakes, WhatIsBoundAndUnboundWhileItIsDownIsMadeSoAtTheStart) {
  bed.links.add("tap1");
  bed.links.add("tap2");
  ASSERT_TRUE(bed.attach(id(1), "tap1"));
  ASSERT_TRUE(reaches(1, PortState::active));
  bed.stop();
  EXPECT_TRUE(plugged(1)) << "a stop touches nothing in the kernel";
  bed.turn();
  EXPECT_FALSE(bed.node(paths::alive(bed.host))) << "the session is over";
  ASSERT_TRUE(bed.detach(id(1)));
  ASSERT_TRUE(bed.attach(id(2), "tap2"));
  bed.start();
  ASSERT_TRUE(reaches(2, PortState::active));
  EXPECT_FALSE(plugged(1));
}

TEST_F(AgentOnFakes, NothingIsSweptBeforeTheStoreWasReadCompletely) {
  bed.links.add("tap1");
  ASSERT_TRUE(bed.attach(id(1), "tap1"));
  ASSERT_TRUE(reaches(1, PortState::active));
  bed.stop();
  // A start without a store.
  const auto before = bed.kernel.calls().size();
  bed.store = std::make_unique<CutStore>(bed.loop, bed.sessions);
  bed.store->cut();
  bed.agent = std::make_unique<Agent>(bed.loop, *bed.store, bed.links, bed.kernel, bed.registry,
                                      Agent::Options{.host = bed.host, .host_name = "h1", .version = "test"});
  bed.agent->start();
  EXPECT_FALSE(bed.loop.run_until([&] { return !plugged(1); }, 300ms));
  for (std::size_t i = before; i < bed.kernel.calls().size(); ++i)
    EXPECT_EQ(bed.kernel.calls()[i].sweep, datapath::Sweep::no);
  bed.store->restore(true);
  ASSERT_TRUE(bed.settle());
  EXPECT_TRUE(plugged(1));
  EXPECT_TRUE(reaches(1, PortState::active));
}

TEST_F(AgentOnFakes, NothingIsSweptBeforeTheLinksAreKnown) {
  bed.links.add("tap1");
  ASSERT_TRUE(bed.attach(id(1), "tap1"));
  ASSERT_TRUE(reaches(1, PortState::active));
  bed.stop();
  bed.links.set_ready(false);
  bed.start();
  EXPECT_FALSE(bed.loop.run_until([&] { return !plugged(1); }, 200ms));
  bed.links.set_ready(true);
  ASSERT_TRUE(bed.settle());
  EXPECT_TRUE(plugged(1));
}

TEST_F(AgentOnFakes, AStoreThatIsAwayStopsNothingAndWhatChangedIsMadeUpFor) {
  bed.links.add("tap1");
  bed.links.add("tap2");
  ASSERT_TRUE(bed.attach(id(1), "tap1"));
  ASSERT_TRUE(reaches(1, PortState::active));
  bed.store->cut();
  ASSERT_TRUE(bed.attach(id(2), "tap2"));
  bed.links.remove("tap1");
  ASSERT_TRUE(bed.until([&] { return !plugged(1); })) << "links are followed all the same";
  bed.links.add("tap1");
  ASSERT_TRUE(bed.until([&] { return plugged(1); }));
  EXPECT_FALSE(plugged(2));
  bed.store->restore(false);
  ASSERT_TRUE(reaches(2, PortState::active));
  ASSERT_TRUE(bed.until([&] { return bed.status(id(1))->ifindex == ifindex("tap1"); }));
}

TEST_F(AgentOnFakes, ANewSessionWritesEverythingThatWasEphemeralAnew) {
  bed.links.add("tap1");
  ASSERT_TRUE(bed.attach(id(1), "tap1"));
  ASSERT_TRUE(reaches(1, PortState::active));
  ASSERT_TRUE(bed.settle());
  bed.store->cut();
  bed.store->restore(true);
  bed.turn();
  ASSERT_TRUE(bed.until([&] { return bed.agent->idle(); }));
  EXPECT_TRUE(bed.node(paths::alive(bed.host)));
  EXPECT_TRUE(bed.status(id(1)));
  EXPECT_EQ(bed.children(paths::interfaces(bed.host)), std::vector<std::string>{"tap1"});
}

TEST_F(AgentOnFakes, WhatAnEarlierSessionLeftIsReplacedOrRemoved) {
  bed.links.add("tap1");
  ASSERT_TRUE(bed.attach(id(1), "tap1"));
  ASSERT_TRUE(reaches(1, PortState::active));
  ASSERT_TRUE(bed.settle());
  bed.stop();
  bed.turn();
  // As a session that is not over yet would leave them.
  std::optional<Result<store::Revision>> made;
  bed.other->commit({store::Op::create_ephemeral(paths::alive(bed.host), R"({"pid":1})"),
                     store::Op::create_ephemeral(paths::status(bed.host, id(1)), R"({"state":"error"})"),
                     store::Op::create_ephemeral(paths::status(bed.host, id(3)), R"({"state":"active"})"),
                     store::Op::create_ephemeral(paths::interface(bed.host, "gone"), "{}")},
                    [&](Result<store::Revision> result) { made = std::move(result); });
  ASSERT_TRUE(bed.until([&] { return made.has_value(); }));
  ASSERT_TRUE(*made);
  bed.start();
  ASSERT_TRUE(bed.settle());
  EXPECT_EQ(nlohmann::json::parse(bed.node(paths::alive(bed.host))->value)["pid"], ::getpid());
  EXPECT_EQ(bed.status(id(1))->state, PortState::active);
  EXPECT_FALSE(bed.status(id(3)));
  EXPECT_EQ(bed.children(paths::interfaces(bed.host)), std::vector<std::string>{"tap1"});
  // And they are this session's now: they stay when the other one ends.
  bed.other = bed.database->session();
  bed.turn();
  EXPECT_TRUE(bed.node(paths::alive(bed.host)));
  EXPECT_TRUE(bed.status(id(1)));
}

TEST_F(AgentOnFakes, AResumedSessionIsComparedAndLittleIsWritten) {
  bed.links.add("tap1");
  bed.links.add("tap2");
  for (int n = 1; n <= 2; ++n) {
    ASSERT_TRUE(bed.attach(id(n), fmt::format("tap{}", n)));
    ASSERT_TRUE(reaches(n, PortState::active));
  }
  ASSERT_TRUE(bed.settle());
  const auto one = bed.node(paths::status(bed.host, id(1)))->stat;
  const auto tap1 = bed.node(paths::interface(bed.host, "tap1"))->stat;
  bed.stop(true);
  ASSERT_TRUE(bed.detach(id(2)));
  bed.links.remove("tap2");
  bed.now += 1h;
  const int commits = bed.store->commits();
  bed.start();
  ASSERT_TRUE(bed.settle());
  EXPECT_EQ(bed.node(paths::status(bed.host, id(1)))->stat, one) << "not even removed in between";
  EXPECT_EQ(bed.status(id(1))->since, "2023-11-14T22:13:20.000Z");
  EXPECT_EQ(bed.node(paths::interface(bed.host, "tap1"))->stat, tap1);
  EXPECT_FALSE(bed.status(id(2)));
  EXPECT_EQ(bed.children(paths::interfaces(bed.host)), std::vector<std::string>{"tap1"});
  EXPECT_EQ(nlohmann::json::parse(bed.node(paths::alive(bed.host))->value)["started"], "2023-11-14T23:13:20.000Z");
  EXPECT_LE(bed.store->commits() - commits, 3) << "its alive node, and one status and one interface that are gone";
}

TEST_F(AgentOnFakes, TheTimeOfAStatusGoesOnOverTheEndOfASession) {
  bed.links.add("tap1");
  ASSERT_TRUE(bed.attach(id(1), "tap1"));
  ASSERT_TRUE(bed.attach(id(2), "tap2"));
  ASSERT_TRUE(reaches(1, PortState::active));
  ASSERT_TRUE(reaches(2, PortState::pending_interface));
  ASSERT_TRUE(bed.settle());
  // The agent was killed and its session is not over yet: another one finds its nodes.
  auto killed = std::move(bed.store);
  bed.stop();
  bed.links.add("tap2");
  bed.now += 1h;
  bed.start();
  ASSERT_TRUE(reaches(2, PortState::active));
  ASSERT_TRUE(bed.settle());
  EXPECT_EQ(bed.status(id(1))->since, "2023-11-14T22:13:20.000Z");
  EXPECT_EQ(bed.status(id(2))->since, "2023-11-14T23:13:20.000Z") << "another state now";
  killed.reset();
  bed.turn();
  EXPECT_TRUE(bed.status(id(1)));
}

TEST_F(AgentOnFakes, AStatusThatSomebodyRemovedDoesNotStopTheOthers) {
  bed.links.add("tap1");
  bed.links.add("tap2");
  ASSERT_TRUE(bed.attach(id(1), "tap1"));
  ASSERT_TRUE(reaches(1, PortState::active));
  ASSERT_TRUE(bed.remove(paths::status(bed.host, id(1))));
  ASSERT_TRUE(bed.detach(id(1)));
  ASSERT_TRUE(bed.attach(id(2), "tap2"));
  ASSERT_TRUE(reaches(2, PortState::active));
  ASSERT_TRUE(bed.settle());
}

TEST_F(AgentOnFakes, ARefusedReportIsWrittenLater) {
  bed.links.add("tap1");
  bed.store->fail_commits(Error{Code::unavailable, "the disk is full"}, 3);
  ASSERT_TRUE(bed.attach(id(1), "tap1"));
  ASSERT_TRUE(bed.until([&] { return plugged(1); })) << "forwarding does not wait for a report";
  ASSERT_TRUE(reaches(1, PortState::active));
}

TEST_F(AgentOnFakes, ManyReportsAreFewCommitsOfBoundedSize) {
  std::vector<Uuid> ports;
  for (int n = 100; n < 800; ++n) {
    ASSERT_TRUE(bed.create_port(id(n), net));
    bed.links.add("tap" + std::to_string(n));
    ports.push_back(id(n));
  }
  ASSERT_TRUE(bed.settle());
  bed.stop();
  for (int n = 100; n < 800; ++n) ASSERT_TRUE(bed.attach(id(n), "tap" + std::to_string(n)));
  bed.start();
  ASSERT_TRUE(bed.settle());
  EXPECT_LE(bed.store->largest_commit(), store::NodeWriter::ops_per_commit + 1);
  EXPECT_LE(bed.store->commits(), 10) << "700 statuses and as many interfaces";
  EXPECT_EQ(bed.children(paths::statuses(bed.host)).size(), 700u);
  EXPECT_EQ(bed.kernel.plugged().ports.size(), 700u);
  EXPECT_LE(bed.agent->reconciles(), 5u);
}

// More than are looked at at a time.
TEST_F(AgentOnFakes, OfManyReportsOfBeforeThoseThatStillHoldStandAndTheOthersGo) {
  constexpr int first = 100, last = first + static_cast<int>(store::NodeWriter::reads_at_once) + 50;
  for (int n = first; n < last; ++n) {
    ASSERT_TRUE(bed.create_port(id(n), net));
    bed.links.add("tap" + std::to_string(n));
    ASSERT_TRUE(bed.attach(id(n), "tap" + std::to_string(n)));
  }
  ASSERT_TRUE(bed.settle());
  const auto stands = [&](int n) { return bed.node(paths::status(bed.host, id(n)))->stat; };
  const auto at_first = stands(first), at_last = stands(last - 2);
  bed.stop(true);
  ASSERT_TRUE(bed.detach(id(last - 1)));
  bed.start();
  // The first look fails in the middle: everything is looked at again.
  const int before = bed.store->reads();
  ASSERT_TRUE(
      bed.until([&] { return bed.store->reads() - before > static_cast<int>(store::NodeWriter::reads_at_once); }));
  bed.store->cut();
  bed.store->restore(false);
  ASSERT_TRUE(bed.settle());
  EXPECT_EQ(bed.children(paths::statuses(bed.host)).size(), static_cast<std::size_t>(last - first - 1));
  EXPECT_EQ(stands(first), at_first);
  EXPECT_EQ(stands(last - 2), at_last);
}

TEST_F(AgentOnFakes, ManyAttachesAtOnceAreFewReconciles) {
  for (int n = 100; n < 350; ++n) {
    ASSERT_TRUE(bed.create_port(id(n), net));
    bed.links.add("tap" + std::to_string(n));
  }
  ASSERT_TRUE(bed.settle());
  const auto before = bed.agent->reconciles();
  int done = 0;
  for (int n = 100; n < 350; ++n) {
    topology::AttachRequest request;
    request.port_id = id(n);
    request.host_id = bed.host;
    request.interface_name = "tap" + std::to_string(n);
    store::transact<topology::Attached>(
        *bed.other, [request](store::Transaction& t) { return topology::attach(t, request); },
        [&](Result<topology::Attached> attached) {
          EXPECT_TRUE(attached);
          ++done;
        });
  }
  ASSERT_TRUE(bed.until([&] { return done == 250 && bed.kernel.plugged().ports.size() == 250; }));
  ASSERT_TRUE(bed.settle());
  EXPECT_LE(bed.agent->reconciles() - before, 25u);
}

TEST_F(AgentOnFakes, ADamagedBindingHarmsNoOther) {
  bed.links.add("tap1");
  bed.links.add("tap2");
  ASSERT_TRUE(bed.set(paths::binding(bed.host, id(2)), "no JSON"));
  ASSERT_TRUE(bed.set(paths::child(paths::bindings(bed.host), "no-uuid"), "{}"));
  ASSERT_TRUE(bed.attach(id(1), "tap1"));
  ASSERT_TRUE(reaches(1, PortState::active));
  ASSERT_TRUE(reaches(2, PortState::error));
  EXPECT_NE(bed.status(id(2))->reason.find("damaged"), std::string::npos);
  ASSERT_TRUE(bed.settle()) << "it is not tried again and again";
}

TEST_F(AgentOnFakes, ABindingWithoutItsPortIsAnErrorInTheEnd) {
  ASSERT_TRUE(
      bed.set(paths::binding(bed.host, id(77)), fmt::format(R"({{"portId": "{}", "interfaceName": "tap7"}})", id(77))));
  ASSERT_TRUE(reaches(77, PortState::error));
  EXPECT_EQ(bed.status(id(77))->reason, fmt::format("there is no Port with ID {}", id(77)));
}

TEST_F(AgentOnFakes, AMoveOfAnInterfaceFromOnePortToAnotherShowsNoErrorInBetween) {
  bed.links.add("tap1");
  ASSERT_TRUE(bed.attach(id(1), "tap1"));
  ASSERT_TRUE(reaches(1, PortState::active));
  std::vector<PortState> seen;
  for (int round = 0; round < 20; ++round) {
    const int from = round % 2 == 0 ? 1 : 2;
    const int to = 3 - from;
    ASSERT_TRUE(bed.detach(id(from)));
    ASSERT_TRUE(bed.attach(id(to), "tap1"));
    ASSERT_TRUE(bed.until([&] {
      const auto status = bed.status(id(to));
      if (status) seen.push_back(status->state);
      return status && status->state == PortState::active;
    }));
  }
  for (const PortState state : seen) EXPECT_NE(state, PortState::error);
}

TEST_F(AgentOnFakes, InterfacesOfTheHostAreReportedInTheContractsWords) {
  bed.links.add("tap1");
  bed.links.change("tap1", [](netlink::Link& link) {
    link.mac = *Mac::parse("fe:16:3e:00:00:01");
    link.addresses = {};
  });
  ASSERT_TRUE(bed.until([&] { return bed.node(paths::interface(bed.host, "tap1")).has_value(); }));
  ASSERT_TRUE(bed.settle());
  auto json = nlohmann::json::parse(bed.node(paths::interface(bed.host, "tap1"))->value);
  EXPECT_EQ(json["mac"], "fe:16:3e:00:00:01");
  EXPECT_EQ(json["mtu"], 1500);
  EXPECT_EQ(json["type"], "Virtual");
  EXPECT_EQ(json["endpoint"], "TUNTAP");
  EXPECT_EQ(json["status"], 3);
  bed.links.change("tap1", [](netlink::Link& link) { link.up = link.carrier = false; });
  ASSERT_TRUE(bed.until(
      [&] { return nlohmann::json::parse(bed.node(paths::interface(bed.host, "tap1"))->value)["status"] == 0; }));
  bed.links.remove("tap1");
  ASSERT_TRUE(bed.until([&] { return !bed.node(paths::interface(bed.host, "tap1")); }));
}

TEST_F(AgentOnFakes, AnIdleAgentDoesNothing) {
  bed.links.add("tap1");
  ASSERT_TRUE(bed.attach(id(1), "tap1"));
  ASSERT_TRUE(reaches(1, PortState::active));
  ASSERT_TRUE(bed.settle());
  const auto reconciles = bed.agent->reconciles();
  const int commits = bed.store->commits();
  EXPECT_FALSE(bed.loop.run_until([&] { return bed.agent->reconciles() != reconciles; }, 300ms));
  EXPECT_EQ(bed.store->commits(), commits);
}

TEST_F(AgentOnFakes, StagesOfAnAttachAreTimed) {
  bed.links.add("tap1");
  ASSERT_TRUE(bed.attach(id(1), "tap1"));
  ASSERT_TRUE(reaches(1, PortState::active));
  ASSERT_TRUE(bed.settle());
  const std::string text = bed.registry.text();
  for (const char* stage : {"mirror", "plan", "apply", "report", "total"}) {
    const std::string line = fmt::format("midonet_agent_attach_seconds_count{{stage=\"{}\"}} ", stage);
    const auto at = text.find(line);
    ASSERT_NE(at, std::string::npos) << line;
    EXPECT_NE(text.at(at + line.size()), '0') << line;
  }
  EXPECT_NE(text.find("midonet_agent_ports{state=\"active\"} 1"), std::string::npos);
}

}  // namespace
}  // namespace midonet::agent::agent_test
