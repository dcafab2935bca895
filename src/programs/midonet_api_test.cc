// midonet-api, the program: how it starts, serves, refuses and stops.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <cstdlib>

#include "base/json.h"
#include "http/client.h"
#include "programs/child.h"
#include "programs/notify_socket.h"

namespace midonet::programs::midonet_api_test {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using namespace std::chrono_literals;

struct MidonetApi : ::testing::Test {
  std::vector<std::string> command(std::vector<std::string> arguments) {
    std::vector<std::string> all{MIDONET_API, "--config", config, "--store", store_uri};
    all.insert(all.end(), arguments.begin(), arguments.end());
    return all;
  }
  Child start(std::vector<std::string> arguments = {"--listen", "127.0.0.1:0"}) {
    return Child(command(std::move(arguments)), [this] { ::setenv("NOTIFY_SOCKET", systemd.name().c_str(), 1); });
  }
  static json get(const std::string& endpoint, const std::string& path) {
    const auto response = http::call(endpoint, "GET", "/midonet-api" + path, {}, "", 10s);
    EXPECT_TRUE(response) << response.error().message;
    return response ? json::parse(response->body) : json();
  }

  TemporaryDirectory directory;
  const std::string store_uri = "embedded:" + directory / "midonet.db";
  const std::string config = [this] {
    write_file(directory / "midonet-api.conf", "log-level = info\n");
    return directory / "midonet-api.conf";
  }();
  NotifySocket systemd{directory / "notify"};
};

TEST_F(MidonetApi, ServesTellsSystemdAndStopsOnSigterm) {
  Child child = start();
  EXPECT_EQ(systemd.receive(), "READY=1\nSTATUS=");
  const std::string endpoint = endpoint_of(child);
  EXPECT_EQ(get(endpoint, "")["version"], "v5.0");
  const auto made = http::call(endpoint, "POST", "/midonet-api/bridges", {{"Content-Type", "application/json"}},
                               R"({"name": "net"})", 10s);
  ASSERT_TRUE(made);
  EXPECT_EQ(made->status, 201);
  ::kill(child.pid(), SIGTERM);
  EXPECT_EQ(systemd.receive(), "STOPPING=1");
  EXPECT_EQ(child.wait().status, 0);

  // The next one on the same store has what the first one answered for.
  Child next = start();
  EXPECT_EQ(get(endpoint_of(next), "/bridges").at(0)["name"], "net");
  ::kill(next.pid(), SIGINT);
  EXPECT_EQ(next.wait().status, 0);
}

TEST_F(MidonetApi, RefusesAnAddressThatOthersReachUnlessItIsToldTo) {
  const Ended refused = start({"--listen", "0.0.0.0:0"}).wait();
  EXPECT_EQ(refused.status, 2);
  EXPECT_THAT(refused.err, HasSubstr("say --allow-unauthenticated"));
  Child child = start({"--listen", "0.0.0.0:0", "--allow-unauthenticated"});
  EXPECT_EQ(systemd.receive(), "READY=1\nSTATUS=");
  ::kill(child.pid(), SIGTERM);
  EXPECT_EQ(child.wait().status, 0);
}

TEST_F(MidonetApi, SaysWhyItCannotStart) {
  Child first = start();
  const std::string endpoint = endpoint_of(first);

  const TemporaryDirectory elsewhere;
  const Ended taken = run({MIDONET_API, "--config", config, "--store", "embedded:" + elsewhere / "midonet.db",
                           "--listen", endpoint.substr(7)});
  EXPECT_EQ(taken.status, 1);
  EXPECT_THAT(taken.err, HasSubstr("EADDRINUSE"));

  const Ended unknown = run({MIDONET_API, "--config", config, "--store", "mysql:x"});
  EXPECT_EQ(unknown.status, 2);
  EXPECT_THAT(unknown.err, HasSubstr("mysql:x"));

  write_file(config, "lissen = 127.0.0.1:0\n");
  const Ended misspelt = start().wait();
  EXPECT_EQ(misspelt.status, 2);
  EXPECT_THAT(misspelt.err + misspelt.out, HasSubstr("lissen"));
}

}  // namespace
}  // namespace midonet::programs::midonet_api_test
