// /ports/<id>/attach_interface: the face of the seed, with its `wait`.
#include "topology/attach.h"

#include <charconv>
#include <chrono>
#include <cmath>
#include <list>

#include "api/resource.h"
#include "base/json.h"
#include "model/binding.h"
#include "model/paths.h"
#include "store/mirror.h"
#include "topology/ports.h"

namespace midonet::api {

namespace paths = model::paths;
using model::AttachInterface;
using model::Port;
using model::PortState;
using model::table;
using topology::AttachRequest;

namespace {

constexpr std::chrono::seconds max_wait{300};
constexpr std::size_t max_waits = 10'000;  // clients that gave up waiting are among them; beyond it no client waits

Result<Answer> attached_port(View& view, const AttachRequest& request, const Call& call, int status) {
  topology::read_status_ahead(view, request.host_id, request.port_id);
  const Result<Json> json = describe_port(view, call.base_uri, request.port_id);
  if (!json) return failed(json);
  Answer port = ok_json(call, *json);
  port.status = status;
  return port;
}

// The port as asked for: empty while its binding is neither active nor in error, an error when the binding has gone.
Result<std::optional<Answer>> settled(View& view, const AttachRequest& request, const Call& call) {
  topology::read_status_ahead(view, request.host_id, request.port_id);
  const Result<Json> json = describe_port(view, call.base_uri, request.port_id);
  const auto stored = topology::read_port(view, request.port_id);
  if (!stored) return failed(stored);
  if (!json) return failed(json);
  const model::Port& port = stored->record;
  if (!port.host_id) return fail(Code::conflict, "Port {} has been detached meanwhile.", port.id);
  if (port.host_id != request.host_id || port.interface_name != request.interface_name)
    return fail(Code::conflict, "Port {} is bound to interface {} of host {} by now.", port.id,
                port.interface_name.value_or(""), *port.host_id);
  const Json& state = (*json)["status"]["state"];
  if (state != model::name(PortState::active) && state != model::name(PortState::error)) return std::optional<Answer>();
  return ok_json(call, *json);
}

bool is_over(PortState state) { return state == PortState::active || state == PortState::error; }

// The binding that the commit of a POST made.
struct Bound {
  Port port;
  store::Revision revision = 0;  // 0: it was there already
};

// As settled(), by what is known of the port as long as its record is the one that the commit wrote: the status is all that is
// read then, and the record is watched.
Result<std::optional<Answer>> settled(View& view, const AttachRequest& request, const Call& call, const Bound& bound) {
  if (bound.revision == 0) return settled(view, request, call);
  const auto status = view.get(paths::status(request.host_id, request.port_id));
  const auto record = view.get(paths::port(request.port_id));
  if (record ? (*record)->stat.modified != bound.revision : record.error().code != Code::pending)
    return settled(view, request, call);
  if (!status && status.error().code != Code::not_found) return failed(status);
  if (!status) return std::optional<Answer>();
  const auto reported = model::decode<model::PortStatus>((*status)->value);
  if (!reported || reported->revision != bound.revision || !is_over(reported->state)) return std::optional<Answer>();
  return ok_json(call, port_entity(bound.port, *reported, call.base_uri));
}

// A POST whose client waits for the kernel. Lives in the Waits until it has answered.
class Wait {
 public:
  Wait(Context& context, AttachRequest request, Bound bound, Call call, Reply reply, std::chrono::milliseconds time,
       std::function<void()> over)
      : context_(context),
        request_(std::move(request)),
        bound_(std::move(bound)),
        call_(std::move(call)),
        reply_(std::move(reply)),
        over_(std::move(over)),
        mirror_(context.loop, context.store, [this] { look(); }),
        deadline_(context.loop.after(time, [this] { time_is_over(); })) {
    look();
  }

 private:
  void look() {
    if (!reply_) return;
    std::optional<Answer> outcome;
    const Status read = mirror_.read([&](View& view) -> Status {
      auto now = settled(view, request_, call_, bound_);
      if (!now) return failed(now);
      outcome = *std::move(now);
      return {};
    });
    if (outcome) return finish(*std::move(outcome));
    // What cannot be read for now may be readable before the time is over.
    if (!read && (read.error().code == Code::not_found || read.error().code == Code::conflict)) finish(failed(read));
  }

  void time_is_over() {
    if (!reply_) return;
    answer(
        context_,
        [request = request_, call = call_](Transaction& t) -> Result<Answer> {
          const auto now = settled(t, request, call);
          if (!now) return failed(now);
          if (*now) return **now;
          return attached_port(t, request, call, 202);
        },
        std::exchange(reply_, {}));
    context_.loop.post(over_);
  }

  void finish(Result<Answer> outcome) {
    std::exchange(reply_, {})(std::move(outcome));
    context_.loop.post(over_);  // not from within a callback of our own mirror
  }

