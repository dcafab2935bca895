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
#include "http/clients.h"
#include "http/listener.h"
#include "http/message.h"
#include "http/server.h"
#include "http/traffic.h"
#include "http/turns.h"

namespace midonet::http {

class Connection;

// What the connections of one server share. Outlives each of them: they hold it.
struct Connections {
  Connections(Loop& l, Registry& registry, Server::Options o, Handler h)
      : loop(l),
        options(std::move(o)),
        handler(std::move(h)),
        traffic(registry, options.name, options.access_log),
        turns(std::make_shared<Turns>(l, options.limits.in_progress)) {}

  bool too_much_held() const {
    return clients.bytes() > options.limits.held_bytes || (clients.bytes() > options.limits.client_held_bytes &&
                                                           clients.most_bytes() > options.limits.client_held_bytes);
  }

  Loop& loop;
  Server::Options options;
  Handler handler;
  Traffic traffic;
  std::shared_ptr<Turns> turns;
  Clients clients;
  std::unordered_map<Connection*, std::shared_ptr<Connection>> open;
  std::function<void()> one_closed;
  std::function<void()> more_held;  // by one of them
};

class Connection {
 public:
  // What a close would lose.
  enum class Spare {
    waits,    // a request that is not there yet, an answer that the client does not take
    streams,  // an answer without an end, which the client may go on with
    works,    // a request that was received
  };

  // Takes over an accepted socket, which is non-blocking.
  static void start(const std::shared_ptr<Connections>& all, Accepted accepted, int family);

  virtual ~Connection() = default;
  // Finish the requests in progress and close; at once, if there are none.
  virtual void drain() = 0;
  virtual void close() = 0;
  virtual bool closed() const = 0;
  virtual Spare spare() const = 0;
  // There is no room for it: it answers so where the client can receive an answer, and ends. Never for one that works.
  virtual void shed() = 0;
  // The turn of one of its requests has come.
  virtual void begin(std::uint64_t id, std::shared_ptr<Turn> turn) = 0;
  // The answer to one of its requests; and that there will be none.
  virtual void respond(std::uint64_t id, Response response) = 0;
  virtual void dropped(std::uint64_t id) = 0;

 protected:
  Connection() = default;
};

}  // namespace midonet::http
