#include "http/client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <fcntl.h>

#include <csignal>
#include <filesystem>

#include "base/loop.h"
#include "base/metrics.h"
#include "http/listener.h"
#include "http/server.h"

namespace midonet::http::client_test {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

// A process of its own that runs `body` until it returns or the test is over: the client under test blocks.
class Child {
 public:
  explicit Child(const std::function<void()>& body) : pid_(::fork()) {
    if (pid_ != 0) return;
    body();
    ::_exit(0);
  }
  ~Child() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

 private:
  pid_t pid_;
};

struct Listening {
  UniqueFd socket = listen_tcp_socket(Endpoint::parse("127.0.0.1:0").value()).value();
  std::string endpoint = "http://" + bound_endpoint(socket.get()).value().to_string();
};

// Accepts once, reads until the empty line, sends the bytes and closes.
void answer_once(int listener, const std::string& bytes) {
  ::fcntl(listener, F_SETFL, 0);
  const int fd = ::accept(listener, nullptr, nullptr);
  std::string got;
  char c = 0;
  while (!got.ends_with("\r\n\r\n") && ::recv(fd, &c, 1, 0) == 1) got += c;
  (void)::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  ::shutdown(fd, SHUT_WR);
  while (::recv(fd, &c, 1, 0) == 1) continue;
}

Result<Response> get(const std::string& endpoint, std::chrono::milliseconds deadline = 10s) {
  return call(endpoint, "GET", "/", {}, "", deadline);
}

void serve(const std::string& path, int ready) {
  Loop loop;
  Registry registry;
  Server server(loop, registry, {.access_log = false, .limits = {.body_bytes = 2'000'000}},
                [](const Request& request, const Responder& respond) {
                  if (request.path == "/large") return respond({.body = std::string(8 * 1024 * 1024, 'x')});
                  respond({.status = request.method == "DELETE" ? 204 : 200,
                           .headers = {{"X-Host", request.header("host").value_or("none")}},
                           .body = request.method + request.target + request.body});
                });
  if (!server.listen_unix(path) || ::write(ready, "x", 1) != 1) ::_exit(1);
  loop.run();
}

TEST(HttpClient, CallsAServerOnAUnixSocket) {
  const std::string path = "/tmp/midonet-http-client-" + std::to_string(::getpid()) + ".sock";
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  {
    const Child child([&] { serve(path, ready[1]); });
    char c = 0;
    ASSERT_EQ(::read(ready[0], &c, 1), 1);
    const std::string endpoint = "unix:" + path;
    const auto put = call(endpoint, "PUT", "/a?b", {{"Content-Type", "application/json"}}, "{}", 10s);
    ASSERT_TRUE(put) << put.error().message;
    EXPECT_EQ(put->body, "PUT/a?b{}");
    EXPECT_EQ(put->headers.find("x-host")->second, "localhost");
    EXPECT_EQ(call(endpoint, "DELETE", "/", {}, "", 10s)->status, 204);
    EXPECT_EQ(call(endpoint, "HEAD", "/", {}, "", 10s)->body, "");
    EXPECT_EQ(call(endpoint, "GET", "/large", {}, "", 10s)->body.size(), 8u * 1024 * 1024);
    EXPECT_EQ(call(endpoint, "POST", "/", {}, std::string(1'900'000, 'y'), 10s)->body.size(), 1'900'005u);
    EXPECT_EQ(call(endpoint, "POST", "/", {}, std::string(3'000'000, 'y'), 10s)->status, 413);
  }
  std::filesystem::remove(path);
  ::close(ready[0]);
  ::close(ready[1]);
}

TEST(HttpClient, InterimAnswersArePassedOverAndTheEndMayEndTheBody) {
  const Listening there;
  const Child child(
      [&] { answer_once(there.socket.get(), "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\nbody"); });
  const auto response = get(there.endpoint);
  ASSERT_TRUE(response) << response.error().message;
  EXPECT_EQ(response->body, "body");
}

TEST(HttpClient, ReadsChunkedAnswers) {
  const Listening there;
  const Child child([&] {
    answer_once(there.socket.get(),
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n");
  });
  EXPECT_EQ(get(there.endpoint)->body, "abcd");
}

TEST(HttpClient, AnAnswerThatIsCutOffOrNoHttpIsAnError) {
  for (const char* bytes :
       {"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab", "HTTP/1.1 200 OK\r\nContent-Le", "", "SSH-2.0\r\n"}) {
    const Listening there;
    const Child child([&] { answer_once(there.socket.get(), bytes); });
    const auto response = get(there.endpoint);
    ASSERT_FALSE(response) << bytes;
    EXPECT_EQ(response.error().code, Code::unavailable);
    EXPECT_THAT(response.error().message, HasSubstr(there.endpoint));
  }
}

TEST(HttpClient, ASilentServerIsGivenUpAtTheDeadline) {
  const Listening there;  // the backlog takes the connection; no process reads
  const auto begin = std::chrono::steady_clock::now();
  const auto response = get(there.endpoint, 100ms);
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().message, there.endpoint + ": no answer in time");
  const auto post = call(there.endpoint, "POST", "/", {}, std::string(50'000'000, 'x'), 100ms);
  ASSERT_FALSE(post);
  EXPECT_EQ(post.error().code, Code::unavailable);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 5s);
}

TEST(HttpClient, WhereNobodyListensTheMessageNamesTheEndpoint) {
  std::string endpoint;
  {
    const Listening gone;
    endpoint = gone.endpoint;
  }
  EXPECT_EQ(get(endpoint).error().message, endpoint + ": cannot connect: Connection refused");
  EXPECT_EQ(get("unix:/tmp/midonet-no-such.sock").error().code, Code::unavailable);
  for (const std::string wrong : {"gopher://x", "unix:", "http://"}) EXPECT_EQ(get(wrong).error().code, Code::invalid);
  EXPECT_EQ(get("unix:/" + std::string(107, 'x')).error().code, Code::invalid);
  EXPECT_EQ(call(endpoint, "GET", "/ HTTP/1.1\r\nX: y", {}, "", 1s).error().code, Code::invalid);
}

}  // namespace
}  // namespace midonet::http::client_test
