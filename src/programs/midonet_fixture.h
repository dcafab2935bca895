// For the tests of midonet: the program, and the real REST API on a store in memory, in a process of its own. In that process a
// small agent reports each binding as soon as it is there, by the name of the interface: "bad…" as an error, "slow…" never,
// everything else as active.
#pragma once

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>

#include <map>
#include <regex>
#include <string>
#include <utility>
#include <vector>

#include "api/api_server.h"
#include "base/loop.h"
#include "base/metrics.h"
#include "base/time.h"
#include "model/binding.h"
#include "model/host.h"
#include "model/paths.h"
#include "programs/child.h"
#include "store/mirror.h"
#include "store/transaction.h"
#include "store/uri.h"
#include "topology/hosts.h"

namespace midonet::programs {

inline const std::string host1 = "11111111-0000-4000-8000-00000000000a";
inline const std::string host2 = "22222222-0000-4000-8000-00000000000b";
inline const std::string web = "bbbb0001-0000-4000-8000-000000000000";
inline const std::string db = "bbbb0002-0000-4000-8000-000000000000";
inline const std::string port1 = "dddd0001-0000-4000-8000-000000000000";
inline const std::string port2 = "dddd0002-0000-4000-8000-000000000000";
inline const std::string port3 = "eeee0003-0000-4000-8000-000000000000";

inline Uuid id(const std::string& text) { return *Uuid::parse(text); }

// Reports the bindings of one host.
class SmallAgent {
 public:
  SmallAgent(Loop& loop, store::Store& store, Uuid host)
      : store_(store), host_(host), mirror_(loop, store, [this] { look(); }) {}
  void look() {
    std::map<Uuid, std::pair<store::Revision, std::string>> bindings;
    const Status read = mirror_.read([&](store::View& view) -> Status {
      const auto names = view.list(model::paths::bindings(host_));
      if (!names) return failed(names);
      bool complete = true;
      for (const std::string& name : *names) {
        const auto node = view.get(model::paths::binding(host_, id(name)));
        complete = complete && node.has_value();
        if (!node) continue;
        const auto binding = model::decode<model::Binding>((*node)->value);
        bindings[id(name)] = {(*node)->stat.modified, binding ? binding->interface_name : ""};
      }
      return complete ? Status{} : fail(Code::pending, "bindings");
    });
    if (!read) return;
    for (const auto& [port, binding] : bindings) {
      const auto& [revision, interface] = binding;
      if (interface.starts_with("slow") || reported_[port] == revision) continue;
      reported_[port] = revision;
      model::PortStatus status;
      status.state = interface.starts_with("bad") ? model::PortState::error : model::PortState::active;
      status.reason = interface.starts_with("bad") ? interface + " is a port of the bridge br0" : "";
      status.revision = revision;
      status.since = rfc3339(std::chrono::system_clock::now());
      store::transact(
          store_,
          [path = model::paths::status(host_, port), status](store::Transaction& t) -> Status {
            const auto present = t.get(path);
            if (!present && present.error().code == Code::pending) return failed(present);
            if (present) t.remove(path);
            t.create_ephemeral(path, model::encode(status));
            return {};
          },
          [](const Result<store::Revision>&) {});
    }
  }

