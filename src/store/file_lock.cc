#include "store/file_lock.h"

#include <fcntl.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <fstream>
#include <thread>

#include "base/backoff.h"

namespace midonet::store {
namespace {

// The holder of the lock: the number that it wrote into the lock file, and the name of that process in /proc.
std::string holder_of(int fd) {
  std::array<char, 32> text{};
  const ssize_t size = ::pread(fd, text.data(), text.size(), 0);
  pid_t pid = 0;
  if (size > 0) std::from_chars(text.data(), text.data() + size, pid);
  if (pid <= 0) return "another process";
  if (pid == ::getpid()) return "this process already";
  std::string program;
  std::getline(std::ifstream(fmt::format("/proc/{}/comm", pid)), program);
  return program.empty() ? fmt::format("process {}", pid) : fmt::format("process {} ({})", pid, program);
}

Status write_holder(int fd, const std::string& lock_file) {
  const std::string text = fmt::format("{}\n", ::getpid());
  if (::ftruncate(fd, 0) != 0 || ::pwrite(fd, text.data(), text.size(), 0) != static_cast<ssize_t>(text.size())) {
    return fail_errno(errno, "write {}", lock_file);
  }
  return {};
}

}  // namespace

Result<FileLock> FileLock::acquire(const std::string& file, std::chrono::milliseconds patience) {
  const std::string lock_file = file + ".lock";
  UniqueFd fd(::open(lock_file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd) return fail_errno(errno, "open {}", lock_file);

  // A lock of the open file description (fcntl(2), F_OFD_SETLK), not of the process: it holds between two openers
  // within one process too, and no other close() in this process drops it.
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  const auto deadline = std::chrono::steady_clock::now() + patience;
  Backoff backoff(std::chrono::milliseconds(1), std::chrono::milliseconds(50));
  while (::fcntl(fd.get(), F_OFD_SETLK, &lock) != 0) {
    if (errno != EAGAIN && errno != EACCES) return fail_errno(errno, "lock {}", lock_file);
    const auto left = deadline - std::chrono::steady_clock::now();
    if (left <= left.zero()) {
      return fail(Code::unavailable, "embedded store {} is in use by {}", file, holder_of(fd.get()));
    }
    // The kernel tells of a released lock only a thread that blocks for it without a time limit.
    std::this_thread::sleep_for(std::min<std::chrono::nanoseconds>(backoff.next(), left));
  }
  // The number is for other processes' messages alone: a full disk is no reason to refuse the store here.
  static_cast<void>(write_holder(fd.get(), lock_file));
  return FileLock(std::move(fd));
}

}  // namespace midonet::store
