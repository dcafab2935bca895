// The golden files of tests/wire/rest: conversations with the REST API, played against the router and an embedded store.
//
//   # text                     a comment
//   ! host <id> <name>         a host registers                   ! remove <path>          a node goes
//   ! put <path> <value>       a node is made or set              ! waive-tunnel-zones     the switch of standalone
//   ! gre-means-vxlan          that switch
//   ! request <method> <target> [body]   another client's, which must succeed
//   ! until <path>             waits for a node
//   ! report <host> <port> <state> [reason]                       the agent's word on the present binding
//   > METHOD target            a request; then "> Name: value" headers, then the lines of its body
//   ! …                        here: what happens while the request waits
//   < status                   the answer; then "< Name: value" headers, then its JSON
//
// Ids that the server draws are written <drawn-1>, <drawn-2>, …, in requests too. After each answer from 400 on, the store must
// be as it was before. MIDONET_WRITE_GOLDEN=1 writes what was answered into the files, to be read before it is kept.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <regex>
#include <sstream>

#include "api/login.h"
#include "api/resources.h"
#include "base/json.h"
#include "http/target.h"
#include "model/binding.h"
#include "model/paths.h"
#include "store/mirror.h"
#include "topology/hosts.h"
#include "topology/store_fixture.h"

namespace midonet::api::wire_test {
namespace {

namespace paths = model::paths;
using store::Transaction;

std::string rest_of(std::istringstream& words) {
  std::string rest;
  std::getline(words >> std::ws, rest);
  return rest;
}

Status status_of(const Result<store::NodePtr>& node) {
  if (!node) return failed(node);
  return {};
}

class Player {
 public:
  explicit Player(const std::string& script) : script_(script) { serve({}); }

  // The script with the answers that were really given.
  std::string play() {
    std::istringstream lines(script_);
    std::string line;
    while (std::getline(lines, line)) {
      const bool body = !line.empty() && std::string("#!<>").find(line.front()) == std::string::npos;
      switch (part_) {
        case Part::between:
          if (line.starts_with('>')) begin(line);
          if (line.starts_with("! ")) act(line.substr(2));
          break;
        case Part::request:
          if (line.starts_with("! ")) send();
          if (line.starts_with('>')) {
            header(line.substr(2));
          } else if (line.starts_with("! ")) {
            act(line.substr(2));
          } else if (line.starts_with('<') || line.empty()) {
            answer();
            if (line.empty()) part_ = Part::between;  // a new request, whose answer is not written yet
          } else if (body) {
            request_.body += line + "\n";
          }
          break;
        case Part::answer:
          if (line.empty()) part_ = Part::between;
          break;
      }
      if (part_ != Part::answer) out_ += line + "\n";
    }
    if (part_ == Part::request) answer();
    return out_;
  }

 private:
  enum class Part { between, request, answer };

  void serve(Resources::Options options) {
    router_ = std::make_unique<Router>(Router::Options{.base_uri = "", .authority = "127.0.0.1:8181"});
    resources_ = std::make_unique<Resources>(fixture_.loop, *fixture_.store, options);
    add_login(*router_, fixture_.loop, open_);
    resources_->add_to(*router_);
  }

  void act(const std::string& text) {
    std::istringstream words(text);
    std::string verb, path;
    words >> verb;
    if (verb == "host") {
      words >> path;
      const std::string name = rest_of(words);
      ASSERT_TRUE(fixture_.run([&](Transaction& t) { return topology::register_host(t, *Uuid::parse(path), name); }));
    } else if (verb == "put") {
      words >> path;
      fixture_.put(path, rest_of(words));
    } else if (verb == "remove") {
      words >> path;
      ASSERT_TRUE(fixture_.run([&](Transaction& t) -> Status {
        t.remove(path);
        return {};
      }));
    } else if (verb == "report") {
      std::string host, port, state;
      words >> host >> port >> state;
      const Uuid h = *Uuid::parse(host), p = *Uuid::parse(port);
      const store::NodePtr binding = fixture_.get(paths::binding(h, p));
      ASSERT_TRUE(binding);
      fixture_.put(paths::status(h, p),
                   encode(model::PortStatus{*model::parse_port_state(state), rest_of(words), binding->stat.modified, 7,
                                            "2026-01-31T12:00:00.123Z", 1450}));
    } else if (verb == "until") {
      words >> path;
      bool there = false;
      std::function<void()> look;
      store::Mirror mirror(fixture_.loop, *fixture_.store, [&look] { look(); });
      look = [&] { there = mirror.read([&](store::View& view) { return status_of(view.get(path)); }).has_value(); };
      look();
      ASSERT_TRUE(fixture_.loop.run_until([&there] { return there; }, std::chrono::seconds(10))) << path;
    } else if (verb == "request") {
      http::Request request;
      words >> request.method >> request.target;
      request.path = request.target;
      request.headers = {{"Host", "api"}, {"Content-Type", "application/json"}};
      request.body = rest_of(words);
      std::optional<int> status;
      router_->handle(request, [&status](const http::Response& response) { status = response.status; });
      ASSERT_TRUE(fixture_.loop.run_until([&status] { return status.has_value(); }, std::chrono::seconds(10)));
      EXPECT_LT(*status, 300) << text;
    } else if (verb == "waive-tunnel-zones") {
      serve({.require_tunnel_zone = false});
    } else if (verb == "gre-means-vxlan") {
      serve({.gre_means_vxlan = true});
    } else {
      FAIL() << "no such directive: " << text;
    }
  }

