#include "model/offer.h"

#include <gtest/gtest.h>

#include "base/json.h"

namespace midonet::model::offer_test {
namespace {

using Json = nlohmann::json;

Uuid id(int n) { return *Uuid::parse(fmt::format("{:08x}-0000-4000-8000-000000000000", n)); }
Mac mac(std::uint8_t n) { return Mac({2, 0, 0, 0, 0, n}); }
Ip ip(const char* text) { return *Ip::parse(text); }

OfferedPort port(int n) {
  OfferedPort out;
  out.port_id = id(n);
  out.revision = 40 + n;
  out.macs = {mac(1), mac(2)};
  out.ips = {ip("10.0.0.1"), ip("fd00::1")};
  out.learned = {{mac(2), 7}};
  return out;
}

TEST(Offer, AHostComesBackAsItWasWritten) {
  const BridgeHost host{ip("192.0.2.1"), {{id(1), ip("192.0.2.1")}, {id(2), ip("2001:db8::1")}}, {0, 3}};
  const auto back = decode_bridge_host(encode(host));
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(*back, host);
}

TEST(Offer, AHostIsWrittenInTheContractsWords) {
  const BridgeHost host{ip("192.0.2.1"), {{id(1), ip("192.0.2.7")}}, {0}};
  EXPECT_EQ(Json::parse(encode(host)),
            Json::parse(R"({"vtep": "192.0.2.1", "zones": {"00000001-0000-4000-8000-000000000000": "192.0.2.7"},
                            "chunks": [0]})"));
  const auto least = decode_bridge_host(R"({"vtep": "192.0.2.1"})");
  ASSERT_TRUE(least);
  EXPECT_EQ(*least, (BridgeHost{ip("192.0.2.1"), {}, {}}));
}

TEST(Offer, AChunkComesBackAsItWasWritten) {
  OfferChunk chunk{{port(1), port(2)}};
  chunk.ports[1].learned.clear();
  const auto back = decode_offer_chunk(encode(chunk));
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(*back, chunk);
  EXPECT_EQ(*decode_offer_chunk(encode(OfferChunk{})), OfferChunk{});
}

TEST(Offer, AChunkIsWrittenInTheContractsWords) {
  const Json json = Json::parse(encode(OfferChunk{{port(1)}}));
  EXPECT_EQ(json, Json::parse(R"({"ports": [{"portId": "00000001-0000-4000-8000-000000000000", "revision": 41,
      "macs": ["02:00:00:00:00:01", "02:00:00:00:00:02"], "ips": ["10.0.0.1", "fd00::1"],
      "learned": {"02:00:00:00:00:02": 7}}]})"));
}

TEST(Offer, OneThatIsOnStandbySaysSoAndAnotherDoesNot) {
  OfferChunk chunk{{port(1), port(2)}};
  chunk.ports[1].standby = true;
  const std::string value = encode(chunk);
  EXPECT_EQ(*decode_offer_chunk(value), chunk);
  EXPECT_EQ(Json::parse(value)["ports"][1]["standby"], true);
  EXPECT_FALSE(Json::parse(value)["ports"][0].contains("standby"));
  chunk.ports[1].standby = false;
  EXPECT_EQ(Json::parse(encode(chunk, value)), Json::parse(encode(chunk)));
}

TEST(Offer, APortThatIsDownOrWhoseMacStandsTwiceSaysWhichItDeclares) {
  OfferChunk chunk{{port(1), port(2)}};
  chunk.ports[0].declared = mac(9);
  chunk.ports[0].down = true;
  const std::string value = encode(chunk);
  EXPECT_EQ(*decode_offer_chunk(value), chunk);
  EXPECT_EQ(Json::parse(value)["ports"][0]["declared"], "02:00:00:00:00:09");
  EXPECT_EQ(Json::parse(value)["ports"][0]["down"], true);
  EXPECT_FALSE(Json::parse(value)["ports"][1].contains("declared"));
  EXPECT_FALSE(Json::parse(value)["ports"][1].contains("down"));
  EXPECT_EQ(chunk.ports[0].configured(), mac(9));
  EXPECT_EQ(chunk.ports[1].configured(), mac(1)) << "the one that was not learned";
  chunk.ports[1].learned.clear();
  EXPECT_EQ(chunk.ports[1].configured(), std::nullopt) << "two could be meant";
  chunk.ports[0].declared.reset();
  chunk.ports[0].down = false;
  EXPECT_EQ(Json::parse(encode(chunk, value)), Json::parse(encode(chunk)));
  for (const char* bad : {R"("declared": 7)", R"("declared": "x")", R"("down": 1)"})
    EXPECT_FALSE(decode_offer_chunk(
        fmt::format(R"({{"ports": [{{"portId": "00000001-0000-4000-8000-000000000000", "revision": 1, {}}}]}})", bad)))
        << bad;
}

