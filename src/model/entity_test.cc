#include "model/entity.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "base/json.h"
#include "model/binding.h"
#include "model/bridge.h"
#include "model/host.h"
#include "model/port.h"

namespace midonet::model::entity_test {
namespace {

const std::string base = "http://h/midonet-api";
const std::string id_text = "aaaaaaaa-0000-4000-8000-000000000001";

std::vector<Violation> create(const char* body, auto& record) {
  return read_entity(Json::parse(body), Writing::create, record);
}
std::vector<Violation> update(const char* body, auto& record) {
  return read_entity(Json::parse(body), Writing::update, record);
}

TEST(Body, WhatIsNoJsonObjectIsRefused) {
  for (const char* text : {"", "{", "[]", "5", "{} x", "{'a': 1}", "\"\xff\"", "{\"a\": \"\xc3\"}", "{\"a\": 1e999}",
                           R"({"a": 1, "a": 2})", R"({"b": {"a": 1, "a": 2}})", R"({"a": "\ud800"})"})
    EXPECT_EQ(parse_object(text).error().code, Code::invalid) << text;
}

TEST(Body, TheSameKeyInTwoObjectsIsFine) {
  EXPECT_TRUE(parse_object(R"({"a": {"a": 1}, "b": {"a": 1}, "c": [{"a": 1}, {"a": 1}]})"));
}

TEST(Body, DeepNestingIsRefusedWithoutRecursion) {
  for (const std::string& open : {std::string("["), std::string("{\"a\":")}) {
    std::string text = "{\"a\":";
    for (int i = 0; i < 200'000; ++i) text += open;
    const auto refused = parse_object(text);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().message, "The body is not acceptable: it is nested deeper than 32 levels.");
  }
}

TEST(Body, AnyBytesAreRefusedOrRead) {
  EXPECT_TRUE(rc::check([](const std::string& bytes) { (void)parse_object("{" + bytes + "}"); }));
}

TEST(Entity, ACreateTakesWhatAClientMaySetAndNothingElse) {
  Bridge bridge;
  EXPECT_TRUE(create(R"({"id": "aaaaaaaa-0000-4000-8000-000000000001", "name": "net", "tenantId": "t", "vni": 7,
                         "adminStateUp": false, "uri": 5, "colour": "red"})",
                     bridge)
                  .empty());
  EXPECT_EQ(bridge.id.to_string(), id_text);
  EXPECT_EQ(bridge.name, "net");
  EXPECT_FALSE(bridge.admin_state_up);
  EXPECT_FALSE(bridge.vni);
}

TEST(Entity, AnUpdateChangesOnlyWhatItNamesAndNullMeansTheDefault) {
  Port port;
  port.id = *Uuid::parse(id_text);
  port.mac_address = *Mac::parse("02:00:00:00:00:01");
  port.vlan_id = 7;
  port.admin_state_up = false;
  port.interface_name = "tap0";
  EXPECT_TRUE(update(R"({"id": "bbbbbbbb-0000-4000-8000-000000000001", "macAddress": null, "adminStateUp": null,
                         "interfaceName": "other"})",
                     port)
                  .empty());
  EXPECT_EQ(port.id.to_string(), id_text);
  EXPECT_EQ(port.mac_address, std::nullopt);
  EXPECT_EQ(port.vlan_id, 7);
  EXPECT_TRUE(port.admin_state_up);
  EXPECT_EQ(port.interface_name, "tap0");
}

TEST(Entity, AllViolationsAreToldAtOnce) {
  Port port;
  EXPECT_EQ(
      create(R"({"id": "x", "macAddress": "01:00:5e:00:00:01", "adminStateUp": 1, "vlanId": 4096, "vifId": 7})", port),
      (std::vector<Violation>{{"id", "must be a UUID"},
                              {"adminStateUp", "must be true or false"},
                              {"macAddress", "must be the address of one station"},
                              {"vifId", "must be a string with a UUID"},
                              {"vlanId", "ports of a VLAN are not supported; must be null or 0"}}));
}

