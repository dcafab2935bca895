// The agent's own small HTTP face on a unix socket, for root on this host: mm-ctl plugs and unplugs through it, the
// operator's command asks how the agent is, a metrics collector reads.
//
//   PUT /binding/<portId> {"interfaceName": "tap0"}  200 {"portId", "interfaceName", "changed"}
//   DELETE /binding/<portId>                         204
//   GET /status                                      200 {"hostId", "version", "store", "storeState", "storeSince", "warnings": [...], …,
//                                                         "tunnel": {"device", "vtep", "link", "mtu", "state", "error", …},
//                                                         "bridges": [{"bridgeId", "vni", "peers": [{"hostId", "address",
//                                                         "ports", "macs"}]}], "ports": [...]}
//   GET /metrics                                     200 Prometheus text
//   GET /backup                                      200 a copy of the embedded store's file (store.h)
//   POST /accept                                     200 {"warnings"}: what the store does not know may go (hold.h)
//
// Errors are one JSON object with `message` and `code`. The rules are topology/attach.h's: a PUT moves a port here that is
// bound on another host or to another interface, a DELETE leaves one that is bound on another host alone. On the loop's thread.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "agent/agent.h"
#include "base/loop.h"
#include "base/metrics.h"
#include "base/result.h"
#include "http/server.h"
#include "store/store.h"

namespace midonet::agent {

class BindingSocket {
 public:
  // All of these outlive it.
  BindingSocket(Loop& loop, store::Store& store, Agent& agent, Registry& registry);

  // Mode 0600. conflict: a process listens there.
  Status listen(const std::string& path);
  // Requests in progress are finished, then `stopped` is called.
  void stop(std::function<void()> stopped);

 private:
  void handle(const http::Request& request, http::Responder respond);
  void bind(const Uuid& port, const std::string& body, http::Responder respond);
  void unbind(const Uuid& port, http::Responder respond);
  void back_up(http::Responder respond);
  std::string status() const;

  store::Store& store_;
  Agent& agent_;
  Registry& registry_;
  http::Server server_;
};

}  // namespace midonet::agent
