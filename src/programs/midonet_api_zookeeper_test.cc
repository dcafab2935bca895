// midonet-api, the program, on a real ZooKeeper server: several of them over one store, and a store that goes away.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>

#include <chrono>

#include "base/json.h"
#include "http/client.h"
#include "http/raw_client.h"
#include "http/server.h"
#include "programs/child.h"
#include "programs/notify_socket.h"
#include "store/transaction.h"
#include "store/uri.h"
#include "store/zookeeper_server.h"
#include "topology/hosts.h"

namespace midonet::programs::midonet_api_zookeeper_test {
namespace {

using nlohmann::json;
using namespace std::chrono_literals;

class OneApi {
 public:
  OneApi(const std::string& config, const std::string& store)
      : child_({MIDONET_API, "--config", config, "--store", store, "--listen", "127.0.0.1:0", "--session-timeout",
                "30000"}),
        endpoint_(endpoint_of(child_)) {}
  Result<http::Response> call(const std::string& method, const std::string& path, const std::string& body = "") {
    return http::call(endpoint_, method, "/midonet-api" + path, {{"Content-Type", "application/json"}}, body, 60s);
  }
  int status_of(const std::string& method, const std::string& path, const std::string& body = "") {
    const auto response = call(method, path, body);
    EXPECT_TRUE(response) << response.error().message;
    return response ? response->status : 0;
  }
  json get(const std::string& path) {
    const auto response = call("GET", path);
    EXPECT_TRUE(response && response->status == 200) << path;
    return response ? json::parse(response->body, nullptr, false) : json();
  }
  std::string address() const { return endpoint_.substr(std::string("http://").size()); }
  int stop() {
    ::kill(child_.pid(), SIGTERM);
    return child_.wait().status;
  }

 private:
  Child child_;
  std::string endpoint_;
};

struct MidonetApiOnZookeeper : ::testing::Test {
  void SetUp() override {
    if (const auto missing = store::ZookeeperServers::missing()) GTEST_SKIP() << "no ZooKeeper server: " << *missing;
    servers = std::make_unique<store::ZookeeperServers>();
    write_file(config, "log-level = info\n");
  }
  std::unique_ptr<OneApi> api() { return std::make_unique<OneApi>(config, servers->uri("/midonet")); }

