#include "store/uri.h"

#include <algorithm>
#include <optional>
#include <string_view>

#include "store/embedded_store.h"
#include "store/layout.h"

namespace midonet::store {
namespace {

// A store that has been reached answers within this, or counts as not answering.
constexpr std::chrono::milliseconds least_patience = std::chrono::seconds(10);

}  // namespace

Result<std::unique_ptr<Store>> connect(Loop& loop, const std::string& uri, const OpenOptions& options) {
  constexpr std::string_view embedded = "embedded:";
  if (!uri.starts_with(embedded)) {
    return fail(Code::invalid,
                "store \"{}\": not a URI that is known, which are embedded:/path/of/file and embedded::memory:", uri);
  }
  auto database = EmbeddedDatabase::open(loop, uri.substr(embedded.size()), options.patience);
  if (!database) return tl::unexpected<Error>(std::move(database).error());
  return (*database)->session();
}

Result<std::unique_ptr<Store>> open(Loop& loop, const std::string& uri, const OpenOptions& options) {
  auto store = connect(loop, uri, options);
  if (!store) return store;
  const auto made = std::make_shared<std::optional<Status>>();
  ensure_layout(**store, [made](Status status) { *made = std::move(status); });
  if (!loop.run_until([&] { return made->has_value(); }, std::max(options.patience, least_patience))) {
    return fail(Code::unavailable, "store {}: does not answer", uri);
  }
  if (!**made) return fail((*made)->error().code, "store {}: {}", uri, (*made)->error().message);
  return store;
}

}  // namespace midonet::store
