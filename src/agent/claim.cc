#include "agent/claim.h"

#include <chrono>
#include <utility>

#include "base/json.h"
#include "base/log.h"
#include "model/paths.h"
#include "model/record.h"

namespace midonet::agent {

namespace paths = model::paths;
using Json = nlohmann::json;
using store::Op;

namespace {

// Between looks while the store answers with errors; a change of its state ends the wait.
constexpr std::chrono::milliseconds retry_delay{1'000};

}  // namespace

std::string AgentFacts::encode() const {
  const Json more{{"place", place}, {"hostName", host_name}, {"addresses", addresses}};
  return model::encode(alive, dump_json(more));
}

AgentFacts AgentFacts::decode(const std::string& record) {
  AgentFacts out;
  if (auto alive = model::decode<model::Alive>(record)) out.alive = *std::move(alive);
  const Json json = parse_json(record);
  const auto text = [](const Json& value) { return value.is_string() ? value.get<std::string>() : std::string(); };
  if (!json.is_object()) return out;
  if (json.contains("place")) out.place = text(json["place"]);
  if (json.contains("hostName")) out.host_name = text(json["hostName"]);
  if (json.contains("addresses") && json["addresses"].is_array())
    for (const Json& address : json["addresses"]) out.addresses.push_back(text(address));
  return out;
}

std::string AgentFacts::describe() const {
  return fmt::format("{} ({}), process {}, started {}", host_name.empty() ? "a host without a name" : host_name,
                     addresses.empty() ? "no address" : fmt::format("{}", fmt::join(addresses, ", ")), alive.pid,
                     alive.started);
}

Claim::Claim(Loop& loop, store::Store& store, const Uuid& host, AgentFacts self, Events events)
    : loop_(loop),
      store_(store),
      host_(host),
      alive_path_(paths::alive(host)),
      contender_path_(paths::child(paths::host(host), "contender")),
      self_(std::move(self)),
      record_(self_.encode()),
      events_(std::move(events)) {}

void Claim::start() {
  subscription_ = store_.on_state([this](store::State state) {
    if (state == store::State::disconnected) return;
    if (state == store::State::new_session) seen_ = false;
    look();
    if (held_) look_at_contender();
  });
  look();
}

bool Claim::is_rivals(const std::string& record) const {
  const std::string place = AgentFacts::decode(record).place;
  return !place.empty() && !self_.place.empty() && place != self_.place;
}

// A watch that belongs to `owner`, in place of the one before.
store::Notify Claim::again(std::shared_ptr<const char>& owner, void (Claim::*then)()) {
  owner = std::make_shared<const char>();
  return {std::weak_ptr(owner), [this, then] { (this->*then)(); }};
}

void Claim::look() {
  retry_.cancel();
  store_.get(alive_path_, liveness_.guard([this](const Result<store::NodePtr>& node) { looked(node); }),
             again(alive_watch_, &Claim::look));
}

void Claim::looked(const Result<store::NodePtr>& node) {
  if (!node && node.error().code != Code::not_found) {
    retry_ = loop_.after(retry_delay, [this] { look(); });
    return;
  }
  const bool ours = node && (*node)->stat.owner == store_.session();
  if (ours) seen_ = true;
  if (!held_) return node && !ours && is_rivals((*node)->value) ? lost((*node)->value) : win();
  if (!ours && std::exchange(seen_, false)) {
    log::warning("{}: another process {} this agent's node", alive_path_, node ? "has replaced" : "has removed");
    events_.disturbed();
  }
}

void Claim::lost(const std::string& record) {
  held_ = seen_ = false;
  contender_.reset();
  contender_watch_.reset();
  AgentFacts rival = AgentFacts::decode(record);
  const bool news = !rival_ || rival_->encode() != rival.encode();
  rival_ = std::move(rival);
  if (!news) return;
  for (const std::string& warning : warnings()) log::error("{}", warning);
  // Where a third one waits, it has said enough.
  store_.commit({Op::create_ephemeral(contender_path_, record_)}, [](const Result<store::Revision>&) {});
  look();  // sets the watch, where the record was found otherwise
}

void Claim::win() {
  held_ = true;
  if (rival_) {
    log::info("host {}: the session of {} has ended: this agent goes on", host_, rival_->describe());
    rival_.reset();
    store_.get(contender_path_, liveness_.guard([this](const Result<store::NodePtr>& node) {
      if (!node || (*node)->stat.owner != store_.session()) return;
      store_.commit({Op::remove(contender_path_)}, [](const Result<store::Revision>&) {});
    }));
  }
  look_at_contender();
  events_.won();
}

void Claim::look_at_contender() {
  store_.get(contender_path_, liveness_.guard([this](const Result<store::NodePtr>& node) {
    if (!held_) return;
    if (!node || (*node)->stat.owner == store_.session()) {
      if (node || node.error().code == Code::not_found) contender_.reset();
      return;
    }
    contender_ = AgentFacts::decode((*node)->value);
    for (const std::string& warning : warnings()) log::error("{}", warning);
  }),
             again(contender_watch_, &Claim::look_at_contender));
}

std::vector<std::string> Claim::warnings() const {
  constexpr std::string_view cure =
      "Two machines have one host id: on the one that is a copy of the other, stop the agent, remove its host id file "
      "and "
      "start it again";
  std::vector<std::string> out;
  if (rival_)
    out.push_back(
        fmt::format("host id {} is in use by the agent of {}: this agent plugs and reports nothing until the "
                    "session of that one ends. {}",
                    host_, rival_->describe(), cure));
  if (contender_)
    out.push_back(fmt::format("host id {} is also that of the agent of {}, which waits. {}", host_,
                              contender_->describe(), cure));
  return out;
}

}  // namespace midonet::agent
