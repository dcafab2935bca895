// Every call of the project that may fail returns this: a value, or an Error with one of a few codes.
//
// A message says what was tried, on what, and why not: `attach tap42: no such link (ENODEV)`. An error is logged
// once, where it is handled. A broken invariant of our own aborts; it never becomes an Error.
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>

namespace midonet {

enum class Code {
  invalid,          // the request itself is wrong; retrying it unchanged is useless
  unauthenticated,  // the client is not known
  forbidden,        // the client is known, and not allowed
  not_found,
  conflict,     // the present state does not allow it: exists already, held by another, a lost race
  unavailable,  // the other side does not answer; retrying later may help
  exhausted,    // a limit is reached: memory, quota, numbers, disk
  internal,     // a defect on our side
  pending,      // not known yet: store::View has to read first (never leaves the process)
};

std::string_view name(Code code);

struct [[nodiscard]] Error {
  Code code = Code::internal;
  std::string message;
  // For Code::invalid: the property of the request that is wrong, or empty.
  std::string property{};

  bool operator==(const Error&) const = default;
};

template <class T>
using Result = tl::expected<T, Error>;
using Status = Result<void>;

// return fail(Code::not_found, "There is no {} with ID {}.", "Port", id);
template <class... Args>
[[nodiscard]] tl::unexpected<Error> fail(Code code, fmt::format_string<Args...> format, Args&&... args) {
  return tl::unexpected<Error>(Error{code, fmt::format(format, std::forward<Args>(args)...)});
}

// return failed(read);  The error of a call, passed on by another one: the one spelling for that.
[[nodiscard]] inline tl::unexpected<Error> failed(Error error) { return tl::unexpected<Error>(std::move(error)); }
template <class T>
[[nodiscard]] tl::unexpected<Error> failed(const Result<T>& result) {
  return failed(result.error());
}
template <class T>
[[nodiscard]] tl::unexpected<Error> failed(Result<T>&& result) {
  return failed(std::move(result).error());
}

// An Error for a failed system call: `fail_errno(ENODEV, "attach {}", "tap42")` reads
// "attach tap42: No such device (ENODEV)".
[[nodiscard]] tl::unexpected<Error> fail_errno_text(int error_number, std::string what);

template <class... Args>
[[nodiscard]] tl::unexpected<Error> fail_errno(int error_number, fmt::format_string<Args...> format, Args&&... args) {
  return fail_errno_text(error_number, fmt::format(format, std::forward<Args>(args)...));
}

// The one mapping of errno to Code.
Code code_of_errno(int error_number);

}  // namespace midonet
