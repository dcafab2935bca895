// Random histories of clients that race: whatever they do and in whatever order their reads and commits fall, the records of
// ports, bindings and interfaces agree at the end of each round.
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "model/binding.h"
#include "model/paths.h"
#include "topology/attach.h"
#include "topology/bridges.h"
#include "topology/hosts.h"
#include "topology/ports.h"
#include "topology/store_fixture.h"

namespace midonet::topology {
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
        if (exists(t, paths::bridge(b)).value_or(false)) return delete_bridge(t, b);
        model::Bridge made;
        made.id = b;
        return create_bridge(t, made);
      };
  }
}

// Everything that is wrong with the records, in words.
std::vector<std::string> contradictions(StoreFixture& fixture) {
  std::vector<std::string> out;
  const auto text = [&](const std::string& path) { return fixture.value(path).value_or(""); };
  std::size_t bindings = 0, bound_ports = 0, bridge_ports = 0;
  for (const std::string& h : fixture.list(paths::hosts)) {
    const Uuid host_id = *Uuid::parse(h);
    const auto indexed = fixture.list(paths::bound_interfaces(host_id));
    const auto bound = fixture.list(paths::bindings(host_id));
    bindings += bound.size();
    if (indexed.size() != bound.size()) out.push_back(h + ": as many interfaces as bindings");
    for (const std::string& p : bound) {
      const Uuid port_id = *Uuid::parse(p);
      const auto binding = model::decode<model::Binding>(text(paths::binding(host_id, port_id)));
      const auto record = model::decode<model::Port>(text(paths::port(port_id)));
      if (!binding || !record || binding->port_id != port_id || record->host_id != host_id ||
          record->interface_name != binding->interface_name) {
        out.push_back(p + ": the port does not know of its binding on " + h);
        continue;
      }
      const auto index =
          model::decode<model::BoundInterface>(text(paths::bound_interface(host_id, binding->interface_name)));
      if (!index || index->port_id != port_id) out.push_back(p + ": the interface carries another port");
    }
  }
  const auto all = fixture.list(paths::ports);
  for (const std::string& p : all) {
    const Uuid port_id = *Uuid::parse(p);
    const auto record = model::decode<model::Port>(text(paths::port(port_id)));
    if (record->host_id) ++bound_ports;
    if (!fixture.value(paths::bridge_port(record->bridge_id, port_id))) out.push_back(p + ": no bridge lists it");
  }
  const auto all_bridges = fixture.list(paths::bridges);
  for (const std::string& b : all_bridges) bridge_ports += fixture.list(paths::bridge_ports(*Uuid::parse(b))).size();
  if (bound_ports != bindings) out.push_back("as many bound ports as bindings");
  if (bridge_ports != all.size()) out.push_back("as many ports as bridges list");
  if (fixture.list(paths::vnis).size() != all_bridges.size()) out.push_back("as many VNIs as bridges");
  return out;
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
}  // namespace midonet::topology
