// The events of GET /midonet-api/events: where ports are bound, their states, and which hosts have a live agent. One feed per server,
// over the store, shared by all streams. It watches only while a client listens, and for a while after.
//
//   store --Mirror per host--> state of each (port, host) --differences--> log (bounded, numbered) --> streams
//
// A stream gets the state as it was when it began, or the events that it missed, and then the log; each at its reader's speed. It
// holds a position in the log, not a queue: a reader that falls behind the log is cut off, and begins again.
//
// On the loop's thread. A store that does not answer leaves the state as it is; once it answers, the differences are sent.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>

#include "base/loop.h"
#include "http/message.h"
#include "store/store.h"

namespace midonet::api {

class EventFeed {
 public:
  struct Options {
    std::size_t log = 32'768;                      // messages that are kept for streams that resume
    std::chrono::milliseconds keep{60'000};        // it goes on watching for so long without a listener
    std::chrono::milliseconds keep_alive{15'000};  // a comment on a stream without events, so that dead peers are found
  };

  // Loop and store outlive it; streams may.
  EventFeed(Loop& loop, store::Store& store, Options options);
  EventFeed(Loop& loop, store::Store& store) : EventFeed(loop, store, Options()) {}
  ~EventFeed();
  EventFeed(const EventFeed&) = delete;
  EventFeed& operator=(const EventFeed&) = delete;

  // A new listener. `last_event_id`: the last id that it got; an id that is not in the log (any more) counts as none.
  std::shared_ptr<http::BodySource> listen(const std::optional<std::string>& last_event_id);

  bool watching() const;  // it costs something
  bool ready() const;     // the state is known

 private:
  class Impl;
  class Stream;
  std::shared_ptr<Impl> impl_;
};

}  // namespace midonet::api
