#include "base/descriptor_limit.h"

#include <sys/resource.h>

#include <algorithm>
#include <cerrno>

namespace midonet {

Status raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return fail_errno(errno, "read the limit of open files");
  if (limit.rlim_cur == limit.rlim_max) return {};
  const rlim_t before = limit.rlim_cur;
  limit.rlim_cur = limit.rlim_max;
  if (::setrlimit(RLIMIT_NOFILE, &limit) == 0) return {};
  return fail_errno(errno, "raise the limit of open files from {} to {}", before, limit.rlim_max);
}

std::size_t descriptor_limit() {
  constexpr std::size_t usual = 1024;
  rlimit limit{};
  return ::getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : usual;
}

std::size_t descriptors_for_clients() {
  constexpr std::size_t most_kept = 256;
  const std::size_t limit = descriptor_limit();
  return limit - std::min(limit / 4, most_kept);
}

}  // namespace midonet