  Context& context_;
  AttachRequest request_;
  Bound bound_;
  Call call_;
  Reply reply_;  // empty once answered
  std::function<void()> over_;
  store::Mirror mirror_;
  Timer deadline_;
};

// ?wait=2.5 or "Prefer: wait=2.5" (RFC 7240 section 4.3); the query counts when there are both.
Result<std::optional<std::chrono::milliseconds>> requested_wait(const Call& call) {
  std::optional<std::string> text = call.query_parameter("wait");
  for (auto [at, end] = call.headers.equal_range("prefer"); !text && at != end; ++at) {
    std::string_view rest = at->second;
    while (!text && !rest.empty()) {
      const std::size_t comma = rest.find(',');
      std::string_view preference = rest.substr(0, comma);
      rest = comma == std::string_view::npos ? std::string_view() : rest.substr(comma + 1);
      while (!preference.empty() && preference.front() == ' ') preference.remove_prefix(1);
      while (!preference.empty() && preference.back() == ' ') preference.remove_suffix(1);
      if (preference.starts_with("wait=")) text = std::string(preference.substr(5));
    }
  }
  if (!text) return std::optional<std::chrono::milliseconds>();
  double seconds = 0;
  const auto [end, error] =
      std::from_chars(text->data(), text->data() + text->size(), seconds, std::chars_format::fixed);
  if (error != std::errc{} || end != text->data() + text->size() || !std::isfinite(seconds) || seconds < 0)
    return failed(
        Error{Code::invalid, fmt::format("wait must be a number of seconds, not '{}'", text->substr(0, 32)), "wait"});
  const double capped = std::min(seconds, static_cast<double>(max_wait.count()));
  return std::chrono::milliseconds(static_cast<std::int64_t>(capped * 1000));
}

}  // namespace

class Waits : public std::enable_shared_from_this<Waits> {
 public:
  void add(Context& context, const AttachRequest& request, Bound bound, const Call& call, Reply reply,
           std::chrono::milliseconds time) {
    if (waits_.size() >= max_waits) time = std::chrono::milliseconds(0);
    call.waits();
    waits_.emplace_front();
    const auto place = waits_.begin();
    const auto over = [self = weak_from_this(), place] {
      if (const auto alive = self.lock()) alive->waits_.erase(place);
    };
    *place = std::make_unique<Wait>(context, request, std::move(bound), call, std::move(reply), time, over);
  }

 private:
  std::list<std::unique_ptr<Wait>> waits_;
};

namespace {

void post(Context& context, const Call& call, Reply reply) {
  const Result<Uuid> port = id_in_path(call, "id");
  if (!port) return reply(failed(port));
  const auto wait = requested_wait(call);
  if (!wait) return reply(failed(wait));
  AttachInterface body;
  if (!read_body(call, table<AttachInterface>(), model::Writing::create, &body, reply)) return;
  const AttachRequest request{*port, body.host_id, body.interface_name, body.previous_host_id};
  // For the answer. Asked before the commit, and so answered before it.
  auto alive = std::make_shared<std::optional<bool>>();
  if (!*wait) {
    context.store.get(paths::alive(request.host_id), [alive](const Result<store::NodePtr>& node) {
      if (node || node.error().code == Code::not_found) *alive = node.has_value();
    });
  }
  auto bound = std::make_shared<Port>();
  store::transact(
      context.store,
      [request, bound](Transaction& t) -> Status {
        if (const auto attached = topology::attach(t, request); !attached) return failed(attached);
        const auto now = topology::read_port(t, request.port_id);
        if (!now) return failed(now);
        *bound = now->record;
        return {};
      },
      [&context, request, call, reply, wait = *wait, alive, bound](const Result<store::Revision>& committed) {
        if (!committed) return reply(failed(committed));
        if (wait) return context.waits->add(context, request, {*bound, *committed}, call, reply, *wait);
        // No agent can have reported on a binding that is new. The agent reads it now: the store is left to it.
        if (const bool made = *committed != 0; made && *alive)
          return reply(ok_json(
              call, port_entity(*bound, topology::effective_status(*committed, **alive, nullptr), call.base_uri)));
        answer(
            context, [request, call](Transaction& t) { return attached_port(t, request, call, 200); }, reply);
      });
}

void show(Context& context, const Call& call, Reply reply) {
  const Result<Uuid> id = id_in_path(call, "id");
  if (!id) return reply(failed(id));
  answer(
      context,
      [id = *id, call](Transaction& t) -> Result<Answer> {
        const auto port = topology::read_port(t, id);
        if (!port) return failed(port);
        if (!port->record.host_id) return fail(Code::not_found, "Port {} is not attached to an interface.", id);
        const Result<Json> binding = describe_binding(t, call.base_uri, *port->record.host_id, id);
        if (!binding) return failed(binding);
        return ok_json(call, *binding);
      },
      std::move(reply));
}

Status detach(Transaction& t, const Uuid& port) {
  const auto detached = topology::detach(t, port);
  if (!detached) return failed(detached);
  return {};
}

}  // namespace

void add_attach(Router& router, Context& context) {
  context.waits = std::make_shared<Waits>();
  const std::string path = root + "/ports/{id}/attach_interface";
  router.add({.method = "GET",
              .path = path,
              .name = "getAttachedInterface",
              .summary = "Where a port is bound, with the status of the binding",
              .produces = table<model::Binding>().media_types(),
              .handler = [&context](const Call& call, Reply reply) { show(context, call, std::move(reply)); }});
  router.add({.method = "POST",
              .path = path,
              .name = "attachInterface",
              .summary = "Bind a port to an interface of a host; with ?wait=SECONDS, answer when the kernel forwards",
              .produces = table<model::Port>().media_types(),
              .consumes = table<AttachInterface>().media_types(),
              .handler = [&context](const Call& call, Reply reply) { post(context, call, std::move(reply)); }});
  router.add({.method = "DELETE",
              .path = path,
              .name = "detachInterface",
              .summary = "Unbind a port; a success also if it was not bound",
              .handler = remover(context, detach, 204)});
}

}  // namespace midonet::api
