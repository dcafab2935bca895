// The REST API of one process: HTTP server, router, resources and metrics over a given Store. Used by the programs
// midonet-api and midolman (standalone), which own the loop, the store and the registry.
//
//   api::ApiServer api(loop, *store, registry, {.listen = "127.0.0.1:8181"});
//   Result<std::string> bound = api.listen();      // "127.0.0.1:8181"; answers 503
//   api.serve();                                   // when the store's layout is known
//   …  api.stop([&] { loop.stop(); });
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "api/authenticator.h"
#include "api/front.h"
#include "base/loop.h"
#include "base/metrics.h"
#include "base/result.h"
#include "http/server.h"
#include "store/store.h"

namespace midonet::api {

class ApiServer {
 public:
  struct Options {
    std::string listen = "127.0.0.1:8181";
    std::string base_uri{};                    // empty: absolute URIs are built from each request's Host header
    std::vector<std::string> allowed_hosts{};  // these three: FrontOptions (front.h)
    std::vector<std::string> allowed_origins{};
    std::vector<std::string> trusted_proxies = FrontOptions().trusted_proxies;
    bool require_tunnel_zone = true;  // false: HostInterfacePort waives "host in at least one tunnel zone"
    bool gre_means_vxlan = false;     // tunnel zones of type gre are taken for vxlan
    AuthOptions auth{};
    // Access to /metrics: "open" (every client), "login" (as for the API), "off" (none), or an address of its own that serves nothing
    // else.
    std::string metrics = "open";
    bool allow_unauthenticated = false;  // without it and without `auth`, the address must be a loopback one
    http::Limits limits{};
  };

  ApiServer(Loop& loop, store::Store& store, Registry& registry, Options options);
  ~ApiServer();  // closes everything at once

  // Listens; the result is the address bound. Requests are answered 503 until serve(), except metrics, logins and /healthz.
  // The store is not touched. invalid: an ill-formed address, or one that is not loopback without `auth` or allow_unauthenticated;
  // options that do not fit together; conflict: in use.
  Result<std::string> listen();
  // After listen(). The store's layout is one that this program may write to.
  void serve();
  // Both, for a store that is there.
  Result<std::string> start();
  // Accepts no more, lets requests in progress finish (bounded by limits.stop_time), then calls `stopped`.
  void stop(std::function<void()> stopped);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace midonet::api
