#include "cli/credentials.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

namespace midonet::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(Credentials, AreSentAsRfc7617HasIt) {
  EXPECT_EQ(basic_authorization("Aladdin", "open sesame"), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
  EXPECT_EQ(basic_authorization("test", "123\xc2\xa3"), "Basic dGVzdDoxMjPCow==");
  EXPECT_EQ(basic_authorization("a", "b:c"), "Basic YTpiOmM=");
  EXPECT_EQ(basic_authorization("", ""), "Basic Og==");
}

TEST(Credentials, AreATokenOrAUserWithAPassword) {
  EXPECT_TRUE(check({}));
  EXPECT_TRUE(Credentials().nobody());
  EXPECT_TRUE(check({.token = "gAAAAABl-_"}));
  EXPECT_TRUE(check({.user = "alice", .password = "open sesame", .project = "two words"}));
  for (const std::string token : {"a b", "a\r\nX-Evil: 1", "a\x7f", "\xc3\xbc"}) EXPECT_FALSE(check({.token = token}));
  EXPECT_FALSE(check({.user = "a:b", .password = "p"}));
  EXPECT_FALSE(check({.user = "a", .password = "p", .project = "x\r\nX-Evil: 1"}));
  EXPECT_THAT(check({.user = "alice"}).error().message, HasSubstr("--password-file FILE, or set MIDONET_PASSWORD"));
}

struct PasswordFile : ::testing::Test {
  ~PasswordFile() override { ::unlink(path.c_str()); }
  void write(const std::string& text, mode_t mode = 0600) {
    std::ofstream(path) << text;
    ::chmod(path.c_str(), mode);
  }
  const std::string path = ::testing::TempDir() + "midonet-password-" + std::to_string(::getpid());
};

TEST_F(PasswordFile, HasThePasswordInItsFirstLine) {
  write("open sesame\nand more\n");
  EXPECT_EQ(read_password(path).value(), "open sesame");
  write("no end");
  EXPECT_EQ(read_password(path).value(), "no end");
}

TEST_F(PasswordFile, IsItsOwnersAlone) {
  EXPECT_FALSE(read_password(path));
  write("secret\n", 0640);
  EXPECT_EQ(read_password(path).error().code, Code::forbidden);
  EXPECT_THAT(read_password(path).error().message, HasSubstr("chmod 600"));
  EXPECT_THAT(read_password(path).error().message, Not(HasSubstr("secret")));
  for (const std::string& text : {std::string("\n"), std::string(), std::string(10'000, 'x')}) {
    write(text);
    EXPECT_FALSE(read_password(path));
  }
}

}  // namespace
}  // namespace midonet::cli
