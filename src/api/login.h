// POST /midonet-api/login (REST contract, section 2): a token for a name and a password, of whoever is asked about them.
#pragma once

#include <memory>

#include "api/authenticator.h"
#include "api/router.h"

namespace midonet::api {

// The authenticator may be another one by the time that somebody logs in; it outlives the router's use.
void add_login(Router& router, const std::unique_ptr<Authenticator>& authenticator);

}  // namespace midonet::api
