#include "model/entity.h"

#include <algorithm>
#include <charconv>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/json.h"

namespace midonet::model {

namespace {

struct Refused {
  std::string why;
};

// Looks at a document while it is being read, so that a bad one is refused before it takes memory.
class Guard {
 public:
  // The signature of nlohmann's parser_callback_t; `parsed` is the key at Event::key.
  bool operator()(int /*depth*/, Json::parse_event_t event, Json& parsed) {
    switch (event) {
      case Json::parse_event_t::object_start: keys_.emplace_back(); break;
      case Json::parse_event_t::object_end: keys_.pop_back(); break;
      case Json::parse_event_t::key:
        if (const auto& key = parsed.get_ref<const std::string&>(); !keys_.back().insert(key).second)
          throw Refused{fmt::format("the key '{}' stands there twice", key.substr(0, 64))};
        break;
      default: break;
    }
    return true;
  }

 private:
  std::vector<std::set<std::string>> keys_;  // of each object that is open
};

// Code points; the parser has made sure of the UTF-8.
std::int64_t characters(const std::string& utf8) {
  return std::count_if(utf8.begin(), utf8.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; });
}

std::string join(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "" : ", ") + word;
  return out;
}

Status check(const Field& field, const Json& value) {
  if (value.is_null()) return {};
  if (value.is_number_integer()) {
    const auto number = value.get<std::int64_t>();  // read() has refused what does not fit
    if ((field.min && number < *field.min) || (field.max && number > *field.max))
      return fail(Code::invalid, "must be from {} to {}", field.min.value_or(INT64_MIN), field.max.value_or(INT64_MAX));
  }
  if (value.is_array() && field.max && value.size() > static_cast<std::size_t>(*field.max))
    return fail(Code::invalid, "has more than {} elements", *field.max);
  if (!value.is_string()) return {};
  const auto& text = value.get_ref<const std::string&>();
  if (field.max && characters(text) > *field.max)
    return fail(Code::invalid, "is longer than {} characters", *field.max);
  if (field.min && characters(text) < *field.min)
    return fail(Code::invalid, "is shorter than {} characters", *field.min);
  if (!field.choices.empty() && std::find(field.choices.begin(), field.choices.end(), text) == field.choices.end())
    return field.choices.size() == 1 ? fail(Code::invalid, "must be {}, which is all there is", field.choices.front())
                                     : fail(Code::invalid, "must be one of {}", join(field.choices));
  return field.check != nullptr ? field.check(text) : Status{};
}

// What the published shell sends as a string, as the field has it; nothing when it is no such string.
std::optional<Json> typed(const Field& field, const Json& value) {
  if (!value.is_string()) return std::nullopt;
  const auto& text = value.get_ref<const std::string&>();
  if (field.kind == Kind::boolean) {
    std::string lower(text);
    for (char& c : lower)
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    if (lower == "true") return Json(true);
    if (lower == "false") return Json(false);
  }
  if (field.kind == Kind::integer) {
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error == std::errc() && end == text.data() + text.size()) return Json(number);
  }
  return std::nullopt;
}

// Whether the value would have no effect, so that it is refused.
bool refused(const Field& field, const Json& value) {
  if (field.refusal.empty() || value.is_null()) return false;
  if (field.choices.size() == 1) return value != field.choices.front();
  return value != 0 && value != "" && value != Json::array();
}

bool is_list(Kind kind) { return kind == Kind::strings || kind == Kind::uuids || kind == Kind::objects; }

bool settable(Use use, Writing writing) {
  switch (use) {
    case Use::required:
    case Use::optional: return true;
    case Use::create_only: return writing == Writing::create;
    case Use::read_only:
    case Use::derived:
    case Use::internal: return false;
  }
  return false;
}

// A link with its fields filled in; null when one of them is.
// `value_of` gives a field's value by the field's name.
template <class Values>
Json expand(const Field& field, const Values& value_of, const std::string& base_uri) {
  const std::string& link = field.link;
  std::string out = base_uri;
  for (std::size_t at = 0; at < link.size();) {
    if (link[at] != '{') {
      out += link[at++];
      continue;
    }
    const bool literal = link.compare(at, 2, "{{") == 0;
    const std::size_t begin = at + (literal ? 2 : 1);
    const std::size_t end = link.find('}', begin);
    const std::string name = link.substr(begin, end - begin);
    at = end + (literal ? 2 : 1);
    if (literal) {
      out += '{' + name + '}';
      continue;
    }
    const Json& value = value_of(name);
    if (!value.is_string()) return nullptr;
    out += percent_encoded(value.get_ref<const std::string&>());
  }
  return out;
}

bool is_link(const Field& field) {
  return !field.link.empty() || (field.kind == Kind::uri && !field.write && !field.nullable);
}

