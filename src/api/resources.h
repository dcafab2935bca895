// The resources of the REST API on the router: both faces of the REST contract, over one store. Used by ApiServer.
//
// On the loop's thread. Every answer is made in one transaction over the store; the writes of a request are durable before its answer.
// Handlers refer to this object: it must live as long as the router is used.
#pragma once

#include <memory>

#include "api/router.h"
#include "base/loop.h"
#include "store/store.h"

namespace midonet::api {

class Resources {
 public:
  struct Options {
    bool require_tunnel_zone = true;  // false: HostInterfacePort waives "host in at least one tunnel zone"
    bool gre_means_vxlan = false;     // tunnel zones of type gre become vxlan: deployment tools know only gre
  };

  Resources(Loop& loop, store::Store& store, Options options);
  ~Resources();  // requests that are waiting are dropped

  // Every route, and the OpenAPI document about all of the router's routes.
  void add_to(Router& router);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace midonet::api
