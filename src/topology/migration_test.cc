// What attach and detach make of a port whose guest migrates: where it was taken over from, and the way back.
#include <gtest/gtest.h>

#include "model/offer.h"
#include "model/paths.h"
#include "topology/attach.h"
#include "topology/bridges.h"
#include "topology/hosts.h"
#include "topology/ports.h"
#include "topology/store_fixture.h"

namespace midonet::topology::migration_test {
namespace {

namespace paths = model::paths;
using model::TakenFrom;
using store::Transaction;

Uuid uuid(const char* text) { return *Uuid::parse(text); }
const Uuid host_a = uuid("aaaaaaaa-0000-4000-8000-00000000000a");
const Uuid host_b = uuid("bbbbbbbb-0000-4000-8000-00000000000b");
const Uuid host_c = uuid("cccccccc-0000-4000-8000-00000000000c");
const Uuid net = uuid("11111111-0000-4000-8000-000000000001");
const Uuid port_1 = uuid("22222222-0000-4000-8000-000000000001");
const Uuid port_2 = uuid("22222222-0000-4000-8000-000000000002");

class Migration : public ::testing::Test {
 protected:
  Migration() {
    for (const Uuid& host : {host_a, host_b, host_c})
      EXPECT_TRUE(fixture.run([=](Transaction& t) { return register_host(t, host, "h"); }));
    model::Bridge bridge;
    bridge.id = net;
    EXPECT_TRUE(fixture.run([=](Transaction& t) { return create_bridge(t, bridge); }));
    for (const Uuid& id : {port_1, port_2}) {
      model::Port port;
      port.id = id;
      port.bridge_id = net;
      EXPECT_TRUE(fixture.run([=](Transaction& t) { return create_port(t, port); }));
    }
    take(host_a, "tap0");
  }

  // As mm-ctl --bind-port on that host.
  void take(const Uuid& host, const std::string& interface, const Uuid& port = port_1) {
    AttachRequest request{port, host, interface};
    request.takeover = Takeover::allow;
    const auto attached = fixture.run<Attached>([=](Transaction& t) { return attach(t, request); });
    ASSERT_TRUE(attached) << attached.error().message;
  }
  // As mm-ctl --unbind-port on that host.
  Detached unbind(const Uuid& host) {
    return *fixture.run<Detached>([=](Transaction& t) { return detach(t, port_1, host); });
  }
  // What the host's agent offers of the port, in the second of two chunks; nothing: it offers others only.
  void offer(const Uuid& host, std::optional<bool> standby) {
    model::OfferedPort other, offered;
    other.port_id = port_2;
    offered.port_id = port_1;
    offered.standby = standby.value_or(false);
    const std::string folder = paths::bridge_host(net, host);
    EXPECT_TRUE(fixture.run([=](Transaction& t) -> Status {
      const auto there = exists(t, folder);
      if (!there) return failed(there);
      model::OfferChunk second;
      if (standby) second.ports.push_back(offered);
      if (*there) {
        t.set(paths::child(folder, "3"), encode(second));
        return {};
      }
      t.create(folder, encode(model::BridgeHost{*Ip::parse("192.0.2.1"), {}, {0, 3}}));
      t.create(paths::child(folder, "0"), encode(model::OfferChunk{{other}}));
      t.create(paths::child(folder, "3"), encode(second));
      return {};
    }));
  }
  std::optional<TakenFrom> from() {
    return model::decode<model::Port>(fixture.get(paths::port(port_1))->value)->taken_from();
  }
  void expect_bound(const Uuid& host, const std::string& interface) {
    const auto record = model::decode<model::Port>(fixture.get(paths::port(port_1))->value);
    EXPECT_EQ(record->host_id, host);
    EXPECT_EQ(record->interface_name, interface);
    EXPECT_TRUE(fixture.get(paths::binding(host, port_1)));
    EXPECT_TRUE(fixture.get(paths::bound_interface(host, interface)));
    for (const Uuid& other : {host_a, host_b, host_c}) {
      if (other != host) {
        EXPECT_FALSE(fixture.get(paths::binding(other, port_1)));
      }
    }
  }
  void expect_unbound() {
    EXPECT_FALSE(model::decode<model::Port>(fixture.get(paths::port(port_1))->value)->host_id);
    EXPECT_FALSE(from());
    for (const Uuid& host : {host_a, host_b, host_c}) EXPECT_FALSE(fixture.get(paths::binding(host, port_1)));
  }

