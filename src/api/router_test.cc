#include "api/router.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "api/login.h"
#include "base/loop.h"
#include "http/target.h"

namespace midonet::api::router_test {
namespace {

using ::testing::HasSubstr;

struct Fixture : ::testing::Test {
  Loop loop;
  std::unique_ptr<Router> router;
  std::vector<Call> calls;

  void SetUp() override { make({.base_uri = "", .authority = "127.0.0.1:8181"}); }
  void make(Router::Options options) {
    router = std::make_unique<Router>(std::move(options));
    const auto keep = [this](const Call& call, const Reply& reply) {
      calls.push_back(call);
      reply(ok("{}", call.media_type));
    };
    const std::string type = "application/vnd.org.midonet.Port-v3+json";
    router->add({.method = "GET", .path = root, .name = "a", .summary = "", .produces = {type}, .handler = keep});
    router->add({.method = "GET",
                 .path = root + "/ports/{id}",
                 .name = "b",
                 .summary = "",
                 .produces = {type},
                 .handler = keep});
    router->add({.method = "PUT",
                 .path = root + "/ports/{portId}",
                 .name = "c",
                 .summary = "",
                 .consumes = {type},
                 .handler = keep});
    router->add({.method = "DELETE", .path = root + "/ports/{id}", .name = "d", .summary = "", .handler = keep});
    router->add({.method = "GET",
                 .path = root + "/ports/{id}/table/{key}",
                 .name = "e",
                 .summary = "",
                 .produces = {type},
                 .handler = keep});
    router->add({.method = "GET", .path = root + "/ports/special", .name = "f", .summary = "", .handler = keep});
    add_login(*router, loop, open);
  }

  const std::unique_ptr<Authenticator> open = without_login();

