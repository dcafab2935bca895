// The OpenAPI 3 document of the REST API, made from the tables of fields and the routes. Pure.
#pragma once

#include <string>
#include <vector>

#include "api/router.h"
#include "model/field.h"

namespace midonet::api {

// Every table that goes over REST, in the order of the documentation.
const std::vector<const model::Table*>& rest_tables();

std::string openapi(const std::vector<Route>& routes);

// GET /midonet-api/openapi.json, about all routes of the router, those added later too.
void add_openapi(Router& router);

}  // namespace midonet::api
