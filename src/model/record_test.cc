#include "model/record.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "base/json.h"
#include "model/binding.h"
#include "model/bridge.h"
#include "model/host.h"
#include "model/offer.h"
#include "model/port.h"
#include "model/tunnel_zone.h"

namespace midonet::model::record_test {
namespace {

Uuid uuid(const char* text) { return *Uuid::parse(text); }
const Uuid a = uuid("aaaaaaaa-0000-4000-8000-000000000001");
const Uuid b = uuid("bbbbbbbb-0000-4000-8000-000000000002");

TEST(Record, BridgeIsWrittenWithNullsForWhatIsAbsent) {
  Bridge bridge;
  bridge.id = a;
  bridge.name = "net";
  bridge.vni = *Vni::from(4097);
  EXPECT_EQ(Json::parse(encode(bridge)), Json::parse(R"({"tenantId": "", "name": "net", "adminStateUp": true,
      "inboundFilterId": null, "outboundFilterId": null, "vni": 4097})"));
}

TEST(Record, PortStandsUnderTheNamesOfTheContract) {
  Port port;
  port.bridge_id = a;
  port.host_id = b;
  port.interface_name = "tap0";
  port.mac_address = *Mac::parse("02:00:00:00:00:01");
  EXPECT_EQ(Json::parse(encode(port)), Json::parse(R"({"bridgeId": "aaaaaaaa-0000-4000-8000-000000000001",
      "macAddress": "02:00:00:00:00:01", "adminStateUp": true, "hostId": "bbbbbbbb-0000-4000-8000-000000000002",
      "interfaceName": "tap0", "vifId": null, "vlanId": null, "tunnelKey": null, "inboundFilterId": null,
      "outboundFilterId": null, "name": "", "fixedIps": [], "allowedAddressPairs": [], "securityGroupIds": [],
      "portSecurity": null})"));
}

TEST(Record, HostAndItsPartsStandUnderTheNamesOfTheContract) {
  EXPECT_EQ(Json::parse(encode(Alive{7, "0.1.0", "2026-01-31T12:00:00.123Z"})),
            Json::parse(R"({"pid": 7, "version": "0.1.0", "started": "2026-01-31T12:00:00.123Z"})"));
  EXPECT_EQ(Json::parse(encode(Interface{"tap0", "02:00:00:00:00:01", 1500, "Virtual", "TUNTAP", 3, {"10.0.0.1"}})),
            Json::parse(R"({"name": "tap0", "mac": "02:00:00:00:00:01", "mtu": 1500, "type": "Virtual",
                "endpoint": "TUNTAP", "status": 3, "addresses": ["10.0.0.1"]})"));
  EXPECT_EQ(Json::parse(encode(Binding{a, "tap0"})),
            Json::parse(R"({"portId": "aaaaaaaa-0000-4000-8000-000000000001", "interfaceName": "tap0"})"));
  EXPECT_EQ(Json::parse(encode(PortStatus{PortState::pending_interface, "no such link", 17, 0, "t", 1450})),
            Json::parse(R"({"state": "pending-interface", "reason": "no such link", "revision": 17, "ifindex": 0,
                "since": "t", "mtu": 1450})"));
  EXPECT_EQ(Json::parse(encode(TunnelZone{a, "z"})), Json::parse(R"({"name": "z", "type": "vxlan"})"));
  EXPECT_EQ(Json::parse(encode(TunnelZoneHost{a, *Ip::parse("192.0.2.1")})),
            Json::parse(R"({"ipAddress": "192.0.2.1"})"));
}

// nlohmann/json writes and copies a value by recursion: 100,000 levels overflowed the stack of the process.
TEST(Record, ADeeplyNestedValueIsDamagedAndHarmsNothingElse) {
  for (const char* open : {"[", "{\"a\":"}) {
    std::string nested = R"({"name": "net", "colour": )";
    for (int i = 0; i < 100'000; ++i) nested += open;
    const auto damaged = decode<Bridge>(nested);
    ASSERT_FALSE(damaged);
    EXPECT_EQ(damaged.error().message, "damaged Bridge record: it is nested deeper than 32 levels");
    nested += open[0] == '[' ? std::string(100'000, ']') : "1" + std::string(100'000, '}');
    nested += "}";
    EXPECT_FALSE(decode<Bridge>(nested));
    EXPECT_EQ(encode(Bridge{}, nested), encode(Bridge{}));
    EXPECT_FALSE(decode_bridge_host(nested));
    EXPECT_FALSE(decode_offer_chunk(nested));
    EXPECT_EQ(encode(OfferChunk{}, nested), encode(OfferChunk{}));
  }
}

TEST(Record, BracketsInAStringDoNotNest) {
  const std::string name(100, '[');
  const auto bridge = decode<Bridge>(R"({"name": "\\\")" + name + R"(", "colour": [[]]})");
  ASSERT_TRUE(bridge) << bridge.error().message;
  EXPECT_EQ(bridge->name, "\\\"" + name);
}

TEST(Record, UnknownKeysOfANewerProgramAreKept) {
  const std::string previous = R"({"name": "old", "colour": {"r": 1}, "vni": 5})";
  Bridge bridge = *decode<Bridge>(previous);
  bridge.name = "new";
  const Json written = Json::parse(encode(bridge, previous));
  EXPECT_EQ(written["colour"], Json::parse(R"({"r": 1})"));
  EXPECT_EQ(written["name"], "new");
  EXPECT_EQ(written["vni"], 5);
}

// Internal fields are read and written as all others, but for two things: an absent one leaves no key behind, and a value
// that cannot be read harms no other field.
TEST(Record, InternalFieldsComeBackAndLeaveNoKeyWhenTheyAreAbsent) {
  const std::string plain = encode(Port{}, R"({"theirs": 1})");
  EXPECT_EQ(plain.find("taken"), std::string::npos);
  Port port = *decode<Port>(plain);
  EXPECT_FALSE(port.taken_from());
  port.set_taken_from(TakenFrom{a, "tap1"});
  const std::string taken = encode(port, plain);
  EXPECT_EQ(Json::parse(taken)["takenFromHost"], a.to_string());
  EXPECT_EQ(Json::parse(taken)["takenFromInterface"], "tap1");

  port = *decode<Port>(taken);
  EXPECT_EQ(port.taken_from(), (TakenFrom{a, "tap1"}));
  port.name = "another";
  port = *decode<Port>(encode(port, taken));
  EXPECT_EQ(port.taken_from(), (TakenFrom{a, "tap1"})) << "an update of another field keeps it";
  port.name.clear();
  port.set_taken_from({});
  EXPECT_EQ(encode(port, taken), plain);
}

TEST(Record, AnInternalFieldThatCannotBeReadCountsAsAbsent) {
  for (const char* record : {R"({"takenFromHost": 7, "takenFromInterface": "tap1"})",
                             R"({"takenFromHost": "no id", "takenFromInterface": "tap1"})",
                             R"({"takenFromHost": "aaaaaaaa-0000-4000-8000-000000000001"})",
                             R"({"takenFromHost": "aaaaaaaa-0000-4000-8000-000000000001", "takenFromInterface": []})",
                             R"({"takenFromHost": null, "takenFromInterface": null})"}) {
    const auto port = decode<Port>(record);
    ASSERT_TRUE(port) << port.error().message;
    EXPECT_FALSE(port->taken_from()) << record;
  }
}

TEST(Record, MissingKeysAndNullsKeepTheDefault) {
  const Bridge bridge = *decode<Bridge>(R"({"adminStateUp": null})");
  EXPECT_TRUE(bridge.admin_state_up);
  EXPECT_EQ(bridge, Bridge{});
}

TEST(Record, DamageIsNamedByKey) {
  EXPECT_EQ(decode<Port>(R"({"hostId": 5})").error(),
            (Error{Code::internal, "damaged Port record: 'hostId' must be a string with a UUID"}));
  EXPECT_EQ(decode<PortStatus>(R"({"state": "happy"})").error().message,
            "damaged PortStatus record: 'state' 'happy' is not the state of a port");
  for (const char* damaged : {"", "5", "[]", "{", "{} {}", "\xff"})
    EXPECT_EQ(decode<Bridge>(damaged).error().code, Code::internal) << damaged;
}

TEST(Record, AnArrayOfObjectsIsReadWholeOrNotAtAll) {
  const Port port =
      *decode<Port>(R"({"fixedIps": [{"ipAddress": "10.0.0.1", "subnetId": null}, {"ipAddress": "fd00::1"}],
      "allowedAddressPairs": [{"ipAddress": "10.0.0.0/24", "macAddress": "02:00:00:00:00:0a"}],
      "securityGroupIds": ["aaaaaaaa-0000-4000-8000-000000000001"], "portSecurity": false, "portSecurityEnabled": true})");
  ASSERT_EQ(port.fixed_ips.size(), 2U);
  EXPECT_EQ(port.fixed_ips[1].ip_address.to_string(), "fd00::1");
  EXPECT_EQ(port.allowed_address_pairs.at(0).ip_address, "10.0.0.0/24");
  EXPECT_EQ(port.security_group_ids.size(), 1U);
  EXPECT_EQ(port.port_security, false) << "the key of before, which every record has, counts for nothing";
  EXPECT_EQ(decode<Port>(R"({"fixedIps": [{"ipAddress": "10.0.0.1"}, {"ipAddress": "10.0.0"}]})").error().message,
            "damaged Port record: 'fixedIps' element 2: ipAddress must be an IPv4 or IPv6 address");
}

