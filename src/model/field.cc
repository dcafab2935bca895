#include "model/field.h"

#include "base/json.h"
#include "model/binding.h"
#include "model/entity.h"

namespace midonet::model {

const Field* Table::find(const std::string& field) const {
  for (const Field& f : fields)
    if (f.name == field && f.use != Use::internal) return &f;
  return nullptr;
}

std::vector<const Field*> Table::rest_fields() const {
  std::vector<const Field*> out;
  out.reserve(fields.size());
  for (const Field& f : fields)
    if (f.use != Use::internal) out.push_back(&f);
  return out;
}

namespace {
std::vector<std::string> of_versions(const Table& table, std::string_view format) {
  std::vector<std::string> types{fmt::format(fmt::runtime(format), table.name, table.version)};
  for (const int version : table.later_versions)
    types.push_back(fmt::format(fmt::runtime(format), table.name, version));
  return types;
}
constexpr std::string_view media_type_form = "application/vnd.org.midonet.{}-v{}+json";
constexpr std::string_view collection_form = "application/vnd.org.midonet.collection.{}-v{}+json";
}  // namespace

std::string Table::media_type() const { return fmt::format(media_type_form, name, version); }
std::string Table::collection_media_type() const { return fmt::format(collection_form, name, version); }
std::vector<std::string> Table::media_types() const { return of_versions(*this, media_type_form); }
std::vector<std::string> Table::collection_media_types() const { return of_versions(*this, collection_form); }

Field derived(std::string name, Kind kind, std::string doc) {
  Field f;
  f.name = std::move(name);
  f.kind = kind;
  f.use = Use::derived;
  f.doc = std::move(doc);
  return f;
}

Field link(std::string name, std::string uri, std::string doc) {
  Field f = derived(std::move(name), Kind::uri, std::move(doc));
  f.link = std::move(uri);
  return f;
}

Field empty(std::string name, Kind kind, std::string refusal) {
  Field f = derived(std::move(name), kind, "Kept for clients; always empty.");
  f.nullable = kind != Kind::strings && kind != Kind::uuids && kind != Kind::objects;
  f.refusal = std::move(refusal);
  return f;
}

namespace codec {

bool is_null(const Json& value) { return value.is_null(); }
void write_null(Json& out) { out = nullptr; }

Status read(const Json& value, bool& out) {
  if (!value.is_boolean()) return fail(Code::invalid, "must be true or false");
  out = value.get<bool>();
  return {};
}

Status read(const Json& value, std::int64_t& out) {
  if (!value.is_number_integer()) return fail(Code::invalid, "must be an integer");
  if (value.is_number_unsigned() && value.get<std::uint64_t>() > std::uint64_t{INT64_MAX})
    return fail(Code::invalid, "must be at most {}", INT64_MAX);
  out = value.get<std::int64_t>();
  return {};
}

Status read(const Json& value, std::string& out) {
  if (!value.is_string()) return fail(Code::invalid, "must be a string");
  out = value.get_ref<const std::string&>();
  return {};
}

namespace {
// The values that are a word of their own, each with its parse().
template <class T>
Status read_word(const Json& value, T& out, std::string_view what) {
  if (!value.is_string()) return fail(Code::invalid, "must be a string with {}", what);
  Result<T> word = T::parse(value.get_ref<const std::string&>());
  if (!word) return fail(Code::invalid, "must be {}", what);
  out = *word;
  return {};
}
}  // namespace

Status read(const Json& value, Uuid& out) { return read_word(value, out, "a UUID"); }
Status read(const Json& value, Mac& out) { return read_word(value, out, "a MAC address"); }
Status read(const Json& value, Ip& out) { return read_word(value, out, "an IPv4 or IPv6 address"); }

Status read(const Json& value, Vni& out) {
  std::int64_t number = 0;
  if (Status status = read(value, number); !status) return status;
  const Result<Vni> vni = Vni::from(number < 0 ? 0 : static_cast<std::uint64_t>(number));
  if (!vni) return fail(Code::invalid, "must be from 1 to {}", Vni::max);
  out = *vni;
  return {};
}

Status read(const Json& value, PortState& out) {
  if (!value.is_string()) return fail(Code::invalid, "must be the name of a state");
  const Result<PortState> state = parse_port_state(value.get_ref<const std::string&>());
  if (!state) return failed(state);
  out = *state;
  return {};
}

Status read(const Json& value, std::vector<std::string>& out) {
  if (!value.is_array()) return fail(Code::invalid, "must be an array of strings");
  std::vector<std::string> strings;
  for (const Json& element : value) {
    if (!element.is_string()) return fail(Code::invalid, "must be an array of strings");
    strings.push_back(element.get_ref<const std::string&>());
  }
  out = std::move(strings);
  return {};
}

Status read(const Json& value, std::vector<Uuid>& out) {
  if (!value.is_array()) return fail(Code::invalid, "must be an array of UUIDs");
  std::vector<Uuid> ids(value.size());
  for (std::size_t i = 0; i < ids.size(); ++i)
    if (!read(value[i], ids[i])) return fail(Code::invalid, "must be an array of UUIDs, and element {} is none", i + 1);
  out = std::move(ids);
  return {};
}

Status read_objects(const Table& item, const Json& value, const std::function<void*()>& add) {
  if (!value.is_array()) return fail(Code::invalid, "must be an array of objects");
  for (std::size_t i = 0; i < value.size(); ++i) {
    if (!value[i].is_object()) return fail(Code::invalid, "must be an array of objects, and element {} is none", i + 1);
    const auto violations = read_entity(item, value[i], Writing::create, add());
    if (!violations.empty())
      return fail(Code::invalid, "element {}: {} {}", i + 1, violations.front().property, violations.front().message);
  }
  return {};
}

void write_objects(const Table& item, const std::vector<const void*>& objects, Json& out) {
  out = Json::array();
  for (const void* object : objects) {
    Json& element = out.emplace_back(Json::object());
    for (const Field& one : item.fields)
      if (one.write) one.write(object, element[one.name]);
  }
}

void write(bool value, Json& out) { out = value; }
void write(std::int64_t value, Json& out) { out = value; }
void write(const std::string& value, Json& out) { out = value; }
void write(const Uuid& value, Json& out) { out = value.to_string(); }
void write(const Mac& value, Json& out) { out = value.to_string(); }
void write(const Ip& value, Json& out) { out = value.to_string(); }
void write(const Vni& value, Json& out) { out = value.number(); }
void write(PortState value, Json& out) { out = std::string(name(value)); }
void write(const std::vector<std::string>& value, Json& out) { out = value; }
void write(const std::vector<Uuid>& value, Json& out) {
  out = Json::array();
  for (const Uuid& id : value) out.push_back(id.to_string());
}

}  // namespace codec

}  // namespace midonet::model
