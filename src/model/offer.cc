#include "model/offer.h"

#include <algorithm>

#include "base/json.h"

namespace midonet::model {

using Json = nlohmann::json;

namespace {

template <class... Args>
tl::unexpected<Error> damaged(const char* record, fmt::format_string<Args...> format, Args&&... args) {
  return fail(Code::internal, "damaged {} record: {}", record, fmt::format(format, std::forward<Args>(args)...));
}

// What is missing or null is the default, as with the tables of fields.
const Json& member(const Json& object, const char* key) {
  static const Json null;
  const auto at = object.find(key);
  return at == object.end() ? null : *at;
}

// A value that is a word with a parse() of its own.
template <class T>
Result<T> word(const Json& value) {
  if (!value.is_string()) return fail(Code::invalid, "must be a string");
  return T::parse(value.get_ref<const std::string&>());
}

Result<std::int64_t> number(const Json& value) {
  const bool fits = value.is_number_integer() &&
                    (!value.is_number_unsigned() || value.get<std::uint64_t>() <= std::uint64_t{INT64_MAX});
  if (!fits || value.get<std::int64_t>() < 0) return fail(Code::invalid, "must be an integer from 0 to {}", INT64_MAX);
  return value.get<std::int64_t>();
}

// An array without order and doubles in it, as an ascending vector.
template <class T, class Read>
Status read_set(const Json& value, std::vector<T>& out, Read read) {
  if (value.is_null()) return {};
  if (!value.is_array()) return fail(Code::invalid, "must be an array");
  out.reserve(value.size());
  for (const Json& element : value) {
    const auto one = read(element);
    if (!one) return failed(one);
    out.push_back(*one);
  }
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return {};
}

template <class Key, class Value, class Read>
Status read_map(const Json& value, std::map<Key, Value>& out, Read read) {
  if (value.is_null()) return {};
  if (!value.is_object()) return fail(Code::invalid, "must be an object");
  for (const auto& [name, element] : value.items()) {
    const auto key = Key::parse(name);
    if (!key) return failed(key);
    const auto one = read(element);
    if (!one) return failed(one);
    out.emplace(*key, *one);
  }
  return {};
}

Status read_port(const Json& value, OfferedPort& out) {
  if (!value.is_object()) return damaged("OfferChunk", "a port is not an object");
  const auto id = word<Uuid>(member(value, "portId"));
  if (!id) return damaged("OfferChunk", "'portId' {}", id.error().message);
  out.port_id = *id;
  const auto revision = number(member(value, "revision"));
  if (!revision) return damaged("OfferChunk", "'revision' of port {} {}", out.port_id, revision.error().message);
  out.revision = *revision;
  if (const Status macs = read_set(member(value, "macs"), out.macs, word<Mac>); !macs)
    return damaged("OfferChunk", "'macs' of port {}: {}", out.port_id, macs.error().message);
  if (const Status ips = read_set(member(value, "ips"), out.ips, word<Ip>); !ips)
    return damaged("OfferChunk", "'ips' of port {}: {}", out.port_id, ips.error().message);
  if (const Status learned = read_map(member(value, "learned"), out.learned, number); !learned)
    return damaged("OfferChunk", "'learned' of port {}: {}", out.port_id, learned.error().message);
  const Json& standby = member(value, "standby");
  if (!standby.is_boolean() && !standby.is_null())
    return damaged("OfferChunk", "'standby' of port {} must be a boolean", out.port_id);
  out.standby = standby.is_boolean() && standby.get<bool>();
  if (const Json& declared = member(value, "declared"); !declared.is_null()) {
    const auto mac = word<Mac>(declared);
    if (!mac) return damaged("OfferChunk", "'declared' of port {} {}", out.port_id, mac.error().message);
    out.declared = *mac;
  }
  const Json& down = member(value, "down");
  if (!down.is_boolean() && !down.is_null())
    return damaged("OfferChunk", "'down' of port {} must be a boolean", out.port_id);
  out.down = down.is_boolean() && down.get<bool>();
  std::erase_if(out.learned,
                [&](const auto& one) { return !std::binary_search(out.macs.begin(), out.macs.end(), one.first); });
  return {};
}

Json object_of(std::string_view previous) {
  if (previous.empty()) return Json::object();
  Json json = parse_json(previous);
  return json.is_object() ? json : Json::object();
}

template <class T>
Json strings(const std::vector<T>& values) {
  Json out = Json::array();
  for (const T& value : values) out.push_back(value.to_string());
  return out;
}

void write_port(const OfferedPort& port, Json& out) {
  out["portId"] = port.port_id.to_string();
  out["revision"] = port.revision;
  out["macs"] = strings(port.macs);
  out["ips"] = strings(port.ips);
  const auto flag = [&out](const char* key, bool set) {
    if (set)
      out[key] = true;
    else
      out.erase(key);
  };
  flag("standby", port.standby);
  flag("down", port.down);
  if (port.declared)
    out["declared"] = port.declared->to_string();
  else
    out.erase("declared");
  if (port.learned.empty()) {
    out.erase("learned");
    return;
  }
  Json& learned = out["learned"] = Json::object();
  for (const auto& [mac, moves] : port.learned) learned[mac.to_string()] = moves;
}

}  // namespace

std::optional<Mac> OfferedPort::configured() const {
  if (declared) return declared;
  std::optional<Mac> out;
  for (const Mac& mac : macs) {
    if (learned.contains(mac) || mac.is_multicast() || mac.is_zero()) continue;
    if (out) return {};
    out = mac;
  }
  return out;
}

Result<BridgeHost> decode_bridge_host(std::string_view value) {
  const Json json = parse_json(value);
  if (!json.is_object()) return damaged("BridgeHost", "it is not a JSON object");
  BridgeHost out;
  const auto vtep = word<Ip>(member(json, "vtep"));
  if (!vtep) return damaged("BridgeHost", "'vtep' {}", vtep.error().message);
  out.vtep = *vtep;
  if (const Status zones = read_map(member(json, "zones"), out.zones, word<Ip>); !zones)
    return damaged("BridgeHost", "'zones': {}", zones.error().message);
  if (const Status chunks = read_set(member(json, "chunks"), out.chunks, number); !chunks)
    return damaged("BridgeHost", "'chunks': {}", chunks.error().message);
  out.adopts = member(json, "adopts") == Json(true);
  return out;
}

std::string encode(const BridgeHost& record, std::string_view previous) {
  Json json = object_of(previous);
  json["vtep"] = record.vtep.to_string();
  Json& zones = json["zones"] = Json::object();
  for (const auto& [zone, ip] : record.zones) zones[zone.to_string()] = ip.to_string();
  json["chunks"] = record.chunks;
  if (record.adopts)
    json["adopts"] = true;
  else
    json.erase("adopts");
  return dump_json(json);
}

Result<OfferChunk> decode_offer_chunk(std::string_view value) {
  const Json json = parse_json(value);
  if (!json.is_object()) return damaged("OfferChunk", "it is not a JSON object");
  const Json& ports = member(json, "ports");
  if (!ports.is_array() && !ports.is_null()) return damaged("OfferChunk", "'ports' must be an array");
  OfferChunk out;
  out.ports.reserve(ports.size());
  for (const Json& port : ports)
    if (const Status read = read_port(port, out.ports.emplace_back()); !read) return failed(read);
  return out;
}

std::string encode(const OfferChunk& chunk, std::string_view previous) {
  Json json = object_of(previous);
  std::map<std::string, Json> before;
  if (const Json& ports = member(json, "ports"); ports.is_array())
    for (const Json& port : ports)
      if (port.is_object() && member(port, "portId").is_string())
        before.emplace(port["portId"].get_ref<const std::string&>(), port);
  Json ports = Json::array();
  for (const OfferedPort& port : chunk.ports) {
    const auto old = before.find(port.port_id.to_string());
    write_port(port, ports.emplace_back(old != before.end() ? std::move(old->second) : Json::object()));
  }
  json["ports"] = std::move(ports);
  return dump_json(json);
}

}  // namespace midonet::model
