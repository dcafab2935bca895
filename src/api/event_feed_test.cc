// What listeners of GET /events are told, whatever happens between them, the server and the store.
#include "api/event_feed.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <sstream>

#include "api/api_server.h"
#include "base/json.h"
#include "http/raw_client.h"
#include "model/binding.h"
#include "model/host.h"
#include "model/paths.h"
#include "store/embedded_store.h"
#include "store/flaky_store.h"
#include "store/layout.h"
#include "topology/attach.h"
#include "topology/bridges.h"
#include "topology/hosts.h"
#include "topology/ports.h"

namespace midonet::api::event_feed_test {
namespace {

namespace paths = model::paths;
using model::PortState;
using nlohmann::json;
using store::Transaction;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;
using namespace std::chrono_literals;

const Uuid net = *Uuid::parse("11111111-0000-4000-8000-000000000001");
const Uuid alpha = *Uuid::parse("aaaaaaaa-0000-4000-8000-00000000000a");
const Uuid beta = *Uuid::parse("bbbbbbbb-0000-4000-8000-00000000000b");
Uuid port(int n) { return *Uuid::parse(fmt::format("{:08x}-0000-4000-8000-000000000002", n)); }

// "active 00000001 on alpha", "host alpha alive", "reset", "synced".
std::string short_form(const std::string& event, const json& data) {
  if (event == "port")
    return fmt::format("{} {} on {}", data["state"].get<std::string>(), data["portId"].get<std::string>().substr(0, 8),
                       data["host"].get<std::string>());
  if (event == "host")
    return fmt::format("host {} {}", data["host"].get<std::string>(), data["alive"].get<bool>() ? "alive" : "away");
  return event;
}

// A client: what it received, read as server-sent events.
class Listener {
 public:
  explicit Listener(std::shared_ptr<http::BodySource> source, bool reads = true)
      : source_(std::move(source)), reads_(reads) {
    source_->on_more([this] {
      if (reads_) read();
    });
    if (reads_) read();
  }
  ~Listener() { source_->on_more({}); }

  void read(std::size_t room = 64 * 1024) {
    for (std::size_t before = 0; !cut_off; before = raw.size()) {
      cut_off = source_->take(room, raw) == http::BodySource::More::cut_off;
      if (raw.size() == before) break;
    }
    parse();
  }

  std::string raw;
  std::vector<std::string> events;  // in short
  std::vector<json> data;
  std::string last_id;
  bool cut_off = false;

 private:
  void parse() {
    for (std::size_t end = raw.find("\n\n", parsed_); end != std::string::npos; end = raw.find("\n\n", parsed_)) {
      std::string event;
      std::istringstream lines(raw.substr(parsed_, end - parsed_));
      for (std::string line; std::getline(lines, line);) {
        if (line.starts_with("id: ")) last_id = line.substr(4);
        if (line.starts_with("event: ")) event = line.substr(7);
        if (!line.starts_with("data: ")) continue;
        data.push_back(json::parse(line.substr(6)));
        events.push_back(short_form(event, data.back()));
      }
      parsed_ = end + 2;
    }
  }

  std::shared_ptr<http::BodySource> source_;
  bool reads_;
  std::size_t parsed_ = 0;
};

struct Events : ::testing::Test {
  Events() {
    std::optional<Status> layout;
    store::ensure_layout(*agent, [&](Status made) { layout = std::move(made); });
    EXPECT_TRUE(loop.run_until([&] { return layout.has_value(); }, 10s));
    model::Bridge bridge;
    bridge.id = net;
    write([bridge](Transaction& t) { return topology::create_bridge(t, bridge); });
    write([](Transaction& t) { return topology::register_host(t, alpha, "alpha"); });
  }

