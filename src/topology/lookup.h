// Reading records through a View, and the messages for absent ones. Used by the rules of this folder and by api/. All of these
// functions pass Code::pending on: the caller returns it and is run again. On the loop's thread.
#pragma once

#include <concepts>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/uuid.h"
#include "model/record.h"
#include "store/store.h"
#include "store/transaction.h"

namespace midonet::topology {

// A record and the node that it was read from: a rewrite keeps the unknown keys of the node's value.
template <class R>
struct Stored {
  R record;
  store::NodePtr node;
};

// Asks for nodes that will be needed, so that they are read in one round.
void read_ahead(store::View& view, std::initializer_list<std::string> paths);

Result<bool> exists(store::View& view, const std::string& path);
// Empty when the folder does not exist.
Result<std::vector<std::string>> list_ids(store::View& view, const std::string& folder);

template <class R>
Result<std::optional<Stored<R>>> find(store::View& view, const std::string& path) {
  const Result<store::NodePtr> node = view.get(path);
  if (!node && node.error().code == Code::not_found) return std::optional<Stored<R>>();
  if (!node) return failed(node);
  Result<R> record = model::decode<R>((*node)->value);
  if (!record) return fail(record.error().code, "{}: {}", path, record.error().message);
  return Stored<R>{*std::move(record), *node};
}

// A record whose id stands in the path; not_found with the message of docs/rest.md.
template <class R>
Result<Stored<R>> read(store::View& view, const std::string& path, const Uuid& id) {
  Result<std::optional<Stored<R>>> found = find<R>(view, path);
  if (!found) return failed(found);
  if (!*found) return fail(Code::not_found, "There is no {} with ID {}.", model::table<R>().name, id);
  (*found)->record.id = id;
  return **std::move(found);
}

// Collects the outcomes of independent steps, so that one that is pending does not keep the others from asking.
class Steps {
 public:
  template <class T>
  bool add(const Result<T>& step) {
    if (!step && (outcome_ || outcome_.error().code == Code::pending)) outcome_ = failed(step);
    return step.has_value();
  }
  // The first error that is not pending, else pending, else success.
  const Status& outcome() const { return outcome_; }

 private:
  Status outcome_;
};

}  // namespace midonet::topology
