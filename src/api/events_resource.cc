// /events: what becomes of bindings and hosts, as it happens (server-sent events, HTML section 9.2).
#include "api/event_feed.h"
#include "api/resource.h"
#include "store/store.h"

namespace midonet::api {

namespace {

void listen(const Context& context, const Call& call, const Reply& reply) {
  // Nothing could be told for now: the client had better ask elsewhere.
  if (context.store.state() == store::State::disconnected && !context.events->ready())
    return reply(fail(Code::unavailable, "The store {} cannot be reached.", context.store.uri()));
  auto last = call.header("last-event-id");
  if (!last) last = call.query_parameter("lastEventId");
  reply(Answer{.media_type = call.media_type,
               // nginx passes on each event as it comes.
               .headers = {{"Cache-Control", "no-store"}, {"X-Accel-Buffering", "no"}},
               .source = context.events->listen(last)});
}

}  // namespace

void add_events(Router& router, Context& context) {
  context.events = std::make_shared<EventFeed>(context.loop, context.store);
  router.add({.method = "GET",
              .path = root + "/events",
              .name = "getEvents",
              .summary = "Changes of bindings and hosts as they happen, in an answer without an end",
              .produces = {"text/event-stream"},
              .handler = [&context](const Call& call, const Reply& reply) { listen(context, call, reply); }});
}

}  // namespace midonet::api
