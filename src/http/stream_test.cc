// Answers whose bodies are made while they are sent.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "http/raw_client.h"
#include "http/server.h"

namespace midonet::http::stream_test {
namespace {

using namespace std::chrono_literals;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

// What a test says through it.
struct Told {
  std::string text{};
  bool plenty = false;  // there is always more
  bool endless = false;
  BodySource::More then = BodySource::More::later;
  std::function<void()> more{};
  std::size_t taken = 0;
  bool gone = false;

  void say(const std::string& words) {
    text += words;
    if (more) more();
  }
};

class Source final : public BodySource {
 public:
  explicit Source(Told& told) : told_(told) {}
  ~Source() override { told_.gone = true; }
  More take(std::size_t room, std::string& out) override {
    if (told_.plenty) told_.text.assign(room, 'x');
    told_.taken += told_.text.size();
    out += std::exchange(told_.text, {});
    return told_.then;
  }
  void on_more(std::function<void()> more) override { told_.more = std::move(more); }
  bool endless() const override { return told_.endless; }

 private:
  Told& told_;
};

struct HttpStream : ::testing::Test {
  void start(Limits limits = {}) {
    server = std::make_unique<Server>(loop, registry, Server::Options{.access_log = false, .limits = limits},
                                      [this](const Request& request, const Responder& respond) {
                                        if (request.path == "/stream")
                                          respond({.route = "/stream", .source = std::make_shared<Source>(told)});
                                        else
                                          respond({.body = request.path});
                                      });
    address = server->listen_tcp("127.0.0.1:0").value();
  }
  bool run_until(const std::function<bool()>& done) { return loop.run_until(done, 60s); }
  bool receives(const RawClient& client, const std::string& end) {
    return run_until([&] { return client.received().ends_with(end); });
  }

