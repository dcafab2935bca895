#include "model/port_vni.h"

#include "base/json.h"

namespace midonet::model {

using Json = nlohmann::json;

namespace {
constexpr const char* key = "vni";
}  // namespace

std::optional<Vni> port_vni(std::string_view record) {
  const Json json = parse_json(record);
  if (!json.is_object()) return {};
  const auto number = json.find(key);
  if (number == json.end() || !number->is_number_unsigned()) return {};
  const auto vni = Vni::from(number->get<std::uint64_t>());
  return vni ? std::optional(*vni) : std::nullopt;
}

std::string with_port_vni(const std::string& record, Vni vni) {
  Json json = parse_json(record);
  if (!json.is_object()) return record;
  json[key] = vni.number();
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace midonet::model
