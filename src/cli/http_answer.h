// Reads one HTTP/1.1 answer (RFC 9112) out of the bytes that a connection gave so far. mm-ctl's own, because a call of
// mm-ctl must cost a millisecond and so links no HTTP library; the `midonet` command uses http/client.h.
//
// A pure function, no I/O. It understands what an HTTP/1.1 server may send to a client that said `Connection: close`:
// Content-Length, chunked, an end by closing, interim 1xx answers, and answers without a body (204, 304).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace midonet::cli {

struct HttpAnswer {
  int status = 0;
  std::string body;
  bool operator==(const HttpAnswer&) const = default;
};

inline constexpr std::size_t max_answer_bytes = 1'000'000;

// nullopt: not all of it is there yet. With `ended` (the peer closed) that is an error instead: Code::unavailable for an
// answer that is cut short, nothing at all included. Code::internal for bytes that are no HTTP/1.1 answer.
Result<std::optional<HttpAnswer>> read_http_answer(std::string_view bytes, bool ended);

}  // namespace midonet::cli
