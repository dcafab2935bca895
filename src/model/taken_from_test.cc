#include "model/taken_from.h"

#include <gtest/gtest.h>

#include "base/json.h"
#include "model/port.h"

namespace midonet::model::taken_from_test {
namespace {

const Uuid host = *Uuid::parse("00000001-0000-4000-8000-000000000000");

TEST(TakenFrom, ComesBackAsItWasWrittenAndGoesAgain) {
  const std::string plain = encode(Port{}, R"({"theirs": 1})");
  EXPECT_FALSE(taken_from(plain));
  EXPECT_EQ(with_taken_from(plain, {}), plain);
  const std::string taken = with_taken_from(plain, TakenFrom{host, "tap1"});
  EXPECT_EQ(taken_from(taken), (TakenFrom{host, "tap1"}));
  EXPECT_EQ(nlohmann::json::parse(taken)["takenFromHost"], host.to_string());
  EXPECT_EQ(nlohmann::json::parse(taken)["takenFromInterface"], "tap1");
  EXPECT_EQ(with_taken_from(taken, {}), plain);
}

TEST(TakenFrom, AnUpdateOfThePortKeepsIt) {
  const std::string taken = with_taken_from(encode(Port{}), TakenFrom{host, "tap1"});
  Port port = *decode<Port>(taken);
  port.name = "another";
  EXPECT_EQ(taken_from(encode(port, taken)), (TakenFrom{host, "tap1"}));
}

TEST(TakenFrom, WhatIsDamagedIsNothing) {
  for (const char* record : {"", "takenFromHost", R"({"takenFromHost": 7, "takenFromInterface": "tap1"})",
                             R"({"takenFromHost": "no id", "takenFromInterface": "tap1"})",
                             R"({"takenFromHost": "00000001-0000-4000-8000-000000000000"})",
                             R"({"takenFromHost": null, "takenFromInterface": null})"})
    EXPECT_FALSE(taken_from(record)) << record;
}

}  // namespace
}  // namespace midonet::model::taken_from_test