  Loop loop;
  Registry registry;
  Told told;
  std::unique_ptr<Server> server;
  std::string address;
};

TEST_F(HttpStream, EachPartIsAChunkAndTheConnectionLivesOn) {
  start();
  RawClient client(loop, address);
  client.send("GET /stream HTTP/1.1\r\nHost: a\r\n\r\nGET /next HTTP/1.1\r\nHost: a\r\n\r\n");
  ASSERT_TRUE(receives(client, "\r\n\r\n"));
  EXPECT_THAT(client.received(), HasSubstr("Transfer-Encoding: chunked\r\n"));
  EXPECT_THAT(client.received(), Not(HasSubstr("Content-Length")));
  told.say("hello");
  ASSERT_TRUE(receives(client, "\r\n\r\n5\r\nhello\r\n"));
  told.say("a ");
  told.say("longer word");
  ASSERT_TRUE(receives(client, "\r\n5\r\nhello\r\nd\r\na longer word\r\n"));
  told.then = BodySource::More::end;
  told.say("");
  ASSERT_TRUE(receives(client, "/next"));
  EXPECT_THAT(client.received(), HasSubstr("\r\nd\r\na longer word\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n"));
  EXPECT_TRUE(told.gone);
  EXPECT_FALSE(client.closed());
}

TEST_F(HttpStream, AClientOfHttp10GetsItUntilTheEndOfTheConnection) {
  start();
  RawClient client(loop, address);
  client.send("GET /stream HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  told.say("hello");
  ASSERT_TRUE(receives(client, "\r\n\r\nhello"));
  EXPECT_THAT(client.received(), Not(HasSubstr("chunked")));
  told.then = BodySource::More::end;
  told.say(" world");
  EXPECT_THAT(client.everything(), EndsWith("\r\n\r\nhello world"));
  EXPECT_FALSE(client.was_reset());
}

TEST_F(HttpStream, HeadHasNoBodyAndNoSource) {
  start();
  RawClient client(loop, address);
  client.send("HEAD /stream HTTP/1.1\r\nHost: a\r\n\r\n");
  ASSERT_TRUE(receives(client, "\r\n\r\n"));
  EXPECT_TRUE(told.gone);
  client.send("GET /next HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_TRUE(receives(client, "/next"));
}

TEST_F(HttpStream, ASlowClientHoldsUpItsSourceAndNoMemory) {
  start({.write_time = 300ms});
  told.plenty = true;
  RawClient client(loop, address, 4096);
  client.read_no_more();
  client.send("GET /stream HTTP/1.1\r\nHost: a\r\n\r\n");
  // It is cut off once it has taken nothing for `write_time`; until then the kernel's buffers are all that was filled.
  ASSERT_TRUE(run_until([&] { return told.gone; }));
  EXPECT_LT(told.taken, 32U * 1024 * 1024);
  EXPECT_THAT(registry.text(), HasSubstr("route=\"/stream\",server=\"api\",status=\"499\""));
}

TEST_F(HttpStream, ASourceMayBreakOffSoThatNobodyTakesItForAll) {
  start();
  RawClient client(loop, address);
  client.send("GET /stream HTTP/1.1\r\nHost: a\r\n\r\n");
  ASSERT_TRUE(receives(client, "\r\n\r\n"));
  told.then = BodySource::More::cut_off;
  told.say("half");
  EXPECT_THAT(client.everything(), Not(EndsWith("0\r\n\r\n")));
  EXPECT_TRUE(told.gone);
}

TEST_F(HttpStream, AClientThatGoesTakesItsSourceAlong) {
  start();
  RawClient client(loop, address);
  client.send("GET /stream HTTP/1.1\r\nHost: a\r\n\r\n");
  ASSERT_TRUE(receives(client, "\r\n\r\n"));
  client.reset();
  EXPECT_TRUE(run_until([&] { return told.gone; }));
}

TEST_F(HttpStream, TheServersStopEndsAnEndlessOneInGoodOrder) {
  start();
  told.endless = true;
  RawClient client(loop, address);
  client.send("GET /stream HTTP/1.1\r\nHost: a\r\n\r\n");
  told.say("hello");
  ASSERT_TRUE(receives(client, "hello\r\n"));
  bool stopped = false;
  server->stop([&] { stopped = true; });
  EXPECT_THAT(client.everything(), EndsWith("5\r\nhello\r\n0\r\n\r\n"));
  client.close();
  EXPECT_TRUE(run_until([&] { return stopped; }));
}

TEST_F(HttpStream, TheServersStopLetsABodyComeToItsEnd) {
  start();
  RawClient client(loop, address);
  client.send("GET /stream HTTP/1.1\r\nHost: a\r\n\r\n");
  told.say("[1");
  ASSERT_TRUE(receives(client, "[1\r\n"));
  bool stopped = false;
  server->stop([&] { stopped = true; });
  told.say(",2");
  ASSERT_TRUE(receives(client, ",2\r\n"));
  EXPECT_FALSE(stopped);
  told.then = BodySource::More::end;
  told.say("]");
  EXPECT_THAT(client.everything(), EndsWith("2\r\n[1\r\n2\r\n,2\r\n1\r\n]\r\n0\r\n\r\n"));
  client.close();
  EXPECT_TRUE(run_until([&] { return stopped; }));
}

TEST_F(HttpStream, ABodyThatAStopCutsOffDoesNotLookComplete) {
  start({.stop_time = 50ms});
  RawClient client(loop, address);
  client.send("GET /stream HTTP/1.1\r\nHost: a\r\n\r\n");
  told.say("[1");
  ASSERT_TRUE(receives(client, "[1\r\n"));
  bool stopped = false;
  server->stop([&] { stopped = true; });
  EXPECT_THAT(client.everything(), EndsWith("2\r\n[1\r\n"));
  EXPECT_TRUE(run_until([&] { return stopped; }));
}

TEST_F(HttpStream, ABodyOfHttp10ThatIsCutOffEndsWithAReset) {
  start({.stop_time = 50ms});
  RawClient client(loop, address);
  client.send("GET /stream HTTP/1.0\r\n\r\n");
  told.say("[1");
  ASSERT_TRUE(receives(client, "\r\n\r\n[1"));
  server->stop([] {});
  ASSERT_TRUE(run_until([&] { return client.closed(); }));
  EXPECT_TRUE(client.was_reset());
}

TEST_F(HttpStream, TheServersEndTakesTheSourceAlong) {
  start();
  RawClient client(loop, address);
  client.send("GET /stream HTTP/1.1\r\nHost: a\r\n\r\n");
  ASSERT_TRUE(receives(client, "\r\n\r\n"));
  server.reset();
  EXPECT_TRUE(told.gone);
}

}  // namespace
}  // namespace midonet::http::stream_test
