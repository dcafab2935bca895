#include "http/ticket.h"

#include <utility>

#include "base/log.h"

namespace midonet::http {

Ticket::Ticket(std::weak_ptr<Connection> connection, std::uint64_t id, std::shared_ptr<Turn> turn)
    : connection_(std::move(connection)), id_(id), turn_(std::move(turn)) {}

Ticket::~Ticket() {
  turn_->waits();
  if (used_) return;
  if (const auto connection = connection_.lock()) connection->dropped(id_);
}

void Ticket::use(Response response) {
  if (std::exchange(used_, true)) return log::error("http: a handler answered a request twice");
  turn_->waits();
  if (const auto connection = connection_.lock()) connection->respond(id_, std::move(response));
}

}  // namespace midonet::http
