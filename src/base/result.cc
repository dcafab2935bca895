#include "base/result.h"

#include <cerrno>
#include <cstring>

namespace midonet {

std::string_view name(Code code) {
  switch (code) {
    case Code::invalid: return "invalid";
    case Code::unauthenticated: return "unauthenticated";
    case Code::forbidden: return "forbidden";
    case Code::not_found: return "not_found";
    case Code::conflict: return "conflict";
    case Code::unavailable: return "unavailable";
    case Code::exhausted: return "exhausted";
    case Code::internal: return "internal";
    case Code::pending: return "pending";
  }
  return "unknown";
}

Code code_of_errno(int error_number) {
  switch (error_number) {
    case EINVAL:
    case ENAMETOOLONG: return Code::invalid;
    case EPERM:
    case EACCES: return Code::forbidden;
    case ENOENT:
    case ENODEV:
    case ENXIO:
    case ESRCH: return Code::not_found;
    case EEXIST:
    case EBUSY:
    case EADDRINUSE: return Code::conflict;
    case EAGAIN:
    case ETIMEDOUT:
    case ECONNREFUSED:
    case ECONNRESET:
    case EPIPE:
    case EHOSTUNREACH:
    case ENETUNREACH: return Code::unavailable;
    case ENOMEM:
    case ENOSPC:
    case EMFILE:
    case ENFILE:
    case E2BIG: return Code::exhausted;
    default: return Code::internal;
  }
}

tl::unexpected<Error> fail_errno_text(int error_number, std::string what) {
  const char* symbol = strerrorname_np(error_number);
  const char* text = strerrordesc_np(error_number);
  return tl::unexpected<Error>(Error{code_of_errno(error_number),
                                     fmt::format("{}: {} ({})", what, text != nullptr ? text : "unknown error",
                                                 symbol != nullptr ? symbol : std::to_string(error_number).c_str())});
}

}  // namespace midonet
