// A resource is declared once, as data: a table with one line per field. From the tables come stored records
// (record.h), REST bodies, answers, violations and filters (entity.h), referential checks
// (topology/references.h), media types, the OpenAPI document and the REST reference (api/openapi.h).
//
// A table stands in the .cc beside its struct. Tables are immutable after their first use; any thread may
// read them.
#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "base/ip.h"
#include "base/mac.h"
#include "base/result.h"
#include "base/uuid.h"
#include "base/vni.h"

namespace midonet::model {

using Json = nlohmann::json;
enum class PortState;

enum class Kind {
  boolean,
  integer,
  string,
  uuid,
  mac,
  ip,       // IPv4 or IPv6
  time,     // RFC 3339
  uri,      // absolute
  strings,  // array of strings
  uuids,    // array of UUIDs
  object,   // one of Field::item
  objects,  // array of Field::item
};

enum class Use {
  required,     // a create must give it, an update may
  optional,     // create and update may give it; null means its default
  create_only,  // a create may give it; an update ignores it
  read_only,    // the server's; a client's value is ignored
  derived,      // as read_only, and computed for each answer: it has no member and is not stored
  internal,     // of the stored record alone, from program to program: it has no name, and no client sees or sets it
};

struct Field {
  std::string name;    // over REST; empty: internal
  std::string record;  // in the stored record; empty: not stored (it stands in the path, or is derived)
  Kind kind = Kind::string;
  Use use = Use::optional;
  std::string doc;        // one sentence
  bool nullable = false;  // may be null in an answer

  std::optional<std::int64_t> min, max;  // of an integer, of a string's number of characters, of an array's elements
  std::vector<std::string> choices;      // the only values that it takes
  std::string refers;                    // the class whose id this is: "Host"
  std::string filter;                    // lists take it as a query parameter of this name: "tenant_id"
  Status (*check)(std::string_view) = nullptr;  // of a string: a rule of its own; Code::invalid says what is wrong
  bool empty_is_null = false;                   // of a string or an integer: "" or 0 is answered as null
  bool null_refused = false;                    // a client may not send null, in an update either
  // The reason to refuse values that would have no effect; empty: none is refused. Accepted are null, the only choice where there is
  // one, else also 0, "" and []. Applies to fields of every use.
  std::string refusal;
  std::string item;  // of object and objects: the name of their table
  std::string link;  // of a uri: "/bridges/{id}/ports", where {id} is another field; {{id}} stays {id}

  // Member access on the table's struct. `read` takes null as "the default"; its error (invalid) says what
  // was expected. Empty for derived fields.
  std::function<Status(void* record, const Json& value)> read;
  std::function<void(const void* record, Json& value)> write;

  Field& stored_as(std::string key) { return record = std::move(key), *this; }
  Field& not_stored() { return record.clear(), *this; }
  Field& between(std::int64_t low, std::int64_t high) { return min = low, max = high, *this; }
  Field& one_of(std::vector<std::string> values) { return choices = std::move(values), *this; }
  Field& filtered_by(std::string parameter) { return filter = std::move(parameter), *this; }
  Field& checked_by(Status (*rule)(std::string_view)) { return check = rule, *this; }
  Field& null_when_empty() { return empty_is_null = nullable = true, *this; }
  Field& refers_to(std::string resource) { return refers = std::move(resource), *this; }
  Field& of(std::string table) { return item = std::move(table), *this; }
  Field& may_be_null() { return nullable = true, *this; }
  Field& refuses_null() { return null_refused = true, *this; }
  Field& refuses_others(std::string why) { return refusal = std::move(why), *this; }
};

struct Table {
  std::string name;  // "Bridge": in messages, and in the media type
  int version = 0;   // of the media type; 0: a stored record only, or a part of another resource
  std::string doc;   // one sentence
  std::vector<Field> fields;
  std::vector<int> later_versions{};  // of the media type, which are understood and answered too

