#include "base/json.h"

template class nlohmann::basic_json<>;
template class nlohmann::detail::lexer<nlohmann::json, midonet::json_detail::Characters>;
template class nlohmann::detail::lexer<nlohmann::json, midonet::json_detail::String>;
template class nlohmann::detail::parser<nlohmann::json, midonet::json_detail::Characters>;
template class nlohmann::detail::parser<nlohmann::json, midonet::json_detail::String>;
template class nlohmann::detail::json_sax_dom_parser<nlohmann::json>;
template class nlohmann::detail::json_sax_dom_callback_parser<nlohmann::json>;
template class nlohmann::detail::serializer<nlohmann::json>;