  http::Response ask(const std::string& method, const std::string& target, http::Headers headers = {},
                     std::string body = "") {
    headers.emplace("host", "api:1");
    http::Request request{.method = method, .target = target, .headers = std::move(headers), .body = std::move(body)};
    if (auto parsed = http::parse_target(target)) {
      request.path = parsed->path;
      request.query = parsed->query;
    }
    std::optional<http::Response> got;
    router->handle(request, [&](http::Response response) {
      EXPECT_FALSE(got);
      got = std::move(response);
    });
    return got.value_or(http::Response{.status = 0});
  }
  static std::string header(const http::Response& response, const std::string& name) {
    const auto found = response.headers.find(name);
    return found == response.headers.end() ? "(none)" : found->second;
  }
};

using RouterTest = Fixture;

TEST_F(RouterTest, TheRootIsThereWithAndWithoutItsSlash) {
  EXPECT_EQ(ask("GET", "/midonet-api").status, 200);
  EXPECT_EQ(ask("GET", "/midonet-api/").status, 200);
  EXPECT_EQ(ask("GET", "/midonet-api//").status, 404);
  EXPECT_EQ(ask("GET", "/").status, 404);
  EXPECT_EQ(ask("GET", "/midonet-apix").status, 404);
}

TEST_F(RouterTest, ParametersComeDecodedAndLiteralsComeFirst) {
  EXPECT_EQ(ask("GET", "/midonet-api/ports/a%2Fb?x=1&x=2&y=%20").status, 200);
  EXPECT_EQ(calls.back().parameter("id"), "a/b");
  EXPECT_EQ(calls.back().query_parameter("x"), "1");
  EXPECT_EQ(calls.back().query_parameter("y"), " ");
  EXPECT_EQ(calls.back().query_parameter("z"), std::nullopt);
  EXPECT_EQ(ask("GET", "/midonet-api/ports/special").route, "/midonet-api/ports/special");
  EXPECT_TRUE(calls.back().parameters.empty());
  EXPECT_EQ(ask("GET", "/midonet-api/ports/special/table/k").status, 200);
  EXPECT_EQ(calls.back().parameter("id"), "special");
  EXPECT_EQ(calls.back().parameter("key"), "k");
  EXPECT_EQ(ask("PUT", "/midonet-api/ports/p").status, 200);
  EXPECT_EQ(calls.back().parameter("portId"), "p");
}

TEST_F(RouterTest, AnUnknownPathIs404WithAnErrorBody) {
  const http::Response response = ask("GET", "/midonet-api/nope/\xff\"");
  EXPECT_EQ(response.status, 400);  // not UTF-8
  const http::Response unknown = ask("GET", "/midonet-api/nope/\"x");
  EXPECT_EQ(unknown.status, 404);
  EXPECT_EQ(header(unknown, "content-type"), "application/vnd.org.midonet.Error-v1+json");
  EXPECT_EQ(unknown.body, R"({"message":"There is nothing at /midonet-api/nope/\"x.","code":404})");
  EXPECT_EQ(ask("GET", "/midonet-api/ports").status, 404);
  EXPECT_EQ(ask("GET", "/midonet-api/ports/").status, 404);
  EXPECT_TRUE(calls.empty());
}

TEST_F(RouterTest, AMethodThatAResourceLacksIs405AndSaysWhatItHas) {
  const http::Response response = ask("POST", "/midonet-api/ports/p");
  EXPECT_EQ(response.status, 405);
  EXPECT_EQ(header(response, "allow"), "DELETE, GET, HEAD, OPTIONS, PUT");
  EXPECT_EQ(ask("BREW", "/midonet-api/ports/p").status, 405);
  EXPECT_EQ(ask("BREW", "/midonet-api/nope").status, 404);
  EXPECT_TRUE(calls.empty());
}

TEST_F(RouterTest, HeadIsGetAndOptionsTellsTheMethods) {
  EXPECT_EQ(ask("HEAD", "/midonet-api/ports/p").status, 200);
  EXPECT_EQ(calls.back().method, "GET");
  const http::Response options = ask("OPTIONS", "/midonet-api/ports/p");
  EXPECT_EQ(options.status, 204);
  EXPECT_EQ(header(options, "allow"), "DELETE, GET, HEAD, OPTIONS, PUT");
  EXPECT_EQ(ask("OPTIONS", "*").status, 204);
  EXPECT_EQ(ask("GET", "*").status, 400);
}

TEST_F(RouterTest, AnAcceptThatCannotBeMetIs406UnlessThereIsNoBody) {
  EXPECT_EQ(ask("GET", "/midonet-api/ports/p", {{"accept", "text/html"}}).status, 406);
  EXPECT_TRUE(calls.empty());
  EXPECT_EQ(ask("DELETE", "/midonet-api/ports/p", {{"accept", "text/html"}}).status, 200);
  EXPECT_EQ(ask("GET", "/midonet-api/ports/p", {{"accept", "text/html"}, {"Accept", "application/json"}}).status, 200);
  EXPECT_EQ(calls.back().media_type, "application/json");
  EXPECT_EQ(header(ask("GET", "/midonet-api/ports/p"), "content-type"), "application/vnd.org.midonet.Port-v3+json");
}

TEST_F(RouterTest, AForeignContentTypeIs415OnlyWhereABodyIsRead) {
  EXPECT_EQ(ask("PUT", "/midonet-api/ports/p", {{"content-type", "text/xml"}}, "{}").status, 415);
  EXPECT_EQ(ask("PUT", "/midonet-api/ports/p", {{"content-encoding", "gzip"}}, "{}").status, 415);
  EXPECT_TRUE(calls.empty());
  EXPECT_EQ(ask("PUT", "/midonet-api/ports/p", {{"content-type", "application/json"}}, "{\"a\":1}").status, 200);
  EXPECT_EQ(calls.back().body, "{\"a\":1}");
  EXPECT_EQ(ask("GET", "/midonet-api/ports/p", {{"content-type", "text/xml"}}, "{}").status, 200);
  EXPECT_EQ(calls.back().body, "");
  EXPECT_EQ(ask("DELETE", "/midonet-api/ports/p", {{"content-type", "text/xml"}}, "{}").status, 200);
  EXPECT_EQ(calls.back().body, "");
}

TEST_F(RouterTest, UrisBeginWithTheHostThatWasAskedOrWithWhatIsConfigured) {
  ask("GET", "/midonet-api");
  EXPECT_EQ(calls.back().base_uri, "http://api:1/midonet-api");
  router->handle({.method = "GET", .target = "/midonet-api"}, [](http::Response) {});
  EXPECT_EQ(calls.back().base_uri, "http://127.0.0.1:8181/midonet-api");
  make({.base_uri = "https://cloud/midonet-api/", .authority = ""});
  ask("GET", "/midonet-api");
  EXPECT_EQ(calls.back().base_uri, "https://cloud/midonet-api");
}

TEST_F(RouterTest, ErrorsBecomeTheirStatusAndBody) {
  EXPECT_EQ(error_answer({.code = Code::conflict, .message = "m"}).body, R"({"message":"m","code":409})");
  EXPECT_EQ(error_answer({.code = Code::invalid, .message = "m", .property = "name"}).body,
            R"({"message":"m","code":400,"violations":[{"property":"name","message":"m"}]})");
  EXPECT_EQ(error_answer({.code = Code::invalid, .message = "m"}).body,
            R"({"message":"m","code":400,"violations":[]})");
  EXPECT_EQ(error_answer({.code = Code::unavailable, .message = "m"}).headers.count("Retry-After"), 1u);
  EXPECT_EQ(error_answer({.code = Code::unauthenticated, .message = "m"}).headers.count("WWW-Authenticate"), 1u);
  EXPECT_THAT(error_answer({.code = Code::internal, .message = "a\xff"}).body, HasSubstr("a\xef\xbf\xbd"));
  const std::vector<std::pair<Code, int>> all = {
      {Code::invalid, 400},  {Code::unauthenticated, 401}, {Code::forbidden, 403}, {Code::not_found, 404},
      {Code::conflict, 409}, {Code::unavailable, 503},     {Code::exhausted, 507}, {Code::internal, 500}};
  for (const auto& [code, status] : all) EXPECT_EQ(error_answer({.code = code, .message = ""}).status, status);
}

TEST_F(RouterTest, LoginGivesATokenInACookieForAnyWellFormedCredentials) {
  const http::Response good = ask("POST", "/midonet-api/login", {{"authorization", "Basic YWRtaW46cGFzcw=="}}, "{}");
  EXPECT_EQ(good.status, 200);
  EXPECT_EQ(header(good, "content-type"), "application/vnd.org.midonet.Token-v1+json");
  const std::string key = good.body.substr(8, 36);
  EXPECT_THAT(good.body, HasSubstr("{\"key\":\"" + key + "\",\"expires\":\""));
  EXPECT_THAT(header(good, "set-cookie"), HasSubstr("sessionId=" + key + ";"));
  for (const char* bad :
       {"Basic ", "Basic !!!!", "Basic YWRtaW4=", "Basic OnBhc3M=", "Basic YWRt=W4=", "Bearer x", ""}) {
    const http::Response response = ask("POST", "/midonet-api/login", {{"authorization", bad}});
    EXPECT_EQ(response.status, 401) << bad;
    EXPECT_EQ(header(response, "www-authenticate"), "Basic realm=\"midonet\"");
  }
  EXPECT_EQ(ask("POST", "/midonet-api/login").status, 401);
}

}  // namespace
}  // namespace midonet::api::router_test
