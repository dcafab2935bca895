// The OpenAPI 3 document of the REST API, made from the tables of fields and the routes. Pure.
//
// Each table has a schema of its answers, by its name: every property is there, and null only where the schema allows it. <name>Create is
// the schema of a POST's body, <name>Update that of a PUT's: null means the default.
#pragma once

#include <string>
#include <vector>

#include "api/router.h"
#include "model/field.h"

namespace midonet::api {

// Every table that goes over REST, in the order of the documentation.
const std::vector<const model::Table*>& rest_tables();

struct OpenApiOptions {
  std::string base_uri;     // what URIs begin with: "http://127.0.0.1:8181/midonet-api"
  bool asks_login = false;  // a token is needed
};
std::string openapi(const std::vector<Route>& routes, const OpenApiOptions& options);

// GET /midonet-api/openapi.json, about all routes of the router, those added later too.
void add_openapi(Router& router);

}  // namespace midonet::api