  const Field* find(const std::string& field) const;  // by its name over REST
  std::vector<const Field*> rest_fields() const;      // all but the internal ones
  std::string media_type() const;                     // application/vnd.org.midonet.Bridge-v4+json
  std::string collection_media_type() const;          // application/vnd.org.midonet.collection.Bridge-v4+json
  // Of every version, the table's own first.
  std::vector<std::string> media_types() const;
  std::vector<std::string> collection_media_types() const;
};

// The table of a struct, specialised in the .cc beside it: template <> const Table& table<Bridge>();
template <class R>
const Table& table();

// Reads and writes a member's type. `read` gives Code::invalid and leaves `out` unchanged when the JSON does not fit.
namespace codec {

Status read(const Json& value, bool& out);
Status read(const Json& value, std::int64_t& out);
Status read(const Json& value, std::string& out);
Status read(const Json& value, Uuid& out);
Status read(const Json& value, Mac& out);
Status read(const Json& value, Ip& out);
Status read(const Json& value, Vni& out);
Status read(const Json& value, PortState& out);
Status read(const Json& value, std::vector<std::string>& out);
Status read(const Json& value, std::vector<Uuid>& out);

void write(bool value, Json& out);
void write(std::int64_t value, Json& out);
void write(const std::string& value, Json& out);
void write(const Uuid& value, Json& out);
void write(const Mac& value, Json& out);
void write(const Ip& value, Json& out);
void write(const Vni& value, Json& out);
void write(PortState value, Json& out);
void write(const std::vector<std::string>& value, Json& out);
void write(const std::vector<Uuid>& value, Json& out);

bool is_null(const Json& value);
void write_null(Json& out);

template <class T>
Status read(const Json& value, std::optional<T>& out) {
  T inner{};
  Status status = read(value, inner);
  if (status) out = std::move(inner);
  return status;
}
template <class T>
void write(const std::optional<T>& value, Json& out) {
  value ? write(*value, out) : write_null(out);
}

// An array of structs that have a table: each element is checked as a create is. `add` gives the place of the next one.
Status read_objects(const Table& item, const Json& value, const std::function<void*()>& add);
void write_objects(const Table& item, const std::vector<const void*>& objects, Json& out);

template <class S>
Status read(const Json& value, std::vector<S>& out) {
  std::vector<S> objects;
  Status status = read_objects(table<S>(), value, [&objects]() -> void* { return &objects.emplace_back(); });
  if (status) out = std::move(objects);
  return status;
}
template <class S>
void write(const std::vector<S>& value, Json& out) {
  std::vector<const void*> objects;
  objects.reserve(value.size());
  for (const S& one : value) objects.push_back(&one);
  write_objects(table<S>(), objects, out);
}

template <class T>
struct KindOf;
template <>
struct KindOf<bool> {
  static constexpr Kind kind = Kind::boolean;
};
template <>
struct KindOf<std::int64_t> {
  static constexpr Kind kind = Kind::integer;
};
template <>
struct KindOf<std::string> {
  static constexpr Kind kind = Kind::string;
};
template <>
struct KindOf<Uuid> {
  static constexpr Kind kind = Kind::uuid;
};
template <>
struct KindOf<Mac> {
  static constexpr Kind kind = Kind::mac;
};
template <>
struct KindOf<Ip> {
  static constexpr Kind kind = Kind::ip;
};
template <>
struct KindOf<Vni> {
  static constexpr Kind kind = Kind::integer;
};
template <>
struct KindOf<PortState> {
  static constexpr Kind kind = Kind::string;
};
template <>
struct KindOf<std::vector<std::string>> {
  static constexpr Kind kind = Kind::strings;
};
template <>
struct KindOf<std::vector<Uuid>> {
  static constexpr Kind kind = Kind::uuids;
};
template <class S>
struct KindOf<std::vector<S>> {
  static constexpr Kind kind = Kind::objects;
};
template <class T>
struct KindOf<std::optional<T>> : KindOf<T> {
  static constexpr bool nullable = true;
};

}  // namespace codec

// field("adminStateUp", &Bridge::admin_state_up, Use::optional, "Whether the bridge forwards at all.")
template <class R, class T>
Field field(std::string name, T R::*member, Use use, std::string doc) {
  Field f;
  f.record = name;
  f.name = std::move(name);
  f.kind = codec::KindOf<T>::kind;
  f.nullable = requires { codec::KindOf<T>::nullable; };
  f.use = use;
  f.doc = std::move(doc);
  f.read = [member](void* record, const Json& value) -> Status {
    T& target = static_cast<R*>(record)->*member;
    if (!codec::is_null(value)) return codec::read(value, target);
    target = R{}.*member;
    return {};
  };
  f.write = [member](const void* record, Json& value) { codec::write(static_cast<const R*>(record)->*member, value); };
  return f;
}

// A key of the stored record alone. A value that cannot be read counts as absent, and null is not written.
template <class R, class T>
Field internal(std::string record, std::optional<T> R::*member, std::string doc) {
  Field f = field(std::move(record), member, Use::internal, std::move(doc));
  f.name.clear();
  return f;
}

// A field without a member, whose value the code that makes the answer gives.
Field derived(std::string name, Kind kind, std::string doc);
// An absolute URI made of other fields of the same answer; null when one of them is.
Field link(std::string name, std::string uri, std::string doc);
// A field that published clients read and that has no meaning here: null, or [] for a list. With `refusal`, another value
// in a request is refused for that reason.
Field empty(std::string name, Kind kind, std::string refusal = {});

}  // namespace midonet::model