  StoreFixture fixture;
};

TEST_F(Migration, ATakeOverAndAMoveRememberWhereThePortWas) {
  EXPECT_FALSE(from());
  take(host_b, "tap1");
  EXPECT_EQ(from(), (TakenFrom{host_a, "tap0"}));
  const AttachRequest move{port_1, host_c, "tap2", host_b};
  EXPECT_TRUE(fixture.run<Attached>([=](Transaction& t) { return attach(t, move); }));
  EXPECT_EQ(from(), (TakenFrom{host_b, "tap1"}));
  const AttachRequest within{port_1, host_c, "tap3", host_c};
  EXPECT_TRUE(fixture.run<Attached>([=](Transaction& t) { return attach(t, within); }));
  EXPECT_FALSE(from());
}

TEST_F(Migration, ADetachForgetsItAndNeverGivesBack) {
  offer(host_a, false);
  take(host_b, "tap1");
  EXPECT_TRUE(fixture.run<Detached>([=](Transaction& t) { return detach(t, port_1); })->changed);
  expect_unbound();
}

TEST_F(Migration, AnUnbindGivesThePortBackToTheHostThatStillOffersIt) {
  offer(host_a, false);
  take(host_b, "tap1");
  for (const auto standby : {std::optional<bool>(), std::optional<bool>(true)}) {
    offer(host_b, standby);
    EXPECT_EQ(unbind(host_b).given_back, (TakenFrom{host_a, "tap0"}));
    expect_bound(host_a, "tap0");
    EXPECT_FALSE(from());
    EXPECT_FALSE(fixture.get(paths::bound_interface(host_b, "tap1")));
    EXPECT_FALSE(unbind(host_b).changed) << "Nova says it up to three times";
    take(host_b, "tap1");
  }
}

TEST_F(Migration, AnUnbindUnbindsWhereNobodyIsLeftToGiveItBackTo) {
  take(host_b, "tap1");
  EXPECT_FALSE(unbind(host_b).given_back) << "it does not serve the bridge";
  expect_unbound();
  take(host_a, "tap0");
  offer(host_a, {});
  take(host_b, "tap1");
  EXPECT_FALSE(unbind(host_b).given_back) << "it does not offer the port";
  expect_unbound();
}

TEST_F(Migration, AnUnbindUnbindsAPortWhoseGuestHasArrived) {
  offer(host_a, false);
  take(host_b, "tap1");
  offer(host_b, false);
  EXPECT_FALSE(unbind(host_a).changed) << "the late one of the source";
  expect_bound(host_b, "tap1");
  EXPECT_FALSE(unbind(host_b).given_back);
  expect_unbound();
}

TEST_F(Migration, AnUnbindDoesNotTakeAnInterfaceFromAnotherPort) {
  offer(host_a, false);
  take(host_b, "tap1");
  take(host_a, "tap0", port_2);
  EXPECT_FALSE(unbind(host_b).given_back);
  expect_unbound();
}

TEST_F(Migration, ASecondTakeOverRemembersWhereTheGuestIs) {
  offer(host_a, false);
  take(host_b, "tap1");
  offer(host_b, true);
  take(host_c, "tap2");
  EXPECT_EQ(from(), (TakenFrom{host_a, "tap0"})) << "it never came to b";
  EXPECT_EQ(unbind(host_c).given_back, (TakenFrom{host_a, "tap0"}));

  take(host_b, "tap1");
  offer(host_b, false);
  take(host_c, "tap2");
  EXPECT_EQ(from(), (TakenFrom{host_b, "tap1"})) << "it came";
  take(host_b, "tap1");
  EXPECT_FALSE(from()) << "it has not left b";
}

TEST_F(Migration, ABindWhereTheGuestIsEndsIt) {
  offer(host_a, false);
  take(host_b, "tap1");
  offer(host_b, true);
  take(host_a, "tap0");
  EXPECT_FALSE(from());
  expect_bound(host_a, "tap0");
}

TEST_F(Migration, DamagedOffersAreNone) {
  offer(host_a, false);
  take(host_b, "tap1");
  EXPECT_TRUE(fixture.run([](Transaction& t) -> Status {
    t.set(paths::child(paths::bridge_host(net, host_a), "3"), "no JSON");
    return {};
  }));
  EXPECT_FALSE(unbind(host_b).given_back);
  expect_unbound();
}

}  // namespace
}  // namespace midonet::topology::migration_test
