// The bytes of an answer's head (RFC 9112 section 4 and 5). Pure, but for the Date.  Internal to http/.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "http/message.h"

namespace midonet::http {

enum class Framing {
  length,       // Content-Length: the body is there
  chunked,      // it is made while it is sent
  until_close,  // likewise, for a client of HTTP/1.0
};

struct HeadOptions {
  bool close = false;                // "Connection: close"
  bool announce_keep_alive = false;  // "Connection: keep-alive", which HTTP/1.0 clients need to hear
  Framing framing = Framing::length;
};

// Status line and headers with the empty line. Content-Length is that of the body, also when it is not sent (HEAD).
// A header that could not stand on one line is left out: nothing that a handler copies into one can split an answer.
std::string head_of(const Response& response, const HeadOptions& options, std::chrono::system_clock::time_point now);

// Names and tokens of HTTP: ASCII letters are the same in both cases.
bool equal_without_case(std::string_view a, std::string_view b);

// Whether answers of this status have a body at all (RFC 9110 section 6.4.1).
bool may_have_body(int status);

// An answer of the server's own: {"message", "code"}, for 400 also an empty "violations". `message` becomes ASCII without quotes and
// control characters.
Response plain_error(int status, const std::string& message, const std::string& media_type);

}  // namespace midonet::http
