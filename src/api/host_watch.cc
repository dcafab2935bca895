#include "api/host_watch.h"

#include "base/json.h"
#include "model/binding.h"
#include "model/host.h"
#include "model/paths.h"
#include "topology/ports.h"

namespace midonet::api {

namespace paths = model::paths;
using OrderedJson = nlohmann::ordered_json;

namespace {

EventText message(const char* event, const OrderedJson& data) {
  return std::make_shared<const std::string>(fmt::format("event: {}\ndata: {}\n\n", event, dump_json(data)));
}

// Whether this is what the store has to say.
template <class T>
bool is_answer(const Result<T>& result) {
  return result || result.error().code == Code::not_found;
}

}  // namespace

HostWatch::HostWatch(Loop& loop, store::Store& store, const Uuid& id, std::function<void(EventText)> tell,
                     std::function<void()> looked)
    : id_(id), tell_(std::move(tell)), looked_(std::move(looked)), mirror_(loop, store, [this] {
        look();
        looked_();
      }) {
  look();  // asks; nothing is there yet
}

void HostWatch::look() {
  const Status read = mirror_.read([this](store::View& view) { return this->read(view); });
  known_ = known_ || read;
}

Status HostWatch::read(store::View& view) {
  const auto record = view.get(paths::host(id_));
  const auto alive = view.get(paths::alive(id_));
  const auto names = view.list(paths::bindings(id_));
  if (!is_answer(record)) return failed(record);
  if (!is_answer(alive)) return failed(alive);
  if (!is_answer(names)) return failed(names);
  const bool was_alive = alive_;
  const std::string old_name = name_;
  read_self(record, alive);
  const bool same_host = was_alive == alive_ && old_name == name_;

  Status outcome;
  std::map<Uuid, BoundPort> now;
  std::vector<EventText> news;
  for (const std::string& name : names ? *names : std::vector<std::string>()) {
    const Result<Uuid> port = Uuid::parse(name);
    if (!port) continue;
    const auto binding = view.get(paths::binding(id_, *port));
    const auto status = view.get(paths::status(id_, *port));
    const auto known = ports_.extract(*port);
    if (!is_answer(binding) || !is_answer(status)) {
      outcome = is_answer(binding) ? failed(status) : failed(binding);
      if (known) now.emplace(*port, std::move(known.mapped()));
      continue;
    }
    BoundPort bound{binding ? *binding : nullptr, status ? *status : nullptr, {}, {}};
    if (!bound.binding) {  // it goes: the list will say so
      if (known) ports_.emplace(*port, std::move(known.mapped()));
      continue;
    }
    if (known && same_host && known.mapped().binding == bound.binding && known.mapped().status == bound.status) {
      now.emplace_hint(now.end(), *port, std::move(known.mapped()));
      continue;
    }
    if (const auto decoded = model::decode<model::Binding>(bound.binding->value))
      bound.interface_name = decoded->interface_name;
    bound.text = describe(*port, bound);
    if (!known || *known.mapped().text != *bound.text) news.push_back(bound.text);
    now.emplace_hint(now.end(), *port, std::move(bound));
  }
  tell_unbound(ports_);
  ports_ = std::move(now);
  for (EventText& text : news) tell_(std::move(text));
  return outcome;
}

void HostWatch::read_self(const Result<store::NodePtr>& record, const Result<store::NodePtr>& alive) {
  alive_ = alive.has_value();
  if (record)
    if (const auto host = model::decode<model::Host>((*record)->value)) name_ = host->name;
  EventText text = message("host", {{"hostId", id_.to_string()}, {"host", name_}, {"alive", alive_}});
  if (text_ && *text_ == *text) return;
  text_ = std::move(text);
  tell_(text_);
}

EventText HostWatch::describe(const Uuid& port, const BoundPort& bound) const {
  const auto reported = bound.status ? model::decode<model::PortStatus>(bound.status->value)
                                     : Result<model::PortStatus>(fail(Code::not_found, "none"));
  const model::PortStatus status =
      topology::effective_status(bound.binding->stat.modified, alive_, reported ? &*reported : nullptr);
  return message("port", {{"portId", port.to_string()},
                          {"hostId", id_.to_string()},
                          {"host", name_},
                          {"interfaceName", bound.interface_name},
                          {"state", std::string(model::name(status.state))},
                          {"reason", status.reason},
                          {"revision", bound.binding->stat.modified},
                          {"since", status.since.empty() ? OrderedJson() : OrderedJson(status.since)}});
}

void HostWatch::tell_unbound(const std::map<Uuid, BoundPort>& ports) const {
  for (const auto& [port, bound] : ports)
    tell_(message("port", {{"portId", port.to_string()},
                           {"hostId", id_.to_string()},
                           {"host", name_},
                           {"interfaceName", nullptr},
                           {"state", std::string(model::name(model::PortState::unbound))},
                           {"reason", ""},
                           {"revision", bound.binding->stat.modified},
                           {"since", nullptr}}));
}

void HostWatch::describe(std::vector<EventText>& out) const {
  if (text_) out.push_back(text_);
  for (const auto& [port, bound] : ports_) out.push_back(bound.text);
}

void HostWatch::forget() {
  tell_unbound(ports_);
  if (text_) tell_(message("host", {{"hostId", id_.to_string()}, {"host", name_}, {"alive", false}}));
}

}  // namespace midonet::api
