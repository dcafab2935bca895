// Login and tokens: users of a file, and Keystone's, which is played by a server of this test (tests/openstack asks a real one).
#include <crypt.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "api/api_server.h"
#include "api/keystone_answer.h"
#include "api/token.h"
#include "base/json.h"
#include "http/client.h"
#include "http/raw_client.h"
#include "store/embedded_store.h"
#include "store/layout.h"
#include "store/uri.h"

namespace midonet::api::auth_test {
namespace {

using nlohmann::json;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;
using namespace std::chrono_literals;
using SystemClock = std::chrono::system_clock;

const std::string credentials = "YWxpY2U6c2VjcmV0";        // alice:secret
const std::string wrong_credentials = "YWxpY2U6c2VjcmVU";  // alice:secreT
const std::string stranger = "Ym9iOnNlY3JldA==";           // bob:secret

struct Auth : ::testing::Test {
  Auth() {
    std::optional<Status> layout;
    store::ensure_layout(*store, [&](Status made) { layout = std::move(made); });
    EXPECT_TRUE(loop.run_until([&] { return layout.has_value(); }, 60s));
  }

  std::unique_ptr<ApiServer> make(AuthOptions auth, const std::string& listen = "127.0.0.1:0") {
    return std::make_unique<ApiServer>(loop, *store, registry, ApiServer::Options{.listen = listen, .auth = auth});
  }
  void serve(AuthOptions auth) {
    api = make(std::move(auth));
    const auto bound = api->start();
    ASSERT_TRUE(bound) << bound.error().message;
    address = *bound;
  }
  std::string send(const std::string& method, const std::string& path, const std::string& headers,
                   const std::string& at = "") {
    http::RawClient client(loop, at.empty() ? address : at);
    client.send(method + " /midonet-api" + path + " HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n" + headers +
                "\r\n{}");
    std::string answer;
    EXPECT_TRUE(loop.run_until([&] { return client.received().find("\r\n\r\n") != std::string::npos; }, 60s));
    return client.answers(1);
  }
  int status(const std::string& method, const std::string& path, const std::string& headers,
             const std::string& at = "") {
    return std::stoi(send(method, path, headers, at).substr(9, 3));
  }
  std::string login(const std::string& basic, const std::string& more = "") {
    return send("POST", "/login", "Authorization: Basic " + basic + "\r\n" + more);
  }
  static std::string token_of_cookie(const std::string& answer) {
    const std::string name = "Set-Cookie: sessionId=";
    const std::size_t at = answer.find(name);
    if (at == std::string::npos) return "";
    return answer.substr(at + name.size(), answer.find(';', at) - at - name.size());
  }

  Loop loop;
  Registry registry;
  std::shared_ptr<store::EmbeddedDatabase> database = *store::EmbeddedDatabase::open(loop, ":memory:", 0ms);
  std::unique_ptr<store::Store> store = database->session();
  std::unique_ptr<ApiServer> api;
  std::string address;
};

struct UsersOfAFile : Auth {
  UsersOfAFile() { write("alice", "secret"); }
  ~UsersOfAFile() override { ::unlink(file.c_str()); }

  static std::string hash(const std::string& password) {
    const std::string salt = ::crypt_gensalt("$y$", 1, nullptr, 0);
    return ::crypt(password.c_str(), salt.c_str());
  }
  void write(const std::string& name, const std::string& password, mode_t mode = 0600) {
    const std::string next = file + ".next";
    std::ofstream(next) << "# users\n\n" << name << ":" << hash(password) << "\n";
    ::chmod(next.c_str(), mode);
    ::rename(next.c_str(), file.c_str());
  }
  AuthOptions users() const { return {.kind = AuthOptions::Kind::users, .users_file = file}; }

