// nlohmann/json with its templates compiled once, in json.cc, and not again in each file that includes it: with sanitizers
// they were a third of the time of such a file (docs/adr/0005). Include this instead of <nlohmann/json.hpp>, in .cc files only.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace midonet {

// Arrays and objects within each other that a text may have. nlohmann/json copies, compares and writes a value by recursion:
// without a limit a nested text of a few hundred kilobytes overflows the stack.
inline constexpr int max_json_depth = 32;

// Whether arrays and objects of the text nest deeper than max_json_depth. Exact for JSON; for other text either answer.
bool nested_too_deep(std::string_view text);

// Reads JSON (RFC 8259) from a source that is not trusted: a request, a stored record, an answer of another program.
// Discarded (is_discarded()) when the text is not JSON or is nested too deep. No text makes it throw.
nlohmann::json parse_json(std::string_view text);

// Writes JSON: on one line, or with that many spaces for each level. Bytes that are not UTF-8 (the name of an interface may have
// any) become U+FFFD; it never throws for what a string holds.
std::string dump_json(const nlohmann::json& json, int indent = -1);
std::string dump_json(const nlohmann::ordered_json& json, int indent = -1);

}  // namespace midonet

extern template class nlohmann::basic_json<>;

// Reading a text: of characters in memory, and of a std::string.
namespace midonet::json_detail {
using Characters = nlohmann::detail::iterator_input_adapter<const char*>;
using String = nlohmann::detail::iterator_input_adapter<std::string::const_iterator>;
}  // namespace midonet::json_detail
extern template class nlohmann::detail::lexer<nlohmann::json, midonet::json_detail::Characters>;
extern template class nlohmann::detail::lexer<nlohmann::json, midonet::json_detail::String>;
extern template class nlohmann::detail::parser<nlohmann::json, midonet::json_detail::Characters>;
extern template class nlohmann::detail::parser<nlohmann::json, midonet::json_detail::String>;
extern template class nlohmann::detail::json_sax_dom_parser<nlohmann::json>;
extern template class nlohmann::detail::json_sax_dom_callback_parser<nlohmann::json>;

// Writing one.
extern template class nlohmann::detail::serializer<nlohmann::json>;
