// Users of a file, one `name:hash` a line, with a hash of crypt(5) (`mkpasswd -m yescrypt`); empty lines and those that begin with # are
// passed over. Each user may do everything. The file is read again when it has changed. A token is not valid any more when its user
// is gone or has another hash.
//
// Tokens are signed (token.h) with a key that stands in the store at /token_key, drawn by the first server that needs one: a
// token of one server is good at all servers with the same users. Removing the node ends all tokens.
//
// A hash takes a tenth of a second on purpose. A thread of its own computes them one at a time, for the clients in turn, and few
// logins may wait for it.
#pragma once

#include <memory>

#include "api/authenticator.h"

namespace midonet::api {

Result<std::unique_ptr<Authenticator>> make_users(Loop& loop, store::Store& store, const AuthOptions& options);

}  // namespace midonet::api
