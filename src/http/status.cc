#include "http/status.h"

namespace midonet::http {

int status_of(Code code) {
  switch (code) {
    case Code::invalid: return 400;
    case Code::unauthenticated: return 401;
    case Code::forbidden: return 403;
    case Code::not_found: return 404;
    case Code::conflict: return 409;
    case Code::unavailable: return 503;
    case Code::exhausted: return 507;
    case Code::internal: return 500;
    case Code::pending: return 500;
  }
  return 500;
}

}  // namespace midonet::http
