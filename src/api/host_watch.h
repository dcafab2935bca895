// One host as the event feed sees it: its name, whether its agent is alive, and every port that is bound there with its
// status. It makes the messages about changes. Part of event_feed.h; on the loop's thread.
//
// Each host has a mirror, so that a change costs a look at one host's ports, not at all ports of the cloud.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/loop.h"
#include "base/uuid.h"
#include "store/mirror.h"
#include "store/store.h"

namespace midonet::api {

// "event: port\ndata: {…}\n\n": a message without its id.
using EventText = std::shared_ptr<const std::string>;

class HostWatch {
 public:
  // `tell` is called with each message about a change; `looked` after those of one look. Not from the constructor.
  HostWatch(Loop& loop, store::Store& store, const Uuid& id, std::function<void(EventText)> tell,
            std::function<void()> looked);

  bool known() const { return known_; }  // all was read once
  void describe(std::vector<EventText>& out) const;
  // The host is gone: sends messages about its ports and itself.
  void forget();

 private:
  struct BoundPort {
    store::NodePtr binding;  // what the text was made of
    store::NodePtr status;   // null: none
    std::string interface_name;
    EventText text;
  };
  void look();
  Status read(store::View& view);
  void read_self(const Result<store::NodePtr>& record, const Result<store::NodePtr>& alive);
  EventText describe(const Uuid& port, const BoundPort& bound) const;
  void tell_unbound(const std::map<Uuid, BoundPort>& ports) const;

  const Uuid id_;
  std::function<void(EventText)> tell_;
  std::function<void()> looked_;
  bool known_ = false;
  std::string name_;
  bool alive_ = false;
  EventText text_;  // null: not known yet
  std::map<Uuid, BoundPort> ports_;
  store::Mirror mirror_;
};

}  // namespace midonet::api
