// One client may take a bounded share of a server; the rest is left for others.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <vector>

#include "http/raw_client.h"
#include "http/server.h"

namespace midonet::http::fairness_test {
namespace {

using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr std::size_t megabyte = 1024 * 1024;

Response text(std::string body) {
  Response response;
  response.headers.emplace("Content-Type", "text/plain");
  response.body = std::move(body);
  return response;
}

std::string get(const std::string& target, const std::string& more = "") {
  return "GET " + target + " HTTP/1.1\r\nHost: a\r\n" + more + "\r\n";
}
std::string put(std::size_t bytes, const std::string& more = "") {
  return "PUT /a HTTP/1.1\r\nHost: a\r\n" + more + "Content-Length: " + std::to_string(bytes) + "\r\n\r\n";
}

// Never ends, and says nothing.
struct Silence : BodySource {
  More take(std::size_t, std::string&) override { return More::later; }
  void on_more(std::function<void()>) override {}
};

struct HttpFairness : ::testing::Test {
  struct Held {
    Request request;
    Responder respond;
  };
  Loop loop;
  Registry registry;
  std::deque<Held> held;
  std::vector<std::string> order;  // of targets, as the handler sees them
  std::unique_ptr<Server> server;
  std::string address;

  void start(Limits limits, Server::Admit admit = {}) {
    server = std::make_unique<Server>(
        loop, registry, Server::Options{.access_log = false, .admit = std::move(admit), .limits = limits},
        [this](const Request& request, const Responder& respond) { answer(request, respond); });
    address = server->listen_tcp("127.0.0.1:0").value();
  }
  void answer(const Request& request, const Responder& respond) {
    order.push_back(request.target);
    if (request.path == "/hold") return held.push_back({request, respond}), void();
    if (request.path == "/large") return respond(text(std::string(8 * megabyte, 'x')));
    if (request.path == "/stream") {
      Response response = text("");
      response.source = std::make_shared<Silence>();
      return respond(std::move(response));
    }
    respond(text(request.method + " " + request.target));
  }
  std::unique_ptr<RawClient> client(const std::string& from = "", int buffer = 0) {
    return std::make_unique<RawClient>(loop, address, buffer, from);
  }
  bool run_until(const std::function<bool()>& done) { return loop.run_until(done, 10s); }
  void run_for(std::chrono::milliseconds time) {
    (void)loop.run_until([] { return false; }, time);
  }
  double metric(const std::string& line) {
    const std::string all = registry.text();
    const std::size_t at = all.find("\n" + line + " ");
    return at == std::string::npos ? 0 : std::stod(all.substr(at + line.size() + 2));
  }
  double open_connections() { return metric("midonet_http_connections{server=\"api\"}"); }
  double cut_off(const std::string& reason) {
    return metric("midonet_http_cut_off_total{reason=\"" + reason + "\",server=\"api\"}");
  }
};

TEST_F(HttpFairness, IdleConnectionsMakeRoomForNewOnesTheLongestUnservedFirst) {
  start({.connections = 3});
  const auto first = client(), second = client(), third = client();
  ASSERT_TRUE(run_until([&] { return open_connections() == 3; }));
  first->send(get("/a"));
  EXPECT_THAT(first->answers(1), EndsWith("GET /a"));
  const auto fourth = client();
  fourth->send(get("/b"));
  EXPECT_THAT(fourth->answers(1), EndsWith("GET /b"));
  EXPECT_TRUE(run_until([&] { return second->closed(); }));
  EXPECT_FALSE(first->closed());
  EXPECT_FALSE(third->closed());
  EXPECT_EQ(cut_off("connections"), 1);
}

TEST_F(HttpFairness, TheClientWithTheMostConnectionsMakesRoom) {
  start({.connections = 4});
  const auto good = client("127.0.0.2");
  ASSERT_TRUE(run_until([&] { return open_connections() == 1; }));
  std::vector<std::unique_ptr<RawClient>> many;
  for (int i = 0; i < 40; ++i) {
    many.push_back(client("127.0.0.3"));
    if (i % 2 == 0) many.back()->send("GET /slow HTT");
    run_for(1ms);
  }
  ASSERT_TRUE(run_until([&] { return cut_off("connections") == 37; }));
  EXPECT_FALSE(good->closed()) << "it has been idle the longest, and has but one";
  good->send(get("/a"));
  EXPECT_THAT(good->answers(1), EndsWith("GET /a"));
}

TEST_F(HttpFairness, AStreamMakesRoomWhenNothingElseCan) {
  start({.connections = 2});
  const auto stream = client(), works = client();
  stream->send(get("/stream"));
  works->send(get("/hold"));
  ASSERT_TRUE(run_until([&] { return held.size() == 1 && !stream->received().empty(); }));
  const auto next = client();
  next->send(get("/a"));
  EXPECT_THAT(next->answers(1), EndsWith("GET /a"));
  EXPECT_TRUE(stream->closed() || stream->was_reset());
  held[0].respond(text("done"));
  EXPECT_THAT(works->answers(1), EndsWith("done"));
}

TEST_F(HttpFairness, AClientThatPipelinesHasOthersBetweenItsRequests) {
  start({});
  const auto greedy = client(), good = client();
  ASSERT_TRUE(run_until([&] { return open_connections() == 2; }));
  std::string many;
  for (int i = 0; i < 200; ++i) many += get("/greedy");
  greedy->send(many);
  good->send(get("/good"));
  EXPECT_THAT(good->answers(1), EndsWith("GET /good"));
  EXPECT_LT(order.size(), 20u) << "the good one did not wait for the greedy one's 200";
  EXPECT_THAT(greedy->answers(200), EndsWith("GET /greedy"));
}

TEST_F(HttpFairness, OnlySoManyRequestsAreInProgressAndTheClientsTakeTurns) {
  start({.in_progress = 2});
  std::vector<std::unique_ptr<RawClient>> many;
  for (int i = 0; i < 10; ++i) {
    many.push_back(client("127.0.0.2"));
    many.back()->send(get("/hold?many"));
  }
  ASSERT_TRUE(run_until([&] { return metric("midonet_http_requests_in_flight{server=\"api\"}") == 10; }));
  const auto good = client("127.0.0.3");
  good->send(get("/a"));
  run_for(20ms);
  ASSERT_EQ(held.size(), 2u);
  EXPECT_EQ(good->received(), "");
  held[0].respond(text("x"));
  held[1].respond(text("x"));
  EXPECT_THAT(good->answers(1), EndsWith("GET /a"));
  EXPECT_LE(held.size(), 4u) << "before the other eight";
  EXPECT_EQ(metric("midonet_http_requests_queued_total{server=\"api\"}"), 9);
  for (std::size_t i = 2; i < 10; ++i) {
    ASSERT_TRUE(run_until([&] { return held.size() > i; }));
    held[i].respond(text("x"));
  }
  for (const auto& one : many) EXPECT_THAT(one->answers(1), EndsWith("x"));
}

TEST_F(HttpFairness, ARequestThatWaitsForAnEventHoldsUpNoOther) {
  start({.in_progress = 1});
  const auto waits = client(), next = client();
  waits->send(get("/hold"));
  ASSERT_TRUE(run_until([&] { return held.size() == 1; }));
  next->send(get("/a"));
  run_for(10ms);
  EXPECT_EQ(next->received(), "");
  held[0].request.work->waits();
  EXPECT_THAT(next->answers(1), EndsWith("GET /a"));
  held[0].respond(text("at last"));
  EXPECT_THAT(waits->answers(1), EndsWith("at last"));
}

TEST_F(HttpFairness, RequestsWhoseClientsHaveGoneAreNeverBegun) {
  start({.in_progress = 1});
  std::vector<std::unique_ptr<RawClient>> gone;
  for (int i = 0; i < 50; ++i) {
    gone.push_back(client());
    gone.back()->send(get("/hold"));
  }
  ASSERT_TRUE(run_until([&] { return metric("midonet_http_requests_in_flight{server=\"api\"}") == 50; }));
  EXPECT_TRUE(held.at(0).request.work->wanted());
  for (const auto& one : gone) one->reset();
  const auto good = client();
  good->send(get("/a"));
  ASSERT_TRUE(run_until([&] { return open_connections() == 1; }));
  EXPECT_FALSE(held.at(0).request.work->wanted());
  held[0].respond(text("too late"));
  EXPECT_THAT(good->answers(1), EndsWith("GET /a"));
  EXPECT_EQ(order, (std::vector<std::string>{"/hold", "/a"}));
}

TEST_F(HttpFairness, ARequestThatIsFollowedByAResetIsNeverBegun) {
  start({});
  for (int i = 0; i < 20; ++i) {
    const auto gone = client();
    gone->send(get("/gone") + get("/gone"));
    gone->reset();
  }
  const auto half = client();
  half->send(get("/a"));
  half->end_sending();
  EXPECT_THAT(half->everything(), EndsWith("GET /a")) << "it still reads";
  ASSERT_TRUE(run_until([&] { return open_connections() == 0; }));
  EXPECT_EQ(order, std::vector<std::string>{"/a"});
}

TEST_F(HttpFairness, SlowBodiesTakeNoMoreThanTheirShare) {
  start({.held_bytes = 8 * megabyte, .client_held_bytes = 2 * megabyte});
  std::vector<std::unique_ptr<RawClient>> slow;
  const std::string part(60'000, 'x');
  for (int i = 0; i < 60; ++i) {
    slow.push_back(client());
    slow.back()->send(put(megabyte) + part);
    run_for(1ms);
  }
  ASSERT_TRUE(run_until([&] { return cut_off("memory") >= 60 - 2 * megabyte / part.size() - 1; }));
  std::size_t refused = 0;
  for (const auto& one : slow)
    if (one->received().starts_with("HTTP/1.1 503 ")) ++refused;
  EXPECT_GT(refused, 10u);
  const auto good = client();
  good->send(put(100'000) + std::string(100'000, 'x'));
  EXPECT_THAT(good->answers(1), EndsWith("PUT /a")) << "the slowest make room, not those that come last";
}

TEST_F(HttpFairness, TheSharesOfAllHaveABound) {
  start({.held_bytes = 2 * megabyte, .client_held_bytes = 1 * megabyte});
  std::vector<std::unique_ptr<RawClient>> slow;
  for (int i = 0; i < 10; ++i) {
    slow.push_back(client("127.0.0." + std::to_string(10 + i)));
    for (int k = 0; k < 8; ++k) {
      (void)slow.back()->send_some((k == 0 ? put(megabyte) : "") + std::string(60'000, 'x'));
      run_for(1ms);
    }
  }
  EXPECT_TRUE(run_until([&] { return cut_off("memory") >= 4; }));
}

TEST_F(HttpFairness, ReadersThatDoNotReadAreCutOffWhenTheyHoldTooMuch) {
  start({.client_held_bytes = 20 * megabyte});
  std::vector<std::unique_ptr<RawClient>> slow;
  for (int i = 0; i < 5; ++i) {
    slow.push_back(client("", 4096));
    slow.back()->read_no_more();
    slow.back()->send(get("/large"));
  }
  ASSERT_TRUE(run_until([&] { return cut_off("memory") >= 2; }));
  ASSERT_TRUE(run_until([&] { return open_connections() <= 3; }));
  const auto good = client("127.0.0.2");
  good->send(get("/large"));
  EXPECT_GT(good->answers(1).size(), 8 * megabyte);
}

struct HttpAdmission : HttpFairness {
  Limits generous() const { return {}; }
  Server::Admit by_header() {
    return [this](const Request& request, const std::function<void(std::optional<Response>)>& done) {
      asked.push_back(request.target);
      EXPECT_TRUE(request.body.empty());
      EXPECT_EQ(request.client, "127.0.0.1");
      if (request.path == "/later") return waiting.push_back(done);
      if (request.header("x-token")) return done(std::nullopt);
      Response response = text("who are you?");
      response.status = 401;
      done(std::move(response));
    };
  }
  std::vector<std::string> asked;
  std::vector<std::function<void(std::optional<Response>)>> waiting;
};

TEST_F(HttpAdmission, ARefusedRequestIsNotHandedOnAndItsLongBodyIsNotRead) {
  start({}, by_header());
  const auto stranger = client();
  stranger->send(put(megabyte) + std::string(10'000, 'x'));
  EXPECT_THAT(stranger->everything(), AllOf(StartsWith("HTTP/1.1 401 "), HasSubstr("Connection: close\r\n")));
  EXPECT_TRUE(order.empty());
  const auto expects = client();
  expects->send(put(2, "Expect: 100-continue\r\n"));
  EXPECT_THAT(expects->everything(), AllOf(StartsWith("HTTP/1.1 401 "), Not(HasSubstr("100 Continue"))));
  const auto chunked = client();
  chunked->send("PUT /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2000\r\nabc");
  EXPECT_THAT(chunked->everything(), StartsWith("HTTP/1.1 401 "));
}

TEST_F(HttpAdmission, AShortBodyBehindARefusedRequestKeepsTheConnection) {
  start({}, by_header());
  const auto one = client();
  one->send(put(2) + "{}" + get("/a", "X-Token: x\r\n") + get("/b") + get("/c", "X-Token: x\r\n"));
  const std::string all = one->answers(4);
  EXPECT_THAT(all, StartsWith("HTTP/1.1 401 "));
  EXPECT_THAT(all, EndsWith("GET /c"));
  EXPECT_EQ(order, (std::vector<std::string>{"/a", "/c"}));
  EXPECT_EQ(asked, (std::vector<std::string>{"/a", "/a", "/b", "/c"}));
}

TEST_F(HttpAdmission, MayComeLaterAndTheBodyIsInvitedThenOnly) {
  start({}, by_header());
  const auto one = client();
  one->send("PUT /later HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  ASSERT_TRUE(run_until([&] { return waiting.size() == 1; }));
  run_for(20ms);
  EXPECT_EQ(one->received(), "");
  waiting[0](std::nullopt);
  ASSERT_TRUE(run_until([&] { return one->received() == "HTTP/1.1 100 Continue\r\n\r\n"; }));
  one->send("{}");
  EXPECT_THAT(one->answers(2), EndsWith("PUT /later"));

  const auto gone = client();
  gone->send(get("/later"));
  ASSERT_TRUE(run_until([&] { return waiting.size() == 2; }));
  gone->reset();
  ASSERT_TRUE(run_until([&] { return open_connections() == 1; }));
  waiting[1](std::nullopt);
  run_for(10ms);
  EXPECT_EQ(order, std::vector<std::string>{"/later"});
}

}  // namespace
}  // namespace midonet::http::fairness_test