  void write(std::function<Status(Transaction&)> body) {
    std::optional<Result<store::Revision>> outcome;
    store::transact(*agent, std::move(body), [&](Result<store::Revision> result) { outcome = std::move(result); });
    ASSERT_TRUE(loop.run_until([&] { return outcome.has_value(); }, 60s));
    ASSERT_TRUE(*outcome) << outcome->error().message;
  }
  store::Revision revision(const std::string& path) {
    std::optional<Result<store::NodePtr>> node;
    agent->get(path, [&](Result<store::NodePtr> result) { node = std::move(result); });
    EXPECT_TRUE(loop.run_until([&] { return node.has_value(); }, 60s));
    return *node ? (**node)->stat.modified : 0;
  }

  void come_alive(const Uuid& host) {
    write([=](Transaction& t) -> Status {
      t.create_ephemeral(paths::alive(host), encode(model::Alive{}));
      return {};
    });
  }
  void go_away(const Uuid& host) {
    write([=](Transaction& t) -> Status {
      t.remove(paths::alive(host));
      return {};
    });
  }
  void bind(int n, const Uuid& host) {
    write([=](Transaction& t) -> Status {
      const auto known = topology::exists(t, paths::port(port(n)));
      if (!known) return failed(known);
      if (*known) return {};
      model::Port made;
      made.id = port(n);
      made.bridge_id = net;
      return topology::create_port(t, made);
    });
    write([=](Transaction& t) -> Status {
      const auto attached =
          topology::attach(t, {port(n), host, fmt::format("tap{}", n), {}, topology::Takeover::allow});
      if (!attached) return failed(attached);
      return {};
    });
  }
  void unbind(int n) {
    write([=](Transaction& t) -> Status {
      const auto detached = topology::detach(t, port(n));
      if (!detached) return failed(detached);
      return {};
    });
  }
  void report(int n, const Uuid& host, PortState state) {
    const std::string status = encode(
        model::PortStatus{state, "", revision(paths::binding(host, port(n))), 7, "2026-01-31T12:00:00.123Z", 1450});
    write([=](Transaction& t) -> Status {
      const auto known = topology::exists(t, paths::status(host, port(n)));
      if (!known) return failed(known);
      *known ? t.set(paths::status(host, port(n)), status) : t.create_ephemeral(paths::status(host, port(n)), status);
      return {};
    });
  }

  bool hears(const Listener& listener, const std::string& event) {
    return loop.run_until([&] { return !listener.events.empty() && listener.events.back() == event; }, 60s);
  }

