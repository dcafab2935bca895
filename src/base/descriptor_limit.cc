#include "base/descriptor_limit.h"

#include <sys/resource.h>

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

}  // namespace midonet
