#include "agent/binding_socket.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>

#include "agent/port_metrics.h"
#include "agent/testbed.h"
#include "base/json.h"
#include "http/raw_client.h"
#include "model/paths.h"
#include "topology/attach.h"
#include "topology/hosts.h"

namespace midonet::agent::binding_socket_test {
namespace {

namespace paths = model::paths;
using Json = nlohmann::json;
using model::PortState;

Uuid id(int n) { return *Uuid::parse(fmt::format("{:08x}-0000-4000-8000-000000000000", n)); }
const Uuid net = id(900);
const Uuid elsewhere = id(800);

struct Answer {
  int status = 0;
  std::string body;
  Json json() const { return Json::parse(body, nullptr, false); }
};

class Socket : public testing::Test {
 protected:
  Socket() {
    bed.create_bridge(net);
    for (int n = 1; n <= 2; ++n) EXPECT_TRUE(bed.create_port(id(n), net));
    EXPECT_TRUE(bed.verb([](store::Transaction& t) { return topology::register_host(t, elsewhere, "other"); }));
    bed.start();
    EXPECT_TRUE(bed.settle());
    collect_port_metrics(bed.registry, bed.kernel);
    std::string pattern = testing::TempDir() + "/midonet-sock-XXXXXX";
    folder = ::mkdtemp(pattern.data());
    socket = std::make_unique<BindingSocket>(bed.loop, *bed.store, *bed.agent, bed.registry);
    const Status listening = socket->listen(path());
    EXPECT_TRUE(listening) << listening.error().message;
  }
  ~Socket() override {
    socket.reset();
    std::filesystem::remove_all(folder);
  }

  std::string path() const { return folder + "/midolman.sock"; }
  Answer call(const std::string& method, const std::string& target, const std::string& body = "") {
    http::RawClient client(bed.loop, "unix:" + path());
    client.send(fmt::format("{} {} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{}", method,
                            target, body.size(), body));
    const std::string all = client.everything();
    Answer out;
    if (all.size() > 12) out.status = std::stoi(all.substr(9, 3));
    const auto end = all.find("\r\n\r\n");
    if (end != std::string::npos) out.body = all.substr(end + 4);
    return out;
  }
  Answer put(int port, const std::string& interface) {
    return call("PUT", "/binding/" + id(port).to_string(), Json{{"interfaceName", interface}}.dump());
  }
  Answer del(int port) { return call("DELETE", "/binding/" + id(port).to_string()); }
  Status attach_elsewhere(int port) {
    return bed.verb([=](store::Transaction& t) -> Status {
      topology::AttachRequest request;
      request.port_id = id(port);
      request.host_id = elsewhere;
      request.interface_name = "tap9";
      request.takeover = topology::Takeover::allow;
      const auto attached = topology::attach(t, request);
      if (!attached) return failed(attached);
      return {};
    });
  }

