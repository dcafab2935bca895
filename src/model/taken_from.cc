#include "model/taken_from.h"

#include "base/json.h"

namespace midonet::model {

using Json = nlohmann::json;

namespace {
constexpr const char* host_key = "takenFromHost";
constexpr const char* interface_key = "takenFromInterface";

// Most records have neither key, and need not be parsed once more to find that out.
bool may_have(std::string_view record) { return record.find(host_key) != std::string_view::npos; }
}  // namespace

std::optional<TakenFrom> taken_from(std::string_view record) {
  if (!may_have(record)) return {};
  const Json json = parse_json(record);
  if (!json.is_object()) return {};
  const auto host = json.find(host_key), interface = json.find(interface_key);
  if (host == json.end() || !host->is_string() || interface == json.end() || !interface->is_string()) return {};
  const auto id = Uuid::parse(host->get_ref<const std::string&>());
  if (!id) return {};
  return TakenFrom{*id, interface->get<std::string>()};
}

std::string with_taken_from(std::string record, const std::optional<TakenFrom>& from) {
  if (!from && !may_have(record)) return record;
  Json json = parse_json(record);
  if (!json.is_object()) return record;
  json.erase(host_key);
  json.erase(interface_key);
  if (from) {
    json[host_key] = from->host_id.to_string();
    json[interface_key] = from->interface_name;
  }
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace midonet::model
