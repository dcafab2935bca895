// Decides which clients may use the API. Three kinds: no login (login.cc), users of a file (users.h), Keystone's users (keystone.h).
// The router asks it for each request except login and metrics.
//
// On the loop's thread. Answers come now or later, once; none after the authenticator is destroyed.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/loop.h"
#include "base/result.h"
#include "http/message.h"
#include "store/store.h"

namespace midonet::api {

struct Credentials {
  std::string user;
  std::string password;
  std::optional<std::string> project;  // X-Auth-Project
};

// The request of the client. Clients are served in turn (http::Request::client); one that has gone is not served.
struct Asker {
  std::string client{};
  std::shared_ptr<http::Work> work{};
  bool gone() const { return work && !work->wanted(); }
};

struct Grant {
  std::string token;
  std::chrono::system_clock::time_point expires;
};

class Authenticator {
 public:
  using LoginDone = std::function<void(Result<Grant>)>;
  using CheckDone = std::function<void(Status)>;
  virtual ~Authenticator() = default;

  // unauthenticated; forbidden (known, but without the role); unavailable (Keystone or the store does not answer).
  virtual void login(const Credentials& credentials, const Asker& asker, LoginDone done) = 0;
  // Likewise. The token as the client sent it: any bytes.
  virtual void check(const std::string& token, const Asker& asker, CheckDone done) = 0;
  // The store may be touched from now on: its layout is known.
  virtual void begin() {}
  // Whether check() accepts every client.
  virtual bool is_open() const { return false; }
};

struct AuthOptions {
  enum class Kind { none, users, keystone };
  Kind kind = Kind::none;
  std::chrono::seconds token_life{24 * 3600};  // of the tokens of users of a file
  std::string users_file{};
  std::string keystone_url{};                     // "http://controller:5000"
  std::string keystone_domain = "Default";        // of users and projects that log in by name
  std::string keystone_project = "admin";         // when a login names none
  std::vector<std::string> admin_roles{"admin"};  // one of them is needed
  std::chrono::seconds keystone_cache{60};        // for how long Keystone's answer about a token is kept
  std::size_t keystone_connections = 16;          // questions to Keystone at once; further ones wait
};

// The bounds of waiting logins, and of waiting questions to Keystone: of one client, of all, and in time.
inline constexpr std::size_t most_waiting_of_one = 64;
inline constexpr std::size_t most_waiting = 256;
inline constexpr std::chrono::seconds longest_wait{10};

// invalid: options that do not fit together, a users file that cannot be read or that others than its owner may open.
Result<std::unique_ptr<Authenticator>> make_authenticator(Loop& loop, store::Store& store, const AuthOptions& options);

std::unique_ptr<Authenticator> without_login();

// "Basic <base64 of name:password>" (RFC 7617); nothing for anything else.
std::optional<Credentials> parse_basic(std::string_view authorization);
// X-Auth-Token, or sessionId among the cookies.
std::optional<std::string> token_of(const http::Request& request);

}  // namespace midonet::api