  const std::string file = ::testing::TempDir() + "midonet-users-" + std::to_string(::getpid());
};

TEST_F(UsersOfAFile, LogInAndThenShowTheirToken) {
  serve(users());
  EXPECT_EQ(status("GET", "/bridges", ""), 401);
  const std::string answer = login(credentials);
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(answer, HasSubstr("Content-Type: application/vnd.org.midonet.Token-v1+json\r\n"));
  const std::string token = token_of_cookie(answer);
  EXPECT_THAT(answer, HasSubstr(R"({"key":")" + token + R"(","expires":")"));
  EXPECT_EQ(status("GET", "/bridges", "X-Auth-Token: " + token + "\r\n"), 200);
  EXPECT_EQ(status("GET", "/bridges", "cookie: a=b; sessionId=" + token + "; c=d\r\n"), 200);
  EXPECT_EQ(status("POST", "/bridges", "x-auth-token: " + token + "\r\nContent-Type: application/json\r\n"), 201);
}

TEST_F(UsersOfAFile, AreRefusedWithoutSayingMore) {
  serve(users());
  ASSERT_THAT(login(credentials), StartsWith("HTTP/1.1 200 "));
  const std::string refused = login(wrong_credentials);
  EXPECT_THAT(refused, StartsWith("HTTP/1.1 401 "));
  EXPECT_THAT(refused, HasSubstr("WWW-Authenticate: Basic "));
  const auto body = [](const std::string& answer) { return answer.substr(answer.find("\r\n\r\n")); };
  EXPECT_EQ(body(login(stranger)), body(refused));
  for (const char* header : {"", "Authorization: Bearer x\r\n", "Authorization: Basic ???\r\n"})
    EXPECT_EQ(status("POST", "/login", header), 401) << header;
}

TEST_F(UsersOfAFile, AndNobodyElseLearnsWhatThereIs) {
  serve(users());
  ASSERT_THAT(login(credentials), StartsWith("HTTP/1.1 200 "));
  for (const char* path : {"", "/bridges", "/nothing/here", "/events", "/openapi.json"})
    for (const char* header : {"", "X-Auth-Token: x\r\n", "X-Auth-Token: 7fffffff.YWxpY2U.AAAA\r\n"})
      EXPECT_EQ(status("GET", path, header), 401) << path;
  EXPECT_EQ(status("DELETE", "/login", ""), 401) << "only logging in is for everybody";
  http::RawClient client(loop, address);
  client.send("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n");
  EXPECT_THAT(client.answers(1), StartsWith("HTTP/1.1 200 "));
}

TEST_F(UsersOfAFile, CannotLogInBeforeTheStoreIsKnownAndNothingIsWrittenThere) {
  api = make(users());
  address = *api->listen();
  const std::string basic = "Authorization: Basic " + credentials + "\r\n";
  for (int i = 0; i < 10; ++i) EXPECT_EQ(status("POST", "/login", basic), 503);
  EXPECT_EQ(status("GET", "/bridges", "X-Auth-Token: x\r\n"), 503);
  std::optional<Code> key;
  store->get("/token_key",
             [&](const Result<store::NodePtr>& node) { key = node ? Code::internal : node.error().code; });
  ASSERT_TRUE(loop.run_until([&] { return key.has_value(); }, 60s));
  EXPECT_EQ(*key, Code::not_found);
  api->serve();
  EXPECT_THAT(login(credentials), StartsWith("HTTP/1.1 200 "));
  EXPECT_EQ(status("GET", "/bridges", "X-Auth-Token: x\r\n"), 401);
}

TEST_F(UsersOfAFile, HaveTokensThatAreGoodAtEveryServer) {
  serve(users());
  const std::string token = "X-Auth-Token: " + token_of_cookie(login(credentials)) + "\r\n";
  const auto session = database->session();
  ApiServer other(loop, *session, registry, {.listen = "127.0.0.1:0", .auth = users()});
  const std::string there = *other.start();
  EXPECT_EQ(status("GET", "/bridges", token, there), 200) << "its first request waits until it has read the key";
}

TEST_F(UsersOfAFile, AreToldAtOnceOfADamagedKey) {
  bool written = false;
  store->commit({store::Op::create("/token_key", "{")},
                [&](const Result<store::Revision>& done) { written = done.has_value(); });
  ASSERT_TRUE(loop.run_until([&] { return written; }, 60s));
  serve(users());
  for (int i = 0; i < 3; ++i)
    EXPECT_THAT(login(credentials),
                HasSubstr("The key of tokens at /token_key of embedded::memory: is damaged: remove the node"));
  store->commit({store::Op::remove("/token_key")}, [](const Result<store::Revision>&) {});
  std::string answer;
  for (int i = 0; i < 1000 && !answer.starts_with("HTTP/1.1 200 "); ++i) answer = login(credentials);
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 ")) << "with a new key";
}

TEST_F(UsersOfAFile, LoseTheirTokensWithTheirPassword) {
  serve(users());
  const std::string token = "X-Auth-Token: " + token_of_cookie(login(credentials)) + "\r\n";
  EXPECT_EQ(status("GET", "/bridges", token), 200);
  write("alice", "other");
  EXPECT_EQ(status("GET", "/bridges", token), 401);
  EXPECT_THAT(login(credentials), StartsWith("HTTP/1.1 401 "));
  write("alice", "secret");
  const std::string again = "X-Auth-Token: " + token_of_cookie(login(credentials)) + "\r\n";
  EXPECT_EQ(status("GET", "/bridges", again), 200);
  write("bob", "secret");
  EXPECT_EQ(status("GET", "/bridges", again), 401);
  ::unlink(file.c_str());
  EXPECT_EQ(status("GET", "/bridges", again), 503) << "Keystone cannot be asked";
}

TEST_F(UsersOfAFile, AllLoseTheirTokensWithTheKey) {
  serve(users());
  const std::string token = "X-Auth-Token: " + token_of_cookie(login(credentials)) + "\r\n";
  bool removed = false;
  store->commit({store::Op::remove("/token_key")},
                [&](const Result<store::Revision>& done) { removed = done.has_value(); });
  ASSERT_TRUE(loop.run_until([&] { return removed; }, 60s));
  int answered = 200;
  for (int i = 0; i < 1000 && answered == 200; ++i) answered = status("GET", "/bridges", token);
  EXPECT_EQ(answered, 401);
  EXPECT_THAT(login(credentials), StartsWith("HTTP/1.1 200 ")) << "with a new key";
}

TEST_F(UsersOfAFile, MustBeWrittenSoThatNobodyElseReadsIt) {
  write("alice", "secret", 0640);
  const auto open_file = make(users())->start();
  ASSERT_FALSE(open_file);
  EXPECT_THAT(open_file.error().message, HasSubstr("chmod 600"));
  ::unlink(file.c_str());
  EXPECT_FALSE(make(users())->start());
  EXPECT_FALSE(make({.kind = AuthOptions::Kind::users})->start());
  std::ofstream(file) << "alice:secret\n";
  ::chmod(file.c_str(), 0600);
  const auto plain = make(users())->start();
  ASSERT_FALSE(plain);
  EXPECT_THAT(plain.error().message, HasSubstr("line 1"));
  EXPECT_THAT(plain.error().message, Not(HasSubstr("secret"))) << "errors are logged";
}

std::string login_request(const std::string& basic) {
  return "POST /midonet-api/login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nAuthorization: Basic " + basic +
         "\r\n\r\n{}";
}

TEST_F(UsersOfAFile, LogInWhileOthersGuess) {
  serve(users());
  std::vector<std::unique_ptr<http::RawClient>> guessers;
  std::string guesses;
  for (int i = 0; i < 32; ++i) guesses += login_request(i % 2 == 0 ? wrong_credentials : stranger);
  for (int i = 0; i < 8; ++i) {
    guessers.push_back(std::make_unique<http::RawClient>(loop, address));
    guessers.back()->send(guesses);
  }
  for (int i = 0; i < 18; ++i) EXPECT_THAT(login(credentials), StartsWith("HTTP/1.1 200 ")) << i;
  for (const auto& guesser : guessers) EXPECT_THAT(guesser->received(), Not(HasSubstr(" 503 ")));
}

TEST_F(UsersOfAFile, LogInWhileTheLineOfAnotherAddressIsFull) {
  serve(users());
  std::vector<std::unique_ptr<http::RawClient>> many;
  for (int i = 0; i < 100; ++i) {
    many.push_back(std::make_unique<http::RawClient>(loop, address, 0, "127.0.0.2"));
    many.back()->send(login_request(wrong_credentials));
  }
  const auto refused = [&] {
    return std::count_if(many.begin(), many.end(),
                         [](const auto& one) { return one->received().starts_with("HTTP/1.1 503 "); });
  };
  ASSERT_TRUE(loop.run_until([&] { return refused() > 0; }, 60s));
  EXPECT_THAT(login(credentials), StartsWith("HTTP/1.1 200 "));
  EXPECT_LE(refused(), 36);
}

TEST_F(UsersOfAFile, AreAskedForBeforeABodyIsRead) {
  serve(users());
  ASSERT_THAT(login(credentials), StartsWith("HTTP/1.1 200 "));
  http::RawClient client(loop, address);
  client.send(
      "POST /midonet-api/bridges HTTP/1.1\r\nHost: localhost\r\nX-Auth-Token: x\r\nContent-Length: 1000000\r\n\r\n{");
  EXPECT_THAT(client.everything(), StartsWith("HTTP/1.1 401 ")) << "most of the body is still to come";
}

TEST_F(UsersOfAFile, MayKeepMetricsToThemselves) {
  const auto metrics = [this](const std::string& headers, const std::string& at) {
    http::RawClient client(loop, at);
    client.send("GET /metrics HTTP/1.1\r\nHost: localhost\r\n" + headers + "\r\n");
    return std::stoi(client.answers(1).substr(9, 3));
  };
  ApiServer::Options options{.listen = "127.0.0.1:0", .auth = users(), .metrics = "login"};
  api = std::make_unique<ApiServer>(loop, *store, registry, options);
  address = api->start().value();
  const std::string token = "X-Auth-Token: " + token_of_cookie(login(credentials)) + "\r\n";
  EXPECT_EQ(metrics("", address), 401);
  EXPECT_EQ(metrics(token, address), 200);
  options.metrics = "off";
  api = std::make_unique<ApiServer>(loop, *store, registry, options);
  address = api->start().value();
  EXPECT_EQ(metrics(token, address), 404);
  options.metrics = "127.0.0.1:1x";
  EXPECT_FALSE(ApiServer(loop, *store, registry, options).start());
  options.metrics = *http::Server(loop, registry, {.name = "probe"}, {}).listen_tcp("127.0.0.1:0");  // a free one
  api = std::make_unique<ApiServer>(loop, *store, registry, options);
  address = api->start().value();
  EXPECT_EQ(metrics(token, address), 404);
  EXPECT_EQ(metrics("", options.metrics), 200);
}

TEST_F(UsersOfAFile, MakeAnyAddressOne) {
  EXPECT_TRUE(make(users(), "0.0.0.0:0")->start());
  EXPECT_FALSE(make({}, "0.0.0.0:0")->start());
}

TEST(Token, IsGoodForItsTimeKeyAndUserOnly) {
  const auto now = SystemClock::now();
  const auto hash = [](const std::string& name) {
    return name == "al.ice\xff" ? std::optional<std::string>("$hash") : std::nullopt;
  };
  const std::string key = random_token_key();
  const std::string token = make_token(key, "al.ice\xff", now + 60s, "$hash");
  EXPECT_EQ(token.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."),
            std::string::npos);
  EXPECT_EQ(check_token(key, token, now, hash), "al.ice\xff");
  EXPECT_FALSE(check_token(key, token, now + 61s, hash));
  EXPECT_FALSE(check_token(random_token_key(), token, now, hash));
  EXPECT_FALSE(check_token(key, make_token(key, "al.ice\xff", now + 60s, "$old"), now, hash));
  EXPECT_FALSE(check_token(key, make_token(key, "bob", now + 60s, ""), now, hash));
  for (std::size_t i = 0; i < token.size(); ++i) {
    std::string other = token;
    other[i] = other[i] == '1' ? '2' : '1';
    EXPECT_FALSE(check_token(key, other, now, hash)) << i;
    EXPECT_FALSE(check_token(key, token.substr(0, i), now, hash)) << i;
  }
}

// Keystone's answers to what this API asks, for a user alice and the tokens "good", "member" and "old".
struct OfKeystone : Auth {
  OfKeystone() {
    address_of_keystone = *keystone->listen_tcp("127.0.0.1:0");
    options = {.kind = AuthOptions::Kind::keystone, .keystone_url = "http://" + address_of_keystone};
  }
  static std::string description(const std::string& role, const std::string& expires) {
    return R"({"token": {"expires_at": ")" + expires +
           R"(", "roles": [{"id": "1", "name": "reader"}, {"id": "2", "name": ")" + role +
           R"("}], "user": {"name": "alice"}}})";
  }
  void answer(const http::Request& request, const http::Responder& respond) {
    ++asked;
    last = request;
    if (hold) return held.push_back(respond);
    if (broken) return respond({.status = 500});
    if (request.path != "/v3/auth/tokens") return respond({.status = 404});
    if (request.method == "POST") {
      const json user = json::parse(request.body)["auth"]["identity"]["password"]["user"];
      if (user["name"] != "alice" || user["password"] != "secret") return respond({.status = 401});
      return respond({.status = 201, .headers = {{"X-Subject-Token", "good"}}, .body = description("admin", later)});
    }
    const std::string token = request.header("x-subject-token").value_or("");
    if (request.header("x-auth-token") != token) return respond({.status = 403});
    if (token == "good") return respond({.body = description("admin", later)});
    if (token == "member") return respond({.body = description("member", later)});
    if (token == "old") return respond({.body = description("admin", "2020-01-01T00:00:00.000000Z")});
    if (token == "odd") return respond({.body = "[]"});
    respond({.status = token == "bad" ? 401 : 404});
  }

  const std::string later = "2099-01-01T00:00:00.000000Z";
  int asked = 0;
  bool hold = false, broken = false;
  http::Request last;
  std::vector<http::Responder> held;
  std::unique_ptr<http::Server> keystone = std::make_unique<http::Server>(
      loop, registry, http::Server::Options{.name = "keystone"},
      [this](const http::Request& request, const http::Responder& respond) { answer(request, respond); });
  std::string address_of_keystone;
  AuthOptions options;
};

