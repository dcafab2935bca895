// Optimistic transactions over a Store. A body reads through the Transaction (a View), decides, and stages operations. It is a plain
// function and may be run several times: again when a node that it asked for has been read, and from scratch when the commit lost a
// race. Its staged operations are one commit. A body that stages nothing only reads.
//
//   transact<Port>(store, [=](Transaction& t) -> Result<Port> { … }, [](Result<Port> port) { … });
//
// On the loop's thread. `done` is called exactly once, later, unless the Store is destroyed before.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "store/store.h"

namespace midonet::store {

class Transaction : public View {
 public:
  // Reads see the operations staged before them. A node that was staged has the stat it was read with, its version
  // counted on; one that was created here has an empty stat.
  Result<NodePtr> get(const std::string& path) override;
  Result<std::vector<std::string>> list(const std::string& path) override;

  void create(const std::string& path, std::string value);
  void create_ephemeral(const std::string& path, std::string value);
  // Guarded by the version that this transaction read; a body that did not read the path first writes whatever is
  // there.
  void set(const std::string& path, std::string value);
  void remove(const std::string& path);
  // Sets the folder's value to a hint (hint.h) of what was staged at these paths.
  void tell(const std::string& folder, const std::vector<std::string>& paths);
  // The commit fails (and the body is run again) when the node has changed since it was read: was set, removed or, if
  // it was absent, created (its parent must be there then). A path that was not read must exist.
  void guard(const std::string& path);
  // The store refused an earlier try. Until then a body may leave it to the commit to find out what a commit refuses anyway,
  // and read only then what its error is to say.
  bool refused() const { return refused_; }

 private:
  friend class TransactionRun;

  std::int32_t version_to_guard(const std::string& path) const;

  // What was read so far, kept from one run of the body to the next.
  std::map<std::string, Result<NodePtr>> nodes_;
  std::map<std::string, Result<std::vector<std::string>>> lists_;
  // What the last run asked for in vain.
  std::set<std::string> wanted_nodes_, wanted_lists_;
  // What the last run staged: the operations, and how the nodes they touch look after them (null: gone).
  std::vector<Op> ops_;
  std::map<std::string, NodePtr> staged_;
  std::set<std::string> made_here_;  // created by this transaction, so without children in the store
  bool refused_ = false;
};

// How often a commit that lost a race is tried again before the answer is Code::conflict. A commit lost a race when the
// store refused it with conflict or not_found; other errors of the store are the answer at once.
inline constexpr int max_races = 16;

// The untyped form. `done` gets the body's error, or the commit's, or the revision (0 when nothing was staged).
void transact(Store& store, std::function<Status(Transaction&)> body, std::function<void(Result<Revision>)> done);

template <class T>
void transact(Store& store, std::function<Result<T>(Transaction&)> body, std::function<void(Result<T>)> done) {
  auto value = std::make_shared<std::optional<T>>();
  transact(
      store,
      [value, body = std::move(body)](Transaction& t) -> Status {
        Result<T> outcome = body(t);
        if (!outcome) return failed(std::move(outcome));
        *value = *std::move(outcome);
        return {};
      },
      [value, done = std::move(done)](Result<Revision> revision) {
        if (!revision) return done(failed(std::move(revision)));
        done(**std::move(value));
      });
}

}  // namespace midonet::store
