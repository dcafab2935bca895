#include "cli/text_table.h"

#include <gtest/gtest.h>

namespace midonet::cli::text_table_test {
namespace {

TEST(TextTable, AlignsColumnsAndLeavesNoBlanksAtTheEnd) {
  EXPECT_EQ(text_table({"ID", "NAME"}, {{"1", "a"}, {"12345", ""}, {"6"}}, false),
            "ID     NAME\n"
            "1      a\n"
            "12345  -\n"
            "6\n");
}

TEST(TextTable, CountsCharactersNotBytes) {
  EXPECT_EQ(text_table({}, {{"über", "x"}, {"abcd", "y"}}, false), "über  x\nabcd  y\n");
}

TEST(TextTable, WithoutRowsIsItsHeadings) {
  EXPECT_EQ(text_table({"A", "B"}, {}, false), "A  B\n");
  EXPECT_EQ(text_table({}, {}, false), "");
}

TEST(TextTable, ColoursTheTextNotTheBlanks) {
  EXPECT_EQ(text_table({}, {{Cell("up", Tint::good), "x"}, {"longer", "y"}}, true),
            "\x1b[32mup\x1b[0m      x\nlonger  y\n");
}

TEST(TextTable, CutsTheWidestColumnsUntilALineFits) {
  EXPECT_EQ(text_table({"ID", "NAME"},
                       {{"12345678", "a-long-name-of-30-characters-x"}, {"1", "ünïcödé-name-also-long"}}, false, 24),
            "ID        NAME\n"
            "12345678  a-long-name-o…\n"
            "1         ünïcödé-name-…\n");
  EXPECT_EQ(text_table({}, {{"1234567890", "1234567890"}}, false, 10), "1234567…  1234567…\n")
      << "never narrower than 8";
}

TEST(TextTable, PutsANoteBelowItsRow) {
  Row row{"a", "b"};
  row.note = "one two three four\x1b five";
  EXPECT_EQ(text_table({}, {row, {"c"}}, false, 16), "a  b\n    one two\n    three four?\n    five\nc\n");
  EXPECT_EQ(text_table({}, {row}, false), "a  b\n    one two three four? five\n");
}

TEST(TextFields, WrapTheirTexts) {
  EXPECT_EQ(text_fields({{"a", "one two three"}, {"name", ""}, {"b", "a-word-that-is-not-broken"}}, false, 14),
            "a     one two\n      three\nname  -\nb     a-word-that-is-not-broken\n");
  EXPECT_EQ(text_fields({{"a", "one two"}}, false), "a  one two\n");
  EXPECT_EQ(text_fields({{"a", " "}}, false), "a  -\n");
}

TEST(Printable, KeepsControlCharactersFromTheTerminal) {
  EXPECT_EQ(printable("a\x1b[31mb\n\x7f"), "a?[31mb??");
  EXPECT_EQ(printable("\xc2\x9b"
                      "31m"),
            "??31m");
  EXPECT_EQ(printable("größe €"), "größe €");
}

}  // namespace
}  // namespace midonet::cli::text_table_test
