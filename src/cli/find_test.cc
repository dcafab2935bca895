#include "cli/find.h"

#include <gtest/gtest.h>

namespace midonet::cli::find_test {
namespace {

const std::string a = "aaaa1111-0000-0000-0000-000000000001";
const std::string b = "aaaa2222-0000-0000-0000-000000000002";
const std::string c = "cccc3333-0000-0000-0000-000000000003";
const std::vector<Candidate> things{{a, {"web"}}, {b, {"db"}}, {c, {"web", "aaaa"}}};

TEST(FindOne, TakesAnIdANameOrTheBeginningOfAnId) {
  EXPECT_EQ(*find_one("bridge", b, things), b);
  EXPECT_EQ(*find_one("bridge", "AAAA2222-0000-0000-0000-000000000002", things), b);
  EXPECT_EQ(*find_one("bridge", "db", things), b);
  EXPECT_EQ(*find_one("bridge", "aaaa2", things), b);
}

TEST(FindOne, PrefersANameToTheBeginningOfAnId) { EXPECT_EQ(*find_one("bridge", "aaaa", things), c); }

TEST(FindOne, NamesTheCandidatesWhenSeveralAreMeant) {
  const auto found = find_one("bridge", "web", things);
  ASSERT_FALSE(found);
  EXPECT_EQ(found.error().code, Code::invalid);
  EXPECT_EQ(found.error().message,
            "'web' may be any of 2 bridges, give more of the id: " + a + " (web), " + c + " (web)");
}

TEST(FindOne, CutsALongListShort) {
  std::vector<Candidate> many;
  for (int i = 0; i < 8; ++i) many.push_back({fmt::format("dddd{}000-0000-0000-0000-000000000000", i), {}});
  const auto found = find_one("port", "dddd", many);
  ASSERT_FALSE(found);
  EXPECT_TRUE(found.error().message.ends_with("dddd4000-0000-0000-0000-000000000000 and 3 more"));
}

TEST(FindOne, SaysWhereToLookWhenNothingIsMeant) {
  for (const char* wanted : {"", "nope", "aaa", "WEB"}) {
    const auto found = find_one("bridge", wanted, things);
    ASSERT_FALSE(found) << wanted;
    EXPECT_EQ(found.error().code, Code::not_found);
  }
  EXPECT_EQ(find_one("bridge", "nope", things).error().message,
            "there is no bridge 'nope': `midonet bridge list` shows what there is");
}

}  // namespace
}  // namespace midonet::cli::find_test
