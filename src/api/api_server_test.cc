// The API as a client sees it: bytes over TCP. And the golden files of tests/wire/http, one exchange after the other:
//
//   # text        a comment
//   = 2           a new connection, from which two answers are read; "= end": all until the server closes
//   > line        sent, followed by CR LF; \xNN is a byte          >> text   sent as it is
//   < line        an answer's head, line by line                   << text   its body
//   ! open        the server keeps the connection                  ! closed  it has closed it
//
// What varies is masked: <date>, <uuid>, <time>. MIDONET_WRITE_GOLDEN=1 writes what came into the files, to be read before
// it is kept.
#include "api/api_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>

#include "base/json.h"
#include "http/raw_client.h"
#include "store/uri.h"

namespace midonet::api::api_server_test {
namespace {

using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

struct Fixture : ::testing::Test {
  Loop loop;
  Registry registry;
  std::unique_ptr<store::Store> store = store::open(loop, "embedded::memory:", {.patience = 1s}).value();

  std::unique_ptr<ApiServer> make(ApiServer::Options options) {
    return std::make_unique<ApiServer>(loop, *store, registry, std::move(options));
  }
};

using ApiServerTest = Fixture;

TEST_F(ApiServerTest, AnAddressThatIsNotLoopbackNeedsAnExplicitWord) {
  const auto refused = make({.listen = "0.0.0.0:0"})->start();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::invalid);
  EXPECT_THAT(refused.error().message, HasSubstr("--allow-unauthenticated"));
  EXPECT_FALSE(make({.listen = "[::]:0"})->start());
  EXPECT_TRUE(make({.listen = "0.0.0.0:0", .allow_unauthenticated = true})->start());
  EXPECT_FALSE(make({.listen = "127.0.0.1:0", .base_uri = "cloud/midonet-api"})->start());
}

TEST_F(ApiServerTest, UrisFollowTheConfiguredBase) {
  const auto api = make({.listen = "127.0.0.1:0", .base_uri = "https://cloud/midonet-api"});
  http::RawClient client(loop, api->start().value());
  client.send("GET /midonet-api HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_THAT(client.answers(1), HasSubstr("\"https://cloud/midonet-api/hosts\""));
}