// Of any field but a link.
Json value_of(const Field& field, const void* record, const Json& derived) {
  Json value;
  if (field.write)
    field.write(record, value);
  else if (const auto given = derived.find(field.name); given != derived.end())
    value = *given;
  else if (field.choices.size() == 1)
    value = field.choices.front();
  else if (is_list(field.kind))
    value = Json::array();
  if (field.empty_is_null && (value == "" || value == 0)) value = nullptr;
  return value;
}

// In the order of an object's text: by name. Tables live as long as the process.
const std::vector<const Field*>& fields_by_name(const Table& table) {
  thread_local std::map<const Table*, std::vector<const Field*>> known;
  std::vector<const Field*>& fields = known[&table];
  if (!fields.empty()) return fields;
  fields = table.rest_fields();
  std::sort(fields.begin(), fields.end(), [](const Field* a, const Field* b) { return a->name < b->name; });
  return fields;
}

// What dump_json() gives, without a serializer for what is simple.
void append_text(const Json& value, std::string& out) {
  const auto is_plain = [](char c) { return c >= ' ' && c <= '~' && c != '"' && c != '\\'; };
  switch (value.type()) {
    case Json::value_t::null: out += "null"; return;
    case Json::value_t::boolean: out += value.get<bool>() ? "true" : "false"; return;
    case Json::value_t::number_integer: out += std::to_string(value.get<std::int64_t>()); return;
    case Json::value_t::number_unsigned: out += std::to_string(value.get<std::uint64_t>()); return;
    case Json::value_t::string:
      if (const auto& text = value.get_ref<const std::string&>(); std::all_of(text.begin(), text.end(), is_plain)) {
        out.append(1, '"').append(text).append(1, '"');
        return;
      }
      [[fallthrough]];
    default: out += dump_json(value);
  }
}

}  // namespace

Result<Json> parse_object(std::string_view text) {
  if (text.empty()) return fail(Code::invalid, "There is no body; it must be a JSON object.");
  if (nested_too_deep(text))
    return fail(Code::invalid, "The body is not acceptable: it is nested deeper than {} levels.", max_json_depth);
  Guard guard;
  try {
    Json json = Json::parse(text, std::ref(guard));
    if (!json.is_object()) return fail(Code::invalid, "The body must be a JSON object.");
    return json;
  } catch (const Refused& refused) {
    return fail(Code::invalid, "The body is not acceptable: {}.", refused.why);
  } catch (const Json::parse_error& error) {
    return fail(Code::invalid, "The body is not JSON: byte {} is not expected there.", error.byte);
  } catch (const Json::exception&) {
    return fail(Code::invalid, "The body has a number that is out of range.");
  }
}

std::vector<Violation> read_entity(const Table& table, const Json& body, Writing writing, void* record) {
  std::vector<Violation> violations;
  for (const Field& field : table.fields) {
    if (field.use == Use::internal) continue;
    const auto given = body.find(field.name);
    const std::optional<Json> converted = given == body.end() ? std::nullopt : typed(field, *given);
    const Json* value = converted ? &*converted : given == body.end() ? nullptr : &*given;
    if (value != nullptr && refused(field, *value)) {
      violations.push_back({field.name, field.refusal});
      continue;
    }
    if (!settable(field.use, writing)) continue;
    if (value == nullptr || value->is_null()) {
      const bool missing = value == nullptr && writing == Writing::create;
      const bool needed = field.use == Use::required || (field.null_refused && value != nullptr);
      if (needed && (missing || value != nullptr))
        violations.push_back({field.name, missing ? "is missing" : "may not be null"});
      else if (value != nullptr)
        (void)field.read(record, *value);
      continue;
    }
    Status status = field.read(record, *value);
    if (status) status = check(field, *value);
    if (!status) violations.push_back({field.name, status.error().message});
  }
  return violations;
}

Json entity(const Table& table, const void* record, const std::string& base_uri, const Json& derived) {
  Json out = Json::object();
  const std::vector<const Field*> fields = table.rest_fields();
  for (const Field* field : fields) out[field->name] = value_of(*field, record, derived);
  const auto value = [&out](const std::string& name) -> const Json& { return out.at(name); };
  for (const Field* field : fields)
    if (is_link(*field)) out[field->name] = expand(*field, value, base_uri);
  return out;
}

std::string entity_text(const Table& table, const void* record, const std::string& base_uri, const Json& derived) {
  const auto value = [&](const std::string& name) { return value_of(*table.find(name), record, derived); };
  std::string out;
  for (const Field* field : fields_by_name(table)) {
    out += out.empty() ? '{' : ',';
    out.append(1, '"').append(field->name).append("\":");
    append_text(is_link(*field) ? expand(*field, value, base_uri) : value_of(*field, record, derived), out);
  }
  out += '}';
  return out;
}

std::string percent_encoded(std::string_view segment) {
  static constexpr std::string_view unreserved = "-._~";
  std::string out;
  for (const char c : segment) {
    const auto byte = static_cast<unsigned char>(c);
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
        unreserved.find(c) != std::string_view::npos)
      out += c;
    else
      out += fmt::format("%{:02X}", byte);
  }
  return out;
}

}  // namespace midonet::model
