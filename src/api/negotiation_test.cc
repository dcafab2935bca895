#include "api/negotiation.h"

#include <gtest/gtest.h>

namespace midonet::api::negotiation_test {
namespace {

const std::string port = "application/vnd.org.midonet.Port-v3+json";
const std::string json = "application/json";

std::string chosen(const std::string& accept) {
  return choose_media_type(with_plain_json({port}), accept).value_or("406");
}

TEST(Negotiation, WithoutAnAcceptTheFirstOfferIsTaken) {
  EXPECT_EQ(choose_media_type({port, json}, std::nullopt), port);
  EXPECT_EQ(chosen(""), port);
}

TEST(Negotiation, WildcardsGetTheFirstOffer) {
  EXPECT_EQ(chosen("*/*"), port);
  EXPECT_EQ(chosen("application/*"), port);
  EXPECT_EQ(chosen("*"), port);
}

TEST(Negotiation, AnExactNameDecidesWhateverItsCaseAndParameters) {
  EXPECT_EQ(chosen(port), port);
  EXPECT_EQ(chosen("application/json"), json);
  EXPECT_EQ(chosen("Application/JSON; charset=utf-8"), json);
  EXPECT_EQ(chosen("application/json;q=1, */*;q=1"), json);
}

TEST(Negotiation, WeightsAreHonoured) {
  EXPECT_EQ(chosen("application/json;q=0.5, " + port + ";q=0.8"), port);
  EXPECT_EQ(chosen("application/json;q=0.9, " + port + ";q=0.8"), json);
  EXPECT_EQ(chosen("application/json;q=.2, */*; q=0.1"), json);
  EXPECT_EQ(chosen("application/json ; Q=0.001"), json);
}

TEST(Negotiation, TheMoreExactRangeDecidesAboutAType) {
  EXPECT_EQ(chosen("*/*, " + port + ";q=0"), json);
  EXPECT_EQ(chosen("*/*;q=0, application/json"), json);
  EXPECT_EQ(chosen("application/*;q=0, */*"), "406");
}

TEST(Negotiation, WhatCannotBeMetIsRefused) {
  EXPECT_EQ(chosen("text/html"), "406");
  EXPECT_EQ(chosen("application/vnd.org.midonet.Port-v1+json"), "406");
  EXPECT_EQ(chosen("application/json;q=0"), "406");
  EXPECT_EQ(chosen("application/json;q=2"), "406");
  EXPECT_EQ(chosen("nonsense"), "406");
  EXPECT_EQ(chosen(",,;;,"), "406");
}

TEST(Negotiation, OldJavaClientsAreUnderstood) {
  EXPECT_EQ(chosen("text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2"), port);
}

TEST(Negotiation, CommasInQuotedStringsDoNotSeparate) {
  EXPECT_EQ(chosen("text/html;x=\"a, application/json, b\""), "406");
  EXPECT_EQ(chosen("text/html;x=\"unfinished, application/json"), "406");
}

TEST(Negotiation, PlainJsonIsOfferedOnlyBesideJson) {
  EXPECT_EQ(choose_media_type(with_plain_json({"text/plain; version=0.0.4"}), json), std::nullopt);
  EXPECT_EQ(choose_media_type(with_plain_json({"text/plain; version=0.0.4"}), "text/plain"),
            "text/plain; version=0.0.4");
}

TEST(Negotiation, ForeignContentTypesAreNotConsumed) {
  const std::vector<std::string> consumes = {port, json};
  for (const char* type :
       {"application/json", "APPLICATION/JSON", "application/json; charset=UTF-8", "application/json;charset=\"utf-8\"",
        "*/*", "application/*", "", "application/vnd.org.midonet.Port-v3+json"})
    EXPECT_TRUE(is_consumed(consumes, type)) << type;
  EXPECT_TRUE(is_consumed(consumes, std::nullopt));
  for (const char* type : {"text/plain", "application/xml", "application/x-www-form-urlencoded", "json",
                           "application/json; charset=utf-16", "application/vnd.org.midonet.Bridge-v4+json"})
    EXPECT_FALSE(is_consumed(consumes, type)) << type;
}

TEST(Coding, IsUsedWhereTheClientWantsIt) {
  for (const char* yes : {"gzip", "GZIP", "deflate, gzip", "gzip;q=0.1", "*", "br;q=1.0, *;q=0.5", "gzip ; q=1"})
    EXPECT_TRUE(accepts_coding(yes, "gzip")) << yes;
  for (const char* no : {"", "identity", "deflate", "gzip;q=0", "*;q=0", "gzip;q=0, *", "*, gzip;q=0.0", "gzip;q=x"})
    EXPECT_FALSE(accepts_coding(no, "gzip")) << no;
  EXPECT_FALSE(accepts_coding(std::nullopt, "gzip"));
}

}  // namespace
}  // namespace midonet::api::negotiation_test
