#include "agent/run_directory.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace midonet::agent::run_directory_test {
namespace {

class Running : public testing::Test {
 protected:
  Running() {
    std::string pattern = testing::TempDir() + "/midonet-run-XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
  }
  ~Running() override { std::filesystem::remove_all(folder_); }
  std::string folder_;
};

TEST_F(Running, ADirectoryIsMadeAndGivenBackAtTheEnd) {
  const std::string path = folder_ + "/deep/run";
  { EXPECT_TRUE(RunDirectory::claim(path)); }
  EXPECT_TRUE(RunDirectory::claim(path));
}

TEST_F(Running, ASecondAgentIsRefusedAndToldWhoHasTheDirectory) {
  const auto first = RunDirectory::claim(folder_);
  ASSERT_TRUE(first);
  EXPECT_EQ(first->socket(), std::filesystem::canonical(folder_).string() + "/midolman.sock");
  const auto second = RunDirectory::claim(folder_);  // flock(2) is of the open file, so one process shows it too
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Code::conflict);
  EXPECT_NE(second.error().message.find(fmt::format("process {}", ::getpid())), std::string::npos)
      << second.error().message;
}

std::filesystem::perms mode(const std::string& path) { return std::filesystem::status(path).permissions(); }
constexpr auto owner_all = std::filesystem::perms::owner_all;
constexpr auto owner_file = std::filesystem::perms::owner_read | std::filesystem::perms::owner_write;
constexpr auto as_ever = owner_all | std::filesystem::perms::group_read | std::filesystem::perms::group_exec |
                         std::filesystem::perms::others_read | std::filesystem::perms::others_exec;

TEST_F(Running, DirectoryAndLockAreClosedToOtherUsers) {
  const std::string made = folder_ + "/made";
  ASSERT_TRUE(RunDirectory::claim(made));
  EXPECT_EQ(mode(made), owner_all);
  EXPECT_EQ(mode(made + "/midolman.lock"), owner_file);
}

TEST_F(Running, WhatAnEarlierVersionLeftOpenIsClosed) {
  const std::string left = folder_ + "/left";
  std::filesystem::create_directory(left);
  for (const char* name : {"/midolman.lock", "/midolman.sock", "/session"}) std::ofstream(left + name) << "1\n";
  std::filesystem::permissions(left, as_ever);
  std::filesystem::permissions(left + "/midolman.lock", owner_file | std::filesystem::perms::others_read);
  ASSERT_TRUE(RunDirectory::claim(left));
  EXPECT_EQ(mode(left), owner_all);
  EXPECT_EQ(mode(left + "/midolman.lock"), owner_file);
}

TEST_F(Running, AFolderThatOtherProgramsUseKeepsItsModeAndTheLockIsClosed) {
  std::ofstream(folder_ + "/theirs") << "1\n";
  std::filesystem::permissions(folder_, as_ever);
  ASSERT_TRUE(RunDirectory::claim(folder_));
  EXPECT_EQ(mode(folder_), as_ever);
  EXPECT_EQ(mode(folder_ + "/midolman.lock"), owner_file);
}

TEST_F(Running, ALockOfAKilledAgentHoldsNobodyUp) {
  const pid_t child = ::fork();
  if (child == 0) {
    const auto claimed = RunDirectory::claim(folder_);
    ::_exit(claimed ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_EQ(status, 0);
  EXPECT_TRUE(RunDirectory::claim(folder_));
}

TEST_F(Running, PinDirectoriesDifferAndHaveNoDots) {
  EXPECT_EQ(pin_directory("/sys/fs/bpf", "/nowhere/midolman"), "/sys/fs/bpf/midolman/nowhere-midolman");
  EXPECT_EQ(pin_directory("/b", "/nowhere/midolman/"), pin_directory("/b", "/nowhere/midolman"));
  EXPECT_NE(pin_directory("/b", "/nowhere/a-b"), pin_directory("/b", "/nowhere/a/b"));
  EXPECT_NE(pin_directory("/b", "/nowhere/a.b"), pin_directory("/b", "/nowhere/a-b"));
  EXPECT_EQ(pin_directory("/b", "/nowhere/a.b").find('.'), std::string::npos);
  std::filesystem::create_directory_symlink(folder_, folder_ + "/link");
  EXPECT_EQ(pin_directory("/b", folder_ + "/link"), pin_directory("/b", folder_));
}

}  // namespace
}  // namespace midonet::agent::run_directory_test
