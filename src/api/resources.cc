#include "api/resources.h"

#include "api/openapi.h"
#include "api/resource.h"

namespace midonet::api {

struct Resources::Impl {
  Impl(Loop& loop, store::Store& store, const Options& options)
      : context{loop, store, options.require_tunnel_zone, options.gre_means_vxlan} {}
  Context context;
};

Resources::Resources(Loop& loop, store::Store& store, Options options)
    : impl_(std::make_unique<Impl>(loop, store, options)) {}

Resources::~Resources() = default;

void Resources::add_to(Router& router) {
  Context& context = impl_->context;
  add_application(router, context);
  add_hosts(router, context);
  add_bindings(router, context);
  add_bridges(router, context);
  add_ports(router, context);
  add_bridge_tables(router, context);
  add_empty_lists(router, context);
  add_attach(router, context);
  add_tunnel_zones(router, context);
  add_tenants(router, context);
  add_events(router, context);
  add_backup(router, context);
  add_openapi(router);
}

}  // namespace midonet::api