TEST(Record, APrefixHasAsManyBitsAsItsAddress) {
  for (const char* fine : {"10.0.0.1", "10.0.0.0/0", "10.0.0.0/32", "fd00::", "fd00::/128"})
    EXPECT_TRUE(check_address_or_prefix(fine)) << fine;
  for (const char* not_one : {"", "/", "10.0.0.1/", "10.0.0.1/33", "fd00::/129", "10.0.0.1/-1", "10.0.0.1/8x", "10/8"})
    EXPECT_FALSE(check_address_or_prefix(not_one)) << not_one;
}

TEST(Record, ANameThatIsNotUtf8DoesNotStopTheWrite) {
  const Result<Interface> read = decode<Interface>(encode(Interface{"tap\xff", "", 1500, "Unknown", "UNKNOWN", 0, {}}));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->mtu, 1500);
}

// Every stored field of a table, given a value drawn for its kind, comes back as it was, and writing again
// changes nothing.
Json any_value(const Field& field) {
  if (field.nullable && !field.empty_is_null && *rc::gen::inRange(0, 4) == 0) return nullptr;
  if (!field.choices.empty()) return *rc::gen::elementOf(field.choices);
  switch (field.kind) {
    case Kind::boolean: return *rc::gen::arbitrary<bool>();
    case Kind::integer:
      if (field.name == "vni") return *rc::gen::inRange(1, 0x1000000);
      return *rc::gen::inRange<std::int64_t>(field.min.value_or(-1000), field.max.value_or(1L << 40));
    case Kind::uuid: return Uuid(*rc::gen::arbitrary<std::array<std::uint8_t, 16>>()).to_string();
    case Kind::ip: {
      if (*rc::gen::arbitrary<bool>()) return Ip::v4(*rc::gen::arbitrary<std::array<std::uint8_t, 4>>()).to_string();
      return Ip::v6(*rc::gen::arbitrary<std::array<std::uint8_t, 16>>()).to_string();
    }
    case Kind::mac: return Mac(*rc::gen::arbitrary<std::array<std::uint8_t, 6>>()).to_string();
    case Kind::strings: return *rc::gen::container<std::vector<std::string>>(rc::gen::string<std::string>());
    case Kind::uuids: {
      Json ids = Json::array();
      for (int i = *rc::gen::inRange(0, 4); i > 0; --i) ids.push_back(any_value(derived("", Kind::uuid, "")));
      return ids;
    }
    case Kind::objects: {
      Json objects = Json::array();
      for (int i = *rc::gen::inRange(0, 4); i > 0; --i) {
        const std::string ip = any_value(derived("", Kind::ip, ""));
        if (field.item == "FixedIp")
          objects.push_back({{"ipAddress", ip}, {"subnetId", any_value(derived("", Kind::uuid, "").may_be_null())}});
        else
          objects.push_back(
              {{"ipAddress", ip + "/32"}, {"macAddress", any_value(derived("", Kind::mac, "").may_be_null())}});
      }
      return objects;
    }
    default: return *rc::gen::container<std::string>(rc::gen::inRange<char>(1, 127));
  }
}

