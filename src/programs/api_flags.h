// The flags of the REST API, of midonet-api and of `midolman standalone` alike. (Those of the log and the store: server_flags.h.)
#pragma once

#include "api/api_server.h"

namespace CLI {
class App;
}

namespace midonet::programs {

void add_api_flags(CLI::App& app, api::ApiServer::Options& options);

}  // namespace midonet::programs