  Loop loop;
  std::shared_ptr<store::EmbeddedDatabase> database = *store::EmbeddedDatabase::open(loop, ":memory:", 0ms);
  store::FlakyStore store{[this] { return database->session(); }};
  std::unique_ptr<store::Store> agent = database->session();
};

TEST_F(Events, BeginWithTheStateAndGoOnWithEveryChange) {
  come_alive(alpha);
  bind(1, alpha);
  EventFeed feed(loop, store);
  Listener listener(feed.listen({}));
  ASSERT_TRUE(hears(listener, "synced"));
  EXPECT_THAT(listener.events, ElementsAre("reset", "host alpha alive", "pending-host 00000001 on alpha", "synced"));
  const std::string id = listener.last_id;
  EXPECT_FALSE(id.empty());
  listener.events.clear();
  listener.data.clear();

  report(1, alpha, PortState::active);
  ASSERT_TRUE(hears(listener, "active 00000001 on alpha"));
  EXPECT_EQ(listener.data.back(), json({{"portId", port(1).to_string()},
                                        {"hostId", alpha.to_string()},
                                        {"host", "alpha"},
                                        {"interfaceName", "tap1"},
                                        {"state", "active"},
                                        {"reason", ""},
                                        {"revision", revision(paths::binding(alpha, port(1)))},
                                        {"since", "2026-01-31T12:00:00.123Z"}}));
  EXPECT_NE(listener.last_id, id);
  report(1, alpha, PortState::down);
  ASSERT_TRUE(hears(listener, "down 00000001 on alpha"));
  go_away(alpha);
  ASSERT_TRUE(hears(listener, "pending-host 00000001 on alpha"));
  unbind(1);
  ASSERT_TRUE(hears(listener, "unbound 00000001 on alpha"));
  EXPECT_EQ(listener.data.back()["interfaceName"], nullptr);
  EXPECT_THAT(listener.events, ElementsAre("active 00000001 on alpha", "down 00000001 on alpha", "host alpha away",
                                           "pending-host 00000001 on alpha", "unbound 00000001 on alpha"));
}

TEST_F(Events, TellOfHostsThatComeAreRenamedAndGo) {
  EventFeed feed(loop, store);
  Listener listener(feed.listen({}));
  ASSERT_TRUE(hears(listener, "synced"));
  write([](Transaction& t) { return topology::register_host(t, beta, "beta"); });
  ASSERT_TRUE(hears(listener, "host beta away"));
  bind(1, beta);
  ASSERT_TRUE(hears(listener, "pending-host 00000001 on beta"));
  write([](Transaction& t) { return topology::register_host(t, beta, "gamma"); });
  ASSERT_TRUE(hears(listener, "pending-host 00000001 on gamma"));
  unbind(1);
  ASSERT_TRUE(hears(listener, "unbound 00000001 on gamma"));
  listener.events.clear();
  write([](Transaction& t) -> Status {
    const auto step = topology::delete_host(t, beta);
    if (!step) return failed(step);
    return {};
  });
  ASSERT_TRUE(hears(listener, "host gamma away"));
  EXPECT_EQ(listener.events.size(), 1U);
}

TEST_F(Events, AMoveIsOneEventOfEachHost) {
  write([](Transaction& t) { return topology::register_host(t, beta, "beta"); });
  bind(1, alpha);
  EventFeed feed(loop, store);
  Listener listener(feed.listen({}));
  ASSERT_TRUE(hears(listener, "synced"));
  listener.events.clear();
  bind(1, beta);
  ASSERT_TRUE(loop.run_until([&] { return listener.events.size() == 2; }, 60s));
  EXPECT_THAT(listener.events,
              ::testing::UnorderedElementsAre("unbound 00000001 on alpha", "pending-host 00000001 on beta"));
}

TEST_F(Events, WhoComesBackIsToldWhatItMissed) {
  bind(1, alpha);
  EventFeed feed(loop, store);
  auto first = std::make_unique<Listener>(feed.listen({}));
  ASSERT_TRUE(hears(*first, "synced"));
  Listener witness(feed.listen({}));
  ASSERT_TRUE(hears(witness, "synced"));
  const std::string id = first->last_id;
  first.reset();
  come_alive(alpha);
  report(1, alpha, PortState::active);
  ASSERT_TRUE(hears(witness, "active 00000001 on alpha"));

  Listener back(feed.listen(id));
  ASSERT_TRUE(hears(back, "synced"));
  EXPECT_THAT(back.events,
              ElementsAre("host alpha alive", "pending-host 00000001 on alpha", "active 00000001 on alpha", "synced"));
  EXPECT_EQ(back.last_id, witness.last_id);
  Listener nothing_missed(feed.listen(back.last_id));
  EXPECT_THAT(nothing_missed.events, ElementsAre("synced"));
}

TEST_F(Events, WhoWasAwayForTooLongOrElsewhereBeginsAnew) {
  bind(1, alpha);
  EventFeed feed(loop, store, {.log = 2});
  Listener witness(feed.listen({}));
  ASSERT_TRUE(hears(witness, "synced"));
  const std::string id = witness.last_id;
  come_alive(alpha);
  report(1, alpha, PortState::active);
  report(1, alpha, PortState::down);
  ASSERT_TRUE(hears(witness, "down 00000001 on alpha"));
  EventFeed other(loop, store);
  Listener there(other.listen({}));
  ASSERT_TRUE(hears(there, "synced"));
  for (const std::string& last :
       {id, there.last_id, std::string("x"), std::string("-1"), std::string(), std::string("18446744073709551615")}) {
    Listener back(feed.listen(last));
    EXPECT_THAT(back.events, ElementsAre("reset", "host alpha alive", "down 00000001 on alpha", "synced")) << last;
  }
}

TEST_F(Events, AReaderThatFallsBehindTheLogIsCutOff) {
  bind(1, alpha);
  EventFeed feed(loop, store, {.log = 3});
  Listener witness(feed.listen({}));
  ASSERT_TRUE(hears(witness, "synced"));
  Listener slow(feed.listen({}), false);
  slow.read();
  EXPECT_EQ(slow.events.back(), "synced");
  come_alive(alpha);
  for (const PortState state : {PortState::active, PortState::down, PortState::active, PortState::down})
    report(1, alpha, state);
  ASSERT_TRUE(loop.run_until([&] { return witness.events.size() >= 3 + 5; }, 60s));
  slow.read();
  EXPECT_TRUE(slow.cut_off);
  EXPECT_FALSE(witness.cut_off);
  Listener again(feed.listen(slow.last_id));
  EXPECT_EQ(again.events.front(), "reset");
}

TEST_F(Events, ThousandsOfPortsAreToldToSeveralListenersEachAtItsSpeed) {
  constexpr int count = 3000;
  write([](Transaction& t) { return topology::register_host(t, beta, "beta"); });
  for (int begin = 0; begin < count; begin += 500)
    write([=](Transaction& t) -> Status {
      for (int n = begin; n < begin + 500; ++n)
        t.create(paths::binding(n % 2 == 0 ? alpha : beta, port(n)),
                 encode(model::Binding{port(n), fmt::format("tap{}", n)}));
      return {};
    });
  EventFeed feed(loop, store);
  Listener quick(feed.listen({}));
  ASSERT_TRUE(hears(quick, "synced"));
  Listener slow(feed.listen({}), false);
  const auto state = [&](const Listener& listener) {
    std::multiset<std::string> bound;
    for (const std::string& event : listener.events)
      if (event.starts_with("pending-host")) bound.insert(event);
    return bound;
  };
  EXPECT_EQ(state(quick).size(), static_cast<std::size_t>(count));
  slow.read(100);  // in small parts
  EXPECT_EQ(state(slow), state(quick));
  EXPECT_EQ(slow.events.back(), "synced");

  // One change is one event for each: here of the host and of each of its ports, then of one port.
  std::size_t expected = quick.events.size() + 1 + count / 2;
  come_alive(alpha);
  ASSERT_TRUE(loop.run_until([&] { return quick.events.size() >= expected; }, 60s));
  report(2, alpha, PortState::active);
  ASSERT_TRUE(hears(quick, "active 00000002 on alpha"));
  EXPECT_EQ(quick.events.size(), expected + 1);
  slow.read(100);
  EXPECT_EQ(slow.events.size(), quick.events.size());
  EXPECT_EQ(slow.events.back(), "active 00000002 on alpha");
}

TEST_F(Events, CostNothingWhileNobodyListens) {
  EventFeed feed(loop, store, {.keep = 20ms});
  EXPECT_FALSE(feed.watching());
  auto listener = std::make_unique<Listener>(feed.listen({}));
  ASSERT_TRUE(hears(*listener, "synced"));
  EXPECT_TRUE(feed.watching());
  const std::string id = listener->last_id;
  listener.reset();
  ASSERT_TRUE(loop.run_until([&] { return !feed.watching(); }, 60s));
  const auto gets = store.gets;
  come_alive(alpha);
  EXPECT_EQ(store.gets, gets);
  Listener back(feed.listen(id));
  ASSERT_TRUE(hears(back, "synced"));
  EXPECT_THAT(back.events, ElementsAre("reset", "host alpha alive", "synced"));
}

TEST_F(Events, AStoreThatWasAwayLeavesTheDifferences) {
  bind(1, alpha);
  bind(2, alpha);
  come_alive(alpha);
  report(1, alpha, PortState::active);
  EventFeed feed(loop, store);
  Listener listener(feed.listen({}));
  ASSERT_TRUE(hears(listener, "synced"));
  listener.events.clear();
  store.disconnect();
  report(1, alpha, PortState::down);
  unbind(2);
  store.lose_session();
  ASSERT_TRUE(loop.run_until([&] { return listener.events.size() == 2; }, 60s));
  EXPECT_THAT(listener.events, ::testing::UnorderedElementsAre("down 00000001 on alpha", "unbound 00000002 on alpha"));
}

TEST_F(Events, WhoIsToldNothingHearsThatTheServerIsThere) {
  EventFeed feed(loop, store, {.keep_alive = 20ms});
  Listener listener(feed.listen({}));
  ASSERT_TRUE(loop.run_until([&] { return listener.raw.ends_with("}\n\n: keep-alive\n\n: keep-alive\n\n"); }, 60s));
}

TEST_F(Events, GoOverHttpUntilTheServerStops) {
  bind(1, alpha);
  Registry registry;
  ApiServer api(loop, store, registry, {.listen = "127.0.0.1:0"});
  const auto address = api.start();
  ASSERT_TRUE(address);
  http::RawClient client(loop, *address);
  client.send("GET /midonet-api/events HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n");
  const auto receives = [&](const std::string& text) {
    return loop.run_until([&] { return client.received().find(text) != std::string::npos; }, 60s);
  };
  ASSERT_TRUE(receives("event: synced"));
  EXPECT_THAT(client.received(),
              StartsWith("HTTP/1.1 200 OK\r\nCache-Control: no-store\r\nContent-Type: text/event-stream\r\n"
                         "X-Accel-Buffering: no\r\n"));
  come_alive(alpha);
  report(1, alpha, PortState::active);
  ASSERT_TRUE(receives(R"("state":"active")"));
  const std::string all = client.received();
  const auto last = all.rfind("id: ");
  const std::string id = all.substr(last + 4, all.find('\n', last) - last - 4);

  http::RawClient resumed(loop, *address);
  resumed.send("GET /midonet-api/events?lastEventId=" + id + " HTTP/1.1\r\nHost: localhost\r\n\r\n");
  ASSERT_TRUE(loop.run_until([&] { return resumed.received().find("event: synced") != std::string::npos; }, 60s));
  EXPECT_THAT(resumed.received(), Not(HasSubstr("event: port")));

  http::RawClient wrong(loop, *address);
  wrong.send("GET /midonet-api/events HTTP/1.1\r\nHost: localhost\r\nAccept: text/html\r\n\r\n");
  EXPECT_THAT(wrong.answers(1), StartsWith("HTTP/1.1 406 "));

  bool stopped = false;
  api.stop([&] { stopped = true; });
  EXPECT_THAT(client.everything(), ::testing::EndsWith("0\r\n\r\n"));
  EXPECT_THAT(resumed.everything(), ::testing::EndsWith("0\r\n\r\n"));
  client.close();
  resumed.close();
  wrong.close();
  EXPECT_TRUE(loop.run_until([&] { return stopped; }, 60s));
}

TEST_F(Events, OfAStoreThatIsAwayAreA503) {
  store.disconnect();
  Registry registry;
  ApiServer api(loop, store, registry, {.listen = "127.0.0.1:0"});
  http::RawClient client(loop, *api.start());
  client.send("GET /midonet-api/events HTTP/1.1\r\nHost: localhost\r\n\r\n");
  const std::string answer = client.answers(1);
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 503 "));
  EXPECT_THAT(answer, HasSubstr("Retry-After"));
}

}  // namespace
}  // namespace midonet::api::event_feed_test