 private:
  store::Store& store_;
  Uuid host_;
  store::Mirror mirror_;
  std::map<Uuid, store::Revision> reported_;
};

inline void must(Loop& loop, store::Store& store, std::function<Status(store::Transaction&)> body) {
  std::optional<bool> done;
  store::transact(store, std::move(body), [&](const Result<store::Revision>& result) { done = result.has_value(); });
  if (!loop.run_until([&] { return done.has_value(); }, std::chrono::seconds(10)) || !*done) std::abort();
}

// The process of the API. Writes its address to `out`, then serves until it is killed.
[[noreturn]] inline void serve(int out, const api::AuthOptions& auth) {
  Loop loop;
  auto store = std::move(*store::open(loop, "embedded::memory:", {.patience = std::chrono::seconds(10)}));
  must(loop, *store, [](store::Transaction& t) { return topology::register_host(t, id(host1), "cmp1"); });
  must(loop, *store, [](store::Transaction& t) { return topology::register_host(t, id(host2), "cmp2"); });
  must(loop, *store, [](store::Transaction& t) -> Status {
    t.create_ephemeral(model::paths::alive(id(host1)),
                       model::encode(model::Alive{1, "0.1.0", "2026-01-31T12:00:00.000Z"}));
    model::Interface eth0;
    eth0.name = "eth0";
    eth0.mtu = 1500;
    eth0.mac = "02:00:00:00:00:0a";
    eth0.type = "Physical";
    eth0.endpoint = "PHYSICAL";
    eth0.status = 3;
    eth0.addresses = {"10.0.0.1"};
    t.create_ephemeral(model::paths::interface(id(host1), "eth0"), model::encode(eth0));
    return {};
  });
  SmallAgent agent(loop, *store, id(host1));
  agent.look();
  Registry registry;
  api::ApiServer::Options options;
  options.listen = "127.0.0.1:0";
  options.auth = auth;
  api::ApiServer server(loop, *store, registry, options);
  const auto address = server.start();
  if (!address) std::abort();
  const std::string line = *address + "\n";
  if (::write(out, line.data(), line.size()) < 0) std::abort();
  ::close(out);
  loop.run();
  std::abort();
}

class Midonet : public ::testing::Test {
 protected:
  explicit Midonet(const api::AuthOptions& auth = {}) {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) std::abort();
    server_ = ::fork();
    if (server_ == 0) {
      if (::freopen("/dev/null", "w", stderr) == nullptr) std::abort();
      serve(ends[1], auth);
    }
    ::close(ends[1]);
    const UniqueFd read_end(ends[0]);
    char c = 0;
    while (::read(read_end.get(), &c, 1) == 1 && c != '\n') url += c;
  }
  ~Midonet() override {
    ::kill(server_, SIGKILL);
    ::waitpid(server_, nullptr, 0);
  }

  Ended midonet(std::vector<std::string> arguments) {
    std::vector<std::string> all{MIDONET_PROGRAM, "--api", url, "--socket", socket};
    all.insert(all.end(), arguments.begin(), arguments.end());
    return run(all);
  }
  // The output of a call that has to succeed without a word on stderr.
  std::string ok(std::vector<std::string> arguments) {
    const Ended ended = midonet(arguments);
    EXPECT_EQ(ended.status, 0) << ::testing::PrintToString(arguments) << ": " << ended.err;
    EXPECT_EQ(ended.err, "");
    return ended.out;
  }
  void fails(int status, const ::testing::Matcher<std::string>& message, std::vector<std::string> arguments) {
    const Ended ended = midonet(arguments);
    EXPECT_EQ(ended.status, status) << ::testing::PrintToString(arguments);
    EXPECT_THAT(ended.err, ::testing::AllOf(::testing::StartsWith("midonet: "), ::testing::EndsWith("\n")))
        << ended.err;
    EXPECT_EQ(std::count(ended.err.begin(), ended.err.end(), '\n'), 1) << ended.err;
    EXPECT_THAT(ended.err, message);
  }
  void make_all() {
    ok({"bridge", "create", "web", "--id", web, "--tenant", "acme"});
    ok({"bridge", "create", "--name", "db", "--id", db});
    ok({"port", "create", "web", "--id", port1, "--mac", "02:00:00:00:00:01"});
    ok({"port", "create", "web", "--id", port2});
    ok({"port", "create", "--bridge", "db", "--id", port3});
  }
  // Ages and times as words, so that golden texts hold at any time.
  static std::string masked(const std::string& text) {
    const std::string ages = std::regex_replace(text, std::regex("\\b[0-9]+s\\b"), "AGE");
    return std::regex_replace(ages, std::regex("20[0-9-]+T[0-9:.]+Z"), "TIME");
  }

  TemporaryDirectory directory;
  const std::string socket = directory / "midolman.sock";
  std::string url = "http://";

 private:
  pid_t server_ = -1;
};

}  // namespace midonet::programs
