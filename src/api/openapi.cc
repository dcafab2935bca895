#include "api/openapi.h"

#include <algorithm>
#include <set>

#include "api/answer.h"
#include "api/login.h"
#include "base/interface_name.h"
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

// The schemas of one table.
enum class Form { answer, create, update };

std::string name_of(const std::string& table, Form form) {
  return table + (form == Form::create ? "Create" : form == Form::update ? "Update" : "");
}

OrderedJson type_of(const Field& field, Form form) {
  // An element of a list is always checked as at a creation.
  const std::string item = name_of(field.item, form == Form::answer ? Form::answer : Form::create);
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
    case Kind::object: return {{"allOf", OrderedJson::array({reference(item)})}};
    case Kind::objects: return array_of(reference(item));
  }
  return {};
}

bool is_null_possible(const Field& field, Form form) {
  if (form != Form::answer) return field.use != Use::required && !field.null_refused;
  return field.nullable || (field.kind == Kind::uri && field.link.find('{') != std::string::npos);
}

OrderedJson schema(const Field& field, Form form) {
  OrderedJson out = type_of(field, form);
  out["description"] = field.doc;
  const bool text = field.kind == Kind::string;
  const bool number = field.kind == Kind::integer;
  if (field.min) out[number ? "minimum" : text ? "minLength" : "minItems"] = *field.min;
  if (field.max) out[number ? "maximum" : text ? "maxLength" : "maxItems"] = *field.max;
  if (field.check == check_interface_name) {
    out["minLength"] = 1;
    out["maxLength"] = 15;
    out["pattern"] = "^[^/:\\s]+$";
  }
  if (!field.choices.empty()) out["enum"] = field.choices;
  if (is_null_possible(field, form)) {
    out["nullable"] = true;
    if (!field.choices.empty()) out["enum"].push_back(nullptr);  // an enumeration says all that there is
  }
  if (form == Form::answer && (field.use == Use::read_only || field.use == Use::derived)) out["readOnly"] = true;
  if (field.use == Use::create_only) out["x-create-only"] = true;
  if (!field.refers.empty()) out["x-refers-to"] = field.refers;
  return out;
}

bool is_taken(const Field& field, Form form) {
  switch (field.use) {
    case Use::required:
    case Use::optional: return true;
    case Use::create_only: return form != Form::update;
    case Use::read_only:
    case Use::derived: return form == Form::answer;
    case Use::internal: return false;
  }
  return false;
}

OrderedJson schema(const Table& table, Form form) {
  OrderedJson properties = OrderedJson::object();
  OrderedJson required = OrderedJson::array();
  for (const Field& field : table.fields) {
    if (!is_taken(field, form)) continue;
    properties[field.name] = schema(field, form);
    if (form == Form::answer || (form == Form::create && field.use == Use::required)) required.push_back(field.name);
  }
  OrderedJson out{{"type", "object"}, {"description", table.doc}, {"properties", std::move(properties)}};
  if (!required.empty()) out["required"] = std::move(required);
  return out;
}

