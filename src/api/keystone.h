// Users and tokens of OpenStack's identity service (Keystone, v3). Keystone validates a token by the token itself; a login exchanges
// name and password for a token. One of the admin roles is needed. Keystone's answer about a token is cached for `keystone_cache`, and
// no longer than the token lasts: for that time a revoked token is accepted, also while Keystone is away. Requests with one token
// share one question to Keystone.
#pragma once

#include <memory>

#include "api/authenticator.h"

namespace midonet::api {

Result<std::unique_ptr<Authenticator>> make_keystone(Loop& loop, const AuthOptions& options);

}  // namespace midonet::api
