// Media types: the one of an answer (Accept, RFC 9110 section 12.5.1), and those that a body may have (Content-Type). Pure. Lenient with
// real clients ("*" for "*/*", "q=.2"); an element that makes no sense is passed over.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace midonet::api {

// "Application/JSON; charset=utf-8" -> "application/json"; "" when it is no media type.
std::string bare_media_type(std::string_view text);

// `offers` with "application/json" behind it, when one of them is JSON and it is not there yet.
std::vector<std::string> with_plain_json(std::vector<std::string> offers);

// The offer that the client likes best: by q, then by how exactly it is named, then by the order of the offers. Without
// an Accept, the first. Nothing when none will do (406). Parameters other than q are not looked at.
std::optional<std::string> choose_media_type(const std::vector<std::string>& offers,
                                             const std::optional<std::string>& accept);

// Whether a body of this Content-Type may be read as one of `consumes`: a foreign type or charset may not (415). Wildcards
// and an absent type may.
bool is_consumed(const std::vector<std::string>& consumes, const std::optional<std::string>& content_type);

// Whether an answer may be in a content coding (Accept-Encoding, RFC 9110 section 12.5.3). Without the header: it may not.
bool accepts_coding(const std::optional<std::string>& accept_encoding, std::string_view coding);

}  // namespace midonet::api
