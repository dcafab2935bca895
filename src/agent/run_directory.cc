#include "agent/run_directory.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <filesystem>
#include <string_view>

#include "base/log.h"

namespace midonet::agent {

namespace {

// Without symbolic links where it exists: /var/run/midolman and /run/midolman are one place, and get one folder of pins.
std::string canonical(const std::string& path) {
  std::error_code error;
  std::string out = std::filesystem::weakly_canonical(std::filesystem::absolute(path, error), error).string();
  if (error || out.empty()) out = path;
  while (out.size() > 1 && out.back() == '/') out.pop_back();
  return out;
}

Status make_directories(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) return fail_errno(error.value(), "make the directory {}", path);
  return {};
}

// The folder may have been made by systemd, or by an earlier version, with 0755. One that other programs use too (/run, given
// by mistake) is left as it is: the lock itself is closed in any case.
Status close_to_others(const std::string& path) {
  struct stat is {};
  if (::stat(path.c_str(), &is) != 0) return fail_errno(errno, "look at {}", path);
  if ((is.st_mode & 0777) == 0700) return {};
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(path, error)) {
    const std::string name = entry.path().filename();
    if (name.starts_with("midolman.") || name.starts_with("session")) continue;
    log::warning("{} holds files of other programs, and keeps its mode {:o}", path, is.st_mode & 07777);
    return {};
  }
  if (error) return fail_errno(error.value(), "look into {}", path);
  if (::chmod(path.c_str(), 0700) != 0) return fail_errno(errno, "close {} to other users", path);
  return {};
}

std::string holder(int lock) {
  std::array<char, 32> text{};
  const ssize_t got = ::pread(lock, text.data(), text.size() - 1, 0);
  std::string_view pid(text.data(), got > 0 ? static_cast<std::size_t>(got) : 0);
  pid = pid.substr(0, pid.find('\n'));
  return pid.empty() ? "another process" : fmt::format("process {}", pid);
}

}  // namespace

Result<RunDirectory> RunDirectory::claim(const std::string& path) {
  RunDirectory out;
  if (const Status made = make_directories(path); !made) return failed(made);
  out.path_ = canonical(path);
  if (const Status closed = close_to_others(out.path_); !closed) return failed(closed);
  const std::string file = out.path_ + "/midolman.lock";
  out.lock_.reset(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!out.lock_) return fail_errno(errno, "open {}", file);
  if (::fchmod(out.lock_.get(), 0600) != 0) return fail_errno(errno, "close {} to other users", file);
  if (::flock(out.lock_.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return fail_errno(errno, "lock {}", file);
    return fail(Code::conflict, "{} is in use by the agent of {}: give each agent a --run-dir of its own", out.path_,
                holder(out.lock_.get()));
  }
  const std::string pid = fmt::format("{}\n", ::getpid());
  if (::ftruncate(out.lock_.get(), 0) != 0 ||
      ::pwrite(out.lock_.get(), pid.data(), pid.size(), 0) != static_cast<ssize_t>(pid.size()))
    return fail_errno(errno, "write {}", file);
  return out;
}

std::string RunDirectory::lock_id() const {
  struct stat is {};
  if (::fstat(lock_.get(), &is) != 0) return {};
  return fmt::format("{:x}:{:x}", is.st_dev, is.st_ino);
}

std::string pin_directory(const std::string& bpffs, const std::string& run_directory) {
  const std::string path = canonical(run_directory);
  std::string name = path.substr(1);
  bool ambiguous = name.empty();
  for (char& c : name) {
    if (c == '-' || c == '.') ambiguous = true;
    if (c == '/' || c == '.') c = '-';  // the BPF file system refuses names with a dot
  }
  if (ambiguous) {
    std::uint32_t hash = 2166136261;  // FNV-1a: the same in every build, for ever
    for (const char c : path) hash = (hash ^ static_cast<unsigned char>(c)) * 16777619;
    name += fmt::format("-{:08x}", hash);
  }
  return bpffs + "/midolman/" + name;
}

Status ensure_bpffs(const std::string& path) {
  struct statfs is {};
  if (::statfs(path.c_str(), &is) == 0 && static_cast<unsigned long>(is.f_type) == BPF_FS_MAGIC) return {};
  if (const Status made = make_directories(path); !made) return made;
  struct stat here {};
  struct stat above {};
  if (::stat(path.c_str(), &here) != 0 || ::stat((path + "/..").c_str(), &above) != 0)
    return fail_errno(errno, "look at {}", path);
  if (here.st_dev != above.st_dev)
    return fail(Code::invalid, "{} is a mounted file system, and not a BPF one: choose another --bpffs", path);
  if (::mount("bpf", path.c_str(), "bpf", 0, "mode=0700") != 0)
    return fail_errno(errno, "mount a BPF file system at {}", path);
  log::info("mounted a BPF file system at {}", path);
  return {};
}

}  // namespace midonet::agent
