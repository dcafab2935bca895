#include "http/server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>
#include <vector>

#include "http/raw_client.h"

namespace midonet::http::server_test {
namespace {

using namespace std::chrono_literals;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

Response text(std::string body) {
  Response response;
  response.headers.emplace("Content-Type", "text/plain");
  response.body = std::move(body);
  return response;
}

std::string get(const std::string& target, const std::string& more = "") {
  return "GET " + target + " HTTP/1.1\r\nHost: a\r\n" + more + "\r\n";
}

// A server whose handler answers what it was asked, except on a few paths.
struct Fixture : ::testing::Test {
  Loop loop;
  Registry registry;
  std::vector<std::pair<std::string, Responder>> held;  // requests of /hold…, answered by the test
  std::vector<std::string> bodies;
  std::unique_ptr<Server> server;
  std::string address;

  void start(Limits limits = {}) {
    server = std::make_unique<Server>(loop, registry, Server::Options{.access_log = false, .limits = limits},
                                      [this](const Request& request, Responder respond) { answer(request, respond); });
    address = server->listen_tcp("127.0.0.1:0").value();
  }
  void answer(const Request& request, const Responder& respond) {
    bodies.push_back(request.body);
    if (request.path.rfind("/hold", 0) == 0) return held.emplace_back(request.path, respond), void();
    if (request.path == "/drop") return;
    if (request.path == "/throw") throw std::runtime_error("on purpose");
    if (request.path == "/large") return respond(text(std::string(8 * 1024 * 1024, 'x')));
    if (request.path == "/none") return respond({.status = 204, .headers = {}, .body = "never sent"});
    if (request.path == "/split") return respond({.headers = {{"Location", "/a\r\nEvil: 1"}}, .body = ""});
    respond(text(request.method + " " + request.target));
  }
  bool run_until(const std::function<bool()>& done) { return loop.run_until(done, 10s); }
  double metric(const std::string& line) {
    const std::string all = registry.text();
    const std::size_t at = all.find("\n" + line + " ");
    return at == std::string::npos ? -1 : std::stod(all.substr(at + line.size() + 2));
  }
  double open_connections() { return metric("midonet_http_connections{server=\"api\"}"); }
};

using HttpServer = Fixture;

TEST_F(HttpServer, AnswersOnAConnectionThatIsKept) {
  start();
  RawClient client(loop, address);
  for (int i = 0; i < 3; ++i) {
    client.send(get("/a?b=c"));
    EXPECT_EQ(masked(client.answers(1)),
              "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nDate: <date>\r\nContent-Length: 10\r\n\r\nGET /a?b=c");
  }
  EXPECT_FALSE(client.closed());
}

TEST_F(HttpServer, ClosesWhenTheClientAsksForIt) {
  start();
  RawClient client(loop, address);
  client.send(get("/a", "connection: close\r\n"));
  EXPECT_THAT(client.everything(), HasSubstr("\r\nConnection: close\r\n"));
  client.close();
  EXPECT_TRUE(run_until([&] { return open_connections() == 0; }));
}

TEST_F(HttpServer, ServesHttp10AndKeepsItsConnectionOnlyWhenAsked) {
  start();
  RawClient plain(loop, address);
  plain.send("GET /a HTTP/1.0\r\n\r\n");
  EXPECT_THAT(plain.everything(), HasSubstr("Connection: close\r\n"));
  RawClient kept(loop, address);
  kept.send("GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  EXPECT_THAT(kept.answers(1), HasSubstr("Connection: keep-alive\r\n"));
  kept.send("GET /b HTTP/1.0\r\n\r\n");
  EXPECT_THAT(kept.everything(), EndsWith("GET /b"));
}

TEST_F(HttpServer, PipelinedRequestsAreAnsweredInTheirOrder) {
  start({.pipelined = 4});
  RawClient client(loop, address);
  client.send(get("/hold1") + get("/quick") + get("/hold2") + get("/last"));
  ASSERT_TRUE(run_until([&] { return held.size() == 2; }));
  held[1].second(text("two"));
  EXPECT_FALSE(loop.run_until([&] { return !client.received().empty(); }, 50ms));
  held[0].second(text("one"));
  const std::string all = client.answers(4);
  const auto at = [&](const char* what) { return all.find(what); };
  EXPECT_LT(at("one"), at("GET /quick"));
  EXPECT_LT(at("GET /quick"), at("two"));
  EXPECT_LT(at("two"), at("GET /last"));
}

TEST_F(HttpServer, OnlySoManyPipelinedRequestsAreInProgress) {
  start({.pipelined = 3});
  RawClient client(loop, address);
  std::string many;
  for (int i = 0; i < 10; ++i) many += get("/hold" + std::to_string(i));
  client.send(many);
  ASSERT_TRUE(run_until([&] { return held.size() == 3; }));
  EXPECT_FALSE(loop.run_until([&] { return held.size() > 3; }, 50ms));
  for (std::size_t i = 0; i < 10; ++i) {
    ASSERT_TRUE(run_until([&] { return held.size() > i; }));
    EXPECT_EQ(held[i].first, "/hold" + std::to_string(i));
    held[i].second(text("x"));
  }
  EXPECT_THAT(client.answers(10), EndsWith("x"));
}

TEST_F(HttpServer, ThousandsOfPipelinedRequestsInOneBurstNeitherNestNorStarve) {
  start();
  RawClient client(loop, address);
  std::string many;
  for (int i = 0; i < 3000; ++i) many += get("/" + std::to_string(i));
  std::size_t sent = 0;
  ASSERT_TRUE(run_until([&] {
    sent += client.send_some(std::string_view(many).substr(sent));
    return sent == many.size();
  }));
  EXPECT_THAT(client.answers(3000), EndsWith("GET /2999"));
}

TEST_F(HttpServer, BytesThatTrickleInOneByOneMakeARequest) {
  start();
  RawClient client(loop, address);
  for (const char c : std::string("\r\nPOST /a HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\n{}")) {
    client.send(std::string_view(&c, 1));
    (void)loop.run_until([] { return false; }, 100us);
  }
  EXPECT_THAT(client.answers(1), EndsWith("POST /a"));
  EXPECT_EQ(bodies, std::vector<std::string>{"{}"});
}

TEST_F(HttpServer, ReadsChunkedBodiesAndForgetsTheirTrailers) {
  start();
  RawClient client(loop, address);
  client.send(
      "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nX-T: "
      "1\r\n\r\n" +
      get("/next"));
  EXPECT_THAT(client.answers(2), EndsWith("GET /next"));
  EXPECT_EQ(bodies[0], "abcde");
}

TEST_F(HttpServer, InvitesABodyThatWaitsFor100Continue) {
  start();
  RawClient client(loop, address);
  client.send("PUT /a HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  ASSERT_TRUE(run_until([&] { return client.received() == "HTTP/1.1 100 Continue\r\n\r\n"; }));
  client.send("{}");
  EXPECT_THAT(client.answers(2), EndsWith("PUT /a"));
}

TEST_F(HttpServer, RefusesABodyThatIsTooLongBeforeItIsInvited) {
  start();
  RawClient client(loop, address);
  client.send("PUT /a HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1048577\r\n\r\n");
  const std::string all = client.everything();
  EXPECT_THAT(all, StartsWith("HTTP/1.1 413 "));
  EXPECT_THAT(all, EndsWith("{\"message\":\"the body is longer than 1048576 bytes\",\"code\":413}"));
}

TEST_F(HttpServer, TheRefusalReachesAClientThatIsStillSending) {
  start({.body_bytes = 1000});
  RawClient client(loop, address);
  client.send("PUT /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
  const std::string chunk = "2000\r\n" + std::string(0x2000, 'x') + "\r\n";
  for (int i = 0; i < 20; ++i) {
    (void)client.send_some(chunk);
    (void)loop.run_until([] { return false; }, 1ms);
  }
  EXPECT_THAT(client.everything(), StartsWith("HTTP/1.1 413 "));
  EXPECT_FALSE(client.was_reset());
}

TEST_F(HttpServer, RefusesHeadersThatAreTooLong) {
  start();
  RawClient client(loop, address);
  client.send(get("/a", "X: " + std::string(20'000, 'x') + "\r\n"));
  EXPECT_THAT(client.everything(), StartsWith("HTTP/1.1 431 "));
  RawClient line(loop, address);
  line.send("GET /" + std::string(20'000, 'x'));
  EXPECT_THAT(line.everything(), StartsWith("HTTP/1.1 431 "));
}

TEST_F(HttpServer, RefusesWhatIsIllFormedAndHandsNothingToTheHandler) {
  start();
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"hello\r\n\r\n", "400"},
      {"GET /a\r\n\r\n", "400"},
      {"GET /a HTTP/1.1\r\n\r\n", "400"},  // no Host
      {"GET /a HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "400"},
      {"GET /a HTTP/1.1\r\nHost: a/b\r\n\r\n", "400"},
      {"GET /a HTTP/1.1\r\nHost : a\r\n\r\n", "400"},
      {"GET /a%2 HTTP/1.1\r\nHost: a\r\n\r\n", "400"},
      {"GET /a%zz HTTP/1.1\r\nHost: a\r\n\r\n", "400"},
      {"GET /a%00 HTTP/1.1\r\nHost: a\r\n\r\n", "400"},
      {"GET /a%ff HTTP/1.1\r\nHost: a\r\n\r\n", "400"},
      {"GET /a?x=%f HTTP/1.1\r\nHost: a\r\n\r\n", "400"},
      {"GET a HTTP/1.1\r\nHost: a\r\n\r\n", "400"},
      {"GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", "400"},
      {"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", "400"},
      {"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "400"},
      {"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400"},
      {"POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n\r\n", "400"},
      {"POST /a HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400"},
      {"POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", "501"},
      {"POST /a HTTP/1.1\r\nHost: a\r\nExpect: tea\r\nContent-Length: 1\r\n\r\nx", "417"},
      {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "505"},
      {"GET /a HTTP/3.0\r\nHost: a\r\n\r\n", "505"},
  };
  for (const auto& [bytes, status] : cases) {
    RawClient client(loop, address);
    client.send(bytes + get("/smuggled"));
    EXPECT_THAT(client.everything(), StartsWith("HTTP/1.1 " + status + " ")) << bytes;
    EXPECT_TRUE(bodies.empty()) << bytes;
  }
}

TEST_F(HttpServer, TheAbsoluteFormOfATargetIsUnderstood) {
  start();
  RawClient client(loop, address);
  client.send("GET http://other:1/a?b HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_THAT(client.answers(1), EndsWith("GET /a?b"));
}

TEST_F(HttpServer, HeadHasTheLengthOfTheBodyAndNoBody) {
  start();
  RawClient client(loop, address);
  client.send("HEAD /a HTTP/1.1\r\nHost: a\r\n\r\n" + get("/none"));
  ASSERT_TRUE(run_until([&] { return client.received().find("204 No Content") != std::string::npos; }));
  EXPECT_EQ(masked(client.received()),
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nDate: <date>\r\nContent-Length: 7\r\n\r\n"
            "HTTP/1.1 204 No Content\r\nDate: <date>\r\n\r\n");
}

TEST_F(HttpServer, AHeaderCannotSplitAnAnswer) {
  start();
  RawClient client(loop, address);
  client.send(get("/split"));
  EXPECT_THAT(client.answers(1), Not(HasSubstr("Evil")));
}

TEST_F(HttpServer, AHandlerThatDropsItsRequestOrThrowsAnswers500) {
  start();
  RawClient client(loop, address);
  client.send(get("/drop") + get("/throw") + get("/fine"));
  const std::string all = client.answers(3);
  EXPECT_THAT(all, StartsWith("HTTP/1.1 500 "));
  EXPECT_THAT(all, EndsWith("GET /fine"));
}

TEST_F(HttpServer, AHandlerThatDoesNotAnswerInTimeIsAnsweredFor) {
  start({.answer_time = 50ms});
  RawClient client(loop, address);
  client.send(get("/hold") + get("/fine"));
  const std::string all = client.answers(2);
  EXPECT_THAT(all, StartsWith("HTTP/1.1 503 "));
  EXPECT_THAT(all, HasSubstr("Retry-After: "));
  EXPECT_THAT(all, EndsWith("GET /fine"));
  held[0].second(text("late"));  // changes nothing
  client.send(get("/again"));
  EXPECT_THAT(client.answers(1), EndsWith("GET /again"));
}

TEST_F(HttpServer, ASlowHeaderOrBodyIsTimedOut) {
  start({.header_time = 50ms, .body_time = 50ms});
  RawClient header(loop, address);
  header.send("GET /a HTTP/1.1\r\nHo");
  EXPECT_THAT(header.everything(), StartsWith("HTTP/1.1 408 "));
  RawClient body(loop, address);
  body.send("PUT /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab");
  EXPECT_THAT(body.everything(), StartsWith("HTTP/1.1 408 "));
  EXPECT_TRUE(bodies.empty());
}

TEST_F(HttpServer, DrippingBytesDoesNotProlongTheTimeForAHeader) {
  start({.header_time = 100ms, .idle_time = 60s});
  RawClient client(loop, address);
  const auto begin = std::chrono::steady_clock::now();
  client.send("GET /a HTTP/1.1\r\n");
  while (!client.closed() && std::chrono::steady_clock::now() - begin < 5s) {
    (void)client.send_some("X");
    (void)loop.run_until([&] { return client.closed(); }, 20ms);
  }
  EXPECT_THAT(client.received(), StartsWith("HTTP/1.1 408 "));
}

TEST_F(HttpServer, AnIdleConnectionIsClosedWithoutAWord) {
  start({.idle_time = 50ms});
  RawClient fresh(loop, address);
  RawClient used(loop, address);
  used.send(get("/a"));
  EXPECT_THAT(used.answers(1), EndsWith("GET /a"));
  EXPECT_EQ(used.everything(), "");
  EXPECT_EQ(fresh.everything(), "");
}

TEST_F(HttpServer, TheIdleTimeDoesNotCutOffARequestThatWaits) {
  start({.header_time = 30ms, .body_time = 30ms, .idle_time = 30ms, .write_time = 30ms});
  RawClient client(loop, address);
  client.send(get("/hold"));
  EXPECT_FALSE(loop.run_until([&] { return client.closed(); }, 200ms));
  held.at(0).second(text("at last"));
  EXPECT_THAT(client.answers(1), EndsWith("at last"));
}

TEST_F(HttpServer, AClientThatDoesNotReadIsCutOff) {
  start({.write_time = 100ms});
  RawClient client(loop, address, 4096);
  client.read_no_more();
  client.send(get("/large"));
  ASSERT_TRUE(run_until([&] { return open_connections() == 1; }));
  EXPECT_TRUE(run_until([&] { return open_connections() == 0; }));
  EXPECT_EQ(metric("midonet_http_requests_in_flight{server=\"api\"}"), 0);
}

TEST_F(HttpServer, ASlowReaderThatMovesOnGetsItsWholeAnswer) {
  start();
  RawClient client(loop, address, 4096);
  client.read_no_more();
  client.send(get("/large"));
  ASSERT_TRUE(run_until([&] { return open_connections() == 1; }));
  EXPECT_FALSE(loop.run_until([&] { return open_connections() == 0; }, 50ms));
  client.read_again();
  EXPECT_GT(client.answers(1).size(), 8u * 1024 * 1024);
}

TEST_F(HttpServer, AClientThatGoesAwayWhileItWaitsIsNoticed) {
  start({.half_close_time = 50ms});
  RawClient reset(loop, address);
  RawClient left(loop, address);
  reset.send(get("/hold1"));
  left.send(get("/hold2"));
  ASSERT_TRUE(run_until([&] { return held.size() == 2; }));
  reset.reset();
  EXPECT_TRUE(run_until([&] { return open_connections() == 1; }));
  left.close();
  EXPECT_TRUE(run_until([&] { return open_connections() == 0; }));
  held[0].second(text("too late"));
  held[1].second(text("too late"));
  EXPECT_EQ(metric("midonet_http_requests_total{method=\"GET\",route=\"none\",server=\"api\",status=\"499\"}"), 2);
}

TEST_F(HttpServer, AClientThatEndsItsSendingStillGetsItsAnswers) {
  start();
  RawClient client(loop, address);
  client.send(get("/a") + get("/hold"));
  client.end_sending();
  ASSERT_TRUE(run_until([&] { return held.size() == 1; }));
  held[0].second(text("late"));
  const std::string all = client.everything();
  EXPECT_THAT(all, HasSubstr("GET /a"));
  EXPECT_THAT(all, EndsWith("late"));
}

TEST_F(HttpServer, AConnectionAboveTheLimitIsClosedWhenAllOthersAreBeingAnswered) {
  start({.connections = 2});
  RawClient a(loop, address);
  RawClient b(loop, address);
  a.send(get("/hold"));
  b.send(get("/hold"));
  ASSERT_TRUE(run_until([&] { return held.size() == 2; }));
  RawClient c(loop, address);
  EXPECT_EQ(c.everything(), "");
  held[0].second(text("a's"));
  EXPECT_THAT(a.answers(1), EndsWith("a's"));
  EXPECT_EQ(metric("midonet_http_connections_refused_total{reason=\"limit\",server=\"api\"}"), 1);
}

TEST_F(HttpServer, StopLetsRequestsInProgressFinishAndClosesTheRest) {
  start();
  RawClient idle(loop, address);
  RawClient busy(loop, address);
  RawClient halfway(loop, address);
  busy.send(get("/hold"));
  halfway.send("GET /half HTTP/1.1\r\n");
  ASSERT_TRUE(run_until([&] { return held.size() == 1 && open_connections() == 3; }));
  (void)loop.run_until([] { return false; }, 5ms);
  bool stopped = false;
  server->stop([&] { stopped = true; });
  EXPECT_EQ(idle.everything(), "");
  EXPECT_FALSE(loop.run_until([&] { return stopped; }, 20ms));
  halfway.send("Host: a\r\n\r\n");
  EXPECT_THAT(halfway.everything(), EndsWith("GET /half"));
  held[0].second(text("done"));
  const std::string last = busy.everything();
  EXPECT_THAT(last, HasSubstr("Connection: close\r\n"));
  EXPECT_THAT(last, EndsWith("done"));
  idle.close();
  busy.close();
  halfway.close();
  EXPECT_TRUE(run_until([&] { return stopped; }));
}

TEST_F(HttpServer, StopDoesNotWaitLongerThanItsTime) {
  start({.stop_time = 50ms});
  RawClient busy(loop, address);
  busy.send(get("/hold"));
  ASSERT_TRUE(run_until([&] { return held.size() == 1; }));
  bool stopped = false;
  server->stop([&] { stopped = true; });
  EXPECT_TRUE(run_until([&] { return stopped; }));
  EXPECT_EQ(busy.everything(), "");
}

TEST_F(HttpServer, AnAnswerAfterTheServerIsGoneIsHarmless) {
  start();
  RawClient client(loop, address);
  client.send(get("/hold"));
  ASSERT_TRUE(run_until([&] { return held.size() == 1; }));
  server.reset();
  held[0].second(text("late"));
  held.clear();
  EXPECT_EQ(client.everything(), "");
}

TEST_F(HttpServer, RequestsAreCountedByMethodRouteAndStatus) {
  start();
  RawClient client(loop, address);
  client.send(get("/a") + "BREW /a HTTP/1.1\r\nHost: a\r\n\r\n" + get("/a"));
  client.answers(3);
  EXPECT_EQ(metric("midonet_http_requests_total{method=\"GET\",route=\"none\",server=\"api\",status=\"200\"}"), 2);
  EXPECT_EQ(metric("midonet_http_requests_total{method=\"other\",route=\"none\",server=\"api\",status=\"200\"}"), 1);
  EXPECT_EQ(metric("midonet_http_request_seconds_count{method=\"GET\",route=\"none\",server=\"api\"}"), 2);
}

}  // namespace
}  // namespace midonet::http::server_test