template <class R>
void expect_round_trip() {
  EXPECT_TRUE(rc::check([] {
    Json json = Json::object();
    for (const Field& field : table<R>().fields)
      if (!field.record.empty()) json[field.record] = any_value(field);
    const Result<R> read = decode<R>(dump_json(json));
    RC_ASSERT(read.has_value());
    const std::string written = encode(*read);
    const bool same = *decode<R>(written) == *read;
    RC_ASSERT(same);
    for (const Field& field : table<R>().fields)
      if (!field.record.empty() && field.kind != Kind::strings)
        RC_ASSERT(Json::parse(written)[field.record].dump() == json[field.record].dump());
  }));
}

TEST(Record, EveryTableRoundTrips) {
  expect_round_trip<Bridge>();
  expect_round_trip<Port>();
  expect_round_trip<FixedIp>();
  expect_round_trip<AddressPair>();
  expect_round_trip<Host>();
  expect_round_trip<Alive>();
  expect_round_trip<Interface>();
  expect_round_trip<Binding>();
  expect_round_trip<BoundInterface>();
  expect_round_trip<PortStatus>();
  expect_round_trip<TunnelZone>();
  expect_round_trip<TunnelZoneHost>();
  expect_round_trip<ZoneAddress>();
}

}  // namespace
}  // namespace midonet::model::record_test
