#include "base/config_file.h"

#include <gtest/gtest.h>

namespace midonet::config_file_test {
namespace {

std::string read(std::string_view text) {
  const auto lines = parse_config(text, "f");
  if (!lines) return lines.error().message;
  std::string out;
  for (const ConfigLine& line : *lines)
    out += fmt::format("{}[{}]{}={};", line.number, line.section, line.key, line.value.value_or("-"));
  return out;
}

TEST(ConfigFile, AValueIsOneValueWhateverSeparatorsItHas) {
  EXPECT_EQ(read("store = zookeeper://a:2181,b:2181/midonet\n"), "1[]store=zookeeper://a:2181,b:2181/midonet;");
  EXPECT_EQ(read("a=x y  z"), "1[]a=x y  z;");
  EXPECT_EQ(read("a=[x;y]=z"), "1[]a=[x;y]=z;");
}

TEST(ConfigFile, HasCommentsSectionsQuotesAndSwitches) {
  EXPECT_EQ(read("# c\n; c\r\n\n a\t= 'x # y' # c\r\nb=x#y #c\n[ s ] # c\nc_d\ne = \"it's\"\nf=\n'g'=1\n"),
            "4[]a=x # y;5[]b=x#y;7[s]c-d=-;8[s]e=it's;9[s]f=;10[s]g=1;");
}

TEST(ConfigFile, NamesTheLineOfWhatIsIllFormed) {
  EXPECT_EQ(read("\nstore zookeeper://a\n"), "f:2: 'store zookeeper://a' is no key: write `key = value`");
  EXPECT_EQ(read("= x"), "f:1: '' is no key: write `key = value`");
  EXPECT_EQ(read("a = 'x"), "f:1: a: the closing ' is missing");
  EXPECT_EQ(read("a = \"x\" y"), "f:1: a: text follows the closing \"");
  EXPECT_EQ(read("[s"), "f:1: the closing ] is missing");
}

TEST(ConfigFile, NamesTheNearestKey) {
  const std::vector<std::string> known{"store", "log-level", "run-dir", "release-tap"};
  EXPECT_EQ(unknown_key("stroe", known), "unknown key 'stroe'; did you mean 'store'?");
  EXPECT_EQ(unknown_key("loglevel", known), "unknown key 'loglevel'; did you mean 'log-level'?");
  EXPECT_EQ(unknown_key("release-taps", known), "unknown key 'release-taps'; did you mean 'release-tap'?");
  EXPECT_EQ(unknown_key("something-else", known), "unknown key 'something-else'");
  EXPECT_EQ(unknown_key("a", {}), "unknown key 'a'");
}

}  // namespace
}  // namespace midonet::config_file_test
