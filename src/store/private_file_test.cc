#include "store/private_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace midonet::store::private_file_test {
namespace {

using testing::HasSubstr;

class PrivateFile : public testing::Test {
 protected:
  PrivateFile() : directory_((std::filesystem::temp_directory_path() / "midonet-private-XXXXXX").string()) {
    EXPECT_NE(::mkdtemp(directory_.data()), nullptr);
  }
  ~PrivateFile() override { std::filesystem::remove_all(directory_); }
  std::string path(const std::string& name) const { return directory_ + "/" + name; }
  std::string with(const std::string& text, mode_t mode = 0600) const {
    std::ofstream(path("file")) << text;
    EXPECT_EQ(::chmod(path("file").c_str(), mode), 0);
    return path("file");
  }

  std::string directory_;
};

TEST_F(PrivateFile, ASecretIsOneLine) {
  EXPECT_EQ(*read_secret(with("midonet:s3cr:et\n")), "midonet:s3cr:et");
  EXPECT_EQ(*read_secret(with("midonet:x")), "midonet:x");
  for (const char* text : {"", "\n", "midonet", ":x", "midonet:", "a:b\nc:d\n"}) {
    const auto secret = read_secret(with(text));
    ASSERT_FALSE(secret) << text;
    EXPECT_EQ(secret.error().code, Code::invalid);
    EXPECT_THAT(secret.error().message, HasSubstr(path("file")));
  }
  EXPECT_EQ(read_secret(path("absent")).error().code, Code::not_found);
}

TEST_F(PrivateFile, ASecretThatOthersCanReadIsRefusedAndNotShown) {
  for (const mode_t mode : {0640u, 0604u, 0620u, 0666u}) {
    const auto secret = read_secret(with("midonet:hidden", mode));
    ASSERT_FALSE(secret);
    EXPECT_EQ(secret.error().code, Code::forbidden);
    EXPECT_THAT(secret.error().message, HasSubstr("chmod 600"));
    EXPECT_THAT(secret.error().message, Not(HasSubstr("hidden")));
  }
}

TEST_F(PrivateFile, ASessionComesBackAsItWasAndIsReadableByItsOwnerAlone) {
  EXPECT_EQ(read_session(path("session"))->id, 0);
  const mode_t before = ::umask(0);
  for (const std::int64_t id : {std::int64_t(0x10000fd865a0024), std::int64_t(-42)}) {
    const ZookeeperSession session{id, std::string("\x00\xff secret \n 123", 14) + "xy"};
    ASSERT_TRUE(write_session(path("session"), session));
    EXPECT_EQ(*read_session(path("session")), session);
  }
  ::umask(before);
  struct ::stat stat {};
  ASSERT_EQ(::stat(path("session").c_str(), &stat), 0);
  EXPECT_EQ(stat.st_mode & 07777u, 0600u);
  EXPECT_FALSE(std::filesystem::exists(path("session.new")));
}

TEST_F(PrivateFile, ASessionOfAnotherOwnerIsNone) {
  const ZookeeperSession session{12, std::string(16, 'x')};
  ASSERT_TRUE(write_session(path("session"), session, "host a boot b"));
  EXPECT_EQ(*read_session(path("session"), "host a boot b"), session);
  EXPECT_EQ(read_session(path("session"), "host a boot c").error().code, Code::conflict);
  ASSERT_TRUE(write_session(path("session"), session));
  EXPECT_EQ(*read_session(path("session"), "host a boot b"), session) << "an older version wrote it";
}

TEST_F(PrivateFile, ADamagedSessionIsNone) {
  const std::string password(32, '0');
  for (const std::string& text :
       {std::string("x"), std::string("id=12\n"), "id=0\npassword=" + password, "id=zz\npassword=" + password,
        "id=12\npassword=" + password + "00", "id=12\npassword=" + password.substr(1) + "g"}) {
    EXPECT_EQ(read_session(with(text)).error().code, Code::invalid) << text;
  }
  EXPECT_EQ(read_session(with("id=12\npassword=" + password, 0644)).error().code, Code::forbidden);
  EXPECT_FALSE(write_session(path("no/such/folder"), {1, std::string(16, 'x')}));
}

}  // namespace
}  // namespace midonet::store::private_file_test
