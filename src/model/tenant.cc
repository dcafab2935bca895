#include "model/tenant.h"

namespace midonet::model {

template <>
const Table& table<Tenant>() {
  static const Table tenant{"Tenant",
                            2,
                            "An owner of bridges: there is a tenant for as long as a bridge names it.",
                            {
                                link("uri", "/tenants/{id}", "This tenant."),
                                field("id", &Tenant::id, Use::read_only, "The tenantId of its bridges.").not_stored(),
                                derived("name", Kind::string, "Its id: a tenant has no other name."),
                                derived("description", Kind::string, "Kept for clients; always empty."),
                                derived("enabled", Kind::boolean, "Kept for clients; always true."),
                                link("bridges", "/bridges?tenant_id={id}", "Its bridges."),
                            }};
  return tenant;
}

}  // namespace midonet::model
