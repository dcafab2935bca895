// The HTTP status of an Error, here and nowhere else. Pure.
#pragma once

#include "base/result.h"

namespace midonet::http {

// invalid 400, unauthenticated 401, forbidden 403, not_found 404, conflict 409, exhausted 507, unavailable 503; internal
// and pending, which should never have left the store, 500.
int status_of(Code code);

}  // namespace midonet::http
