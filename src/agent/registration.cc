#include "agent/registration.h"

#include <utility>

#include "base/backoff.h"
#include "base/log.h"
#include "model/paths.h"
#include "store/transaction.h"
#include "topology/hosts.h"

namespace midonet::agent {

namespace {
constexpr Backoff backoff(std::chrono::milliseconds(100), std::chrono::milliseconds(10'000));
}  // namespace

Registration::Registration(Loop& loop, store::Store& store, const Uuid& host, std::string name, Done done)
    : loop_(loop), store_(store), host_(host), name_(std::move(name)), done_(std::move(done)) {}

void Registration::start() {
  if (timer_.armed()) return;
  timer_ = loop_.after(backoff.after(attempts_++), [this] { attempt(); });
}

void Registration::attempt() {
  store::transact(
      store_,
      [this, alive = liveness_.token(), id = host_, name = name_](store::Transaction& t) {
        const auto there = t.get(model::paths::host(id));
        if (!there && there.error().code == Code::not_found && !alive.expired()) absent_ = true;
        return topology::register_host(t, id, name);
      },
      [this, alive = liveness_.token()](Result<store::Revision> result) {
        if (alive.expired()) return;
        if (!result) {
          log::warning("register host {}: {}: trying again", host_, result.error().message);
          return start();
        }
        if (*result != 0) log::info("registered host={} name={}", host_, name_);
        attempts_ = 0;
        done_(std::exchange(absent_, false));
      });
}

}  // namespace midonet::agent
