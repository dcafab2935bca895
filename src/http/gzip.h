// Bodies in the gzip coding (RFC 1952), at once or while they are sent. On one thread.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "http/message.h"

namespace midonet::http {

std::string gzip(std::string_view text);

// The same bytes as `source` gives, compressed; as slow as `source` is, and never a large piece at a time.
std::shared_ptr<BodySource> gzip(std::shared_ptr<BodySource> source);

// A body that is there already, given out piece by piece.
std::shared_ptr<BodySource> body_source(std::string body);

}  // namespace midonet::http