  void begin(const std::string& line) {
    std::istringstream words(line.substr(2));
    request_ = {};
    words >> request_.method >> request_.target;
    request_.target = undrawn(request_.target);
    const auto target = http::parse_target(request_.target);
    ASSERT_TRUE(target) << request_.target;
    request_.path = target->path;
    request_.query = target->query;
    sent_ = false;
    part_ = Part::request;
  }

  void header(const std::string& text) {
    const auto colon = text.find(": ");
    request_.headers.emplace(text.substr(0, colon), text.substr(colon + 2));
  }

  void send() {
    if (sent_) return;
    sent_ = true;
    if (!request_.headers.contains("host")) request_.headers.emplace("Host", "api");
    request_.body = undrawn(request_.body);
    before_ = fixture_.dump();
    response_.reset();
    router_->handle(request_, [this](http::Response response) {
      EXPECT_FALSE(response_) << "answered twice";
      response_ = std::move(response);
    });
  }

  void answer() {
    send();
    part_ = Part::answer;
    const bool answered = fixture_.loop.run_until([&] { return response_.has_value(); }, std::chrono::seconds(10));
    ASSERT_TRUE(answered) << request_.method << ' ' << request_.target;
    if (response_->status >= 400 && !waited()) {
      EXPECT_EQ(fixture_.dump(), before_) << request_.method << ' ' << request_.target;
    }
    std::string text = fmt::format("< {}\n", response_->status);
    for (const char* shown : {"Allow", "Content-Type", "Location", "Retry-After", "WWW-Authenticate"})
      for (auto [at, end] = response_->headers.equal_range(shown); at != end; ++at)
        text += fmt::format("< {}: {}\n", at->first, at->second);
    if (!response_->body.empty()) text += model::Json::parse(response_->body).dump(2) + "\n";
    out_ += drawn(text);
  }

  // Something else wrote while the request waited, so that the dump differs rightly.
  bool waited() const { return request_.query.contains("wait"); }

  // Ids that stand nowhere in the script were drawn by the server.
  std::string drawn(const std::string& text) {
    static const std::regex id("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}");
    std::string out;
    auto last = text.cbegin();
    for (std::sregex_iterator at(text.begin(), text.end(), id), end; at != end; ++at) {
      out.append(last, (*at)[0].first);
      const std::string found = at->str();
      if (script_.find(found) == std::string::npos && !drawn_.contains(found))
        drawn_[found] = fmt::format("<drawn-{}>", drawn_.size() + 1);
      out += drawn_.contains(found) ? drawn_[found] : found;
      last = (*at)[0].second;
    }
    return out.append(last, text.cend());
  }
  std::string undrawn(std::string text) {
    for (const auto& [id, word] : drawn_)
      for (auto at = text.find(word); at != std::string::npos; at = text.find(word)) text.replace(at, word.size(), id);
    return text;
  }

  const std::string script_;
  std::string out_;
  Part part_ = Part::between;
  topology::StoreFixture fixture_;
  const std::unique_ptr<Authenticator> open_ = without_login();
  std::unique_ptr<Router> router_;
  std::unique_ptr<Resources> resources_;
  http::Request request_;
  bool sent_ = false;
  std::optional<http::Response> response_;
  std::map<std::string, std::string> before_;
  std::map<std::string, std::string> drawn_;  // id -> <drawn-n>
};

std::vector<std::filesystem::path> golden_files() {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(MIDONET_GOLDEN_DIR))
    if (entry.path().extension() == ".txt") files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

class Wire : public ::testing::TestWithParam<std::filesystem::path> {};

TEST_P(Wire, IsAnsweredAsWritten) {
  std::ifstream file(GetParam());
  const std::string script{std::istreambuf_iterator<char>(file), {}};
  ASSERT_FALSE(script.empty());
  const std::string played = Player(script).play();
  if (std::getenv("MIDONET_WRITE_GOLDEN") != nullptr) std::ofstream(GetParam()) << played;
  EXPECT_EQ(played, script);
}

INSTANTIATE_TEST_SUITE_P(Rest, Wire, ::testing::ValuesIn(golden_files()),
                         [](const auto& one) { return one.param.stem().string(); });

}  // namespace
}  // namespace midonet::api::wire_test
