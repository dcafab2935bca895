#include "store/uri.h"

#include <algorithm>
#include <optional>
#include <string_view>

#include "store/embedded_store.h"
#include "store/layout.h"
#include "store/zookeeper_store.h"

namespace midonet::store {
namespace {

// The layout of a file that has been opened is made or read within this, or the disk counts as not answering. Calls to
// ZooKeeper end by themselves when the patience is over; the layout takes two of them.
constexpr std::chrono::milliseconds disk_patience = std::chrono::seconds(10);

constexpr std::string_view embedded = "embedded:";

}  // namespace

Result<std::unique_ptr<Store>> connect(Loop& loop, const std::string& uri, const OpenOptions& options) {
  if (uri.starts_with(ZookeeperAddress::scheme)) {
    const auto address = ZookeeperAddress::parse(uri);
    if (!address) return failed(address);
    return connect_zookeeper(loop, *address, options);
  }
  if (!uri.starts_with(embedded)) {
    return fail(Code::invalid,
                "store \"{}\": not a URI that is known, which are embedded:/path/of/file, embedded::memory: and "
                "zookeeper://host:port,host:port/root",
                uri);
  }
  auto database = EmbeddedDatabase::open(loop, uri.substr(embedded.size()), options.patience, options.accept_loss);
  if (!database) return failed(std::move(database));
  return (*database)->session();
}

Result<std::unique_ptr<Store>> open(Loop& loop, const std::string& uri, const OpenOptions& options) {
  auto store = connect(loop, uri, options);
  if (!store) return store;
  const auto made = std::make_shared<std::optional<Status>>();
  ensure_layout(**store, [made](Status status) { *made = std::move(status); });
  const auto patience = uri.starts_with(embedded) ? disk_patience : 2 * std::max(options.patience, disk_patience);
  if (!loop.run_until([&] { return made->has_value(); }, patience)) {
    return fail(Code::unavailable, "store {}: does not answer", uri);
  }
  if (!**made) return fail((*made)->error().code, "store {}: {}", uri, (*made)->error().message);
  return store;
}

}  // namespace midonet::store
