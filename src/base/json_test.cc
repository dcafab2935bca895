#include "base/json.h"

#include <gtest/gtest.h>

namespace midonet::json_test {
namespace {

TEST(Json, WhatIsNotUtf8IsWrittenAsAReplacementCharacter) {
  EXPECT_EQ(dump_json(nlohmann::json{{"name", "a\xff"}}), "{\"name\":\"a\xef\xbf\xbd\"}");
}

TEST(Json, AnOrderedObjectKeepsItsOrderAndAnIndentBreaksLines) {
  EXPECT_EQ(dump_json(nlohmann::ordered_json{{"b", 1}, {"a", 2}}), R"({"b":1,"a":2})");
  EXPECT_EQ(dump_json(nlohmann::json{{"b", 1}}, 2), "{\n  \"b\": 1\n}");
}

TEST(Json, WhatIsNestedTooDeepIsDiscarded) {
  EXPECT_FALSE(parse_json(std::string(32, '[') + std::string(32, ']')).is_discarded());
  EXPECT_TRUE(parse_json(std::string(33, '[') + std::string(33, ']')).is_discarded());
}

}  // namespace
}  // namespace midonet::json_test
