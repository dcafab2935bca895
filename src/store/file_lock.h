// Reserves a file for one process, by a lock on a file beside it. The lock ends with the FileLock, and with the process, also when that
// is killed. The file beside it stays: without it, two processes could lock two files of one name.
#pragma once

#include <chrono>
#include <string>

#include "base/result.h"
#include "base/unique_fd.h"

namespace midonet::store {

class FileLock {
 public:
  FileLock() = default;

  // Locks `file`.lock, made (0600) if it is absent. While another holds it, tries again until `patience` is over, which
  // blocks the calling thread; then Code::unavailable: "embedded store /x/midonet.db is in use by process 12
  // (midolman)".
  static Result<FileLock> acquire(const std::string& file, std::chrono::milliseconds patience);

 private:
  explicit FileLock(UniqueFd fd) : fd_(std::move(fd)) {}
  UniqueFd fd_;
};

}  // namespace midonet::store