OrderedJson token_schema() {
  return {{"type", "object"},
          {"description", "What a login gives."},
          {"required", {"key", "expires"}},
          {"properties",
           {{"key", {{"type", "string"}, {"description", "The token, for the header X-Auth-Token."}}},
            {"expires", {{"type", "string"}, {"format", "date-time"}, {"description", "Until when it is good."}}}}}};
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
OrderedJson carried(const std::string& media_type, Form form) {
  if (media_type == token_media_type) return reference("Token");
  for (const Table* table : rest_tables()) {
    if (table->version == 0) continue;
    const auto is_one_of = [&media_type](const std::vector<std::string>& types) {
      return std::find(types.begin(), types.end(), media_type) != types.end();
    };
    if (is_one_of(table->media_types())) return reference(name_of(table->name, form));
    if (is_one_of(table->collection_media_types())) return array_of(reference(table->name));
  }
  return OrderedJson::object();
}

OrderedJson content(std::vector<std::string> media_types, Form form = Form::answer) {
  OrderedJson out = OrderedJson::object();
  const std::string first = media_types.front();
  for (const std::string& type : media_types) out[type] = {{"schema", carried(type, form)}};
  if (first.find("json") != std::string::npos) out["application/json"] = {{"schema", carried(first, form)}};
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
  if (route.path == root + "/login")
    out.push_back(parameter("X-Auth-Project", "header", false, "With Keystone: the project, by name or id."));
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
    return {
        {"description", "Made."},
        {"headers",
         {{"Location", {{"description", "Its absolute URI."}, {"schema", {{"type", "string"}, {"format", "uri"}}}}}}}};
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
  if (!route.consumes.empty())
    out["requestBody"] = {{"required", true},
                          {"content", content(route.consumes, route.method == "PUT" ? Form::update : Form::create)}};
  if (route.path == root + "/login")
    out["security"] = OrderedJson::array({{{"basic", OrderedJson::array()}}});
  else if (route.open)
    out["security"] = OrderedJson::array();
  OrderedJson responses{{success_status(route), success(route)}};
  if (waits(route))
    responses["202"] = {{"description", "Bound; the time to wait is over."}, {"content", content(route.produces)}};
  responses["default"] = {{"description", "It did not succeed."},
                          {"content", {{error_media_type, {{"schema", reference("Error")}}}}}};
  out["responses"] = std::move(responses);
  return out;
}

}  // namespace

std::string openapi(const std::vector<Route>& routes, const OpenApiOptions& options) {
  OrderedJson schemas = OrderedJson::object();
  std::set<std::string> made, changed;  // of tables
  for (const Route& route : routes)
    if (!route.consumes.empty())
      for (const Table* table : rest_tables())
        if (table->version != 0 && route.consumes.front() == table->media_type())
          (route.method == "PUT" ? changed : made).insert(table->name);
  for (const Table* table : rest_tables()) {
    schemas[table->name] = schema(*table, Form::answer);
    // A table without a version is a part of others.
    if (made.contains(table->name) || table->version == 0)
      schemas[name_of(table->name, Form::create)] = schema(*table, Form::create);
    if (changed.contains(table->name)) schemas[name_of(table->name, Form::update)] = schema(*table, Form::update);
  }
  schemas["Token"] = token_schema();
  schemas["Error"] = error_schema();
  OrderedJson paths = OrderedJson::object();
  for (const Route& route : routes) {
    std::string method = route.method;
    std::transform(method.begin(), method.end(), method.begin(), [](char c) { return static_cast<char>(c | 0x20); });
    paths[route.path][method] = operation(route);
  }
  OrderedJson security = OrderedJson::array({{{"token", OrderedJson::array()}}, {{"session", OrderedJson::array()}}});
  if (!options.asks_login) security.push_back(OrderedJson::object());
  OrderedJson document{
      {"openapi", "3.0.3"},
      {"info", {{"title", "Midolman REST API"}, {"version", MIDONET_VERSION}, {"license", {{"name", "Apache-2.0"}}}}},
  };
  // Paths begin with the root; where another one is configured, the document's own address is all that is known.
  if (options.base_uri.ends_with(root))
    document["servers"] =
        OrderedJson::array({{{"url", options.base_uri.substr(0, options.base_uri.size() - root.size()) + "/"}}});
  document["security"] = std::move(security);
  document["paths"] = std::move(paths);
  document["components"] = {{"schemas", std::move(schemas)},
                            {"securitySchemes",
                             {{"basic", {{"type", "http"}, {"scheme", "basic"}}},
                              {"token", {{"type", "apiKey"}, {"in", "header"}, {"name", "X-Auth-Token"}}},
                              {"session", {{"type", "apiKey"}, {"in", "cookie"}, {"name", "sessionId"}}}}}};
  return document.dump(2);
}

void add_openapi(Router& router) {
  router.add({.method = "GET",
              .path = root + "/openapi.json",
              .name = "getOpenApi",
              .summary = "This document",
              .produces = {json_media_type},
              .handler = [&router](const Call& call, const Reply& reply) {
                reply(ok(openapi(router.routes(), {call.base_uri, router.is_guarded()}), call.media_type));
              }});
}

}  // namespace midonet::api
