// A resource over REST, made from and read into its struct by its table (field.h). Used by api/. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/field.h"

namespace midonet::model {

struct Violation {
  std::string property;
  std::string message;
  bool operator==(const Violation&) const = default;
};

// A request's body. Code::invalid: not JSON (RFC 8259), not UTF-8, not an object, a key twice, nested too deep.
Result<Json> parse_object(std::string_view text);

enum class Writing { create, update };

// Sets the properties in `record` that a client may set; returns everything that is wrong with the body, in the table's order. An
// update changes only the properties that the body names; null means the default. Unknown, read-only and derived properties are
// ignored, unless the field has a refusal. Numbers and booleans may also be strings ("7", "true"), as published clients send them.
std::vector<Violation> read_entity(const Table& table, const Json& body, Writing writing, void* record);

// An answer: every field of the table, null where there is no value. `derived` gives derived fields by name. A derived field with one
// possible value has that value, a derived list that is not given is empty. URIs begin with `base_uri`
// ("http://127.0.0.1:8181/midonet-api").
Json entity(const Table& table, const void* record, const std::string& base_uri, const Json& derived);

// The text of entity(), without its tree of values: for lists, where that tree costs more than all the rest. At least one field.
std::string entity_text(const Table& table, const void* record, const std::string& base_uri, const Json& derived);

template <class R>
std::vector<Violation> read_entity(const Json& body, Writing writing, R& record) {
  return read_entity(table<R>(), body, writing, &record);
}
template <class R, class J = Json>  // J: so that Json may be incomplete here
J entity(const R& record, const std::string& base_uri, const Json& derived) {
  return entity(table<R>(), &record, base_uri, derived);
}

// A segment of a URI's path: everything except the unreserved characters of RFC 3986 section 2.3 is percent-encoded.
std::string percent_encoded(std::string_view segment);

}  // namespace midonet::model