TEST(Offer, TheGuestsPlaceComesBeforeAStandbyThenTheLaterBinding) {
  OfferedPort early = port(1), late = port(1);
  late.revision = early.revision + 1;
  EXPECT_TRUE(late.before(early));
  EXPECT_FALSE(early.before(late));
  late.standby = true;
  EXPECT_TRUE(early.before(late));
  EXPECT_FALSE(late.before(early));
  early.standby = true;
  EXPECT_TRUE(late.before(early));
  EXPECT_FALSE(late.before(late));
}

TEST(Offer, WhatANewerProgramWroteIsKept) {
  Json json = Json::parse(encode(OfferChunk{{port(1), port(2)}}));
  json["later"] = 1;
  json["ports"][0]["of"] = "port 1";
  json["ports"][1]["of"] = "port 2";
  const Json again = Json::parse(encode(OfferChunk{{port(2), port(3)}}, json.dump()));
  EXPECT_EQ(again["later"], 1);
  ASSERT_EQ(again["ports"].size(), 2u);
  EXPECT_EQ(again["ports"][0]["of"], "port 2") << "kept with its port, wherever that stands";
  EXPECT_FALSE(again["ports"][1].contains("of"));

  const Json host = Json::parse(encode(BridgeHost{ip("192.0.2.1"), {}, {}}, R"({"vtep": "192.0.2.9", "later": 1})"));
  EXPECT_EQ(host["later"], 1);
  EXPECT_EQ(host["vtep"], "192.0.2.1");
}

TEST(Offer, ALearnedAddressThatIsTakenBackLeavesNoNumber) {
  OfferedPort with = port(1), without = port(1);
  without.learned.clear();
  without.macs = {mac(1)};
  const auto back = decode_offer_chunk(encode(OfferChunk{{without}}, encode(OfferChunk{{with}})));
  ASSERT_TRUE(back);
  EXPECT_EQ(back->ports[0], without);
}

TEST(Offer, OrderAndDoublesInAChunkDoNotMatter) {
  const auto chunk = decode_offer_chunk(R"({"ports": [{"portId": "00000001-0000-4000-8000-000000000000", "revision": 1,
      "macs": ["02:00:00:00:00:02", "02:00:00:00:00:01", "02:00:00:00:00:02"],
      "learned": {"02:00:00:00:00:02": 1, "02:00:00:00:00:09": 1}}]})");
  ASSERT_TRUE(chunk) << chunk.error().message;
  EXPECT_EQ(chunk->ports[0].macs, (std::vector<Mac>{mac(1), mac(2)}));
  EXPECT_EQ(chunk->ports[0].learned, (std::map<Mac, std::int64_t>{{mac(2), 1}})) << "of what is not offered: nothing";
}

TEST(Offer, DamageIsSaidWithItsPlace) {
  const std::vector<std::pair<std::string, std::string>> chunks{
      {"", "not a JSON object"},
      {"[]", "not a JSON object"},
      {R"({"ports": 1})", "'ports'"},
      {R"({"ports": [1]})", "a port"},
      {R"({"ports": [{}]})", "'portId'"},
      {R"({"ports": [{"portId": "x"}]})", "'portId'"},
      {R"({"ports": [{"portId": "00000001-0000-4000-8000-000000000000"}]})", "'revision'"},
      {R"({"ports": [{"portId": "00000001-0000-4000-8000-000000000000", "revision": -1}]})", "'revision'"},
      {R"({"ports": [{"portId": "00000001-0000-4000-8000-000000000000", "revision": 18446744073709551615}]})",
       "'revision'"},
      {R"({"ports": [{"portId": "00000001-0000-4000-8000-000000000000", "revision": 1, "macs": "x"}]})", "'macs'"},
      {R"({"ports": [{"portId": "00000001-0000-4000-8000-000000000000", "revision": 1, "macs": ["x"]}]})", "'macs'"},
      {R"({"ports": [{"portId": "00000001-0000-4000-8000-000000000000", "revision": 1, "ips": [1]}]})", "'ips'"},
      {R"({"ports": [{"portId": "00000001-0000-4000-8000-000000000000", "revision": 1, "learned": {"x": 1}}]})",
       "'learned'"},
      {R"({"ports": [{"portId": "00000001-0000-4000-8000-000000000000", "revision": 1,
                      "learned": {"02:00:00:00:00:01": "x"}}]})",
       "'learned'"},
  };
  for (const auto& [value, where] : chunks) {
    const auto chunk = decode_offer_chunk(value);
    ASSERT_FALSE(chunk) << value;
    EXPECT_EQ(chunk.error().code, Code::internal) << value;
    EXPECT_NE(chunk.error().message.find(where), std::string::npos) << chunk.error().message;
  }
  for (const char* value : {"", "7", "{}", R"({"vtep": 1})", R"({"vtep": "x"})", R"({"vtep": "::1", "zones": []})",
                            R"({"vtep": "::1", "zones": {"x": "::1"}})", R"({"vtep": "::1", "chunks": ["0"]})"}) {
    const auto host = decode_bridge_host(value);
    ASSERT_FALSE(host) << value;
    EXPECT_EQ(host.error().code, Code::internal) << value;
  }
}

}  // namespace
}  // namespace midonet::model::offer_test
