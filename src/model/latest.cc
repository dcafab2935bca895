#include "model/latest.h"

#include "base/json.h"

namespace midonet::model {

using Json = nlohmann::json;

std::string encode_latest(const Latest& latest) {
  std::size_t bytes = 0;
  Json records = Json::object();
  for (const auto& [path, record] : latest) {
    bytes += path.size() + record.size();
    if (bytes > max_latest_bytes) return "{}";
    Json json = parse_json(record);
    if (json.is_object()) records[path] = std::move(json);
  }
  return dump_json(Json{{"latest", std::move(records)}});
}

Latest decode_latest(std::string_view value) {
  Latest out;
  if (value.empty()) return out;
  const Json json = parse_json(value);
  if (!json.is_object()) return out;
  const auto records = json.find("latest");
  if (records == json.end() || !records->is_object()) return out;
  for (const auto& [path, record] : records->items())
    if (record.is_object()) out.emplace(path, dump_json(record));
  return out;
}

}  // namespace midonet::model
