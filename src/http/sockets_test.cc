// The server and the operating system: unix sockets, thousands of connections, running out of descriptors.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <filesystem>
#include <fstream>

#include "http/listener.h"
#include "http/raw_client.h"
#include "http/server.h"

namespace midonet::http::sockets_test {
namespace {

using namespace std::chrono_literals;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

const std::string request = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

struct TemporaryFolder {
  TemporaryFolder() {
    char name[] = "/tmp/midonet-http-XXXXXX";
    path = ::mkdtemp(name);
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path); }
  std::string path;
};

struct Fixture : ::testing::Test {
  Loop loop;
  Registry registry;
  TemporaryFolder folder;
  std::string path = folder.path + "/s.sock";

  std::unique_ptr<Server> make(Limits limits = {}) {
    return std::make_unique<Server>(
        loop, registry, Server::Options{.access_log = false, .limits = limits},
        [](const Request& asked, const Responder& respond) { respond({.body = "hello " + asked.peer}); });
  }
};

using HttpSockets = Fixture;

TEST_F(HttpSockets, AUnixSocketHasItsModeAndGoesAwayWithTheServer) {
  auto server = make();
  ASSERT_TRUE(server->listen_unix(path, 0640));
  struct stat status {};
  ASSERT_EQ(::lstat(path.c_str(), &status), 0);
  EXPECT_TRUE(S_ISSOCK(status.st_mode));
  EXPECT_EQ(status.st_mode & 0777, 0640u);
  RawClient client(loop, "unix:" + path);
  client.send(request);
  EXPECT_THAT(client.answers(1), EndsWith("hello unix"));
  server.reset();
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST_F(HttpSockets, AStaleSocketIsReplacedALiveOneIsNot) {
  {
    const UniqueFd stale(::socket(AF_UNIX, SOCK_STREAM, 0));
    sockaddr_un un{};
    un.sun_family = AF_UNIX;
    path.copy(un.sun_path, sizeof un.sun_path - 1);
    ASSERT_EQ(::bind(stale.get(), reinterpret_cast<sockaddr*>(&un), sizeof un), 0);
  }
  ASSERT_TRUE(std::filesystem::exists(path));
  auto first = make();
  ASSERT_TRUE(first->listen_unix(path));
  auto second = make();
  const Status refused = second->listen_unix(path);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::conflict);
  EXPECT_THAT(refused.error().message, HasSubstr("another process listens there"));
  second.reset();
  EXPECT_TRUE(std::filesystem::exists(path));
}

TEST_F(HttpSockets, AFileThatIsNoSocketIsLeftAlone) {
  std::ofstream(path) << "precious";
  auto server = make();
  const Status refused = server->listen_unix(path);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::conflict);
  EXPECT_EQ(std::filesystem::file_size(path), 8u);
  EXPECT_EQ(make()->listen_unix(folder.path + "/" + std::string(200, 'x')).error().code, Code::invalid);
  EXPECT_EQ(make()->listen_unix(folder.path + "/absent/s.sock").error().code, Code::not_found);
}

TEST_F(HttpSockets, AServerDoesNotRemoveTheSocketOfItsSuccessor) {
  auto first = make();
  ASSERT_TRUE(first->listen_unix(path));
  std::filesystem::remove(path);
  auto second = make();
  ASSERT_TRUE(second->listen_unix(path));
  first.reset();
  EXPECT_TRUE(std::filesystem::exists(path));
}

TEST_F(HttpSockets, AnAddressInUseOrIllFormedIsAClearError) {
  auto server = make();
  const std::string address = server->listen_tcp("127.0.0.1:0").value();
  const auto taken = make()->listen_tcp(address);
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error().code, Code::conflict);
  EXPECT_EQ(taken.error().message, "listen on " + address + ": Address already in use (EADDRINUSE)");
  EXPECT_EQ(make()->listen_tcp("nonsense").error().code, Code::invalid);
}

TEST_F(HttpSockets, ServesThousandsOfConnectionsAtOnce) {
  constexpr std::size_t count = 2500;
  rlimit limit{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
  limit.rlim_cur = limit.rlim_max;
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &limit), 0);
  if (limit.rlim_max < 2 * count + 100) GTEST_SKIP() << "RLIMIT_NOFILE is " << limit.rlim_max;
  auto server = make();
  const std::string address = server->listen_tcp("127.0.0.1:0").value();
  std::vector<std::unique_ptr<RawClient>> clients;
  for (std::size_t i = 0; i < count; ++i) {
    clients.push_back(std::make_unique<RawClient>(loop, address));
    if (i % 500 == 499) {  // before the backlog is full
      ASSERT_TRUE(loop.run_until(
          [&] {
            return registry.text().find(fmt::format("midonet_http_connections{{server=\"api\"}} {}\n", i + 1)) !=
                   std::string::npos;
          },
          20s));
    }
  }
  for (int round = 0; round < 2; ++round) {
    for (const auto& client : clients) client->send(request);
    for (const auto& client : clients) ASSERT_THAT(client->answers(1), StartsWith("HTTP/1.1 200 "));
  }
  bool stopped = false;
  server->stop([&] { stopped = true; });
  EXPECT_TRUE(loop.run_until([&] { return stopped; }, 10s));
}

TEST_F(HttpSockets, OutOfDescriptorsItWaitsWithoutSpinningAndGoesOnWhenThereAreSome) {
  auto server = make();
  const std::string address = server->listen_tcp("127.0.0.1:0").value();
  // UBSan opens a pipe when it meets a class for the first time.
  const Timer soon = loop.after(1ms, [] {});
  EXPECT_TRUE(loop.run_until([&] { return !soon.armed(); }, 5s));
  RawClient client(loop, address);
  client.send(request);
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  // The lowest limit under which nothing more can be opened: the next free descriptor.
  const UniqueFd next(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  rlimit none = before;
  none.rlim_cur = static_cast<rlim_t>(next.get());
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  rusage used{};
  ::getrusage(RUSAGE_SELF, &used);
  const auto cpu = [](const rusage& r) {
    return (r.ru_utime.tv_sec + r.ru_stime.tv_sec) * 1'000'000 + r.ru_utime.tv_usec + r.ru_stime.tv_usec;
  };
  const auto begin = cpu(used);
  const bool answered = loop.run_until([&] { return !client.received().empty(); }, 300ms);
  ::getrusage(RUSAGE_SELF, &used);
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  EXPECT_FALSE(answered);
  EXPECT_LT(cpu(used) - begin, 100'000);  // microseconds of 300'000
  EXPECT_THAT(client.answers(1), StartsWith("HTTP/1.1 200 "));
}

}  // namespace
}  // namespace midonet::http::sockets_test
