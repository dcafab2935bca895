// Keeps what this host offers to others, on each bridge that it serves, as it should be in the store: durable nodes, since a
// host without an agent still forwards. A level like all else: told what is to be offered on a bridge, it says which nodes
// there are to be; store::NodeWriter reads once what stands there (an earlier agent's word), and writes the difference.
//
//   /hosts/<h>/served_bridges      its value: where this host is reached, for the process that binds the first port of a bridge here
//   /hosts/<h>/served_bridges/<b>  the index: by it an agent finds what an earlier one offered
//   /bridges/<b>/hosts/<h>         the host, and which chunks it has
//   /bridges/<b>/hosts/<h>/<n>     a chunk of at most 64 ports
//
// The nodes of one bridge are one group: one that fails holds up no other. Each port that is new in a chunk is fenced by a
// check that it is still bound here (one that was taken over: that it still exists). Each node is fenced by its version. So an
// agent that was cut off does not resurrect what was detached meanwhile. On the loop's thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "agent/observe/own_offers.h"
#include "agent/publish/placement.h"
#include "base/loop.h"
#include "base/metrics.h"
#include "base/uuid.h"
#include "model/offer.h"
#include "store/node_writer.h"
#include "store/store.h"

namespace midonet::agent {

class Offers {
 public:
  struct Events {
    // A port is offered now, at this revision of its binding.
    std::function<void(const Uuid& port, store::Revision revision)> offered;
    std::function<void()> lost;  // the host's own folders are gone, and are to be made again
    // What stands in the store was read, at a start or after a commit that failed. On these bridges, what was removed before
    // stands again in own() because the store has it, or a record could not be adopted: they are to be wanted again.
    std::function<void(const std::set<Uuid>& again)> known;
  };
  Offers(Loop& loop, store::Store& store, Registry& registry, const Uuid& host, Events events);
  Offers(const Offers&) = delete;
  Offers& operator=(const Offers&) = delete;

  void start();  // the host's folders exist, or do so again
  void stop();   // another agent is that of this host: nothing is written until start()

  // Without `self` the host takes no part in the overlay, and offers nothing. Only with `complete` something goes.
  void want(const std::optional<model::BridgeHost>& self, bool complete);
  void want(const Uuid& bridge, const WantedBridge& wanted);  // after that
  // The commit of a binding made this host's record on a bridge (topology/attach.cc). It counts as this host's own word from now
  // on: what is wanted there is written over it, and where nothing is, it goes.
  // False: not now, since what stands in the store is being read.
  bool adopt(const Uuid& bridge, const store::Node& record);
  // Bridges on which something may go that was held back while not all was known.
  std::set<Uuid> held_back() const { return held_back_; }
  // Another process removed what is ours.
  void look_again() { writer_.look_again(); }

  bool known() const { return writer_.known(); }
  const OwnOffers& own() const { return own_; }  // as it stands, or is being written
  bool settled() const { return writer_.settled(); }

 private:
  void looking();
  void found(const std::string& path, const store::Node& node);
  void found_chunk(const Uuid& bridge, std::int64_t number, const store::Node& node);
  void looked();
  void written(const std::string& path);
  void look_at(const Uuid& bridge);
  void write(const Uuid& bridge, OwnBridge& own, const std::set<std::int64_t>& changed);
  void write_place();
  // The chunk that a path is of, as <bridge, number>; the number is nothing for the host's own node.
  std::optional<std::pair<Uuid, std::optional<std::int64_t>>> parse(std::string_view path) const;
  static store::NodeWriter::Kind kind(const Uuid& bridge, std::uint8_t order);
  void tell(std::vector<store::Op>& ops) const;

  const Uuid host_;
  const std::string index_;
  Events events_;
  Gauge bridges_;
  OwnOffers own_;
  std::optional<model::BridgeHost> self_;
  bool told_ = false;  // whether there is one
  bool complete_ = false;
  std::set<Uuid> held_back_;
  std::set<Uuid> again_;                         // bridges that are to be wanted again after this look
  bool has_index_ = false;                       // the index's folder is there, and takes this host's place
  std::map<Uuid, std::set<std::int64_t>> seen_;  // bridges and chunks that this look is about, or has found
  store::NodeWriter writer_;
};

}  // namespace midonet::agent
