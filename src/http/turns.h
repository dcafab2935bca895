// Chooses the requests of a server that handlers work on: at most `most` at a time. The others wait, and the clients are served in
// turn, by their addresses. A request whose connection is closed while it waits is never begun.
//
// On the loop's thread. Internal to http/.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <string>

#include "base/loop.h"
#include "http/fair_queue.h"
#include "http/message.h"

namespace midonet::http {

class Connection;
class Turns;

// One request's turn to be worked on; given back when it is destroyed, or by waits().
class Turn final : public Work {
 public:
  Turn(std::weak_ptr<Turns> turns, std::weak_ptr<const Connection> connection);
  ~Turn() override { waits(); }
  bool wanted() const override;
  void waits() override;

 private:
  std::weak_ptr<Turns> turns_;
  std::weak_ptr<const Connection> connection_;
};

class Turns : public std::enable_shared_from_this<Turns> {
 public:
  Turns(Loop& loop, std::size_t most) : loop_(loop), most_(most) {}

  // Calls connection.begin(id, turn): now if a turn is free, else later. Returns whether it was now.
  bool ask(const std::string& client, const std::shared_ptr<Connection>& connection, std::uint64_t id);

 private:
  friend class Turn;
  struct Waiting {
    std::weak_ptr<Connection> connection;
    std::uint64_t id;
  };
  void begin(const std::shared_ptr<Connection>& connection, std::uint64_t id);
  void give_back();
  void serve();

  Loop& loop_;
  const std::size_t most_;
  std::size_t taken_ = 0;
  bool posted_ = false;
  // Bounded by the connections and by what each may have in progress.
  static constexpr std::size_t unlimited = std::numeric_limits<std::size_t>::max();
  FairQueue<Waiting> waiting_{unlimited, unlimited};
};

}  // namespace midonet::http
