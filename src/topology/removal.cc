#include "topology/removal.h"

#include <memory>
#include <utility>

#include "model/paths.h"
#include "topology/lookup.h"

namespace midonet::topology {

namespace {

struct Run : std::enable_shared_from_this<Run> {
  Run(store::Store& s, Step body, std::function<void(Status)> answer)
      : store(s), step(std::move(body)), done(std::move(answer)) {}

  void next() {
    const auto self = shared_from_this();
    store::transact(
        store,
        [self](store::Transaction& t) -> Status {
          const Result<Progress> made = self->step(t);
          if (!made) return failed(made);
          self->progress = *made;
          return {};
        },
        [self](const Result<store::Revision>& committed) { self->stepped(committed); });
  }

  void stepped(const Result<store::Revision>& committed) {
    if (!committed) return done(began && committed.error().code == Code::not_found ? Status{} : failed(committed));
    if (progress == Progress::done) return done({});
    // 0: nothing was staged, and it would be the same the next time.
    if (*committed == 0) return done(fail(Code::internal, "a deletion in steps does not come forward"));
    began = true;
    next();
  }

  store::Store& store;
  Step step;
  std::function<void(Status)> done;
  Progress progress = Progress::more;  // of the last step
  bool began = false;
};

}  // namespace

void run_steps(store::Store& store, Step step, std::function<void(Status)> done) {
  std::make_shared<Run>(store, std::move(step), std::move(done))->next();
}

Result<Progress> more(const Steps& steps) {
  if (!steps.outcome()) return failed(steps.outcome());
  return Progress::more;
}

Result<Progress> remove_tree(store::Transaction& t, const std::string& path, Room& room) {
  const Result<std::vector<std::string>> children = t.list(path);
  if (!children && children.error().code == Code::not_found) return Progress::done;
  if (!children) return failed(children);
  Steps steps;
  std::size_t looked_at = 0;
  for (const std::string& child : *children) {
    // Also while all is still pending, no more is asked for than one step can remove.
    if (looked_at++ >= Room::max_nodes) {
      return more(steps);
    }
    const Result<Progress> below = remove_tree(t, model::paths::child(path, child), room);
    if (steps.add(below) && *below == Progress::more) return more(steps);
  }
  if (!steps.outcome()) return failed(steps.outcome());
  if (!room.take()) return Progress::more;
  t.remove(path);
  return Progress::done;
}

}  // namespace midonet::topology