TEST(Entity, NumbersAreIntegersInRange) {
  for (const char* bad : {"1.0", R"("1.0")", R"("")", R"(" 1")", R"("+1")", R"("0x1")", "18446744073709551615",
                          R"("18446744073709551615")", "-1", R"("-1")", "65536", "true", "[1]", "null"}) {
    Host host;
    const Json body{{"containerWeight", Json::parse(bad)}};
    EXPECT_EQ(read_entity(body, Writing::update, host).size(), 1u) << bad;
    EXPECT_FALSE(read_entity(body, Writing::create, host).empty()) << bad;
  }
}

TEST(Entity, NumbersAndBooleansMayComeAsStrings) {
  Host host;
  EXPECT_TRUE(
      read_entity(Json{{"containerWeight", "65535"}, {"containerLimit", "-1"}, {"enforceContainerLimit", "True"}},
                  Writing::update, host)
          .empty());
  EXPECT_EQ(host.container_weight, 65535);
  EXPECT_EQ(host.container_limit, -1);
  EXPECT_TRUE(host.enforce_container_limit);
  Bridge bridge;  // a string stays one
  EXPECT_TRUE(read_entity(Json{{"name", "7"}, {"adminStateUp", "false"}}, Writing::create, bridge).empty());
  EXPECT_EQ(bridge.name, "7");
  EXPECT_FALSE(bridge.admin_state_up);
}

TEST(Entity, WhatWouldHaveNoEffectIsRefusedAlsoWhereItCannotBeSet) {
  for (const Writing writing : {Writing::create, Writing::update}) {
    Port port;
    EXPECT_EQ(read_entity(Json{{"type", "Router"}, {"vlanId", 5}, {"insertionIds", {id_text}}}, writing, port).size(),
              3u);
    EXPECT_TRUE(
        read_entity(Json{{"type", "Bridge"}, {"vlanId", "0"}, {"insertionIds", Json::array()}, {"peerId", nullptr}},
                    writing, port)
            .empty());
  }
}

TEST(Entity, LengthsCountCharacters) {
  Bridge bridge;
  std::string name;
  for (int i = 0; i < 255; ++i) name += "ü";
  EXPECT_TRUE(read_entity(Json{{"name", name}}, Writing::create, bridge).empty());
  EXPECT_EQ(read_entity(Json{{"name", name + "ü"}}, Writing::create, bridge),
            (std::vector<Violation>{{"name", "is longer than 255 characters"}}));
}

TEST(Entity, ARequiredPropertyMustBeThere) {
  Binding binding;
  EXPECT_EQ(create(R"({"interfaceName": null})", binding),
            (std::vector<Violation>{{"portId", "is missing"}, {"interfaceName", "may not be null"}}));
}

TEST(Entity, NullsAreWrittenAndLinksAreAbsolute) {
  Port port;
  port.id = *Uuid::parse(id_text);
  port.bridge_id = *Uuid::parse("bbbbbbbb-0000-4000-8000-000000000002");
  const Json json = entity(port, base, {{"active", false}});
  EXPECT_EQ(json["uri"], base + "/ports/" + id_text);
  EXPECT_EQ(json["device"], base + "/bridges/bbbbbbbb-0000-4000-8000-000000000002");
  EXPECT_EQ(json["type"], "Bridge");
  EXPECT_EQ(json["active"], false);
  for (const char* null : {"hostId", "host", "interfaceName", "hostInterfacePort", "vlanId", "tunnelKey", "status"})
    EXPECT_TRUE(json.contains(null) && json[null].is_null()) << null;
}

