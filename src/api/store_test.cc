// The API over a store that goes away and comes back, and over one that is full.
#include <gtest/gtest.h>

#include "api/list_source.h"
#include "api/resources.h"
#include "base/json.h"
#include "http/target.h"
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

namespace midonet::api::store_test {
namespace {

namespace paths = model::paths;
using nlohmann::json;
using store::Transaction;
using namespace std::chrono_literals;

const Uuid net = *Uuid::parse("11111111-0000-4000-8000-000000000001");
const Uuid port = *Uuid::parse("22222222-0000-4000-8000-000000000001");
const Uuid host = *Uuid::parse("aaaaaaaa-0000-4000-8000-00000000000a");

struct ApiStore : ::testing::Test {
  ApiStore() {
    std::optional<Status> layout;
    store::ensure_layout(*agent, [&](Status made) { layout = std::move(made); });
    EXPECT_TRUE(loop.run_until([&] { return layout.has_value(); }, 10s));
    resources.add_to(router);
    write([](Transaction& t) { return topology::register_host(t, host, "h"); });
    model::Bridge bridge;
    bridge.id = net;
    write([bridge](Transaction& t) { return topology::create_bridge(t, bridge); });
  }

  // What others write: the agent of the host, other clients. Their connection is well.
  void write(std::function<Status(Transaction&)> body) {
    std::optional<Result<store::Revision>> outcome;
    store::transact(*agent, std::move(body), [&](Result<store::Revision> result) { outcome = std::move(result); });
    ASSERT_TRUE(loop.run_until([&] { return outcome.has_value(); }, 10s));
    ASSERT_TRUE(*outcome) << outcome->error().message;
  }
  void make_port(const Uuid& id) {
    model::Port made;
    made.id = id;
    made.bridge_id = net;
    write([made](Transaction& t) { return topology::create_port(t, made); });
  }
  store::NodePtr node(const std::string& path) {
    std::optional<Result<store::NodePtr>> outcome;
    agent->get(path, [&](Result<store::NodePtr> result) { outcome = std::move(result); }, {});
    EXPECT_TRUE(loop.run_until([&] { return outcome.has_value(); }, 10s));
    return outcome->value_or(nullptr);
  }
  void report_active() {
    const store::Revision revision = node(paths::binding(host, port))->stat.modified;
    write([=](Transaction& t) -> Status {
      t.create_ephemeral(paths::alive(host), encode(model::Alive{}));
      t.create_ephemeral(paths::status(host, port), encode(model::PortStatus{model::PortState::active, "", revision, 7,
                                                                             "2026-01-31T12:00:00.123Z", 1450}));
      return {};
    });
  }

