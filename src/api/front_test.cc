#include "api/front.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace midonet::api::front_test {
namespace {

using ::testing::HasSubstr;

http::Request request(http::Headers headers, std::string peer = "127.0.0.1:40000") {
  return {.method = "GET", .target = "/midonet-api", .headers = std::move(headers), .peer = std::move(peer)};
}

// The base URI as the client sees it, or the code of the refusal.
std::string base(const Front& front, http::Headers headers, std::string peer = "127.0.0.1:40000") {
  const auto visit = front.admit(request(std::move(headers), std::move(peer)));
  return visit ? visit->base_uri : std::string(name(visit.error().code));
}

bool admits(const FrontOptions& options, http::Headers headers) {
  const auto visit = Front::make(options)->admit(request(std::move(headers)));
  EXPECT_TRUE(visit || visit.error().code == Code::forbidden);
  return visit.has_value();
}

TEST(FrontHosts, ALoopbackServerAnswersToLoopbackNamesAlone) {
  const FrontOptions loopback{.loopback = true};
  for (const char* host : {"127.0.0.1:8181", "127.8.8.8", "localhost", "LocalHost:8181", "localhost.", "api.localhost",
                           "[::1]:8181", "[::ffff:127.0.0.1]", ""})
    EXPECT_TRUE(admits(loopback, {{"Host", host}})) << host;
  EXPECT_TRUE(admits(loopback, {}));  // HTTP/1.0
  for (const char* host : {"evil.example", "evil.example:8181", "localhost.evil.example", "127.0.0.1.evil.example",
                           "10.0.0.1", "[2001:db8::1]", "xlocalhost", "0.0.0.0"})
    EXPECT_FALSE(admits(loopback, {{"Host", host}})) << host;
}

TEST(FrontHosts, ConfiguredNamesAreAnsweredBesideLoopbackOnes) {
  const FrontOptions named{.loopback = true, .allowed_hosts = {"API.example.org"}};
  for (const char* host : {"api.example.org", "api.example.org:443", "localhost"})
    EXPECT_TRUE(admits(named, {{"Host", host}})) << host;
  EXPECT_FALSE(admits(named, {{"Host", "x.api.example.org"}}));
  EXPECT_TRUE(admits({.base_uri = "https://cloud.example/x", .loopback = true}, {{"Host", "cloud.example"}}));
}

TEST(FrontHosts, AServerThatAsksForALoginAnswersToEveryNameUntilItsNamesAreConfigured) {
  EXPECT_TRUE(admits({}, {{"Host", "any.example"}}));
  const FrontOptions named{.allowed_hosts = {"api.example.org"}};
  EXPECT_TRUE(admits(named, {{"Host", "api.example.org"}}));
  EXPECT_TRUE(admits(named, {{"Host", "10.0.0.1:8181"}}));  // no name of a DNS leads to an address in the Host header
  EXPECT_FALSE(admits(named, {{"Host", "evil.example"}}));
}

TEST(FrontHosts, WithoutLoginsNamesThatAPublicDnsMayHaveAreRefusedUntilTheyAreConfigured) {
  const FrontOptions open{.login = false, .machine = "ctl1.example.org"};
  for (const char* host : {"10.0.0.1:8181", "[2001:db8::1]", "controller:8181", "localhost", "CTL1.example.org", ""})
    EXPECT_TRUE(admits(open, {{"Host", host}})) << host;
  for (const char* host : {"evil.example", "ctl1.example.org.evil.example", "10.0.0.1.evil.example", "api.example.org"})
    EXPECT_FALSE(admits(open, {{"Host", host}})) << host;
  const FrontOptions named{.login = false, .machine = "ctl1.example.org", .allowed_hosts = {"api.example.org"}};
  EXPECT_TRUE(admits(named, {{"Host", "api.example.org"}}));
  EXPECT_FALSE(admits(named, {{"Host", "controller"}}));
}

TEST(FrontOrigins, APageOfAnotherSiteIsRefusedUnlessItsOriginIsConfigured) {
  const FrontOptions options{.loopback = true, .allowed_origins = {"https://ui.example.org"}};
  for (const char* origin : {"https://evil.example", "null", "", "http://ui.example.org", "https://ui.example.org:8443",
                             "https://ui.example.org.evil.example", "http://localhost:3000", "file://"})
    EXPECT_FALSE(admits(options, {{"Host", "localhost:8181"}, {"Origin", origin}})) << origin;
  const auto visit =
      Front::make(options)->admit(request({{"Host", "localhost:8181"}, {"Origin", "https://UI.example.org"}}));
  ASSERT_TRUE(visit);
  EXPECT_EQ(visit->foreign_origin, "https://UI.example.org");
}

TEST(FrontOrigins, ItsOwnPagesMayUseTheServer) {
  const FrontOptions options{.loopback = true};
  const auto own =
      Front::make(options)->admit(request({{"Host", "localhost:8181"}, {"Origin", "http://localhost:8181"}}));
  ASSERT_TRUE(own);
  EXPECT_FALSE(own->foreign_origin);
  // Behind a proxy that speaks TLS, which keeps the Host header or tells of it.
  EXPECT_TRUE(admits({}, {{"Host", "api.example.org"}, {"Origin", "https://api.example.org"}}));
  EXPECT_TRUE(admits(options, {{"Host", "127.0.0.1:8181"},
                               {"X-Forwarded-Proto", "https"},
                               {"X-Forwarded-Host", "api.example.org"},
                               {"Origin", "https://api.example.org"}}));
  EXPECT_TRUE(admits({.base_uri = "https://api.example.org/midonet-api", .loopback = true},
                     {{"Host", "127.0.0.1:8181"}, {"Origin", "https://api.example.org"}}));
}

TEST(FrontProxies, ShapeTheBaseUriTheCookieAndTheClient) {
  const Front trusting = *Front::make({});
  const http::Headers headers{{"Host", "127.0.0.1:8181"},
                              {"X-Forwarded-Proto", "https"},
                              {"X-Forwarded-Host", "api.example.org"},
                              {"X-Forwarded-Prefix", "/cloud/"},
                              {"X-Forwarded-For", "192.0.2.7"}};
  const auto visit = trusting.admit(request(headers));
  ASSERT_TRUE(visit);
  EXPECT_EQ(visit->base_uri, "https://api.example.org/cloud/midonet-api");
  EXPECT_EQ(visit->cookie_path, "/cloud/midonet-api");
  EXPECT_TRUE(visit->secure);
  EXPECT_EQ(visit->client, "192.0.2.7");
  const auto direct = trusting.admit(request({{"Host", "a:1"}}));
  EXPECT_EQ(direct->base_uri, "http://a:1/midonet-api");
  EXPECT_EQ(direct->cookie_path, "/midonet-api");
  EXPECT_FALSE(direct->secure);
  EXPECT_EQ(direct->client, "127.0.0.1");
}

TEST(FrontProxies, AreBelievedByTheirAddressAlone) {
  const Front front = *Front::make({.trusted_proxies = {"10.0.0.0/8", "2001:db8::/33"}});
  const http::Headers headers{{"Host", "a"}, {"X-Forwarded-Proto", "https"}};
  EXPECT_EQ(base(front, headers, "10.9.8.7:1"), "https://a/midonet-api");
  EXPECT_EQ(base(front, headers, "[::ffff:10.9.8.7]:1"), "https://a/midonet-api");
  EXPECT_EQ(base(front, headers, "[2001:db8:7fff::1]:1"), "https://a/midonet-api");
  for (const char* peer : {"127.0.0.1:1", "11.0.0.1:1", "[2001:db8:8000::1]:1", "unix"})
    EXPECT_EQ(base(front, headers, peer), "http://a/midonet-api") << peer;
  EXPECT_EQ(base(*Front::make({.trusted_proxies = {"none"}}), headers), "http://a/midonet-api");
}

TEST(FrontProxies, ForwardedSaysTheSame) {
  const Front front = *Front::make({});
  EXPECT_EQ(base(front,
                 {{"Host", "a"}, {"Forwarded", R"(for="[2001:db8::1]:4711";Proto=https;host="api.example.org:8443")"}}),
            "https://api.example.org:8443/midonet-api");
  const auto visit = front.admit(request({{"Host", "a"}, {"Forwarded", R"(for="[2001:db8::1]:4711")"}}));
  EXPECT_EQ(visit->client, "2001:db8::1");
}

TEST(FrontProxies, OfAChainAreBelievedAsFarAsItIsTrusted) {
  const Front front = *Front::make({.trusted_proxies = {"127.0.0.1", "10.0.0.1"}});
  // What the client says itself stands before what the first trusted proxy says.
  EXPECT_EQ(base(front,
                 {{"Host", "a"}, {"X-Forwarded-For", "6.6.6.6, 192.0.2.7"}, {"X-Forwarded-Host", "evil.example, api"}}),
            "http://api/midonet-api");
  EXPECT_EQ(base(front, {{"Host", "a"}, {"Forwarded", "for=6.6.6.6;host=evil.example, for=192.0.2.7;host=api"}}),
            "http://api/midonet-api");
  // Two trusted proxies: the first one speaks to the client.
  const auto visit = front.admit(request({{"Host", "a"},
                                          {"X-Forwarded-For", "6.6.6.6, 192.0.2.7, 10.0.0.1"},
                                          {"X-Forwarded-Proto", "https, http"},
                                          {"X-Forwarded-Host", "api.example.org"}}));
  EXPECT_EQ(visit->base_uri, "https://api.example.org/midonet-api");
  EXPECT_EQ(visit->client, "192.0.2.7");
}

TEST(FrontProxies, WhatIsIllFormedIsPassedOver) {
  const Front front = *Front::make({});
  for (const auto& [header, value] :
       std::vector<std::pair<std::string, std::string>>{{"X-Forwarded-Proto", "gopher"},
                                                        {"X-Forwarded-Host", "a/b"},
                                                        {"X-Forwarded-Host", "\"><script>"},
                                                        {"X-Forwarded-Prefix", "//evil.example"},
                                                        {"X-Forwarded-Prefix", "/a/../b"},
                                                        {"X-Forwarded-Prefix", "a"},
                                                        {"X-Forwarded-Prefix", "/a\"b"},
                                                        {"Forwarded", "host"},
                                                        {"Forwarded", ";;,,=;\""},
                                                        {"X-Forwarded-For", "unknown"}})
    EXPECT_EQ(base(front, {{"Host", "a"}, {header, value}}), "http://a/midonet-api") << header << ": " << value;
}

TEST(FrontOptions, OfAnotherFormAreRefusedByName) {
  const auto error = [](FrontOptions options) {
    const auto made = Front::make(std::move(options));
    return made ? std::string() : made.error().message;
  };
  EXPECT_THAT(error({.base_uri = "cloud/midonet-api"}), HasSubstr("'cloud/midonet-api'"));
  EXPECT_THAT(error({.allowed_hosts = {"a b"}}), HasSubstr("'a b'"));
  for (const char* origin : {"ui.example.org", "https://ui.example.org/", "*", "https://", "ftp://x"})
    EXPECT_THAT(error({.allowed_origins = {origin}}), HasSubstr("allowed origin")) << origin;
  for (const char* proxy : {"10.0.0.0/33", "10.0.0", "name", "", "10.0.0.0/", "10.0.0.0/8x"})
    EXPECT_THAT(error({.trusted_proxies = {proxy}}), HasSubstr("trusted proxy")) << proxy;
}

}  // namespace
}  // namespace midonet::api::front_test
