#include "api/authenticator.h"

#include "api/keystone.h"
#include "api/users.h"

namespace midonet::api {

Result<std::unique_ptr<Authenticator>> make_authenticator(Loop& loop, store::Store& store, const AuthOptions& options) {
  switch (options.kind) {
    case AuthOptions::Kind::none: return without_login();
    case AuthOptions::Kind::users: return make_users(loop, store, options);
    case AuthOptions::Kind::keystone: return make_keystone(loop, options);
  }
  return fail(Code::internal, "no such kind of authentication");
}

}  // namespace midonet::api