TEST_F(ApiServerTest, MetricsCountRequestsByRoute) {
  const auto api = make({.listen = "127.0.0.1:0"});
  http::RawClient client(loop, api->start().value());
  const std::string id = "aa59815a-8c66-4c2f-9f5e-1b6b3f0f5e01";
  client.send("GET /midonet-api/ports/" + id + " HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_THAT(client.answers(1), StartsWith("HTTP/1.1 404 "));
  client.send("GET /metrics HTTP/1.1\r\nHost: localhost\r\nAccept: text/plain;version=0.0.4;q=0.5,*/*;q=0.1\r\n\r\n");
  const std::string metrics = client.answers(1);
  EXPECT_THAT(metrics, HasSubstr("Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"));
  EXPECT_THAT(metrics, HasSubstr("midonet_http_requests_total{method=\"GET\",route=\"/midonet-api/ports/{id}\","
                                 "server=\"api\",status=\"404\"} 1\n"));
}

TEST_F(ApiServerTest, ALoopbackAddressAnswersNeitherToOtherNamesNorToPagesOfOtherSites) {
  const auto api = make({.listen = "127.0.0.1:0", .allowed_origins = {"https://ui.example.org"}});
  const std::string address = api->start().value();
  const auto ask = [&](const std::string& method, const std::string& headers,
                       const std::string& path = "/midonet-api/bridges") {
    http::RawClient client(loop, address);
    client.send(method + " " + path + " HTTP/1.1\r\n" + headers + "Content-Length: 2\r\n\r\n{}");
    return client.answers(1);
  };
  const std::string evil = "Origin: https://evil.example\r\n";
  for (const char* path : {"/midonet-api/bridges", "/midonet-api/login", "/metrics", "/healthz", "/nowhere"}) {
    EXPECT_THAT(ask("GET", "Host: evil.example:8181\r\n", path), StartsWith("HTTP/1.1 403 ")) << path;
    EXPECT_THAT(ask("GET", "Host: " + address + "\r\n" + evil, path), StartsWith("HTTP/1.1 403 ")) << path;
  }
  const std::string refused = ask("POST", "Host: " + address + "\r\n" + evil);
  EXPECT_THAT(refused, StartsWith("HTTP/1.1 403 "));
  EXPECT_THAT(refused, HasSubstr("application/vnd.org.midonet.Error-v1+json"));
  EXPECT_THAT(refused, HasSubstr("allow-origin"));
  EXPECT_THAT(ask("OPTIONS", "Host: " + address + "\r\n" + evil + "Access-Control-Request-Method: POST\r\n"),
              StartsWith("HTTP/1.1 403 "));
  EXPECT_THAT(ask("GET", "Host: localhost\r\n"), HasSubstr("\r\n\r\n[]"));       // nothing was made
  EXPECT_THAT(ask("POST", "Host: localhost\r\n"), StartsWith("HTTP/1.1 201 "));  // as curl does it
}

TEST_F(ApiServerTest, AConfiguredSitesPagesMayUseIt) {
  const auto api = make({.listen = "127.0.0.1:0",
                         .allowed_origins = {"https://ui.example.org"},
                         .auth = {.kind = AuthOptions::Kind::keystone, .keystone_url = "http://127.0.0.1:1"}});
  const std::string address = api->start().value();
  http::RawClient client(loop, address);
  const std::string site = "Host: localhost\r\nOrigin: https://ui.example.org\r\n";
  client.send("OPTIONS /midonet-api/bridges HTTP/1.1\r\n" + site + "Access-Control-Request-Method: PUT\r\n\r\n");
  const std::string preflight = client.answers(1);
  EXPECT_THAT(preflight, StartsWith("HTTP/1.1 204 "));
  EXPECT_THAT(preflight, HasSubstr("Access-Control-Allow-Origin: https://ui.example.org\r\n"));
  EXPECT_THAT(preflight, HasSubstr("X-Auth-Token"));
  client.send("GET /midonet-api/bridges HTTP/1.1\r\n" + site + "\r\n");
  const std::string answer = client.answers(1);
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 401 "));
  EXPECT_THAT(answer,
              HasSubstr("Access-Control-Allow-Origin: https://ui.example.org\r\n"));  // so that the page can read it
}

TEST_F(ApiServerTest, TellsOfItsHealthAndReadinessToEverybody) {
  const auto api = make(
      {.listen = "127.0.0.1:0", .auth = {.kind = AuthOptions::Kind::keystone, .keystone_url = "http://127.0.0.1:1"}});
  http::RawClient client(loop, api->listen().value());
  const auto ask = [&](const std::string& path) {
    client.send("GET " + path + " HTTP/1.1\r\nHost: localhost\r\n\r\n");
    return client.answers(1);
  };
  EXPECT_THAT(ask("/healthz"), AllOf(StartsWith("HTTP/1.1 200 "), EndsWith(R"({"status":"ok"})")));
  const std::string waits = ask("/readyz");
  EXPECT_THAT(waits, StartsWith("HTTP/1.1 503 "));
  EXPECT_THAT(waits, HasSubstr("Retry-After: 1\r\n"));
  api->serve();
  EXPECT_THAT(ask("/readyz"), AllOf(StartsWith("HTTP/1.1 200 "), EndsWith(R"({"status":"ready"})")));
  EXPECT_THAT(ask("/midonet-api/system_state"), StartsWith("HTTP/1.1 401 "));
}

TEST_F(ApiServerTest, TellsTheSystemsStateBeforeTheStoreHasAnswered) {
  const auto api = make({.listen = "127.0.0.1:0"});
  http::RawClient client(loop, api->listen().value());
  client.send("GET /midonet-api/system_state HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_THAT(client.answers(1), StartsWith("HTTP/1.1 200 "));
  client.send("GET /midonet-api/bridges HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_THAT(client.answers(1), StartsWith("HTTP/1.1 503 "));
}

TEST_F(ApiServerTest, TheCookieIsForTheClientsUseOfThisServerAlone) {
  const auto api = make({.listen = "127.0.0.1:0"});
  http::RawClient client(loop, api->start().value());
  const auto login = [&](const std::string& headers) {
    client.send("GET /midonet-api/login HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic YTpi\r\n" + headers +
                "\r\n");
    return client.answers(1);
  };
  EXPECT_THAT(login(""), HasSubstr("; Path=/midonet-api; HttpOnly; SameSite=Strict\r\n"));
  EXPECT_THAT(login("X-Forwarded-Proto: https\r\nX-Forwarded-Prefix: /cloud\r\n"),
              HasSubstr("; Path=/cloud/midonet-api; HttpOnly; SameSite=Strict; Secure\r\n"));
  EXPECT_THAT(login(""), HasSubstr("Cache-Control: no-store\r\n"));
}

TEST_F(ApiServerTest, ListsAreCompressedForThoseWhoAskForIt) {
  const auto api = make({.listen = "127.0.0.1:0"});
  http::RawClient client(loop, api->start().value());
  const auto ask = [&](const std::string& headers) {
    client.send("GET /midonet-api/openapi.json HTTP/1.1\r\nHost: localhost\r\n" + headers + "\r\n");
    return client.answers(1);
  };
  const std::string plain = ask("");
  EXPECT_THAT(plain, Not(HasSubstr("Content-Encoding")));
  const std::string compressed = ask("Accept-Encoding: gzip, deflate\r\n");
  EXPECT_THAT(compressed, HasSubstr("Content-Encoding: gzip\r\n"));
  EXPECT_THAT(compressed, HasSubstr("Vary: Accept-Encoding\r\n"));
  EXPECT_LT(compressed.size() * 4, plain.size());
  EXPECT_THAT(ask("Accept-Encoding: gzip;q=0, *\r\n"), Not(HasSubstr("Content-Encoding")));
  client.send("GET /healthz HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: gzip\r\n\r\n");
  EXPECT_THAT(client.answers(1), Not(HasSubstr("Content-Encoding")));  // it is small
}

// What a chunked answer carries.
std::string dechunked(const std::string& answer) {
  std::string out;
  std::size_t at = answer.find("\r\n\r\n") + 4;
  for (;;) {
    const std::size_t size = std::stoul(answer.substr(at), nullptr, 16);
    if (size == 0) return out;
    at = answer.find("\r\n", at) + 2;
    out += answer.substr(at, size);
    at += size + 2;
  }
}

TEST_F(ApiServerTest, ALongListIsReadWhileItIsSentAndOnlyWhileSomebodyReads) {
  const auto api = make({.listen = "127.0.0.1:0"});
  const std::string address = api->start().value();
  http::RawClient client(loop, address);
  const auto post = [&](const std::string& path, const std::string& body) {
    client.send("POST /midonet-api" + path +
                " HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
    const std::string made = client.answers(1);
    const std::size_t id = made.find("/midonet-api" + path) + 13 + path.size();
    return made.substr(id, 36);
  };
  std::set<std::string> bridges;
  for (int i = 0; i < 300; ++i)
    bridges.insert(post("/bridges", "{\"name\": \"" + std::string(200, 'x') + "\", \"tenantId\": \"" +
                                        (i % 3 == 0 ? "third" : "other") + "\"}"));
  const auto list = [&](const std::string& query) {
    http::RawClient reader(loop, address);
    reader.send("GET /midonet-api/bridges" + query + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    EXPECT_TRUE(loop.run_until([&] { return reader.closed(); }, 30s));
    return reader.received();
  };
  const std::string whole = list("");
  EXPECT_THAT(whole, HasSubstr("Transfer-Encoding: chunked\r\n"));
  EXPECT_THAT(whole, HasSubstr("Content-Type: application/vnd.org.midonet.collection.Bridge-v4+json\r\n"));
  std::set<std::string> listed;
  const auto entities = nlohmann::json::parse(dechunked(whole));
  for (const auto& bridge : entities) listed.insert(bridge["id"].get<std::string>());
  EXPECT_EQ(entities.size(), 300u);
  EXPECT_EQ(listed, bridges);
  EXPECT_EQ(nlohmann::json::parse(dechunked(list("?tenant_id=third"))).size(), 100u);
  EXPECT_EQ(dechunked(list("?tenant_id=unknown")), "[]");

  // 300 entities and more are more than the sockets hold: the rest is not read from the store until a client reads.
  std::vector<std::unique_ptr<http::RawClient>> slow;
  for (int i = 0; i < 4; ++i) {
    slow.push_back(std::make_unique<http::RawClient>(loop, address, 4096));
    slow.back()->read_no_more();
    slow.back()->send("GET /midonet-api/bridges HTTP/1.1\r\nHost: localhost\r\n\r\n");
  }
  EXPECT_EQ(nlohmann::json::parse(dechunked(list(""))).size(), 300u) << "clients that do not read hold up no other";
  slow[0]->read_again();
  ASSERT_TRUE(loop.run_until([&] { return slow[0]->received().ends_with("\r\n0\r\n\r\n"); }, 30s));
  EXPECT_EQ(nlohmann::json::parse(dechunked(slow[0]->received())).size(), 300u);
}

TEST_F(ApiServerTest, StopAnswersWhatIsInProgress) {
  const auto api = make({.listen = "127.0.0.1:0"});
  http::RawClient client(loop, api->start().value());
  client.send("POST /midonet-api/bridges HTTP/1.1\r\nHost: localhost\r\nContent-Length: 12\r\n\r\n{\"name\":");
  const auto open = [this] {
    return registry.text().find("midonet_http_connections{server=\"api\"} 1\n") != std::string::npos;
  };
  ASSERT_TRUE(loop.run_until(open, 10s));
  EXPECT_FALSE(loop.run_until([&] { return client.closed(); }, 20ms));
  bool stopped = false;
  api->stop([&] { stopped = true; });
  client.send("\"b\"}");
  EXPECT_THAT(client.everything(), StartsWith("HTTP/1.1 201 "));
  client.close();
  EXPECT_TRUE(loop.run_until([&] { return stopped; }, 10s));
}

std::string unescaped(const std::string& text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text.compare(i, 2, "\\x") == 0 && i + 3 < text.size()) {
      out += static_cast<char>(std::stoi(text.substr(i + 2, 2), nullptr, 16));
      i += 3;
    } else {
      out += text[i];
    }
  }
  return out;
}

// Answers as the lines of a golden file.
std::string as_lines(std::string answers) {
  static const std::regex uuid("[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}");
  static const std::regex time("[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z");
  answers = std::regex_replace(http::masked(std::move(answers)), uuid, "<uuid>");
  answers = std::regex_replace(answers, time, "<time>");
  std::string out;
  bool head = true;
  for (std::size_t at = 0; at < answers.size();) {
    if (!head) {
      // A body has no line break of ours: it ends where the next answer begins.
      const std::size_t end = std::min(answers.find("HTTP/1.1 ", at), answers.size());
      if (end > at) out += "<< " + answers.substr(at, end - at) + "\n";
      at = end;
      head = true;
      continue;
    }
    const std::size_t end = std::min(answers.find("\r\n", at), answers.size());
    head = end != at;
    if (head) out += "< " + answers.substr(at, end - at) + "\n";
    at = end + 2;
  }
  return out;
}

std::string play(Loop& loop, const std::string& address, const std::string& script) {
  std::istringstream lines(script);
  std::string out, line, count, bytes;
  const auto finish = [&] {
    if (count.empty()) return;
    http::RawClient client(loop, address);
    client.send(bytes);
    out += as_lines(count == "end" ? client.everything() : client.answers(std::stoi(count)));
    out += loop.run_until([&] { return client.closed(); }, 20ms) ? "! closed\n" : "! open\n";
    EXPECT_EQ(client.received(), "");
    count.clear();
    bytes.clear();
  };
  while (std::getline(lines, line)) {
    if (line.starts_with('<') || line.starts_with('!')) continue;
    if (line.empty() || line.starts_with('#')) finish();
    if (line.starts_with("= ")) count = line.substr(2);
    if (line.starts_with(">> "))
      bytes += unescaped(line.substr(3));
    else if (line.starts_with('>'))
      bytes += unescaped(line.size() > 2 ? line.substr(2) : "") + "\r\n";
    out += line + "\n";
  }
  finish();
  return out;
}

TEST_F(ApiServerTest, GoldenExchangesAreAnsweredByteForByte) {
  const auto api = make({.listen = "127.0.0.1:0", .allowed_hosts = {"api", "a", "b", "elsewhere"}});
  const std::string address = api->start().value();
  int files = 0;
  for (const auto& file : std::filesystem::directory_iterator(MIDONET_GOLDEN_HTTP)) {
    std::stringstream script;
    script << std::ifstream(file.path()).rdbuf();
    const std::string played = play(loop, address, script.str());
    ++files;
    if (std::getenv("MIDONET_WRITE_GOLDEN") != nullptr) std::ofstream(file.path()) << played;
    EXPECT_EQ(played, script.str()) << file.path();
  }
  EXPECT_GE(files, 2);
}

}  // namespace
}  // namespace midonet::api::api_server_test