TEST(Entity, AsTextIsWhatTheTreeOfValuesGives) {
  const auto expect_same = [](const auto& record, const Json& derived) {
    using Record = std::remove_cvref_t<decltype(record)>;
    return entity_text(table<Record>(), &record, base, derived) == dump_json(entity(record, base, derived));
  };
  EXPECT_TRUE(rc::check([&](const std::string& name, const std::string& reason, bool up, std::int64_t number) {
    Port port;
    port.id = Uuid::random();
    port.bridge_id = Uuid::random();
    port.name = name;
    port.admin_state_up = up;
    port.mac_address = Mac::parse("02:00:00:00:00:01").value();
    if (up) port.host_id = Uuid::random();
    port.interface_name = reason;
    port.tunnel_key = number;
    port.fixed_ips = {{Uuid::random(), Ip::parse("192.0.2.1").value()}};
    port.allowed_address_pairs = {{reason, std::nullopt}};
    RC_ASSERT(expect_same(port, {{"status", {{"reason", reason}, {"n", number}}}, {"active", up}, {"mtu", nullptr}}));
    RC_ASSERT(expect_same(port, Json::object()));
    Bridge bridge;
    bridge.name = name;
    RC_ASSERT(expect_same(bridge, Json::object()));
    RC_ASSERT(expect_same(PortStatus{.reason = reason, .revision = number}, Json::object()));
  }));
}

TEST(Entity, TemplatesKeepTheirBracesAndNamesAreEncoded) {
  EXPECT_EQ(entity(Bridge{}, base, {})["macPortTemplate"],
            base + "/bridges/00000000-0000-0000-0000-000000000000/mac_table/{macAddress}_{portId}");
  EXPECT_EQ(entity(Interface{"a%b\xc3\xbc", "", 0, "", "", 0, {}}, base, {{"hostId", "h"}})["uri"],
            base + "/hosts/h/interfaces/a%25b%C3%BC");
}

// What a table answers can be sent back as it is and changes nothing: clients read, modify and write whole entities.
template <class R>
void expect_answers_can_be_sent_back(const R& record) {
  R copy = record;
  EXPECT_TRUE(read_entity(entity(record, base, Json::object()), Writing::update, copy).empty());
  EXPECT_EQ(copy, record);
}

TEST(Entity, AnAnswerSentBackChangesNothing) {
  Bridge bridge;
  bridge.name = "net";
  bridge.vni = *Vni::from(5);
  expect_answers_can_be_sent_back(bridge);
  Port port;
  port.mac_address = *Mac::parse("02:00:00:00:00:01");
  port.host_id = *Uuid::parse(id_text);
  port.interface_name = "tap0";
  expect_answers_can_be_sent_back(port);
  Host host;
  host.container_limit = -1;
  expect_answers_can_be_sent_back(host);
}

TEST(Entity, InternalFieldsAreNeitherAnsweredNorTaken) {
  Port port;
  port.set_taken_from(TakenFrom{*Uuid::parse(id_text), "tap1"});
  EXPECT_EQ(entity_text(table<Port>(), &port, "http://h", {}).find("taken"), std::string::npos);
  const Json answer = entity(table<Port>(), &port, "http://h", {});
  EXPECT_EQ(answer.size(), table<Port>().rest_fields().size());
  EXPECT_FALSE(answer.contains("") || answer.contains("takenFromHost"));

  const Port before = port;
  const Json body = {{"takenFromHost", "nonsense"}, {"takenFromInterface", "tap2"}, {"", "tap3"}};
  EXPECT_TRUE(read_entity(table<Port>(), body, Writing::update, &port).empty());
  EXPECT_EQ(port, before);
}

TEST(Table, EveryFieldHasOneNameADocSentenceAndLinksThatResolve) {
  for (const Table* table : {&table<Bridge>(), &table<Port>(), &table<Host>(), &table<Alive>(), &table<Interface>(),
                             &table<Binding>(), &table<BoundInterface>(), &table<PortStatus>()}) {
    for (const Field& field : table->fields) {
      const bool internal = field.use == Use::internal;
      EXPECT_EQ(table->find(field.name), internal ? nullptr : &field) << table->name << '.' << field.name;
      EXPECT_EQ(field.name.empty(), internal) << table->name << '.' << field.record;
      EXPECT_TRUE(field.doc.size() > 5 && field.doc.back() == '.') << table->name << '.' << field.name;
      EXPECT_EQ(field.use == Use::derived, !field.read) << table->name << '.' << field.name;
    }
  }
}

}  // namespace
}  // namespace midonet::model::entity_test
