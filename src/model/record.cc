#include "model/record.h"

#include "base/json.h"

namespace midonet::model {

Status decode_into(const Table& table, std::string_view value, void* record) {
  const Json json = parse_json(value);
  if (json.is_discarded() && nested_too_deep(value))
    return fail(Code::internal, "damaged {} record: it is nested deeper than {} levels", table.name, max_json_depth);
  if (!json.is_object()) return fail(Code::internal, "damaged {} record: it is not a JSON object", table.name);
  for (const Field& field : table.fields) {
    if (field.record.empty()) continue;
    const auto member = json.find(field.record);
    if (member == json.end()) continue;
    if (Status status = field.read(record, *member); !status && field.use != Use::internal)
      return fail(Code::internal, "damaged {} record: '{}' {}", table.name, field.record, status.error().message);
  }
  return {};
}

std::string encode_from(const Table& table, const void* record, std::string_view previous) {
  Json json = Json::object();
  if (!previous.empty()) json = parse_json(previous);
  if (!json.is_object()) json = Json::object();
  for (const Field& field : table.fields) {
    if (field.record.empty()) continue;
    Json& value = json[field.record];
    field.write(record, value);
    if (field.use == Use::internal && value.is_null()) json.erase(field.record);
  }
  return dump_json(json);
}

}  // namespace midonet::model