  Testbed bed;
  std::string folder;
  std::unique_ptr<BindingSocket> socket;
};

TEST_F(Socket, IsForRootAlone) {
  struct stat is {};
  ASSERT_EQ(::stat(path().c_str(), &is), 0);
  EXPECT_EQ(is.st_mode & 0777, 0600u);
}

TEST_F(Socket, PutBindsAndDeleteUnbinds) {
  bed.links.add("tap1");
  Answer answer = put(1, "tap1");
  EXPECT_EQ(answer.status, 200) << answer.body;
  EXPECT_EQ(answer.json()["changed"], true);
  ASSERT_TRUE(bed.until([&] { return bed.kernel.plugged().ports.contains(id(1)); }));
  answer = put(1, "tap1");
  EXPECT_EQ(answer.status, 200) << "again is a success";
  EXPECT_EQ(answer.json()["changed"], false);
  answer = del(1);
  EXPECT_EQ(answer.status, 204);
  EXPECT_EQ(answer.body, "");
  EXPECT_FALSE(bed.node(paths::binding(bed.host, id(1))));
  EXPECT_EQ(del(1).status, 204) << "again is a success";
}

TEST_F(Socket, PutTakesAPortOverFromAnotherHost) {
  ASSERT_TRUE(attach_elsewhere(1));
  EXPECT_EQ(put(1, "tap1").status, 200);
  EXPECT_TRUE(bed.node(paths::binding(bed.host, id(1))));
  EXPECT_FALSE(bed.node(paths::binding(elsewhere, id(1))));
}

TEST_F(Socket, DeleteLeavesAPortOfAnotherHostAlone) {
  ASSERT_TRUE(attach_elsewhere(1));
  EXPECT_EQ(del(1).status, 204);
  EXPECT_TRUE(bed.node(paths::binding(elsewhere, id(1))));
}

TEST_F(Socket, AnInterfaceThatCarriesAnotherPortIsRefusedNamingIt) {
  ASSERT_EQ(put(1, "tap1").status, 200);
  const Answer answer = put(2, "tap1");
  EXPECT_EQ(answer.status, 409);
  EXPECT_NE(answer.json()["message"].get<std::string>().find(id(1).to_string()), std::string::npos) << answer.body;
  EXPECT_EQ(answer.body.find('\n'), answer.body.size() - 1) << "one line";
  EXPECT_FALSE(bed.node(paths::binding(bed.host, id(2))));
}

TEST_F(Socket, WhatIsWrongIsSaidAndChangesNothing) {
  const std::string target = "/binding/" + id(1).to_string();
  EXPECT_EQ(call("PUT", "/binding/nonsense", R"({"interfaceName":"tap1"})").status, 400);
  for (const char* body : {"", "no JSON", "[]", "{}", R"({"interfaceName":7})", R"({"interfaceName":""})",
                           R"({"interfaceName":"a/b"})", R"({"interfaceName":"sixteen-bytes-xx"})"}) {
    const Answer answer = call("PUT", target, body);
    EXPECT_EQ(answer.status, 400) << body;
    EXPECT_TRUE(answer.json()["message"].is_string()) << body;
  }
  EXPECT_EQ(
      call("PUT", target, R"({"interfaceName":"tap1","x":)" + std::string(20'000, '[') + std::string(20'000, ']') + "}")
          .status,
      400)
      << "nested too deep";
  EXPECT_EQ(put(77, "tap1").status, 404) << "no such port";
  EXPECT_EQ(call("GET", target).status, 405);
  EXPECT_EQ(call("POST", "/status").status, 405);
  EXPECT_EQ(call("GET", "/").status, 404);
  EXPECT_TRUE(bed.children(paths::bindings(bed.host)).empty());
}

TEST_F(Socket, AStoreThatDoesNotAnswerIs503) {
  bed.store->cut();
  EXPECT_EQ(put(1, "tap1").status, 503);
  EXPECT_EQ(del(1).status, 503);
  const Json before = call("GET", "/status").json();
  EXPECT_EQ(before["storeState"], "disconnected");
  bed.now += std::chrono::hours(1);
  EXPECT_EQ(call("GET", "/status").json()["storeSince"], before["storeSince"]) << "since when it does not";
}

TEST_F(Socket, StatusTellsAboutTheAgentAndEveryPort) {
  bed.links.add("tap1");
  ASSERT_EQ(put(1, "tap1").status, 200);
  ASSERT_EQ(put(2, "tap2").status, 200);
  datapath::PortCounters counters;
  counters.id = id(1);
  counters.rx_packets = 5;
  counters.drops["no-port"] = 2;
  bed.kernel.set_counters(counters);
  ASSERT_TRUE(bed.settle());
  const Json json = call("GET", "/status").json();
  EXPECT_EQ(json["hostId"], bed.host.to_string());
  EXPECT_EQ(json["storeState"], "connected");
  EXPECT_EQ(json["version"], "test");
  EXPECT_EQ(json["synchronised"], true);
  EXPECT_TRUE(json["lastReconcile"]["when"].is_string());
  ASSERT_EQ(json["ports"].size(), 2u);
  const Json& first = json["ports"][0];
  EXPECT_EQ(first["portId"], id(1).to_string());
  EXPECT_EQ(first["state"], "active");
  EXPECT_EQ(first["interfaceName"], "tap1");
  EXPECT_EQ(first["revision"], bed.binding_revision(id(1)));
  EXPECT_EQ(first["ifindex"], bed.links.links().find("tap1")->ifindex);
  EXPECT_EQ(first["counters"]["rxPackets"], 5);
  EXPECT_EQ(json["ports"][1]["state"], "pending-interface");
  EXPECT_EQ(json["portStates"]["active"], 1);
}

TEST_F(Socket, ABackupOfAStoreThatHasNoneIsAClearError) {
  const Answer answer = call("GET", "/backup");
  EXPECT_EQ(answer.status, 400) << answer.body;
  EXPECT_NE(answer.json()["message"].get<std::string>().find("in memory"), std::string::npos);
  EXPECT_EQ(call("POST", "/backup").status, 405);
}

TEST_F(Socket, AcceptWithoutAHoldChangesNothing) {
  const Answer answer = call("POST", "/accept");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.json()["warnings"], Json::array());
  EXPECT_EQ(call("GET", "/accept").status, 405);
}

TEST_F(Socket, MetricsHaveTheKernelsCounters) {
  bed.links.add("tap1");
  ASSERT_EQ(put(1, "tap1").status, 200);
  ASSERT_TRUE(bed.settle());
  datapath::PortCounters counters;
  counters.id = id(1);
  counters.rx_packets = 5;
  counters.tx_bytes = 77;
  counters.drops["no-port"] = 2;
  bed.kernel.set_counters(counters);
  const Answer answer = call("GET", "/metrics");
  EXPECT_EQ(answer.status, 200);
  const std::string port = id(1).to_string();
  for (const std::string& line : {"midonet_port_packets_total{direction=\"rx\",port=\"" + port + "\"} 5",
                                  "midonet_port_bytes_total{direction=\"tx\",port=\"" + port + "\"} 77",
                                  "midonet_port_drops_total{port=\"" + port + "\",reason=\"no-port\"} 2"})
    EXPECT_NE(answer.body.find(line), std::string::npos) << line << "\n" << answer.body;
}

}  // namespace
}  // namespace midonet::agent::binding_socket_test
