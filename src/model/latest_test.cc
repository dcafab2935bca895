#include "model/latest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace midonet::model {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

TEST(Latest, RecordsComeBackByTheirPaths) {
  const Latest latest{{"/hosts/h/ports/p", R"({"portId":"p"})"}, {"/ports/p", R"({"later":[1,2],"name":"ü"})"}};
  EXPECT_EQ(decode_latest(encode_latest(latest)), latest);
}

TEST(Latest, TooMuchIsNotTold) {
  const std::string record = R"({"name":")" + std::string(max_latest_bytes, 'x') + R"("})";
  EXPECT_EQ(encode_latest({{"/ports/p", record}}), "{}");
}

TEST(Latest, ADamagedRecordIsLeftOut) {
  EXPECT_THAT(decode_latest(encode_latest({{"/a", "{"}, {"/b", "{}"}})), ElementsAre(Pair("/b", "{}")));
}

TEST(Latest, WhatHoldsNoneOrIsDamagedIsNone) {
  for (const char* value : {"", "{}", "[]", "{", R"({"latest":[]})", R"({"latest":{"/a":1}})", R"({"latest":null})"})
    EXPECT_THAT(decode_latest(value), IsEmpty()) << value;
  EXPECT_THAT(decode_latest(R"({"latest":{"/a":{},"/b":"x"},"more":1})"), ElementsAre(Pair("/a", "{}")));
}

}  // namespace
}  // namespace midonet::model
