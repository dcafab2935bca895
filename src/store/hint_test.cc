#include "store/hint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace midonet::store::hint_test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

TEST(Hint, RecordsComeBackByTheirPaths) {
  const Hint hint{{"/hosts/h/ports/p", R"({"portId":"p"})"}, {"/ports/p", R"({"later":[1,2],"name":"ü"})"}};
  EXPECT_EQ(decode_hint(encode_hint(hint)), hint);
}

TEST(Hint, ThatIsTooLargeIsLeftOut) {
  const std::string record = R"({"name":")" + std::string(max_hint_bytes, 'x') + R"("})";
  EXPECT_EQ(encode_hint({{"/ports/p", record}}), "{}");
}

TEST(Hint, ADamagedRecordIsLeftOut) {
  EXPECT_THAT(decode_hint(encode_hint({{"/a", "{"}, {"/b", "{}"}})), ElementsAre(Pair("/b", "{}")));
}

TEST(Hint, ADeeplyNestedRecordIsLeftOut) {
  const std::string nested = R"({"a": )" + std::string(100'000, '[') + std::string(100'000, ']') + "}";
  EXPECT_THAT(decode_hint(encode_hint({{"/a", nested}, {"/b", "{}"}})), IsEmpty()) << "it is too large as well";
}

TEST(Hint, WhatHoldsNoneOrIsDamagedIsNone) {
  for (const char* value : {"", "{}", "[]", "{", R"({"latest":[]})", R"({"latest":{"/a":1}})", R"({"latest":null})"})
    EXPECT_THAT(decode_hint(value), IsEmpty()) << value;
  EXPECT_THAT(decode_hint(R"({"latest":{"/a":{},"/b":"x"},"more":1})"), ElementsAre(Pair("/a", "{}")));
}

}  // namespace
}  // namespace midonet::store::hint_test
