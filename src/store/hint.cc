#include "store/hint.h"

#include "base/json.h"

namespace midonet::store {

using Json = nlohmann::json;

std::string encode_hint(const Hint& hint) {
  std::size_t bytes = 0;
  Json records = Json::object();
  for (const auto& [path, record] : hint) {
    bytes += path.size() + record.size();
    if (bytes > max_hint_bytes) return "{}";
    Json json = parse_json(record);
    if (json.is_object()) records[path] = std::move(json);
  }
  return dump_json(Json{{"latest", std::move(records)}});
}

Hint decode_hint(std::string_view value) {
  Hint out;
  if (value.empty()) return out;
  const Json json = parse_json(value);
  if (!json.is_object()) return out;
  const auto records = json.find("latest");
  if (records == json.end() || !records->is_object()) return out;
  for (const auto& [path, record] : records->items())
    if (record.is_object()) out.emplace(path, dump_json(record));
  return out;
}

}  // namespace midonet::store
