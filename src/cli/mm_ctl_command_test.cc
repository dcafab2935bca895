#include <gtest/gtest.h>

#include <vector>

#include "cli/mm_ctl.h"

namespace midonet::cli::mm_ctl_command_test {
namespace {

using Arguments = std::vector<const char*>;

TEST(MmCtlCommand, BindsAPortToAnInterface) {
  const auto command = parse_mm_ctl(Arguments{"--bind-port", "p", "tap0"});
  ASSERT_TRUE(command);
  EXPECT_EQ(command->verb, MmCtlCommand::Verb::bind);
  EXPECT_EQ(command->port_id, "p");
  EXPECT_EQ(command->interface_name, "tap0");
  EXPECT_EQ(command->timeout, std::chrono::seconds(10));
}

TEST(MmCtlCommand, UnbindsAPort) {
  const auto command = parse_mm_ctl(Arguments{"--unbind-port", "p"});
  ASSERT_TRUE(command);
  EXPECT_EQ(command->verb, MmCtlCommand::Verb::unbind);
  EXPECT_EQ(command->port_id, "p");
}

TEST(MmCtlCommand, TakesFlagsAnywhereAndInBothSpellings) {
  const auto command =
      parse_mm_ctl(Arguments{"--timeout", "0.25", "--bind-port", "p", "--socket=/s", "tap0", "--store", "embedded:/x=y",
                             "--config", "/c", "--host-id-file", "/h", "--run-dir=/r", "--release-tap=yes"});
  ASSERT_TRUE(command);
  EXPECT_EQ(command->timeout, std::chrono::milliseconds(250));
  EXPECT_EQ(command->socket, "/s");
  EXPECT_EQ(command->store, "embedded:/x=y");
  EXPECT_EQ(command->config_file, "/c");
  EXPECT_EQ(command->host_id_file, "/h");
  EXPECT_EQ(command->run_dir, "/r");
  EXPECT_EQ(command->release_tap, ReleaseTap::yes);
  EXPECT_EQ(command->interface_name, "tap0");
}

TEST(MmCtlCommand, TakesAnOddInterfaceNameAfterTwoDashes) {
  const auto command = parse_mm_ctl(Arguments{"--bind-port", "--", "p", "--tap0"});
  ASSERT_TRUE(command);
  EXPECT_EQ(command->interface_name, "--tap0");
}

TEST(MmCtlCommand, ThatIsWrongIsRefused) {
  for (const Arguments& arguments :
       {Arguments{}, Arguments{"--bind-port"}, Arguments{"--bind-port", "p"},
        Arguments{"--bind-port", "p", "tap0", "x"}, Arguments{"--unbind-port"}, Arguments{"--unbind-port", "p", "tap0"},
        Arguments{"p", "tap0"}, Arguments{"--bind-port", "--unbind-port", "p"},
        Arguments{"--unbind-port", "--unbind-port", "p"}, Arguments{"--list"},
        Arguments{"--bind-port", "p", "tap0", "--socket"}, Arguments{"--bind-port", "p", "tap0", "--socket="},
        Arguments{"--bind-port", "p", "tap0", "--timeout", "0"},
        Arguments{"--bind-port", "p", "tap0", "--timeout", "nan"},
        Arguments{"--bind-port", "p", "tap0", "--timeout", "5s"},
        Arguments{"--bind-port", "p", "tap0", "--timeout", "1e9"}, Arguments{"--bind-port=p", "tap0"},
        Arguments{"--unbind-port", "p", "--release-tap", "maybe"}, Arguments{"--unbind-port", "p", "--verbose"}}) {
    const auto command = parse_mm_ctl(arguments);
    EXPECT_FALSE(command) << ::testing::PrintToString(arguments);
  }
}

}  // namespace
}  // namespace midonet::cli::mm_ctl_command_test
