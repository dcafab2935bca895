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

TEST(Printable, KeepsControlCharactersFromTheTerminal) {
  EXPECT_EQ(printable("a\x1b[31mb\n\x7f"), "a?[31mb??");
  EXPECT_EQ(printable("\xc2\x9b"
                      "31m"),
            "??31m");
  EXPECT_EQ(printable("größe €"), "größe €");
}

}  // namespace
}  // namespace midonet::cli::text_table_test
