// A file as the body of an answer.
#pragma once

#include <memory>

#include "base/unique_fd.h"
#include "http/message.h"

namespace midonet::http {

// The bytes of the file from where it is positioned. One that cannot be read to its end is cut off.
std::shared_ptr<BodySource> file_source(UniqueFd file);

}  // namespace midonet::http
