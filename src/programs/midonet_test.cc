// midonet, the program, against the real REST API on a store in memory, in a process of its own. In that process a small
// agent reports each binding as soon as it is there, by the name of the interface: "bad…" as an error, "slow…" never,
// everything else as active.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <regex>
#include <sstream>

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
namespace {

using nlohmann::json;
using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;
using ::testing::StartsWith;
namespace paths = model::paths;

const std::string host1 = "11111111-0000-4000-8000-00000000000a";
const std::string host2 = "22222222-0000-4000-8000-00000000000b";
const std::string web = "bbbb0001-0000-4000-8000-000000000000";
const std::string db = "bbbb0002-0000-4000-8000-000000000000";
const std::string port1 = "dddd0001-0000-4000-8000-000000000000";
const std::string port2 = "dddd0002-0000-4000-8000-000000000000";
const std::string port3 = "eeee0003-0000-4000-8000-000000000000";

Uuid id(const std::string& text) { return *Uuid::parse(text); }

// Reports the bindings of one host.
class SmallAgent {
 public:
  SmallAgent(Loop& loop, store::Store& store, Uuid host)
      : store_(store), host_(host), mirror_(loop, store, [this] { look(); }) {}
  void look() {
    std::map<Uuid, std::pair<store::Revision, std::string>> bindings;
    const Status read = mirror_.read([&](store::View& view) -> Status {
      const auto names = view.list(paths::bindings(host_));
      if (!names) return tl::unexpected<Error>(names.error());
      bool complete = true;
      for (const std::string& name : *names) {
        const auto node = view.get(paths::binding(host_, id(name)));
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
          [path = paths::status(host_, port), status](store::Transaction& t) -> Status {
            const auto present = t.get(path);
            if (!present && present.error().code == Code::pending) return tl::unexpected<Error>(present.error());
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

void must(Loop& loop, store::Store& store, std::function<Status(store::Transaction&)> body) {
  std::optional<bool> done;
  store::transact(store, std::move(body), [&](const Result<store::Revision>& result) { done = result.has_value(); });
  if (!loop.run_until([&] { return done.has_value(); }, std::chrono::seconds(10)) || !*done) std::abort();
}

// The process of the API. Writes its address to `out`, then serves until it is killed.
[[noreturn]] void serve(int out) {
  Loop loop;
  auto store = std::move(*store::open(loop, "embedded::memory:", {.patience = std::chrono::seconds(10)}));
  must(loop, *store, [](store::Transaction& t) { return topology::register_host(t, id(host1), "cmp1"); });
  must(loop, *store, [](store::Transaction& t) { return topology::register_host(t, id(host2), "cmp2"); });
  must(loop, *store, [](store::Transaction& t) -> Status {
    t.create_ephemeral(paths::alive(id(host1)), model::encode(model::Alive{1, "0.1.0", "2026-01-31T12:00:00.000Z"}));
    model::Interface eth0;
    eth0.name = "eth0";
    eth0.mtu = 1500;
    eth0.mac = "02:00:00:00:00:0a";
    eth0.type = "Physical";
    eth0.endpoint = "PHYSICAL";
    eth0.status = 3;
    eth0.addresses = {"10.0.0.1"};
    t.create_ephemeral(paths::interface(id(host1), "eth0"), model::encode(eth0));
    return {};
  });
  SmallAgent agent(loop, *store, id(host1));
  agent.look();
  Registry registry;
  api::ApiServer::Options options;
  options.listen = "127.0.0.1:0";
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
  Midonet() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) std::abort();
    server_ = ::fork();
    if (server_ == 0) {
      ::freopen("/dev/null", "w", stderr);
      serve(ends[1]);
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
  // What it prints, of a call that has to succeed in silence on stderr.
  std::string ok(std::vector<std::string> arguments) {
    const Ended ended = midonet(arguments);
    EXPECT_EQ(ended.status, 0) << ::testing::PrintToString(arguments) << ": " << ended.err;
    EXPECT_EQ(ended.err, "");
    return ended.out;
  }
  void fails(int status, const ::testing::Matcher<std::string>& message, std::vector<std::string> arguments) {
    const Ended ended = midonet(arguments);
    EXPECT_EQ(ended.status, status) << ::testing::PrintToString(arguments);
    EXPECT_THAT(ended.err, AllOf(StartsWith("midonet: "), EndsWith("\n"))) << ended.err;
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

TEST_F(Midonet, MakesAndListsBridgesAndPorts) {
  EXPECT_EQ(ok({"bridge", "create", "web", "--id", web, "--tenant", "acme"}), web + "\n");
  EXPECT_THAT(ok({"bridge", "create"}), MatchesRegex("[0-9a-f-]{36}\n"));
  EXPECT_EQ(ok({"port", "create", "web", "--id", port1, "--mac", "02:00:00:00:00:01"}), port1 + "\n");
  EXPECT_THAT(ok({"bridge", "list", "--tenant", "acme"}),
              MatchesRegex("ID +NAME +TENANT +VNI +UP\n" + web + "  web   acme    [0-9]+ +yes\n"));
  EXPECT_EQ(ok({"port", "list", "web"}),
            "ID                                    BRIDGE  HOST  INTERFACE  STATE    SINCE  MAC\n" + port1 +
                "  web     -     -          unbound  -      02:00:00:00:00:01\n");
  const json all = json::parse(ok({"bridge", "list", "-o", "json"}));
  EXPECT_EQ(all.size(), 2U);
  EXPECT_EQ(json::parse(ok({"-o", "json", "port", "create", "web"}))["deviceId"], web);
}

TEST_F(Midonet, ListsHosts) {
  EXPECT_EQ(ok({"host", "list"}), "ID                                    NAME  STATE  ADDRESSES\n" + host1 +
                                      "  cmp1  alive  10.0.0.1\n" + host2 + "  cmp2  down   -\n");
}

TEST_F(Midonet, AttachesWaitsAndDetaches) {
  make_all();
  EXPECT_EQ(masked(ok({"attach", port1, "cmp1", "tap1", "--wait", "10"})),
            "ID                                    BRIDGE  HOST  INTERFACE  STATE   SINCE  MAC\n" + port1 +
                "  web     cmp1  tap1       active  AGE     02:00:00:00:00:01\n");
  ok({"attach", port1, "cmp1", "tap1", "--wait", "10"});  // again
  EXPECT_EQ(ok({"detach", "tap1"}), "detached port " + port1 + " from tap1\n");
  EXPECT_EQ(ok({"detach", port1}), "port " + port1 + " was not attached\n");
}

TEST_F(Midonet, SaysWhatIsWrongWithAnAttachedPort) {
  make_all();
  const Ended bad = midonet({"attach", port1, "cmp1", "bad0", "--wait", "10"});
  EXPECT_EQ(bad.status, 6);
  EXPECT_EQ(bad.err, "midonet: port " + port1 + " is attached, but not active: bad0 is a port of the bridge br0\n");
  EXPECT_THAT(bad.out, HasSubstr("error"));
  fails(5, HasSubstr("is attached, but still pending-host after 0.2 s"),
        {"attach", port2, "cmp1", "slow0", "--wait", "0.2"});
  const Ended as_json = midonet({"-o", "json", "attach", port2, "cmp1", "slow0", "--wait", "0.1"});
  EXPECT_EQ(as_json.status, 5);
  EXPECT_EQ(json::parse(as_json.out)["interfaceName"], "slow0");
}

TEST_F(Midonet, RefusesWhatTheApiRefuses) {
  make_all();
  ok({"attach", port1, "cmp1", "tap1"});
  fails(3, AllOf(HasSubstr("tap1"), HasSubstr("`midonet detach`")), {"attach", port2, "cmp1", "tap1"});
  fails(3, HasSubstr("--move-from"), {"attach", port1, "cmp2", "tap1"});
  ok({"attach", port1, "cmp2", "tap1", "--move-from", "cmp1"});
  fails(3, HasSubstr("already exists"), {"bridge", "create", "other", "--id", web});
  fails(3, HasSubstr("active"), {"host", "delete", "cmp1"});
  fails(1, HasSubstr("MAC address"), {"port", "create", "web", "--mac", "02:00"});
  fails(1, HasSubstr("UUID"), {"port", "create", "web", "--id", "7"});
  fails(1, HasSubstr("interface"), {"attach", port2, "cmp1", "a name"});
  fails(1, HasSubstr("UTF-8"), {"bridge", "create", "\xff"});
  EXPECT_EQ(json::parse(ok({"-o", "json", "bridge", "list"})).size(), 2U);
}

TEST_F(Midonet, TakesNamesIdsAndBeginningsOfIds) {
  make_all();
  for (const std::string name : {"web", web.c_str(), "bbbb0001", "BBBB0001-0000-4000-8000-000000000000"})
    EXPECT_THAT(ok({"bridge", "show", name}), HasSubstr(web));
  for (const std::string name : {port1.c_str(), "dddd0001", "02:00:00:00:00:01"})
    EXPECT_THAT(ok({"port", "show", name}), HasSubstr(port1));
  fails(1, AllOf(HasSubstr(web + " (web)"), HasSubstr(db + " (db)")), {"bridge", "show", "bbbb"});
  fails(2, HasSubstr("there is no bridge 'mail': `midonet bridge list` shows what there is"),
        {"bridge", "show", "mail"});
  fails(2, HasSubstr("no port"), {"detach", host1});
  fails(2, HasSubstr("no bridge"), {"port", "list", "mail"});
  ok({"bridge", "create", "web"});
  fails(1, HasSubstr("may be any of 2 bridges"), {"port", "create", "web"});
}

TEST_F(Midonet, ShowsTheTree) {
  make_all();
  ok({"attach", port1, "cmp1", "tap1", "--wait", "10"});
  ok({"attach", port2, "cmp2", "tap2"});
  EXPECT_EQ(masked(ok({"show"})),
            "host cmp1  alive\n"
            "  port " +
                port1 +
                "  on web  tap1  active        AGE\n"
                "host cmp2  down\n"
                "  port " +
                port2 +
                "  on web  tap2  pending-host  -   the host has no live agent\n"
                "bridge db  1 unbound port\n"
                "  port " +
                port3 + "\n");
  const json tree = json::parse(ok({"show", "-o", "json"}));
  EXPECT_EQ(tree["hosts"][0]["ports"][0]["status"]["state"], "active");
}

TEST_F(Midonet, ShowsOneOfThemInFull) {
  make_all();
  ok({"attach", port1, "cmp1", "tap1", "--wait", "10"});
  EXPECT_EQ(masked(ok({"port", "show", "tap1"})), "id             " + port1 +
                                                      "\n"
                                                      "type           Bridge\n"
                                                      "deviceId       " +
                                                      web +
                                                      "\n"
                                                      "adminStateUp   yes\n"
                                                      "macAddress     02:00:00:00:00:01\n"
                                                      "hostId         " +
                                                      host1 +
                                                      "\n"
                                                      "interfaceName  tap1\n"
                                                      "active         yes\n"
                                                      "state          active\n"
                                                      "since          AGE\n");
  EXPECT_THAT(ok({"host", "show", "cmp1"}),
              AllOf(HasSubstr("eth0       up     02:00:00:00:00:0a  1500"), HasSubstr(port1)));
  EXPECT_THAT(ok({"bridge", "show", "web"}), AllOf(HasSubstr("tenantId"), HasSubstr(port1), HasSubstr(port2)));
  EXPECT_THAT(ok({"port", "show", "tap1", "-o", "wide"}),
              HasSubstr(url + "/midonet-api/ports/" + port1 + "/attach_interface\n"));
}

TEST_F(Midonet, DeletesSeveralOrNone) {
  make_all();
  fails(2, HasSubstr("mail"), {"bridge", "delete", "web", "mail"});
  EXPECT_EQ(json::parse(ok({"-o", "json", "bridge", "list"})).size(), 2U);
  EXPECT_EQ(ok({"bridge", "delete", "web", "bbbb0002"}),
            "deleted bridge " + web + " (web)\ndeleted bridge " + db + " (db)\n");
  EXPECT_EQ(ok({"port", "list"}), "ID  BRIDGE  HOST  INTERFACE  STATE  SINCE\n");
  EXPECT_EQ(ok({"host", "delete", "cmp2"}), "deleted host " + host2 + " (cmp2)\n");
}

TEST_F(Midonet, TellsWhetherAllIsWell) {
  make_all();
  ok({"attach", port1, "cmp1", "tap1", "--wait", "10"});
  ok({"attach", port2, "cmp2", "tap2"});
  EXPECT_EQ(ok({"status"}), "API         v5.0 at " + url +
                                "/midonet-api, ACTIVE READWRITE\n"
                                "hosts       1 alive, 1 down: cmp2\n"
                                "bridges     2\n"
                                "ports       3: 1 active, 1 pending-host, 1 unbound\n"
                                "agent here  none: unix:" +
                                socket +
                                ": No such file or directory (ENOENT)\n"
                                "not active:\n"
                                "  port " +
                                port2 + "  on web  cmp2  tap2  pending-host  -  the host has no live agent\n");

  FakeAgent agent(socket);
  Child child({MIDONET_PROGRAM, "--api", url, "--socket", socket, "status"});
  const std::string body = json{{"hostId", host1}, {"version", "7"}}.dump();
  EXPECT_THAT(agent.serve(fmt::format("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{}", body.size(), body)),
              StartsWith("GET /status HTTP/1.1\r\n"));
  EXPECT_THAT(child.wait().out, HasSubstr("agent here  cmp1 (" + host1 + "), version 7\n"));
}

TEST_F(Midonet, SaysHowAHostIsMade) {
  fails(1, HasSubstr("run `midolman --store URI` on it"), {"host", "create", "cmp3"});
}

TEST_F(Midonet, CompletesCommandsFlagsNamesAndIds) {
  make_all();
  const auto complete = [&](std::vector<std::string> words) {
    words.insert(words.begin(), {"__complete", "--api", url});
    words.insert(words.begin(), MIDONET_PROGRAM);
    return run(words).out;
  };
  EXPECT_EQ(complete({"st"}), "status\n");
  EXPECT_EQ(complete({"bridge", "s"}), "show\n");
  EXPECT_EQ(complete({"bridge", "show", ""}), web + "\n" + db + "\ndb\nweb\n");
  EXPECT_EQ(complete({"bridge", "show", "web", ""}), "");
  EXPECT_EQ(complete({"bridge", "delete", "web", "d"}), "db\n");
  EXPECT_EQ(complete({"attach", port1, "c"}), "cmp1\ncmp2\n");
  EXPECT_EQ(complete({"attach", port1, "cmp1", ""}), "eth0\n");
  EXPECT_EQ(complete({"port", "create", "w"}), "web\n");
  EXPECT_EQ(complete({"-o", "j"}), "json\n");
  EXPECT_EQ(complete({"-o", "json", "attach", "ee"}), port3 + "\n");
  EXPECT_EQ(complete({"attach", "--wai"}), "--wait\n");
  EXPECT_EQ(complete({"attach", "--move-from", "cmp2"}), "cmp2\n");
  EXPECT_EQ(complete({"bridge", "create", ""}), "");
}

TEST_F(Midonet, CompletesInBash) {
  make_all();
  std::ifstream file(MIDONET_BASH);
  std::stringstream script;
  script << file.rdbuf();
  EXPECT_EQ(run({MIDONET_PROGRAM, "completion", "bash"}).out, script.str());
  const Ended ended = run({"/bin/bash", "-c",
                           "source <(\"$0\" completion bash)\n"
                           "complete -p midonet\n"
                           "COMP_WORDS=(\"$0\" --api \"$1\" bridge show we) COMP_CWORD=5\n"
                           "_midonet; echo \"${COMPREPLY[@]}\"",
                           MIDONET_PROGRAM, url});
  EXPECT_EQ(ended.out, "complete -F _midonet midonet\nweb\n");
  EXPECT_EQ(ended.err, "");
}

// --------------------------------------------------------------------------------------------- without an API

TEST(MidonetAlone, SaysWhatToDoWhenNobodyAnswers) {
  const Ended ended = run({MIDONET_PROGRAM, "--api", "http://127.0.0.1:1", "bridge", "list"});
  EXPECT_EQ(ended.status, 4);
  EXPECT_EQ(ended.out, "");
  EXPECT_THAT(ended.err, MatchesRegex("midonet: [^\n]*127.0.0.1:1[^\n]*start midonet-api or `midolman standalone`, or "
                                      "name another with --api URL\n"));
}

TEST(MidonetAlone, TellsOfTheAgentEvenThen) {
  const TemporaryDirectory directory;
  FakeAgent agent(directory / "sock");
  Child child({MIDONET_PROGRAM, "--api", "http://127.0.0.1:1", "--socket", directory / "sock", "status"});
  agent.serve("HTTP/1.1 200 OK\r\nContent-Length: 14\r\n\r\n{\"hostId\":\"x\"}");
  const Ended ended = child.wait();
  EXPECT_EQ(ended.status, 4);
  EXPECT_EQ(ended.out, "agent here  x\n");
}

TEST(MidonetAlone, RefusesWrongUsageWithOneLine) {
  const std::vector<std::vector<std::string>> wrong{{},
                                                    {"nonsense"},
                                                    {"bridge"},
                                                    {"bridge", "nonsense"},
                                                    {"bridge", "create", "a", "b"},
                                                    {"bridge", "show"},
                                                    {"attach", "p", "h"},
                                                    {"port", "create"},
                                                    {"-o", "xml", "show"},
                                                    {"--timeout", "0", "show"},
                                                    {"--nonsense", "show"},
                                                    {"show", "extra"},
                                                    {"--api", "ftp://x", "show"},
                                                    {"attach", "p", "h", "i", "--wait", "-1"},
                                                    {"completion", "fish"},
                                                    {"--config", "/nowhere.conf", "show"}};
  for (std::vector<std::string> arguments : wrong) {
    arguments.insert(arguments.begin(), MIDONET_PROGRAM);
    const Ended ended = run(arguments);
    EXPECT_EQ(ended.status, 1) << ::testing::PrintToString(arguments) << ended.out;
    EXPECT_EQ(ended.out, "");
    EXPECT_THAT(ended.err, MatchesRegex("midonet: [^\n]+\n"));
  }
}

TEST(MidonetAlone, ExplainsItselfOnRequest) {
  const Ended help = run({MIDONET_PROGRAM, "--help"});
  EXPECT_EQ(help.status, 0);
  EXPECT_THAT(help.out, AllOf(HasSubstr("Exit status:"), HasSubstr("bridge"), Not(HasSubstr("__complete"))));
  EXPECT_THAT(run({MIDONET_PROGRAM, "--version"}).out, MatchesRegex("midonet [0-9.]+\n"));
}

TEST(MidonetAlone, ReadsItsConfiguration) {
  const TemporaryDirectory directory;
  const std::string config = directory / "midonet.conf";
  write_file(config, "api = http://127.0.0.1:2\noutput = json\n");
  EXPECT_THAT(run({MIDONET_PROGRAM, "--config", config, "show"}).err, HasSubstr("127.0.0.1:2"));
  write_file(config, "apy = http://127.0.0.1:2\n");
  const Ended ended = run({MIDONET_PROGRAM, "--config", config, "show"});
  EXPECT_EQ(ended.status, 1);
  EXPECT_THAT(ended.err, HasSubstr("apy"));
}

}  // namespace
}  // namespace midonet::programs
