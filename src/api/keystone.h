// Users and tokens of OpenStack's identity service (Keystone, v3): a token is shown to Keystone by itself, which says whose it
// is; a login exchanges name and password for one. One of the admin roles is needed. What Keystone said of a token is
// remembered for `keystone_cache`, and no longer than the token lasts: a revoked one is good for so long, also while Keystone
// is away. Requests with one token that is being asked about wait together.
#pragma once

#include <memory>

#include "api/authenticator.h"

namespace midonet::api {

Result<std::unique_ptr<Authenticator>> make_keystone(Loop& loop, const AuthOptions& options);

}  // namespace midonet::api
