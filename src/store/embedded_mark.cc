#include "store/embedded_mark.h"

#include <fcntl.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <filesystem>
#include <string_view>
#include <utility>

#include "base/log.h"

namespace midonet::store {
namespace {

constexpr std::size_t slot_bytes = 64;
constexpr std::size_t summed_bytes = 36 + 1 + 16 + 1;

std::uint32_t checksum(std::string_view text) {
  std::uint32_t hash = 2166136261;  // FNV-1a
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 16777619;
  return hash;
}

std::optional<std::uint64_t> hex(std::string_view digits) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number, 16);
  if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return number;
}

std::optional<EmbeddedMark::Content> parse(std::string_view slot) {
  if (slot.size() != slot_bytes) return std::nullopt;
  const auto sum = hex(slot.substr(summed_bytes, 8));
  if (!sum || *sum != checksum(slot.substr(0, summed_bytes))) return std::nullopt;
  const auto identity = Uuid::parse(slot.substr(0, 36));
  const auto revision = hex(slot.substr(37, 16));
  if (!identity || !revision) return std::nullopt;
  return EmbeddedMark::Content{*identity, static_cast<Revision>(*revision)};
}

}  // namespace

Result<EmbeddedMark> EmbeddedMark::open(std::string path) {
  EmbeddedMark mark;
  mark.path_ = std::move(path);
  mark.fd_.reset(::open(mark.path_.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
  if (!mark.fd_) {
    if (errno == ENOENT) return mark;
    return fail_errno(errno, "open {}", mark.path_);
  }
  std::array<char, 2 * slot_bytes> text{};
  const ssize_t size = ::pread(mark.fd_.get(), text.data(), text.size(), 0);
  if (size < 0) return fail_errno(errno, "read {}", mark.path_);
  const std::string_view whole(text.data(), static_cast<std::size_t>(size));
  for (int slot = 0; slot < 2; ++slot) {
    const std::size_t at = static_cast<std::size_t>(slot) * slot_bytes;
    const auto content = parse(whole.substr(std::min(at, whole.size()), slot_bytes));
    if (!content || (mark.content_ && mark.content_->revision >= content->revision)) continue;
    mark.content_ = content;
    mark.next_ = 1 - slot;
  }
  if (!mark.content_) log::warning("{}: has no valid slot: a new one is written", mark.path_);
  return mark;
}

Status EmbeddedMark::write(int slot, const Content& content) {
  std::string text = fmt::format("{} {:016x} ", content.identity, static_cast<std::uint64_t>(content.revision));
  text += fmt::format("{:08x} \n", checksum(text));
  const auto at = static_cast<off_t>(slot) * static_cast<off_t>(slot_bytes);
  if (::pwrite(fd_.get(), text.data(), text.size(), at) != static_cast<ssize_t>(text.size()))
    return fail_errno(errno, "write {}", path_);
  return {};
}

Status EmbeddedMark::replace(const Content& content) {
  if (!fd_) fd_.reset(::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd_) return fail_errno(errno, "open {}", path_);
  for (const int slot : {0, 1})
    if (auto written = write(slot, content); !written) return written;
  if (::fsync(fd_.get()) != 0) return fail_errno(errno, "flush {}", path_);
  const std::string folder = std::filesystem::path(path_).parent_path();
  const UniqueFd directory(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory || ::fsync(directory.get()) != 0) return fail_errno(errno, "flush {}", folder);
  content_ = content;
  next_ = 0;
  return {};
}

void EmbeddedMark::note(Revision revision) {
  if (!fd_ || !content_) return;
  content_->revision = revision;
  if (auto written = write(next_, *content_); !written) {
    if (!std::exchange(complained_, true))
      log::warning("{}: a loss of records may not be noticed at the next start", written.error().message);
    return;
  }
  next_ = 1 - next_;
}

}  // namespace midonet::store
