#include "api/openapi.h"

#include <algorithm>

#include "api/answer.h"
#include "base/json.h"
#include "model/application.h"
#include "model/binding.h"
#include "model/bridge.h"
#include "model/bridge_tables.h"
#include "model/host.h"
#include "model/port.h"
#include "model/tenant.h"
#include "model/tunnel_zone.h"

namespace midonet::api {

using model::Field;
using model::Kind;
using model::Table;
using model::Use;
using OrderedJson = nlohmann::ordered_json;

const std::vector<const Table*>& rest_tables() {
  static const std::vector<const Table*> tables{
      &model::table<model::Application>(), &model::table<model::SystemState>(), &model::table<model::Bridge>(),
      &model::table<model::MacPort>(),     &model::table<model::Ip4Mac>(),      &model::table<model::Port>(),
      &model::table<model::FixedIp>(),     &model::table<model::AddressPair>(), &model::table<model::AttachInterface>(),
      &model::table<model::PortStatus>(),  &model::table<model::Host>(),        &model::table<model::Interface>(),
      &model::table<model::Binding>(),     &model::table<model::TunnelZone>(),  &model::table<model::TunnelZoneHost>(),
      &model::table<model::Tenant>(),
  };
  return tables;
}

namespace {

OrderedJson reference(const std::string& schema) { return {{"$ref", "#/components/schemas/" + schema}}; }
OrderedJson array_of(OrderedJson items) { return {{"type", "array"}, {"items", std::move(items)}}; }

OrderedJson type_of(const Field& field) {
  switch (field.kind) {
    case Kind::boolean: return {{"type", "boolean"}};
    case Kind::integer: return {{"type", "integer"}, {"format", "int64"}};
    case Kind::string: return {{"type", "string"}};
    case Kind::uuid: return {{"type", "string"}, {"format", "uuid"}};
    case Kind::mac: return {{"type", "string"}, {"pattern", "^([0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}$"}};
    case Kind::ip:
      return {{"type", "string"}, {"anyOf", OrderedJson::array({{{"format", "ipv4"}}, {{"format", "ipv6"}}})}};
    case Kind::time: return {{"type", "string"}, {"format", "date-time"}};
    case Kind::uri: return {{"type", "string"}, {"format", "uri"}};
    case Kind::strings: return array_of({{"type", "string"}});
    case Kind::uuids: return array_of({{"type", "string"}, {"format", "uuid"}});
    case Kind::object: return {{"allOf", OrderedJson::array({reference(field.item)})}};
    case Kind::objects: return array_of(reference(field.item));
  }
  return {};
}

bool is_null_possible(const Field& field) {
  return field.nullable || (field.kind == Kind::uri && field.link.find('{') != std::string::npos);
}

OrderedJson schema(const Field& field) {
  OrderedJson out = type_of(field);
  out["description"] = field.doc;
  const bool text = field.kind == Kind::string;
  const bool number = field.kind == Kind::integer;
  if (field.min) out[number ? "minimum" : text ? "minLength" : "minItems"] = *field.min;
  if (field.max) out[number ? "maximum" : text ? "maxLength" : "maxItems"] = *field.max;
  if (!field.choices.empty()) out["enum"] = field.choices;
  if (is_null_possible(field)) out["nullable"] = true;
  if (field.use == Use::read_only || field.use == Use::derived) out["readOnly"] = true;
  if (field.use == Use::create_only) out["x-create-only"] = true;
  if (!field.refers.empty()) out["x-refers-to"] = field.refers;
  return out;
}

OrderedJson schema(const Table& table) {
  OrderedJson properties = OrderedJson::object();
  OrderedJson required = OrderedJson::array();
  for (const Field& field : table.fields) {
    properties[field.name] = schema(field);
    if (field.use == Use::required) required.push_back(field.name);
  }
  OrderedJson out{{"type", "object"}, {"description", table.doc}, {"properties", std::move(properties)}};
  if (!required.empty()) out["required"] = std::move(required);
  return out;
}

OrderedJson error_schema() {
  const OrderedJson violation{{"type", "object"},
                              {"properties", {{"property", {{"type", "string"}}}, {"message", {{"type", "string"}}}}}};
  return {
      {"type", "object"},
      {"description", "What was tried, on what, and why it did not succeed."},
      {"required", {"message", "code"}},
      {"properties",
       {{"message", {{"type", "string"}}},
        {"code", {{"type", "integer"}, {"description", "The HTTP status."}}},
        {"violations",
         {{"description", "With 400: what is wrong with which property."}, {"type", "array"}, {"items", violation}}}}}};
}

// The schema of what a media type carries: a resource's, a list of them, or anything.
OrderedJson carried(const std::string& media_type) {
  for (const Table* table : rest_tables()) {
    if (table->version == 0) continue;
    if (media_type == table->media_type()) return reference(table->name);
    if (media_type == table->collection_media_type()) return array_of(reference(table->name));
  }
  return OrderedJson::object();
}

OrderedJson content(std::vector<std::string> media_types) {
  OrderedJson out = OrderedJson::object();
  const std::string first = media_types.front();
  for (const std::string& type : media_types) out[type] = {{"schema", carried(type)}};
  if (first.find("json") != std::string::npos) out["application/json"] = {{"schema", carried(first)}};
  return out;
}

OrderedJson parameter(const std::string& name, const char* place, bool required, const std::string& doc) {
  return {
      {"name", name}, {"in", place}, {"required", required}, {"description", doc}, {"schema", {{"type", "string"}}}};
}

// The one request whose answer may take as long as its client likes.
bool waits(const Route& route) { return route.method == "POST" && route.path.ends_with("/attach_interface"); }

OrderedJson parameters(const Route& route) {
  OrderedJson out = OrderedJson::array();
  for (std::size_t at = route.path.find('{'); at != std::string::npos; at = route.path.find('{', at + 1)) {
    const std::string name = route.path.substr(at + 1, route.path.find('}', at) - at - 1);
    OrderedJson one = parameter(name, "path", true, name == "name" ? "A name." : "An id.");
    const bool any_text = route.path.find("/tenants/") != std::string::npos;
    if (!any_text && (name == "id" || name.ends_with("Id"))) one["schema"]["format"] = "uuid";
    out.push_back(std::move(one));
  }
  if (waits(route)) {
    out.push_back(parameter("wait", "query", false,
                            "How many seconds to wait for the port to be active or in error; 202 when they are over."));
    out.back()["schema"] = {{"type", "number"}, {"minimum", 0}};
  }
  if (route.name == "getEvents") {
    const char* doc = "The last id that was received: what came after it is told, if the server still has it.";
    out.push_back(parameter("Last-Event-ID", "header", false, doc));
    out.push_back(parameter("lastEventId", "query", false, doc));
  }
  if (route.method != "GET" || route.produces.empty()) return out;
  for (const Table* table : rest_tables())
    for (const Field& field : table->fields)
      if (!field.filter.empty() && route.produces.front() == table->collection_media_type())
        out.push_back(parameter(field.filter, "query", false, fmt::format("Only those with this {}.", field.name)));
  return out;
}

OrderedJson success(const Route& route) {
  if (!route.produces.empty()) return {{"description", "Done."}, {"content", content(route.produces)}};
  if (route.method == "POST")
    return {{"description", "Made."},
            {"headers", {{"Location", {{"description", "Its absolute URI."}, {"schema", {{"type", "string"}}}}}}}};
  return {{"description", "Done."}};
}

std::string success_status(const Route& route) {
  if (!route.produces.empty()) return "200";
  if (route.method == "POST") return "201";
  return route.path == root + "/hosts/{id}" ? "200" : "204";  // REST contract, section 2
}

OrderedJson operation(const Route& route) {
  OrderedJson out{{"operationId", route.name}, {"summary", route.summary}};
  if (OrderedJson all = parameters(route); !all.empty()) out["parameters"] = std::move(all);
  if (!route.consumes.empty()) out["requestBody"] = {{"required", true}, {"content", content(route.consumes)}};
  OrderedJson responses{{success_status(route), success(route)}};
  if (waits(route))
    responses["202"] = {{"description", "Bound; the time to wait is over."}, {"content", content(route.produces)}};
  responses["default"] = {{"description", "It did not succeed."},
                          {"content", {{error_media_type, {{"schema", reference("Error")}}}}}};
  out["responses"] = std::move(responses);
  return out;
}

}  // namespace

std::string openapi(const std::vector<Route>& routes) {
  OrderedJson schemas = OrderedJson::object();
  for (const Table* table : rest_tables()) schemas[table->name] = schema(*table);
  schemas["Error"] = error_schema();
  OrderedJson paths = OrderedJson::object();
  for (const Route& route : routes) {
    std::string method = route.method;
    std::transform(method.begin(), method.end(), method.begin(), [](char c) { return static_cast<char>(c | 0x20); });
    paths[route.path][method] = operation(route);
  }
  const OrderedJson document{
      {"openapi", "3.0.3"},
      {"info", {{"title", "Midolman REST API"}, {"version", MIDONET_VERSION}, {"license", {{"name", "Apache-2.0"}}}}},
      {"paths", std::move(paths)},
      {"components", {{"schemas", std::move(schemas)}}}};
  return document.dump(2);
}

void add_openapi(Router& router) {
  router.add({.method = "GET",
              .path = root + "/openapi.json",
              .name = "getOpenApi",
              .summary = "This document",
              .produces = {json_media_type},
              .handler = [&router](const Call& call, const Reply& reply) {
                reply(ok(openapi(router.routes()), call.media_type));
              }});
}

}  // namespace midonet::api
