#include <gtest/gtest.h>

#include <cerrno>

#include "base/interface_name.h"
#include "base/ip.h"
#include "base/mac.h"
#include "base/time.h"
#include "base/uuid.h"
#include "base/vni.h"

namespace midonet::values_test {
namespace {

TEST(Uuid, ReadsUpperCaseAndWritesLowerCase) {
  const auto id = Uuid::parse("AA59815A-8c66-4c2f-9f5e-1b6b3f0f5e01");
  ASSERT_TRUE(id);
  EXPECT_EQ(id->to_string(), "aa59815a-8c66-4c2f-9f5e-1b6b3f0f5e01");
}

TEST(Uuid, RefusesWhatIsNotExactlyAUuid) {
  for (const char* text :
       {"", "aa59815a", "aa59815a-8c66-4c2f-9f5e-1b6b3f0f5e0", "aa59815a-8c66-4c2f-9f5e-1b6b3f0f5e012",
        "aa59815a08c66-4c2f-9f5e-1b6b3f0f5e01", "ga59815a-8c66-4c2f-9f5e-1b6b3f0f5e01"})
    EXPECT_FALSE(Uuid::parse(text)) << text;
}

TEST(Uuid, RandomOnesAreVersion4AndDiffer) {
  const Uuid a = Uuid::random();
  EXPECT_NE(a, Uuid::random());
  EXPECT_EQ(a.to_string()[14], '4');
  EXPECT_EQ(*Uuid::parse(a.to_string()), a);
}

TEST(Mac, ReadsColonsAndDashesButNotBoth) {
  EXPECT_EQ(Mac::parse("FA:16:3e:00:00:01")->to_string(), "fa:16:3e:00:00:01");
  EXPECT_EQ(Mac::parse("fa-16-3e-00-00-01")->with_dashes(), "fa-16-3e-00-00-01");
  for (const char* text : {"", "fa:16:3e:00:00", "fa:16-3e:00:00:01", "fa:16:3e:00:00:0g", "fa:16:3e:00:00:01 ",
                           "fa 16 3e 00 00 01", "+a:16:3e:00:00:01"})
    EXPECT_FALSE(Mac::parse(text)) << text;
}

TEST(Mac, KnowsMulticastFromTheGroupBit) {
  EXPECT_TRUE(Mac::parse("ff:ff:ff:ff:ff:ff")->is_multicast());
  EXPECT_TRUE(Mac::parse("01:00:5e:00:00:01")->is_multicast());
  EXPECT_FALSE(Mac::parse("fa:16:3e:00:00:01")->is_multicast());
}

TEST(Ip, ReadsBothFamilies) {
  EXPECT_TRUE(Ip::parse("10.0.0.1")->is_v4());
  EXPECT_EQ(Ip::parse("2001:DB8::1")->to_string(), "2001:db8::1");
  for (const char* text : {"", "10.0.0", "10.0.0.256", "10.0.0.1/24", "fe80::1%eth0", "::g"})
    EXPECT_FALSE(Ip::parse(text)) << text;
}

TEST(Vni, Is24BitsAndNeverZero) {
  EXPECT_FALSE(Vni::from(0));
  EXPECT_EQ(Vni::from(16777215)->number(), 16777215u);
  EXPECT_FALSE(Vni::from(16777216));
}

TEST(InterfaceName, FollowsTheKernelsRules) {
  EXPECT_TRUE(check_interface_name("tapaa59815a-8c"));
  EXPECT_TRUE(check_interface_name("fifteen-bytes-1"));
  for (const char* text : {"", ".", "..", "a/b", "a b", "a\tb", "a:b", "sixteen-bytes--1", "a\x01"})
    EXPECT_FALSE(check_interface_name(text)) << text;
}

TEST(InterfaceName, FollowsTheRulesOfTheStoresPathsToo) {
  EXPECT_TRUE(check_interface_name("t\xc3\xa4p0"));  // U+00E4
  for (const char* text : {"vpn\xf0\x9f\x90\xa7", "a\xc2\x85", "a\xee\x80\x80", "a\xef\xbf\xbd", "a\xff", "a\xc3"})
    EXPECT_FALSE(check_interface_name(text)) << text;
  EXPECT_EQ(check_interface_name("vpn\xf0\x9f\x90\xa7").error().message,
            "the interface name 'vpn\xf0\x9f\x90\xa7' has the character U+1F427, which cannot be recorded");
}

TEST(Time, IsRfc3339WithMilliseconds) {
  EXPECT_EQ(rfc3339(WallTime(std::chrono::milliseconds(1769860800123))), "2026-01-31T12:00:00.123Z");
}

TEST(Result, ErrnoBecomesACodeAndASentence) {
  const Status failed = fail_errno(ENODEV, "attach {}", "tap42");
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, Code::not_found);
  EXPECT_EQ(failed.error().message, "attach tap42: No such device (ENODEV)");
}

}  // namespace
}  // namespace midonet::values_test