  void send(const std::string& method, const std::string& target, const std::string& body = "") {
    http::Request request;
    request.method = method;
    request.target = "/midonet-api" + target;
    const auto parsed = http::parse_target(request.target);
    request.path = parsed->path;
    request.query = parsed->query;
    request.headers = {{"Host", "api"}, {"Content-Type", "application/json"}};
    request.body = body;
    answer.reset();
    router.handle(request, [this](http::Response response) { answer = std::move(response); });
  }
  int wait_for_answer(std::chrono::milliseconds time = 60s) {
    return loop.run_until([&] { return answer.has_value(); }, time) ? answer->status : 0;
  }
  int ask(const std::string& method, const std::string& target, const std::string& body = "") {
    send(method, target, body);
    return wait_for_answer();
  }
  // The answer's body, also of one that is made while it is sent.
  std::string body() {
    if (!answer->source) return answer->body;
    std::string out;
    const auto at_end = [&] { return answer->source->take(65'536, out) == http::BodySource::More::end; };
    EXPECT_TRUE(loop.run_until(at_end, 60s));
    return out;
  }
  // Begins an attach that waits, and comes back when the binding is there.
  void send_attach(const char* wait) {
    make_port(port);
    send("POST", fmt::format("/ports/{}/attach_interface?wait={}", port, wait),
         fmt::format(R"({{"hostId": "{}", "interface": "tap0"}})", host));
    ASSERT_TRUE(loop.run_until([&] { return store.commits > 0; }, 10s));
    while (!node(paths::binding(host, port))) {
    }
    ASSERT_FALSE(answer);
  }

  Loop loop;
  std::shared_ptr<store::EmbeddedDatabase> database = *store::EmbeddedDatabase::open(loop, ":memory:", 0ms);
  store::FlakyStore store{[this] { return database->session(); }};
  std::unique_ptr<store::Store> agent = database->session();
  Router router{{.base_uri = "", .authority = "api"}};
  Resources resources{loop, store, {.require_tunnel_zone = false}};
  std::optional<http::Response> answer;
};

TEST_F(ApiStore, MakesOneBackupAtATime) {
  send("GET", "/backup");
  std::optional<http::Response> first;
  http::Request request;
  request.method = "GET";
  request.target = request.path = "/midonet-api/backup";
  request.headers = {{"Host", "api"}};
  router.handle(request, [&](http::Response response) { first = std::move(response); });
  ASSERT_TRUE(first);
  EXPECT_EQ(first->status, 503);
  EXPECT_EQ(wait_for_answer(), 400) << "a store in memory has none: " << answer->body;
  EXPECT_EQ(ask("GET", "/backup"), 400) << "the one before is over";
}

TEST_F(ApiStore, ThatIsAwayIsA503WithRetryAfterUntilItIsBack) {
  store.disconnect();
  const std::string bridge = "/bridges/" + net.to_string();
  for (const auto& [method, target, body] :
       std::vector<std::array<std::string, 3>>{{"GET", "/bridges", ""},
                                               {"GET", bridge, ""},
                                               {"GET", "/ports", ""},
                                               {"GET", "/tunnel_zones", ""},
                                               {"POST", "/bridges", R"({"name": "x"})"},
                                               {"POST", "/tunnel_zones", R"({"name": "x"})"},
                                               {"PUT", bridge, R"({"name": "x"})"},
                                               {"DELETE", bridge, ""},
                                               {"DELETE", "/hosts/" + host.to_string(), ""}}) {
    EXPECT_EQ(ask(method, target, body), 503) << method << ' ' << target;
    EXPECT_TRUE(answer->headers.contains("Retry-After"));
    EXPECT_EQ(json::parse(answer->body)["code"], 503);
  }
  EXPECT_EQ(ask("GET", ""), 200);  // what needs no store
  EXPECT_EQ(ask("GET", "/system_state"), 200);
  EXPECT_EQ(json::parse(answer->body)["availability"], "UNAVAILABLE");
  EXPECT_NE(json::parse(answer->body)["information"].get<std::string>().find("cannot be reached"), std::string::npos);
  store.reconnect();
  EXPECT_EQ(ask("GET", "/system_state"), 200);
  EXPECT_EQ(json::parse(answer->body)["availability"], "READWRITE");
  EXPECT_TRUE(json::parse(answer->body)["information"].is_null());
  EXPECT_EQ(ask("GET", bridge), 200);
  store.disconnect();
  store.lose_session();
  EXPECT_EQ(ask("PUT", bridge, R"({"name": "x"})"), 204);
}

// Reading such a record, copying it and writing it again go by recursion in the JSON library.
TEST_F(ApiStore, WithADeeplyNestedRecordRefusesThatRecordAndAnswersOnWithAllOthers) {
  const Uuid damaged = *Uuid::parse("22222222-0000-4000-8000-0000000000dd");
  make_port(port);
  make_port(damaged);
  const std::string nested = R"({"x":)" + std::string(100'000, '[') + std::string(100'000, ']') + "}";
  for (const std::string& path : {paths::port(damaged), paths::bridge(net)}) {
    const std::string before = node(path)->value;
    write([&](Transaction& t) -> Status {
      t.set(path, nested);
      return {};
    });
    const std::string target =
        path == paths::bridge(net) ? "/bridges/" + net.to_string() : "/ports/" + damaged.to_string();
    EXPECT_EQ(ask("PUT", target, R"({"name": "x"})"), 500);
    EXPECT_EQ(ask("GET", target), 500);
    EXPECT_NE(answer->body.find("nested deeper than 32 levels"), std::string::npos) << answer->body;
    write([&](Transaction& t) -> Status {
      t.set(path, before);
      return {};
    });
    EXPECT_EQ(ask("PUT", target, R"({"name": "x"})"), 204);
  }
  EXPECT_EQ(ask("GET", "/ports/" + port.to_string()), 200);
}

TEST_F(ApiStore, ThatGivesANewSessionDoesNotEndAWait) {
  send_attach("60");
  store.disconnect();
  store.lose_session();
  report_active();
  EXPECT_EQ(wait_for_answer(), 200);
  EXPECT_EQ(json::parse(answer->body)["active"], true);
  EXPECT_EQ(json::parse(answer->body)["mtu"], 1450);
}

TEST_F(ApiStore, ThatIsAwayForAWhileDoesNotEndAWait) {
  send_attach("60");
  store.disconnect();
  report_active();
  EXPECT_FALSE(answer);
  store.reconnect();
  EXPECT_EQ(wait_for_answer(), 200);
  EXPECT_EQ(json::parse(answer->body)["status"]["state"], "active");
}

TEST_F(ApiStore, ThatIsAwayWhenTheTimeToWaitIsOverIsA503) {
  send_attach("0.2");
  store.disconnect();
  EXPECT_EQ(wait_for_answer(), 503);
  EXPECT_TRUE(node(paths::binding(host, port)));
}

TEST_F(ApiStore, IsReadInOneRoundForAnAttachAndWrittenInOneCommit) {
  make_port(port);
  write([](Transaction& t) -> Status {
    t.create_ephemeral(paths::alive(host), encode(model::Alive{}));
    return {};
  });
  store.gets = store.lists = store.commits = 0;
  EXPECT_EQ(ask("POST", fmt::format("/ports/{}/attach_interface", port),
                fmt::format(R"({{"hostId": "{}", "interface": "tap0"}})", host)),
            200);
  EXPECT_EQ(json::parse(answer->body)["status"]["state"], "pending-host");
  EXPECT_EQ(store.gets, 3) << "the port, where the host is reached, whether its agent is alive";
  EXPECT_EQ(store.lists, 1) << "which bridges it serves";
  EXPECT_EQ(store.commits, 1);
}

TEST_F(ApiStore, IsAskedForTheStatusAloneWhileAClientWaits) {
  send_attach("60");
  for (int last = -1; std::exchange(last, store.gets) != store.gets;) (void)node(paths::status(host, port));
  store.gets = store.lists = 0;
  report_active();
  ASSERT_EQ(wait_for_answer(), 200);
  EXPECT_EQ(json::parse(answer->body)["status"]["state"], "active");
  EXPECT_EQ(store.gets, 1) << "the status, once it was there";
  EXPECT_EQ(store.lists, 0);
}

TEST_F(ApiStore, ABridgeOfThreeThousandPortsIsListedWithOneReadARecordAndDeletedInBoundedCommits) {
  constexpr int number = 3'000;
  constexpr int at_once = 250;
  for (int first = 0; first < number; first += at_once)
    write([first](Transaction& t) -> Status {
      for (int n = first; n < first + at_once; ++n) {
        model::Port made;
        made.id = *Uuid::parse(fmt::format("22222222-0000-4000-8000-{:012}", n));
        made.bridge_id = net;
        if (n % 2 == 0) {
          made.host_id = host;
          made.interface_name = fmt::format("tap{}", n);
          t.create(paths::binding(host, made.id), encode(model::Binding{made.id, *made.interface_name}));
          t.create(paths::bound_interface(host, *made.interface_name), encode(model::BoundInterface{made.id}));
        }
        t.create(paths::port(made.id), encode(made));
        t.create(paths::bridge_port(net, made.id), "");
      }
      return {};
    });
  const std::string bridge = "/bridges/" + net.to_string();
  EXPECT_EQ(ask("GET", bridge + "/ports"), 200);
  EXPECT_EQ(json::parse(body()).size(), 3'000U);
  // The bridge, each port, and of the bound half a binding and a status; the host's agent once for each page.
  constexpr int pages = (number + static_cast<int>(list_page) - 1) / static_cast<int>(list_page);
  EXPECT_EQ(store.gets, 1 + number + number / 2 * 2 + pages);

  std::size_t largest = 0;
  store.before_commit([&] { largest = std::max(largest, store.last_commit.size()); });
  EXPECT_EQ(ask("DELETE", bridge), 204);
  EXPECT_LE(largest, 500U);
  EXPECT_GE(store.commits, 25);
  EXPECT_EQ(ask("GET", "/ports"), 200);
  EXPECT_EQ(answer->body, "[]");
  EXPECT_EQ(ask("GET", fmt::format("/hosts/{}/ports", host)), 200);
  EXPECT_EQ(answer->body, "[]");
  EXPECT_EQ(ask("GET", bridge), 404);
}

}  // namespace
}  // namespace midonet::api::store_test
