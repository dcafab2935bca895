#include "model/application.h"

namespace midonet::model {

template <>
const Table& table<Application>() {
  static const Table application{"Application",
                                 5,
                                 "Where the resources are.",
                                 {
                                     link("uri", "", "The root of the API."),
                                     derived("version", Kind::string, "The version of the API.").one_of({"v5.0"}),
                                     link("hosts", "/hosts", "All hosts."),
                                     link("hostTemplate", "/hosts/{{id}}", "One host."),
                                     link("bridges", "/bridges", "All bridges."),
                                     link("bridgeTemplate", "/bridges/{{id}}", "One bridge."),
                                     link("ports", "/ports", "All ports."),
                                     link("portTemplate", "/ports/{{id}}", "One port."),
                                     link("tunnelZones", "/tunnel_zones", "All tunnel zones."),
                                     link("tunnelZoneTemplate", "/tunnel_zones/{{id}}", "One tunnel zone."),
                                     link("routerTemplate", "/routers/{{id}}", "One router."),
                                     link("tenants", "/tenants", "All tenants."),
                                     link("tenantTemplate", "/tenants/{{id}}", "One tenant."),
                                     link("systemState", "/system_state", "The state of the system."),
                                     link("login", "/login", "POST here to log in."),
                                     link("openapi", "/openapi.json", "The description of the API."),
                                 }};
  return application;
}

template <>
const Table& table<SystemState>() {
  static const Table state{
      "SystemState",
      2,
      "The state of the system.",
      {
          link("uri", "/system_state", "This resource."),
          derived("state", Kind::string, "Whether the API serves.").one_of({"ACTIVE"}),
          derived("availability", Kind::string,
                  "Whether it can read and write. UNAVAILABLE: the store does not answer.")
              .one_of({"READWRITE", "UNAVAILABLE"}),
          derived("version", Kind::string, "The version of the program."),
          derived("information", Kind::string, "The reason while it is unavailable; else null.").may_be_null(),
      }};
  return state;
}

}  // namespace midonet::model