TEST_F(OfKeystone, ATokenIsGoodWhenKeystoneSaysSo) {
  serve(options);
  EXPECT_EQ(status("GET", "/bridges", ""), 401);
  EXPECT_EQ(status("GET", "/bridges", "X-Auth-Token: bad\r\n"), 401);
  EXPECT_EQ(status("GET", "/bridges", "X-Auth-Token: unknown\r\n"), 401);
  EXPECT_EQ(status("GET", "/bridges", "X-Auth-Token: old\r\n"), 401);
  EXPECT_EQ(status("GET", "/bridges", "X-Auth-Token: " + std::string(10'000, 'x') + "\r\n"), 401);
  EXPECT_THAT(send("GET", "/bridges", "X-Auth-Token: member\r\n"),
              ::testing::AllOf(StartsWith("HTTP/1.1 403 "), HasSubstr("The role admin is needed.")));
  asked = 0;
  for (int i = 0; i < 3; ++i) EXPECT_EQ(status("GET", "/bridges", "X-Auth-Token: good\r\n"), 200);
  EXPECT_EQ(asked, 1) << "what Keystone said is remembered";
  EXPECT_EQ(status("GET", "/bridges", "Cookie: sessionId=good\r\n"), 200);
}

TEST_F(OfKeystone, ALoginIsExchangedForATokenOfItsProject) {
  serve(options);
  const std::string answer = login(credentials, "X-Auth-Project: service\r\n");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 200 "));
  EXPECT_EQ(token_of_cookie(answer), "good");
  EXPECT_THAT(answer, HasSubstr(R"("expires":"2099-01-01T00:00:00.000Z")"));
  EXPECT_EQ(json::parse(last.body)["auth"]["scope"]["project"],
            json::parse(R"({"name": "service", "domain": {"name": "Default"}})"));
  EXPECT_EQ(status("GET", "/bridges", "X-Auth-Token: good\r\n"), 200);
  EXPECT_EQ(asked, 1) << "it is known already";

  login(credentials, "X-Auth-Project: 0123456789abcdef0123456789abcdef\r\n");
  EXPECT_EQ(json::parse(last.body)["auth"]["scope"]["project"], json({{"id", "0123456789abcdef0123456789abcdef"}}));
  login(credentials);
  EXPECT_EQ(json::parse(last.body)["auth"]["scope"]["project"]["name"], "admin");
  EXPECT_THAT(login(wrong_credentials), StartsWith("HTTP/1.1 401 "));
}

TEST_F(OfKeystone, RequestsWithOneTokenAskOnce) {
  serve(options);
  hold = true;
  std::vector<std::unique_ptr<http::RawClient>> clients;
  for (int i = 0; i < 5; ++i) {
    clients.push_back(std::make_unique<http::RawClient>(loop, address));
    clients.back()->send("GET /midonet-api/bridges HTTP/1.1\r\nHost: localhost\r\nX-Auth-Token: good\r\n\r\n");
  }
  clients.push_back(std::make_unique<http::RawClient>(loop, address));
  clients.back()->send("GET /midonet-api/bridges HTTP/1.1\r\nHost: localhost\r\nX-Auth-Token: other\r\n\r\n");
  ASSERT_TRUE(loop.run_until([&] { return held.size() == 2; }, 60s));
  for (const http::Responder& respond : held) respond({.body = description("admin", later)});
  for (const auto& client : clients) EXPECT_THAT(client->answers(1), StartsWith("HTTP/1.1 200 "));
  EXPECT_EQ(asked, 2);
}

TEST_F(OfKeystone, IsAskedFewThingsAtOnceAndForTheClientsInTurn) {
  options.keystone_connections = 4;
  serve(options);
  hold = true;
  std::vector<std::unique_ptr<http::RawClient>> many;
  const auto ask = [this](const std::string& token, const std::string& from) {
    auto client = std::make_unique<http::RawClient>(loop, address, 0, from);
    client->send("GET /midonet-api/bridges HTTP/1.1\r\nHost: localhost\r\nX-Auth-Token: " + token + "\r\n\r\n");
    return client;
  };
  for (int i = 0; i < 40; ++i) many.push_back(ask("token " + std::to_string(i), "127.0.0.2"));
  for (int i = 0; i < 10; ++i) {
    many.push_back(std::make_unique<http::RawClient>(loop, address, 0, "127.0.0.3"));
    many.back()->send(login_request(credentials));
  }
  ASSERT_TRUE(loop.run_until([&] { return held.size() == 4; }, 60s));
  const auto good = ask("good", "127.0.0.1");
  EXPECT_FALSE(loop.run_until([&] { return held.size() > 4; }, 200ms));
  for (std::size_t i = 0; good->received().empty(); ++i) {
    ASSERT_TRUE(loop.run_until([&] { return held.size() > i || !good->received().empty(); }, 60s));
    if (held.size() > i) held[i]({.body = description("admin", later)});
  }
  EXPECT_THAT(good->answers(1), StartsWith("HTTP/1.1 200 "));
  EXPECT_LE(asked, 12) << "not behind all the others";
}

TEST_F(OfKeystone, WhenItCannotSayTheAnswerIs503) {
  serve(options);
  EXPECT_EQ(status("GET", "/bridges", "X-Auth-Token: odd\r\n"), 503);
  broken = true;
  const std::string answer = send("GET", "/bridges", "X-Auth-Token: good\r\n");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 503 "));
  EXPECT_THAT(answer, HasSubstr("Retry-After"));
  EXPECT_EQ(status("POST", "/login", "Authorization: Basic " + credentials + "\r\n"), 503);
  keystone.reset();
  EXPECT_EQ(status("GET", "/bridges", "X-Auth-Token: good\r\n"), 503);
}

TEST(KeystoneAnswer, SaysWhenTheTokenExpiresAndWhetherItIsAnAdministrators) {
  const auto good = parse_keystone_answer(
      R"({"token":{"expires_at":"2001-09-09T01:46:40.000000Z","roles":[{"name":"member"},{"name":"admin"}]}})",
      {"admin"});
  ASSERT_TRUE(good);
  EXPECT_EQ(good->expires, std::chrono::system_clock::from_time_t(1'000'000'000));
  EXPECT_TRUE(good->admin);
}

TEST(KeystoneAnswer, OfAnyShapeIsReadOrRefused) {
  const auto expires = [](const std::string& text) {
    return parse_keystone_answer(R"({"token":{"expires_at":")" + text + R"("}})", {"admin"});
  };
  const auto now = std::chrono::system_clock::now();
  ASSERT_TRUE(expires("9999-12-31T23:59:59Z"));
  EXPECT_GT(expires("9999-12-31T23:59:59Z")->expires, now) << "later than a clock of nanoseconds";
  ASSERT_TRUE(expires("0001-01-01T00:00:00Z"));
  EXPECT_LT(expires("0001-01-01T00:00:00Z")->expires, now);
  EXPECT_FALSE(expires(""));
  EXPECT_FALSE(expires("2099"));
  const std::string nested(100'000, '[');
  for (const std::string& body :
       {std::string(), std::string("[]"), std::string(R"({"token":[]})"), std::string(R"({"token":{"expires_at":1}})"),
        R"({"token":{"expires_at":"2099-01-01T00:00:00Z","roles":)" + nested + std::string(nested.size(), ']') + "}}"})
    EXPECT_FALSE(parse_keystone_answer(body, {"admin"}));
}

TEST_F(OfKeystone, AServerMayEndWhileItAsks) {
  serve(options);
  hold = true;
  http::RawClient client(loop, address);
  client.send("GET /midonet-api/bridges HTTP/1.1\r\nHost: localhost\r\nX-Auth-Token: good\r\n\r\n");
  ASSERT_TRUE(loop.run_until([&] { return held.size() == 1; }, 60s));
  api.reset();
  held[0]({.body = description("admin", later)});
  EXPECT_TRUE(loop.run_until([&] { return client.closed() || client.was_reset(); }, 60s));
}

TEST(Url, IsTakenApart) {
  const auto url = http::Url::parse("https://[fd00::1]:5000/identity/");
  ASSERT_TRUE(url);
  EXPECT_TRUE(url->tls);
  EXPECT_EQ(url->host, "fd00::1");
  EXPECT_EQ(url->authority(), "[fd00::1]:5000");
  EXPECT_EQ(url->path, "/identity");
  EXPECT_EQ(http::Url::parse("http://controller")->authority(), "controller");
  EXPECT_EQ(http::Url::parse("https://controller/")->port, "443");
  for (const char* text : {"", "controller:5000", "http://", "http://:5000", "http://c:x", "http://c/?a", "http://a@c"})
    EXPECT_FALSE(http::Url::parse(text)) << text;
}

}  // namespace
}  // namespace midonet::api::auth_test
