#include "api/openapi.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "api/login.h"
#include "api/resources.h"
#include "base/json.h"
#include "store/uri.h"

namespace midonet::api::openapi_test {
namespace {

using nlohmann::json;

class OpenApi : public ::testing::Test {
 protected:
  OpenApi() {
    add_login(router, loop, open);
    resources.add_to(router);
    document = json::parse(openapi(router.routes(), {"http://api:1/cloud/midonet-api", true}));
  }

  Loop loop;
  std::unique_ptr<store::Store> store = *store::open(loop, "embedded::memory:", {.patience = std::chrono::seconds(1)});
  const std::unique_ptr<Authenticator> open = without_login();
  Router router{{.base_uri = "", .authority = "a"}};
  Resources resources{loop, *store, {}};
  json document;
};

void visit(const json& node, const std::function<void(const std::string&, const json&)>& see) {
  if (node.is_array())
    for (const json& element : node) visit(element, see);
  if (!node.is_object()) return;
  for (const auto& [key, value] : node.items()) {
    see(key, value);
    visit(value, see);
  }
}

TEST_F(OpenApi, HasEveryRouteWithItsParameters) {
  ASSERT_EQ(document["openapi"], "3.0.3");
  ASSERT_TRUE(document["info"]["title"].is_string() && document["info"]["version"].is_string());
  std::set<std::string> operations;
  std::size_t described = 0;
  for (const Route& route : router.routes()) {
    std::string method = route.method;
    for (char& c : method) c = static_cast<char>(std::tolower(c));
    ASSERT_TRUE(document["paths"].contains(route.path)) << route.path;
    ASSERT_TRUE(document["paths"][route.path].contains(method)) << route.method << ' ' << route.path;
    const json& operation = document["paths"][route.path][method];
    EXPECT_TRUE(operations.insert(operation["operationId"].get<std::string>()).second) << route.name;
    EXPECT_EQ(operation["summary"], route.summary);
    EXPECT_TRUE(operation["responses"].contains("default"));
    EXPECT_GE(operation["responses"].size(), 2u);
    std::set<std::string> in_path;
    for (const json& parameter : operation.value("parameters", json::array()))
      if (parameter["in"] == "path") in_path.insert("{" + parameter["name"].get<std::string>() + "}");
    for (const std::string& name : in_path) EXPECT_NE(route.path.find(name), std::string::npos) << name;
    EXPECT_EQ(static_cast<long>(in_path.size()), std::count(route.path.begin(), route.path.end(), '{')) << route.path;
    EXPECT_EQ(operation.contains("requestBody"), !route.consumes.empty()) << route.path;
  }
  for (const auto& [path, methods] : document["paths"].items()) described += methods.size();
  EXPECT_EQ(described, router.routes().size());
}

// The path without its query, and with a star for each segment that has a parameter.
std::string shape(std::string_view path) {
  path = path.substr(0, path.find('?'));
  std::string out;
  for (std::size_t at = 0; at < path.size();) {
    const std::size_t end = std::min(path.find('/', at + 1), path.size());
    const std::string_view segment = path.substr(at, end - at);
    out += segment.find('{') == segment.npos ? segment : "/*";
    at = end;
  }
  return out;
}

TEST_F(OpenApi, EveryLinkLeadsToARoute) {
  std::set<std::string> routes{shape(std::string(root) + "/openapi.json")};
  for (const Route& route : router.routes()) routes.insert(shape(route.path));
  int links = 0;
  for (const model::Table* table : rest_tables()) {
    for (const model::Field* field : table->rest_fields()) {
      if (field->link.empty()) continue;
      ++links;
      EXPECT_TRUE(routes.contains(shape(std::string(root) + field->link))) << table->name << ' ' << field->name;
    }
  }
  EXPECT_GT(links, 30);
}

TEST_F(OpenApi, HasEveryFieldOfEveryTable) {
  for (const model::Table* table : rest_tables()) {
    const json& schema = document["components"]["schemas"][table->name];
    ASSERT_EQ(schema["type"], "object") << table->name;
    EXPECT_EQ(schema["properties"].size(), table->rest_fields().size()) << table->name;
    for (const model::Field* each : table->rest_fields()) {
      const model::Field& field = *each;
      ASSERT_TRUE(schema["properties"].contains(field.name)) << table->name << '.' << field.name;
      EXPECT_EQ(schema["properties"][field.name]["description"], field.doc);
    }
  }
}

TEST_F(OpenApi, EveryReferenceResolvesAndEveryResponseIsDescribed) {
  std::size_t references = 0;
  visit(document, [&](const std::string& key, const json& value) {
    if (key == "$ref") {
      ++references;
      const json::json_pointer target(value.get<std::string>().substr(1));
      EXPECT_TRUE(document.contains(target)) << value;
    }
    if (key != "responses") return;
    for (const auto& [status, response] : value.items()) EXPECT_TRUE(response["description"].is_string()) << status;
  });
  EXPECT_GT(references, 20u);
}

TEST_F(OpenApi, EveryMediaTypeOfARouteHasATableOrIsKnownToHaveNone) {
  std::set<std::string> without;
  visit(document["paths"], [&](const std::string& key, const json& value) {
    if (key != "content") return;
    for (const auto& [type, media] : value.items())
      if (media["schema"].empty()) without.insert(type);
  });
  EXPECT_THAT(without, ::testing::UnorderedElementsAre("application/json", "application/vnd.org.midonet.Router-v3+json",
                                                       "application/vnd.org.midonet.collection.DhcpSubnet-v2+json",
                                                       "application/vnd.org.midonet.collection.DhcpV6Subnet-v1+json",
                                                       "application/vnd.org.midonet.collection.PortGroupPort-v1+json",
                                                       "application/vnd.sqlite3", "text/event-stream"));
}

TEST_F(OpenApi, SaysWhereTheServerIsAndHowToLogIn) {
  EXPECT_EQ(document["servers"][0]["url"], "http://api:1/cloud/");
  EXPECT_EQ(document["security"], json::parse(R"([{"token": []}, {"session": []}])"));
  EXPECT_EQ(document["paths"]["/midonet-api/login"]["post"]["security"], json::parse(R"([{"basic": []}])"));
  EXPECT_FALSE(document["paths"]["/midonet-api/bridges"]["get"].contains("security"));
  const json without = json::parse(openapi(router.routes(), {"https://cloud/api", false}));
  EXPECT_EQ(without["security"].back(), json::object());  // or nothing
  EXPECT_FALSE(without.contains("servers"));
}

TEST_F(OpenApi, TellsAnswersFromWhatIsTaken) {
  const json& schemas = document["components"]["schemas"];
  EXPECT_EQ(schemas["Port"]["required"].size(), schemas["Port"]["properties"].size());
  EXPECT_FALSE(schemas["TunnelZone"]["properties"]["name"].contains("nullable"));
  EXPECT_EQ(schemas["TunnelZoneCreate"]["required"], json::array({"name"}));
  EXPECT_FALSE(schemas["TunnelZoneUpdate"].contains("required"));
  EXPECT_FALSE(schemas["PortUpdate"]["properties"].contains("id"));
  EXPECT_FALSE(schemas["PortCreate"]["properties"].contains("status"));
  EXPECT_EQ(schemas["Bridge"]["properties"]["name"]["nullable"], true);
  EXPECT_FALSE(schemas["HostUpdate"]["properties"]["containerWeight"].contains("nullable"));
  EXPECT_EQ(schemas["HostInterfacePortCreate"]["properties"]["interfaceName"]["maxLength"], 15);
}

}  // namespace
}  // namespace midonet::api::openapi_test
