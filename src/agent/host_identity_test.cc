#include "agent/host_identity.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

namespace midonet::agent::host_identity_test {
namespace {

class HostIdentity : public testing::Test {
 protected:
  HostIdentity() {
    std::string pattern = testing::TempDir() + "/midonet-id-XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
    file_ = folder_ + "/host_id.properties";
  }
  ~HostIdentity() override { std::filesystem::remove_all(folder_); }
  void write(const std::string& text) { std::ofstream(file_) << text; }

  std::string folder_, file_;
};

TEST_F(HostIdentity, IsDrawnOnTheFirstStartAndKept) {
  const mode_t before = ::umask(0077);
  const auto first = host_identity(file_);
  ::umask(before);
  ASSERT_TRUE(first) << first.error().message;
  EXPECT_FALSE(first->is_nil());
  EXPECT_EQ(host_identity(file_), first);
  struct stat is {};
  ASSERT_EQ(::stat(file_.c_str(), &is), 0);
  EXPECT_EQ(is.st_mode & 07777, 0644u) << "whatever the umask";
  std::string line;
  std::getline(std::ifstream(file_) >> std::ws, line);
  EXPECT_EQ(line, "host_uuid=" + first->to_string());
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_), {}), 1) << "nothing else is left";
}

TEST_F(HostIdentity, OtherLinesAndCommentsArePassedOver) {
  write("# made by hand\n\n other = 1\n host_uuid = AA59815A-8c66-4c2f-9f5e-1b6b3f0f5e01 \r\n");
  EXPECT_EQ(host_identity(file_)->to_string(), "aa59815a-8c66-4c2f-9f5e-1b6b3f0f5e01");
}

TEST_F(HostIdentity, BadContentsAreAnErrorAndStayAsTheyAre) {
  for (const char* text : {"", "host_uuid=\n", "host_uuid=nonsense\n", "uuid=aa59815a-8c66-4c2f-9f5e-1b6b3f0f5e01\n",
                           "host_uuid=00000000-0000-0000-0000-000000000000\n",
                           "host_uuid=aa59815a-8c66-4c2f-9f5e-1b6b3f0f5e01\n"
                           "host_uuid=bb59815a-8c66-4c2f-9f5e-1b6b3f0f5e01\n"}) {
    write(text);
    const auto id = host_identity(file_);
    ASSERT_FALSE(id) << text;
    EXPECT_EQ(id.error().code, Code::invalid);
    EXPECT_NE(id.error().message.find(file_), std::string::npos) << id.error().message;
    std::ifstream in(file_);
    EXPECT_EQ(std::string(std::istreambuf_iterator<char>(in), {}), text);
  }
}

TEST_F(HostIdentity, AFolderThatIsMissingIsAnErrorThatNamesTheFile) {
  const auto id = host_identity(folder_ + "/no/where");
  ASSERT_FALSE(id);
  EXPECT_NE(id.error().message.find("/no/where"), std::string::npos);
}

TEST_F(HostIdentity, AStoreInPlaceOfTheOneThatHasPortsIsAnError) {
  const std::string file = file_ + ".store";
  EXPECT_TRUE(check_store_of_ports(file, "a", "embedded:/x"));
  ASSERT_TRUE(note_store_of_ports(file, "a"));
  EXPECT_TRUE(check_store_of_ports(file, "a", "embedded:/x"));
  const Status other = check_store_of_ports(file, "b", "embedded:/x");
  ASSERT_FALSE(other);
  EXPECT_NE(other.error().message.find("ports of this host are in store a"), std::string::npos);
  ASSERT_TRUE(note_store_of_ports(file, "b"));
  EXPECT_TRUE(check_store_of_ports(file, "b", "embedded:/x"));
  // ZooKeeper, which has no identity: nothing is compared, and what was noted stays.
  EXPECT_TRUE(check_store_of_ports(file, "", "zookeeper://x"));
  ASSERT_TRUE(note_store_of_ports(file, ""));
  EXPECT_FALSE(check_store_of_ports(file, "a", "embedded:/x"));
}

}  // namespace
}  // namespace midonet::agent::host_identity_test
