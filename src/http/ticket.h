// One request's right to an answer, behind a Responder. When the last copy of a Responder goes unused, the answer is 500.
// On the loop's thread. Internal to http/.
#pragma once

#include <cstdint>
#include <memory>

#include "http/connection.h"

namespace midonet::http {

class Ticket {
 public:
  Ticket(std::weak_ptr<Connection> connection, std::uint64_t id, std::shared_ptr<Turn> turn);
  ~Ticket();
  Ticket(const Ticket&) = delete;
  Ticket& operator=(const Ticket&) = delete;

  void use(Response response);

 private:
  std::weak_ptr<Connection> connection_;
  std::uint64_t id_;
  std::shared_ptr<Turn> turn_;
  bool used_ = false;
};

}  // namespace midonet::http
