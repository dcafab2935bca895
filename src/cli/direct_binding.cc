#include "cli/direct_binding.h"

#include <sys/stat.h>

#include <cerrno>

#include "base/loop.h"
#include "store/transaction.h"
#include "store/uri.h"
#include "topology/attach.h"

namespace midonet::cli {

namespace {

std::chrono::milliseconds left_until(Deadline deadline) {
  return std::max(std::chrono::milliseconds(0),
                  std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now()));
}

// Opening an embedded store makes the file, which only the program that owns the store should do.
Status check_present(const std::string& uri) {
  constexpr std::string_view scheme = "embedded:";
  if (!uri.starts_with(scheme)) return {};
  const std::string file = uri.substr(scheme.size());
  struct stat info {};
  if (::stat(file.c_str(), &info) != 0) return fail_errno(errno, "open the store {}", uri);
  return {};
}

}  // namespace

Status bind_directly(const DirectRequest& request, Deadline deadline) {
  if (const Status present = check_present(request.store_uri); !present) return present;

  Loop loop;
  Result<std::unique_ptr<store::Store>> opened =
      store::open(loop, request.store_uri, {.patience = left_until(deadline), .secret_file = request.secret_file});
  if (!opened) return failed(opened);

  std::optional<Status> outcome;
  store::transact(
      **opened,
      [&request](store::Transaction& t) -> Status {
        if (request.interface_name) {
          topology::AttachRequest attach{request.port_id, request.host_id, *request.interface_name};
          attach.takeover = topology::Takeover::allow;
          const auto attached = topology::attach(t, attach);
          return attached ? Status{} : failed(attached);
        }
        const auto detached = topology::detach(t, request.port_id, request.host_id);
        return detached ? Status{} : failed(detached);
      },
      [&outcome](const Result<store::Revision>& revision) { outcome = revision ? Status{} : failed(revision); });
  if (!loop.run_until([&outcome] { return outcome.has_value(); }, left_until(deadline)))
    return fail(Code::unavailable, "the store {} does not answer in time", request.store_uri);
  return *outcome;
}

}  // namespace midonet::cli
