#include "cli/agent_config.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace midonet::cli::agent_config_test {
namespace {

TEST(AgentConfig, OfAnEmptyFileIsTheDefault) {
  const auto config = parse_agent_config("", "f");
  ASSERT_TRUE(config);
  EXPECT_EQ(config->store, "embedded:/var/lib/midolman/midonet.db");
  EXPECT_EQ(config->host_id_file, "/etc/midonet_host_id.properties");
  EXPECT_EQ(config->socket(), "/var/run/midolman/midolman.sock");
  EXPECT_EQ(config->release_tap, ReleaseTap::automatic);
  EXPECT_EQ(config->zookeeper_secret_file, "");
}

TEST(AgentConfig, ReadsTheKeysOfTheAgentAndPassesOverTheOthers) {
  const auto config = parse_agent_config(
      "# the agent\n"
      "; another comment\r\n"
      "  store = \"zookeeper://h1:2181,h2:2181/midonet\"  # three of them soon\n"
      "host-id-file=/etc/id\r\n"
      "log-level = debug\n"
      "remove-datapath\n"
      "run-dir\t=\t'/run/mido man'\n"
      "zookeeper-secret-file = /etc/midolman/secret\n"
      "release-tap = no",
      "f");
  ASSERT_TRUE(config);
  EXPECT_EQ(config->store, "zookeeper://h1:2181,h2:2181/midonet");
  EXPECT_EQ(config->host_id_file, "/etc/id");
  EXPECT_EQ(config->run_dir, "/run/mido man");
  EXPECT_EQ(config->zookeeper_secret_file, "/etc/midolman/secret");
  EXPECT_EQ(config->release_tap, ReleaseTap::no);
}

TEST(AgentConfig, LeavesSectionsOfOthersAlone) {
  const auto config = parse_agent_config("[other]\nstore = embedded:/wrong\n[default]\nrun-dir = /run/a\n", "f");
  ASSERT_TRUE(config);
  EXPECT_EQ(config->store, AgentConfig{}.store);
  EXPECT_EQ(config->run_dir, "/run/a");
}

TEST(AgentConfig, NamesTheLineOfABadValueOrKey) {
  const auto message = [](const char* text) { return parse_agent_config(text, "f").error().message; };
  EXPECT_EQ(message("\nrelease-tap = perhaps\n"), "f:2: release-tap 'perhaps': choose auto, yes or no");
  EXPECT_EQ(message("store = # none\n"), "f:1: the key 'store' has no value");
  EXPECT_EQ(message("# c\nstroe = embedded:/x\n"), "f:2: unknown key 'stroe'; did you mean 'store'?");
  EXPECT_EQ(message("store zookeeper://a\n"), "f:1: 'store zookeeper://a' is no key: write `key = value`");
}

TEST(AgentConfig, ReadsTheFormerSpellingOfReleaseTap) {
  EXPECT_EQ(parse_agent_config("release_tap = yes\n", "f")->release_tap, ReleaseTap::yes);
}

TEST(AgentConfig, ThatWasNamedMustBeThere) {
  const auto config = read_agent_config("/nowhere/midolman.conf");
  ASSERT_FALSE(config);
  EXPECT_EQ(config.error().message, "read /nowhere/midolman.conf: No such file or directory (ENOENT)");
}

TEST(HostId, IsThePropertyOfItsFile) {
  const auto id = parse_host_id("# made once\nother=1\n host_uuid = 3F2504E0-4F89-41D3-9A0C-0305E82C3301 \n", "f");
  ASSERT_TRUE(id);
  EXPECT_EQ(id->to_string(), "3f2504e0-4f89-41d3-9a0c-0305e82c3301");
}

TEST(HostId, ThatIsMissingOrIllFormedIsNotFound) {
  for (const char* text : {"", "#host_uuid=3f2504e0-4f89-41d3-9a0c-0305e82c3301", "host_uuid",
                           "host_uuid=", "host_uuid=3f2504e0", "uuid=3f2504e0-4f89-41d3-9a0c-0305e82c3301"}) {
    const auto id = parse_host_id(text, "f");
    ASSERT_FALSE(id) << text;
    EXPECT_EQ(id.error().code, Code::not_found) << text;
  }
  EXPECT_EQ(parse_host_id("", "f").error().message, "there is no host id in f: a line host_uuid=<uuid> is missing");
  EXPECT_EQ(read_host_id("/nowhere/id").error().message,
            "there is no host id: read /nowhere/id: No such file or directory (ENOENT)");
}

}  // namespace
}  // namespace midonet::cli::agent_config_test
