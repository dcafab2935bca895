#include "api/keystone.h"

#include <algorithm>
#include <map>

#include "api/keystone_answer.h"
#include "base/json.h"
#include "base/log.h"
#include "http/client.h"
#include "http/fair_queue.h"

namespace midonet::api {

namespace {

using Clock = std::chrono::steady_clock;
using nlohmann::json;

// Without the catalog of all services, which is most of an answer's size and is not read.
const std::string tokens_path = "/v3/auth/tokens?nocatalog";
constexpr std::chrono::seconds patience{10};
constexpr std::size_t most_cached = 4096;
constexpr std::size_t longest_token = 8192;

bool is_id(const std::string& text) {
  return text.size() == 32 && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

class Keystone final : public Authenticator {
 public:
  Keystone(Loop& loop, http::Url url, const AuthOptions& options)
      : url_(std::move(url)), options_(options), client_(loop) {}

  void login(const Credentials& credentials, const Asker& asker, LoginDone done) override {
    const json domain{{"name", options_.keystone_domain}};
    const std::string project = credentials.project.value_or(options_.keystone_project);
    const json scope = is_id(project) ? json{{"id", project}} : json{{"name", project}, {"domain", domain}};
    const json user{{"name", credentials.user}, {"domain", domain}, {"password", credentials.password}};
    const json body{
        {"auth",
         {{"identity", {{"methods", {"password"}}, {"password", {{"user", user}}}}}, {"scope", {{"project", scope}}}}}};
    const std::string text = dump_json(body);
    ask(asker, {[this, text, done](const Answered& answered) {
                  client_.call(url_, "POST", tokens_path, {{"Content-Type", "application/json"}}, text, patience,
                               [this, done, answered](const Result<http::Response>& response) {
                                 answered();
                                 done(logged_in(response));
                               });
                },
                [done](const Error& error) { done(failed(error)); }, asker});
  }

  void check(const std::string& token, const Asker& asker, CheckDone done) override {
    if (token.empty() || token.size() > longest_token) return done(not_valid());
    if (const auto known = cache_.find(token); known != cache_.end()) {
      if (known->second > Clock::now()) return done({});
      cache_.erase(known);
    }
    std::vector<CheckDone>& those_who_ask = asked_[token];
    those_who_ask.push_back(std::move(done));
    if (those_who_ask.size() > 1) return;
    const auto tell = [this, token](const Status& outcome) {
      auto waiting = asked_.extract(token);
      for (const CheckDone& one : waiting.mapped()) one(outcome);
    };
    ask(asker, {[this, token, tell](const Answered& answered) {
                  client_.call(url_, "GET", tokens_path, {{"X-Auth-Token", token}, {"X-Subject-Token", token}}, "",
                               patience, [this, token, tell, answered](const Result<http::Response>& response) {
                                 answered();
                                 tell(checked(token, response));
                               });
                },
                [tell](const Error& error) { tell(failed(error)); },
                {}});
  }

 private:
  using Answered = std::function<void()>;
  struct Question {
    std::function<void(const Answered&)> put;
    std::function<void(const Error&)> refuse;
    Asker asker;  // whose going ends it; none where others wait for the same answer
    Clock::time_point since = Clock::now();
  };

  // Few at once, and the clients in turn: a Keystone that is slow takes neither all descriptors nor all patience.
  void ask(const Asker& asker, Question question) {
    if (const auto without_place = waiting_.push(asker.client, std::move(question))) without_place->refuse(too_much());
    ask_next();
  }

  void ask_next() {
    while (asking_ < options_.keystone_connections) {
      const auto next = waiting_.pop();
      if (!next) return;
      if (next->asker.gone() || Clock::now() - next->since > longest_wait) {
        next->refuse(too_much());
        continue;
      }
      ++asking_;
      next->put([this] {
        --asking_;
        ask_next();
      });
    }
  }

  static Error too_much() { return {Code::unavailable, "Keystone is being asked too much already."}; }

  static tl::unexpected<Error> not_valid() { return fail(Code::unauthenticated, "The token is not valid (any more)."); }

  template <class... Args>
  tl::unexpected<Error> cannot_say(fmt::format_string<Args...> format, Args&&... args) const {
    const std::string why = fmt::format(format, std::forward<Args>(args)...);
    log::warning("keystone: {}", why);
    return fail(Code::unavailable, "Keystone cannot say whose token this is: {}", why);
  }

  Status checked(const std::string& token, const Result<http::Response>& response) {
    if (!response) return cannot_say("{}", response.error().message);
    if (response->status == 401 || response->status == 404) return not_valid();
    if (response->status != 200) return cannot_say("it answers {}", response->status);
    const auto said = parse_keystone_answer(response->body, options_.admin_roles);
    if (!said) return cannot_say("its answer is not one of v3");
    return admit(token, *said);
  }

  Result<Grant> logged_in(const Result<http::Response>& response) {
    if (!response) return cannot_say("{}", response.error().message);
    if (response->status == 401 || response->status == 400 || response->status == 404)
      return fail(Code::unauthenticated, "Keystone knows no such user with this password in this project.");
    const auto token = response->headers.find("X-Subject-Token");
    if (response->status != 201 || token == response->headers.end())
      return cannot_say("it answers {} to a login", response->status);
    const auto said = parse_keystone_answer(response->body, options_.admin_roles);
    if (!said) return cannot_say("its answer is not one of v3");
    if (const Status admitted = admit(token->second, *said); !admitted) return failed(admitted);
    return Grant{token->second, said->expires};
  }

  Status admit(const std::string& token, const KeystoneToken& said) {
    const auto left = said.expires - std::chrono::system_clock::now();
    if (left <= std::chrono::seconds(0)) return not_valid();
    if (!said.admin) return fail(Code::forbidden, "The role {} is needed.", fmt::join(options_.admin_roles, " or "));
    if (cache_.size() >= most_cached) cache_.clear();
    cache_[token] = Clock::now() + std::min(std::chrono::duration_cast<Clock::duration>(left),
                                            Clock::duration(options_.keystone_cache));
    return {};
  }

  const http::Url url_;
  const AuthOptions options_;
  std::map<std::string, Clock::time_point> cache_;  // tokens that are good, and until when Keystone is not asked again
  std::map<std::string, std::vector<CheckDone>> asked_;
  http::FairQueue<Question> waiting_{most_waiting_of_one, most_waiting};
  std::size_t asking_ = 0;
  http::Client client_;  // last: it goes first, with its callbacks
};

}  // namespace

Result<std::unique_ptr<Authenticator>> make_keystone(Loop& loop, const AuthOptions& options) {
  if (options.keystone_url.empty())
    return fail(Code::invalid, "--auth keystone needs --keystone-url, such as http://controller:5000");
  std::string text = options.keystone_url;
  while (text.ends_with('/')) text.pop_back();
  if (text.ends_with("/v3")) text.resize(text.size() - 3);
  Result<http::Url> url = http::Url::parse(text);
  if (!url) return fail(Code::invalid, "--keystone-url: {}", url.error().message);
  return std::make_unique<Keystone>(loop, *std::move(url), options);
}

}  // namespace midonet::api
