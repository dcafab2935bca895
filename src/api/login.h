// POST /midonet-api/login (REST contract, section 2): a token for a name and a password, from the Authenticator.
#pragma once

#include <memory>
#include <string>

#include "api/authenticator.h"
#include "api/router.h"
#include "base/loop.h"

namespace midonet::api {

inline const std::string token_media_type = "application/vnd.org.midonet.Token-v1+json";

// The authenticator may be replaced before a client logs in; it outlives the router's use. The answer to bad credentials is delayed, and
// the longer, the more often the client has failed before (failures.h).
void add_login(Router& router, Loop& loop, const std::unique_ptr<Authenticator>& authenticator);

}  // namespace midonet::api
