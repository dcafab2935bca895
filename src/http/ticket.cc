#include "http/ticket.h"

#include <utility>

#include "base/log.h"

namespace midonet::http {

Ticket::Ticket(std::weak_ptr<Connection> connection, std::uint64_t id) : connection_(std::move(connection)), id_(id) {}

Ticket::~Ticket() {
  if (used_) return;
  if (const auto connection = connection_.lock()) connection->dropped(id_);
}

void Ticket::use(Response response) {
  if (std::exchange(used_, true)) return log::error("http: a handler answered a request twice");
  if (const auto connection = connection_.lock()) connection->respond(id_, std::move(response));
}

}  // namespace midonet::http
