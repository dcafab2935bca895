// midonet, the program: completion by a shell, wrong usage, its configuration, and what it says without an API.
#include <fstream>
#include <sstream>

#include "programs/midonet_fixture.h"

namespace midonet::programs::midonet_usage_test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;

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
  ok({"tunnel-zone", "create", "underlay"});
  EXPECT_EQ(complete({"tunnel-zone", "a"}), "add-host\n");
  EXPECT_EQ(complete({"tunnel-zone", "add-host", "und"}), "underlay\n");
  EXPECT_EQ(complete({"tunnel-zone", "remove-host", "underlay", "c"}), "cmp1\ncmp2\n");
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

TEST_F(Midonet, WaitsUntilAllIsWell) {
  ok({"host", "delete", "cmp2"});
  ok({"status", "--wait", "0"});
  // No server answers there, and none will.
  EXPECT_EQ(run({MIDONET_PROGRAM, "--api", "http://127.0.0.1:1", "status", "--wait", "0.3"}).status, 4);
  // The agent's word is what is waited for: the first answer warns, the second does not.
  FakeAgent agent(socket);
  Child child({MIDONET_PROGRAM, "--api", url, "--socket", socket, "status", "--wait", "60"});
  const auto answer = [](const std::string& body) {
    return fmt::format("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{}", body.size(), body);
  };
  agent.serve(answer(R"({"hostId": "x", "warnings": ["not yet"]})"));
  agent.serve(answer(R"({"hostId": "x"})"));
  const Ended ended = child.wait();
  EXPECT_EQ(ended.status, 0) << ended.err;
  EXPECT_THAT(ended.out, Not(HasSubstr("not yet")));
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
}  // namespace midonet::programs::midonet_usage_test
