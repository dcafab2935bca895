#include "api/login.h"

#include <strings.h>

#include <map>

#include "api/failures.h"
#include "base/json.h"
#include "base/time.h"
#include "base/uuid.h"

namespace midonet::api {

namespace {

// RFC 4648 section 4, with its padding; nothing for anything else.
std::optional<std::string> base64_decode(std::string_view text) {
  static constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  if (text.size() % 4 != 0) return std::nullopt;
  std::string out;
  for (std::size_t i = 0; i < text.size(); i += 4) {
    std::uint32_t bits = 0;
    std::size_t padding = 0;
    for (std::size_t k = 0; k < 4; ++k) {
      const char c = text[i + k];
      const bool pads = c == '=' && i + 4 == text.size() && k >= 2;
      const std::size_t digit = pads ? 0 : digits.find(c);
      if (digit == std::string_view::npos || (!pads && padding > 0)) return std::nullopt;
      padding += pads ? 1 : 0;
      bits = bits << 6 | static_cast<std::uint32_t>(digit);
    }
    for (std::size_t k = 0; k < 3 - padding; ++k) out += static_cast<char>(bits >> (16 - 8 * k) & 0xff);
  }
  return out;
}

// Any name and password will do, and the token is not asked for: what keeps strangers out is the address that the API
// listens on.
class WithoutLogin final : public Authenticator {
 public:
  void login(const Credentials&, const Asker&, LoginDone done) override {
    done(Grant{Uuid::random().to_string(), std::chrono::system_clock::now() + std::chrono::hours(24)});
  }
  void check(const std::string&, const Asker&, CheckDone done) override { done({}); }
  bool is_open() const override { return true; }
};

// Answers that say no, some of them later.
class Refusals {
 public:
  explicit Refusals(Loop& loop) : loop_(loop) {}

  void refuse(const std::string& client, const Reply& reply, const Error& error) {
    const auto delay = error.code == Code::unauthenticated ? failures_.add(client, Failures::Clock::now())
                                                           : std::chrono::milliseconds(0);
    if (delay.count() == 0) return reply(failed(error));
    const std::uint64_t number = ++last_;
    timers_[number] = loop_.after(delay, [this, number, reply, error] {
      const Timer mine = std::move(timers_.extract(number).mapped());
      reply(failed(error));
    });
  }

 private:
  Loop& loop_;
  Failures failures_;
  std::map<std::uint64_t, Timer> timers_;
  std::uint64_t last_ = 0;
};

void login(const std::unique_ptr<Authenticator>& authenticator, const std::shared_ptr<Refusals>& refusals,
           const Call& call, const Reply& reply) {
  const auto authorization = call.header("authorization");
  if (!authorization) return reply(fail(Code::unauthenticated, "Basic authentication is needed to log in."));
  auto credentials = parse_basic(*authorization);
  if (!credentials) return reply(fail(Code::unauthenticated, "The credentials are ill-formed."));
  credentials->project = call.header("x-auth-project");
  call.waits();
  const auto done = [reply, refusals, visit = call.visit, media_type = call.media_type](const Result<Grant>& grant) {
    if (!grant) return refusals->refuse(visit.client, reply, grant.error());
    const nlohmann::ordered_json body = {{"key", grant->token}, {"expires", rfc3339(grant->expires)}};
    Answer answer = ok(dump_json(body), media_type);
    answer.headers.emplace("Set-Cookie", fmt::format("sessionId={}; Path={}; HttpOnly; SameSite=Strict{}", grant->token,
                                                     visit.cookie_path, visit.secure ? "; Secure" : ""));
    answer.headers.emplace("Cache-Control", "no-store");
    reply(std::move(answer));
  };
  authenticator->login(*credentials, {call.visit.client, call.work}, done);
}

}  // namespace

std::unique_ptr<Authenticator> without_login() { return std::make_unique<WithoutLogin>(); }

std::optional<Credentials> parse_basic(std::string_view authorization) {
  constexpr std::string_view scheme = "Basic ";
  while (authorization.ends_with(' ')) authorization.remove_suffix(1);
  if (authorization.size() < scheme.size() || ::strncasecmp(authorization.data(), scheme.data(), scheme.size()) != 0)
    return std::nullopt;
  const auto decoded = base64_decode(authorization.substr(scheme.size()));
  const std::size_t colon = decoded ? decoded->find(':') : std::string::npos;
  if (colon == std::string::npos || colon == 0) return std::nullopt;
  return Credentials{decoded->substr(0, colon), decoded->substr(colon + 1), {}};
}

std::optional<std::string> token_of(const http::Request& request) {
  if (auto token = request.header("x-auth-token")) return token;
  constexpr std::string_view name = "sessionId=";
  for (auto [at, end] = request.headers.equal_range("cookie"); at != end; ++at) {
    std::string_view rest = at->second;
    while (!rest.empty()) {
      const std::size_t semicolon = rest.find(';');
      std::string_view pair = rest.substr(0, semicolon);
      rest = semicolon == std::string_view::npos ? std::string_view() : rest.substr(semicolon + 1);
      while (pair.starts_with(' ')) pair.remove_prefix(1);
      while (pair.ends_with(' ')) pair.remove_suffix(1);
      if (pair.starts_with(name)) return std::string(pair.substr(name.size()));
    }
  }
  return std::nullopt;
}

void add_login(Router& router, Loop& loop, const std::unique_ptr<Authenticator>& authenticator) {
  const auto refusals = std::make_shared<Refusals>(loop);
  // By GET for published clients.
  for (const auto& [method, name] : {std::pair("POST", "login"), std::pair("GET", "loginByGet")})
    router.add({.method = method,
                .path = root + "/login",
                .name = name,
                .summary = "Get a token for a name and a password",
                .produces = {token_media_type},
                .open = true,
                .handler = [&authenticator, refusals](const Call& call, const Reply& reply) {
                  login(authenticator, refusals, call, reply);
                }});
}

}  // namespace midonet::api
