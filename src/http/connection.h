// One connection of a Server: reads requests, hands them to the handler, writes the answers in the order of the requests.
// Kept alive by its Connections until it is closed, by either side. On the loop's thread. Internal to http/.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>

#include "base/loop.h"
#include "base/unique_fd.h"
#include "http/message.h"
#include "http/server.h"
#include "http/traffic.h"

namespace midonet::http {

class Connection;

// What the connections of one server share. Outlives each of them: they hold it.
struct Connections {
  Connections(Loop& l, Registry& registry, Server::Options o, Handler h)
      : loop(l), options(std::move(o)), handler(std::move(h)), traffic(registry, options.name, options.access_log) {}

  Loop& loop;
  Server::Options options;
  Handler handler;
  Traffic traffic;
  std::unordered_map<Connection*, std::shared_ptr<Connection>> open;
  std::function<void()> one_closed;
};

class Connection {
 public:
  // Takes over a connected, non-blocking socket.
  static void start(const std::shared_ptr<Connections>& all, UniqueFd socket, int family, std::string peer);

  virtual ~Connection() = default;
  // Finish what was begun and close; at once, if nothing was.
  virtual void drain() = 0;
  virtual void close() = 0;
  // The answer to one of its requests; and that there will be none.
  virtual void respond(std::uint64_t id, Response response) = 0;
  virtual void dropped(std::uint64_t id) = 0;

 protected:
  Connection() = default;
};

}  // namespace midonet::http
