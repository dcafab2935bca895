#include "http/turns.h"

#include <utility>

#include "http/connection.h"

namespace midonet::http {

Turn::Turn(std::weak_ptr<Turns> turns, std::weak_ptr<const Connection> connection)
    : turns_(std::move(turns)), connection_(std::move(connection)) {}

bool Turn::wanted() const {
  const auto connection = connection_.lock();
  return connection && !connection->closed();
}

void Turn::waits() {
  if (const auto turns = std::exchange(turns_, {}).lock()) turns->give_back();
}

bool Turns::ask(const std::string& client, const std::shared_ptr<Connection>& connection, std::uint64_t id) {
  if (taken_ < most_ && waiting_.empty()) {
    begin(connection, id);
    return true;
  }
  (void)waiting_.push(client, {connection, id});
  return false;
}

void Turns::begin(const std::shared_ptr<Connection>& connection, std::uint64_t id) {
  ++taken_;
  connection->begin(id, std::make_shared<Turn>(weak_from_this(), connection));
}

// A handler may end its turn anywhere in its work: the next request is begun from the loop.
void Turns::give_back() {
  --taken_;
  if (waiting_.empty() || std::exchange(posted_, true)) return;
  loop_.post([weak = weak_from_this()] {
    const auto self = weak.lock();
    if (!self) return;
    self->posted_ = false;
    self->serve();
  });
}

void Turns::serve() {
  while (taken_ < most_) {
    const auto next = waiting_.pop();
    if (!next) return;
    const auto connection = next->connection.lock();
    if (connection && !connection->closed()) begin(connection, next->id);
  }
}

}  // namespace midonet::http
