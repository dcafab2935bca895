#include "cli/agent_commands.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdio>
#include <string_view>

#include "base/unique_fd.h"

namespace midonet::cli {
namespace {

constexpr std::chrono::minutes backup_time{10};
constexpr std::chrono::seconds answer_time{10};
constexpr std::string_view database = "SQLite format 3";

Status write_whole(const std::string& file, std::string_view bytes) {
  const UniqueFd fd(::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!fd || ::fchmod(fd.get(), 0600) != 0) return fail_errno(errno, "write {}", file);
  while (!bytes.empty()) {
    const ssize_t put = ::write(fd.get(), bytes.data(), bytes.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return fail_errno(errno, "write {}", file);
    bytes.remove_prefix(static_cast<std::size_t>(put));
  }
  if (::fsync(fd.get()) != 0) return fail_errno(errno, "flush {}", file);
  return {};
}

// From the agent of this host, which asks for no login; where there is none, from the API.
Result<std::string> copy_of_store(const Session& session) {
  auto copy = call_agent(session.socket, "GET", "/backup", backup_time);
  if (copy) return std::move(copy->body);
  if (copy.error().code != Code::unavailable) return failed(copy);
  return session.api.download("/backup", "application/vnd.sqlite3", backup_time);
}

}  // namespace

Outcome back_up(const Session& session, const std::string& file) {
  const auto copy = copy_of_store(session);
  if (!copy) return tl::unexpected<Failure>(failure(copy.error()));
  if (!copy->starts_with(database))
    return tl::unexpected<Failure>(Failure{midonet_exit::defect, "what was sent is no embedded store"});
  const std::string fresh = file + ".new";
  Status written = write_whole(fresh, *copy);
  if (written && ::rename(fresh.c_str(), file.c_str()) != 0)
    written = fail_errno(errno, "rename {} to {}", fresh, file);
  if (!written) {
    ::unlink(fresh.c_str());
    return tl::unexpected<Failure>(failure(written.error()));
  }
  return fmt::format("{}: {} bytes\n", file, copy->size());
}

Outcome accept_store(const Session& session) {
  const auto answer = call_agent(session.socket, "POST", "/accept", answer_time);
  if (!answer) return tl::unexpected<Failure>(failure(answer.error()));
  return std::string();
}

}  // namespace midonet::cli
