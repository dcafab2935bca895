// nlohmann/json with its templates compiled once, in json.cc, and not anew in each file that includes it: with sanitizers
// they were a third of what such a file costs (docs/adr/0005). Include this instead of <nlohmann/json.hpp>, in .cc files only.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

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