  TemporaryDirectory directory;
  const std::string config = directory / "midonet-api.conf";
  std::unique_ptr<store::ZookeeperServers> servers;
};

TEST_F(MidonetApiOnZookeeper, OfTwoEachServesWhatTheOtherWroteAndOneNameIsGivenOnce) {
  const auto first = api();
  const auto second = api();
  ASSERT_EQ(first->status_of("POST", "/bridges", R"({"name": "net"})"), 201);
  const json bridges = second->get("/bridges");
  ASSERT_EQ(bridges.size(), 1U);
  EXPECT_EQ(bridges[0]["name"], "net");
  EXPECT_EQ(first->status_of("POST", "/tunnel_zones", R"({"name": "underlay"})"), 201);
  EXPECT_EQ(second->status_of("POST", "/tunnel_zones", R"({"name": "underlay"})"), 409);
  EXPECT_EQ(first->stop(), 0);
  const std::string id = bridges[0]["id"];
  EXPECT_EQ(second->status_of("DELETE", "/bridges/" + id), 204);
  EXPECT_EQ(second->stop(), 0);
}

// Two nodes for each port, and a step takes 400 nodes. (More requests would fill the pipe that the log goes to.)
TEST_F(MidonetApiOnZookeeper, ABridgeWithMorePortsThanOneStepTakesIsDeleted) {
  const auto one = api();
  ASSERT_EQ(one->status_of("POST", "/bridges", R"({"name": "large"})"), 201);
  const std::string large = one->get("/bridges").at(0)["id"];
  ASSERT_EQ(one->status_of("POST", "/bridges", R"({"name": "small"})"), 201);
  const json bridges = one->get("/bridges");
  const std::string small = bridges.at(bridges.at(0)["id"] == large ? 1 : 0)["id"];
  ASSERT_EQ(one->status_of("POST", "/bridges/" + small + "/ports", "{}"), 201);
  for (int i = 0; i < 250; ++i) ASSERT_EQ(one->status_of("POST", "/bridges/" + large + "/ports", "{}"), 201) << i;
  ASSERT_EQ(one->get("/bridges/" + large + "/ports").size(), 250U);
  EXPECT_EQ(one->status_of("DELETE", "/bridges/" + large), 204);
  EXPECT_EQ(one->status_of("GET", "/bridges/" + large), 404);
  const json left = one->get("/ports");
  ASSERT_EQ(left.size(), 1U);
  EXPECT_EQ(left[0]["deviceId"], small);
  EXPECT_EQ(one->stop(), 0);
}

TEST_F(MidonetApiOnZookeeper, AnOutageIsA503WithRetryAfterAndEndsByItself) {
  const auto one = api();
  ASSERT_EQ(one->status_of("POST", "/bridges", R"({"name": "net"})"), 201);
  servers->kill(0);
  const auto away = one->call("GET", "/bridges");
  ASSERT_TRUE(away) << away.error().message;
  EXPECT_EQ(away->status, 503);
  EXPECT_TRUE(away->headers.contains("Retry-After"));
  EXPECT_EQ(one->get("/system_state")["availability"], "UNAVAILABLE");
  EXPECT_THAT(one->get("/system_state")["information"].get<std::string>(),
              ::testing::HasSubstr(servers->uri("/midonet")));
  servers->start(0);
  ASSERT_TRUE(servers->wait());
  // Nothing tells a client when that is over but asking again.
  int status = 503;
  for (const auto end = std::chrono::steady_clock::now() + 60s;
       status == 503 && std::chrono::steady_clock::now() < end;) {
    status = one->status_of("GET", "/bridges");
    if (status == 503) (void)::poll(nullptr, 0, 100);
  }
  EXPECT_EQ(status, 200);
  EXPECT_EQ(one->get("/system_state")["availability"], "READWRITE");
  EXPECT_EQ(one->get("/bridges").at(0)["name"], "net");
  EXPECT_EQ(one->stop(), 0);
}

// An address on which no process listens, so that the server's is known before it says anything.
std::string free_address() {
  Loop loop;
  Registry registry;
  http::Server server(loop, registry, {.name = "free"}, [](const http::Request&, const http::Responder&) {});
  return *server.listen_tcp("127.0.0.1:0");
}

TEST_F(MidonetApiOnZookeeper, AStartDuringAnOutageListensAtOnceAnswers503AndServesWhenTheStoreIsThere) {
  servers->kill(0);
  const std::string at = free_address();
  NotifySocket systemd(directory / "notify");
  Child child({"/usr/bin/env", "NOTIFY_SOCKET=" + directory / "notify", MIDONET_API, "--config", config, "--store",
               servers->uri("/midonet"), "--listen", at});
  const auto call = [&](const std::string& path) { return http::call("http://" + at, "GET", path, {}, "", 60s); };
  Result<http::Response> answer = fail(Code::unavailable, "not asked yet");
  const auto began = std::chrono::steady_clock::now();
  while (!(answer = call("/midonet-api/bridges")) && std::chrono::steady_clock::now() < began + 60s)
    (void)::poll(nullptr, 0, 10);
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(answer->status, 503);
  EXPECT_TRUE(answer->headers.contains("Retry-After"));
  EXPECT_EQ(json::parse(answer->body)["message"], "The store has not answered since this server started.");
  EXPECT_EQ(call("/nothing/here")->status, 503);
  EXPECT_EQ(call("/metrics")->status, 200);
  EXPECT_EQ(systemd.receive(), "STATUS=waiting for the store");
  EXPECT_EQ(call("/midonet-api")->status, 503);
  EXPECT_EQ(call("/healthz")->status, 200);
  EXPECT_EQ(call("/readyz")->status, 503);
  EXPECT_EQ(json::parse(call("/midonet-api/system_state")->body)["availability"], "UNAVAILABLE");

  servers->start(0);
  ASSERT_TRUE(servers->wait());
  EXPECT_EQ(systemd.receive(), "READY=1\nSTATUS=");
  const std::string log = child.read_err_until("ready listen=" + at);
  EXPECT_LT(log.find("waiting for it"), log.find("ready listen="));
  EXPECT_EQ(call("/midonet-api/bridges")->status, 200);
  EXPECT_EQ(call("/readyz")->status, 200);
  EXPECT_EQ(json::parse(call("/midonet-api/system_state")->body)["availability"], "READWRITE");
  EXPECT_EQ(call("/nothing/here")->status, 404);
  ::kill(child.pid(), SIGTERM);
  EXPECT_EQ(child.wait().status, 0);
}

TEST_F(MidonetApiOnZookeeper, AStartDuringAnOutageCanBeStopped) {
  servers->kill(0);
  Child child({MIDONET_API, "--config", config, "--store", servers->uri("/midonet"), "--listen", "127.0.0.1:0"});
  EXPECT_NE(child.read_err_until("answers 503 until then\n"), "");
  ::kill(child.pid(), SIGTERM);
  EXPECT_EQ(child.wait().status, 0);
}

TEST_F(MidonetApiOnZookeeper, AStoreOfANewerProgramEndsItWithTheReason) {
  Loop loop;
  const auto store = store::open(loop, servers->uri("/midonet"), {});
  ASSERT_TRUE(store) << store.error().message;
  std::optional<Status> written;
  store::transact(
      **store,
      [](store::Transaction& t) -> Status {
        const auto version = t.get("/version");
        if (!version) return failed(version);
        t.set("/version", R"({"layout": 9, "minReader": 9})");
        return {};
      },
      [&](const Result<store::Revision>& done) { written = done ? Status() : failed(done); });
  ASSERT_TRUE(loop.run_until([&] { return written.has_value(); }, 60s));
  ASSERT_TRUE(*written) << written->error().message;
  const Ended ended =
      run({MIDONET_API, "--config", config, "--store", servers->uri("/midonet"), "--listen", "127.0.0.1:0"});
  EXPECT_EQ(ended.status, 1);
  EXPECT_THAT(ended.err, ::testing::HasSubstr("midonet-api cannot start: store " + servers->uri("/midonet") +
                                              ": store layout 9: needs a program that knows layout 9"));
}

TEST_F(MidonetApiOnZookeeper, EventsTellWhatTheOtherWroteAndOutliveAnOutage) {
  const auto first = api();
  const auto second = api();
  const Uuid host = Uuid::random();
  Loop loop;
  const auto store = store::open(loop, servers->uri("/midonet"), {});
  ASSERT_TRUE(store) << store.error().message;
  std::optional<bool> registered;
  store::transact(
      **store, [&](store::Transaction& t) { return topology::register_host(t, host, "alpha"); },
      [&](const Result<store::Revision>& done) { registered = done.has_value(); });
  ASSERT_TRUE(loop.run_until([&] { return registered.has_value(); }, 60s) && *registered);

  http::RawClient events(loop, first->address());
  events.send("GET /midonet-api/events HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n");
  const auto hears = [&](const std::string& text) {
    return loop.run_until([&] { return events.received().find(text) != std::string::npos; }, 60s);
  };
  ASSERT_TRUE(hears("event: synced")) << events.received();

  const std::string net = Uuid::random().to_string(), port = Uuid::random().to_string();
  ASSERT_EQ(second->status_of("POST", "/bridges", R"({"id": ")" + net + "\"}"), 201);
  ASSERT_EQ(second->status_of("POST", "/bridges/" + net + "/ports", R"({"id": ")" + port + "\"}"), 201);
  ASSERT_EQ(second->status_of("POST", "/ports/" + port + "/attach_interface",
                              R"({"hostId": ")" + host.to_string() + R"(", "interface": "tap0"})"),
            200);
  ASSERT_TRUE(hears(R"("interfaceName":"tap0","state":"pending-host")")) << events.received();

  servers->kill(0);
  servers->start(0);
  ASSERT_TRUE(servers->wait());
  int status = 503;
  for (const auto end = std::chrono::steady_clock::now() + 60s;
       status == 503 && std::chrono::steady_clock::now() < end;) {
    status = second->status_of("DELETE", "/ports/" + port + "/attach_interface");
    if (status == 503) (void)::poll(nullptr, 0, 100);
  }
  ASSERT_EQ(status, 204);
  EXPECT_TRUE(hears(R"("state":"unbound")")) << events.received();
  EXPECT_FALSE(events.closed());
  EXPECT_EQ(first->stop(), 0);
  EXPECT_TRUE(events.everything().ends_with("0\r\n\r\n"));
  EXPECT_EQ(second->stop(), 0);
}

}  // namespace
}  // namespace midonet::programs::midonet_api_zookeeper_test
