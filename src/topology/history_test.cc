// Random histories of clients that race: whatever they do and in whatever order their reads and commits fall, the records of
// ports, bindings and interfaces agree at the end of each round.
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "model/paths.h"
#include "topology/attach.h"
#include "topology/bridges.h"
#include "topology/contradictions.h"
#include "topology/hosts.h"
#include "topology/ports.h"
#include "topology/store_fixture.h"

namespace midonet::topology::history_test {
namespace {

namespace paths = model::paths;
using store::Transaction;

Uuid numbered(std::uint8_t kind, std::uint8_t number) {
  std::array<std::uint8_t, 16> bytes{};
  bytes[0] = kind;
  bytes[15] = number;
  return Uuid(bytes);
}
Uuid host(int n) { return numbered(0xa0, static_cast<std::uint8_t>(n)); }
Uuid bridge(int n) { return numbered(0xb0, static_cast<std::uint8_t>(n)); }
Uuid port(int n) { return numbered(0xc0, static_cast<std::uint8_t>(n)); }

constexpr int hosts = 2, bridges = 2, ports = 3, interfaces = 2;

Status untyped(const auto& result) {
  if (!result) return failed(result);
  return {};
}

// What one client does: a verb over a handful of ports, hosts and interfaces, so that clients meet often.
std::function<Status(Transaction&)> any_step() {
  const Uuid p = port(*rc::gen::inRange(0, ports));
  const Uuid h = host(*rc::gen::inRange(0, hosts));
  const Uuid b = bridge(*rc::gen::inRange(0, bridges));
  const std::string name = "tap" + std::to_string(*rc::gen::inRange(0, interfaces));
  switch (*rc::gen::inRange(0, 12)) {
    case 0:
    case 1:
    case 2: return [=](Transaction& t) { return untyped(attach(t, {p, h, name})); };
    case 3: return [=](Transaction& t) { return untyped(attach(t, {p, h, name, host(0)})); };
    case 4:
    case 5: return [=](Transaction& t) { return untyped(attach(t, {p, h, name, {}, Takeover::allow})); };
    case 6: return [=](Transaction& t) { return untyped(detach(t, p)); };
    case 7: return [=](Transaction& t) { return untyped(detach(t, p, h)); };
    case 8: return [=](Transaction& t) { return bind_unbound(t, h, {p, name}, false); };
    case 9: return [=](Transaction& t) { return delete_port(t, p); };
    case 10:
      return [=](Transaction& t) {
        model::Port made;
        made.id = p;
        made.bridge_id = b;
        return create_port(t, made);
      };
    default:
      return [=](Transaction& t) -> Status {
        if (exists(t, paths::bridge(b)).value_or(false)) return untyped(delete_bridge(t, b));
        model::Bridge made;
        made.id = b;
        return create_bridge(t, made);
      };
  }
}

TEST(History, RacingClientsNeverMakeTheRecordsDisagree) {
  EXPECT_TRUE(rc::check([] {
    StoreFixture fixture;
    for (int n = 0; n < hosts; ++n)
      RC_ASSERT(fixture.run([n](Transaction& t) { return register_host(t, host(n), "h"); }).has_value());
    for (int n = 0; n < bridges; ++n) {
      model::Bridge made;
      made.id = bridge(n);
      RC_ASSERT(fixture.run([&](Transaction& t) { return create_bridge(t, made); }).has_value());
    }
    for (int n = 0; n < ports; ++n) {
      model::Port made;
      made.id = port(n);
      made.bridge_id = bridge(n % bridges);
      RC_ASSERT(fixture.run([&](Transaction& t) { return create_port(t, made); }).has_value());
    }
    const int rounds = *rc::gen::inRange(1, 8);
    for (int round = 0; round < rounds; ++round) {
      const int clients = *rc::gen::inRange(1, 6);
      int answered = 0;
      std::vector<Error> unexpected;
      for (int client = 0; client < clients; ++client)
        store::transact(*fixture.store, any_step(), [&](const Result<store::Revision>& outcome) {
          ++answered;
          const bool said =
              outcome || outcome.error().code == Code::conflict || outcome.error().code == Code::not_found;
          if (!said) unexpected.push_back(outcome.error());
        });
      RC_ASSERT(fixture.loop.run_until([&] { return answered == clients; }, std::chrono::seconds(10)));
      RC_ASSERT(unexpected.empty());
      const std::vector<std::string> wrong = contradictions(fixture);
      RC_ASSERT(wrong == std::vector<std::string>());
    }
  }));
}

// Two clients, one port: one wins, the other is told where the port is.
TEST(History, OfManyRacingForOnePortOrOneInterfaceOneWins) {
  StoreFixture fixture;
  ASSERT_TRUE(fixture.run([](Transaction& t) { return register_host(t, host(0), "h"); }));
  model::Bridge net;
  net.id = bridge(0);
  ASSERT_TRUE(fixture.run([&](Transaction& t) { return create_bridge(t, net); }));
  for (int n = 0; n < 12; ++n) {
    model::Port made;
    made.id = port(n);
    made.bridge_id = net.id;
    ASSERT_TRUE(fixture.run([&](Transaction& t) { return create_port(t, made); }));
  }
  const auto race = [&](const std::function<AttachRequest(int)>& request) {
    std::vector<Result<Attached>> outcomes;
    for (int n = 0; n < 10; ++n)
      store::transact<Attached>(
          *fixture.store, [asked = request(n)](Transaction& t) { return attach(t, asked); },
          [&](Result<Attached> outcome) { outcomes.push_back(std::move(outcome)); });
    EXPECT_TRUE(fixture.loop.run_until([&] { return outcomes.size() == 10; }, std::chrono::seconds(10)));
    int won = 0;
    for (const auto& outcome : outcomes) {
      if (outcome) {
        ++won;
      } else {
        EXPECT_EQ(outcome.error().code, Code::conflict);
        EXPECT_TRUE(outcome.error().message.find(" already ") != std::string::npos) << outcome.error().message;
      }
    }
    EXPECT_EQ(won, 1);
  };
  race([](int n) { return AttachRequest{port(0), host(0), "tap" + std::to_string(n)}; });
  race([](int n) { return AttachRequest{port(n + 1), host(0), "eth0"}; });
}

}  // namespace
}  // namespace midonet::topology::history_test
