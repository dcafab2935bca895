// POST /midonet-api/login, for clients that will not talk to a server that they could not log in to (REST contract,
// section 2). There are no users yet: any name and password will do, and the token is not asked for later. What keeps
// strangers out is the address that the API listens on (see ApiServer).
#pragma once

#include "api/router.h"

namespace midonet::api {

void add_login(Router& router);

}  // namespace midonet::api
