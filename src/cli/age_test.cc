#include "cli/age.h"

#include <gtest/gtest.h>

namespace midonet::cli::age_test {
namespace {

const WallTime noon = *parse_rfc3339("2026-03-01T12:00:00Z");

TEST(Rfc3339, IsReadAsItIsWritten) {
  for (const char* text : {"2026-01-31T12:00:00.123Z", "1999-12-31T23:59:59.999Z", "2024-02-29T00:00:00.000Z"})
    EXPECT_EQ(rfc3339(*parse_rfc3339(text)), text);
  EXPECT_EQ(rfc3339(*parse_rfc3339("2026-01-31T12:00:00.123999999Z")), "2026-01-31T12:00:00.123Z");
}

TEST(Rfc3339, RefusesEverythingElse) {
  for (const char* text :
       {"", "now", "2026-01-31", "2026-01-31T12:00:00", "2026-02-29T12:00:00Z", "2026-13-01T12:00:00Z",
        "2026-01-31T24:00:00Z", "2026-01-31T12:60:00Z", "2026-01-31T12:00:00.Z", "2026-01-31T12:00:00+01:00",
        "2026-01-31T12:00:00Zx", "-026-01-31T12:00:00Z"})
    EXPECT_FALSE(parse_rfc3339(text)) << text;
}

TEST(Age, IsInTheLargestUnitThatSaysEnough) {
  EXPECT_EQ(age("2026-03-01T12:00:00Z", noon), "0s");
  EXPECT_EQ(age("2026-03-01T11:58:01Z", noon), "119s");
  EXPECT_EQ(age("2026-03-01T11:58:00Z", noon), "2m");
  EXPECT_EQ(age("2026-03-01T10:00:01Z", noon), "119m");
  EXPECT_EQ(age("2026-03-01T10:00:00Z", noon), "2h");
  EXPECT_EQ(age("2026-02-27T12:00:01Z", noon), "47h");
  EXPECT_EQ(age("2026-02-27T12:00:00Z", noon), "2d");
  EXPECT_EQ(age("2025-03-01T12:00:00Z", noon), "365d");
}

TEST(Age, IsNeverNegative) { EXPECT_EQ(age("2026-03-01T12:00:05Z", noon), "0s"); }
TEST(Age, OfNoTimeIsADash) { EXPECT_EQ(age("", noon), "-"); }

}  // namespace
}  // namespace midonet::cli::age_test
