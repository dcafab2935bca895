#include "agent/publish/published.h"

#include <algorithm>
#include <optional>
#include <unordered_set>
#include <utility>

#include "agent/publish/store_delay.h"
#include "base/log.h"
#include "model/paths.h"

namespace midonet::agent {

namespace paths = model::paths;
using store::Op;

namespace {

// With its memory: there is one for each port and interface of the host.
void forget(std::string& value) { std::string().swap(value); }

}  // namespace

Published::Published(Loop& loop, store::Store& store, Registry& registry, const Uuid& host, Events events)
    : loop_(loop),
      store_(store),
      events_(std::move(events)),
      commits_(registry.counter("midonet_agent_report_commits_total", "Commits of statuses and interfaces")),
      failures_(registry.counter("midonet_agent_report_failures_total",
                                 "Commits of statuses and interfaces that the store refused")),
      scopes_{Scope{paths::host(host), "alive", Urgency::alive}, Scope{paths::statuses(host), "", Urgency::status},
              Scope{paths::interfaces(host), "", Urgency::interface}} {
  subscription_ = store_.on_state([this](store::State state) { on_state(state); });
}

Published::~Published() = default;

void Published::start() {
  if (std::exchange(started_, true)) return;
  look();
}

void Published::resume() {
  if (started_) look();
}

void Published::put(Urgency urgency, const std::string& path, std::string value) {
  Entry& entry = entries_[path];
  if (entry.wanted && entry.value == value) return;
  entry.wanted = true;
  entry.urgency = urgency;
  entry.value = std::move(value);
  troubles_.erase(path);
  mark(path, entry);
}

void Published::remove(const std::string& path) {
  const auto at = entries_.find(path);
  if (at == entries_.end() || !at->second.wanted) return;
  at->second.wanted = false;
  at->second.value = {};
  troubles_.erase(path);
  mark(path, at->second);
}

void Published::mark(const std::string& path, const Entry& entry) {
  entries_.at(path).change = ++changes_;
  dirty_.emplace(entry.urgency, path);
  pump_soon();
}

bool Published::settled() const { return looked_ && dirty_.empty() && !in_flight_; }

void Published::on_state(store::State state) {
  if (!started_ || state == store::State::disconnected) return;
  failed_ = 0;
  retry_.cancel();
  if (state == store::State::new_session || !looked_) {
    look();
  } else {
    pump_soon();
  }
}

// Learns which nodes there are. At this moment none of them is known to be this session's.
void Published::look() {
  ++session_;
  looked_ = false;
  look_failed_ = false;
  barred_ = false;
  in_flight_ = false;
  looking_ = scopes_.size();
  unread_.clear();
  reading_ = 0;
  for (auto& [path, entry] : entries_) {
    entry.presence = Presence::absent;
    forget(entry.there);
    dirty_.emplace(entry.urgency, path);
  }
  for (const Scope& scope : scopes_) {
    store_.list(scope.folder, [this, alive = std::weak_ptr(alive_), session = session_,
                               &scope](Result<std::vector<std::string>> names) {
      if (alive.expired() || session != session_) return;
      listed(scope, names);
    });
  }
}

void Published::listed(const Scope& scope, const Result<std::vector<std::string>>& names) {
  if (!names) {
    look_failed_ = true;
    if (names.error().code == Code::not_found && events_.lost) events_.lost();
  } else {
    for (const std::string& name : *names) {
      if (!scope.only.empty() && name != scope.only) continue;
      ++looking_;
      unread_.emplace_back(&scope, paths::child(scope.folder, name));
    }
    read_more();
  }
  looked();
}

// A few at a time: at a start the agent reads what is bound here, of which there is as much, and that comes first.
void Published::read_more() {
  while (!unread_.empty() && reading_ < reads_at_once) {
    auto [scope, path] = std::move(unread_.front());
    unread_.pop_front();
    ++reading_;
    store_.get(path, [this, alive = std::weak_ptr(alive_), session = session_, scope = scope,
                      path = path](const Result<store::NodePtr>& node) {
      if (alive.expired() || session != session_) return;
      --reading_;
      found(*scope, path, node);
      read_more();
    });
  }
}

void Published::found(const Scope& scope, const std::string& path, const Result<store::NodePtr>& node) {
  if (node) {
    if (events_.found) events_.found(path, (*node)->value);
    Entry& entry = entries_[path];
    entry.presence = (*node)->stat.owner == store_.session() ? Presence::ours : Presence::foreign;
    entry.there = (*node)->value;
    if (!entry.wanted) entry.urgency = scope.urgency;
    if (scope.urgency == Urgency::alive && entry.presence == Presence::foreign && events_.barred)
      barred_ = events_.barred((*node)->value);
    dirty_.emplace(entry.urgency, path);
  } else if (node.error().code != Code::not_found) {
    look_failed_ = true;  // all of it will be looked at again
    looking_ -= unread_.size();
    unread_.clear();
  }
  looked();
}

void Published::looked() {
  if (--looking_ > 0) return;
  if (look_failed_) return try_later();
  looked_ = true;
  if (dirty_.empty()) failed_ = 0;
  pump_soon();
}

void Published::all_said(Urgency urgency) {
  bool& said = said_[static_cast<std::size_t>(urgency)];
  if (std::exchange(said, true)) return;
  for (const auto& [path, entry] : entries_)
    if (entry.urgency == urgency && !entry.wanted) dirty_.emplace(urgency, path);
  pump_soon();
}

// From the loop, so that all that is put in one go is sent in one go.
void Published::pump_soon() {
  if (!looked_ || barred_ || in_flight_ || retry_.armed() || pump_timer_.armed() || dirty_.empty()) return;
  pump_timer_ = loop_.after(std::chrono::nanoseconds(0), [this] { pump(); });
}

void Published::pump() {
  if (barred_) return;
  std::vector<Op> ops;
  std::vector<Sent> sent;
  std::size_t bytes = 0;
  const auto now = std::chrono::steady_clock::now();
  std::optional<std::chrono::steady_clock::time_point> next;
  std::optional<Urgency> kind;  // of all records of this commit
  for (auto first = dirty_.begin(); first != dirty_.end();) {
    if (sent.size() >= limit_ || ops.size() >= ops_per_commit || bytes >= bytes_per_commit) break;
    if (kind && *kind != first->first) break;
    const std::string path = first->second;
    if (const auto trouble = troubles_.find(path); trouble != troubles_.end() && trouble->second.not_before > now) {
      next = std::min(next.value_or(trouble->second.not_before), trouble->second.not_before);
      ++first;
      continue;
    }
    first = dirty_.erase(first);
    const auto at = entries_.find(path);
    if (at == entries_.end()) continue;
    const Entry& entry = at->second;
    if (!entry.wanted && entry.presence == Presence::absent) {
      entries_.erase(at);
      if (events_.written) events_.written(path);
      continue;
    }
    if (entry.wanted && entry.presence == Presence::ours && entry.there == entry.value) {
      forget(at->second.there);
      if (events_.written) events_.written(path);
      continue;
    }
    // Perhaps it is wanted in a moment; all_said() comes back to it.
    if (!entry.wanted && entry.change == 0 && !said_[static_cast<std::size_t>(entry.urgency)]) continue;
    if (entry.presence == Presence::foreign || !entry.wanted) ops.push_back(Op::remove(path));
    if (entry.wanted && entry.presence == Presence::ours)
      ops.push_back(Op::set(path, entry.value));
    else if (entry.wanted)
      ops.push_back(Op::create_ephemeral(path, entry.value));
    bytes += path.size() + entry.value.size();
    kind = entry.urgency;
    sent.push_back({path, entry.change, entry.wanted});
  }
  if (ops.empty()) {
    if (next) postponed_ = loop_.after(*next - now, [this] { pump_soon(); });
    return;
  }
  in_flight_ = true;
  commits_.add();
  store_.commit(std::move(ops), [this, alive = std::weak_ptr(alive_), session = session_,
                                 sent = std::move(sent)](Result<store::Revision> result) mutable {
    if (alive.expired() || session != session_) return;
    committed(std::move(sent), result);
  });
}

void Published::committed(std::vector<Sent> sent, const Result<store::Revision>& result) {
  in_flight_ = false;
  if (!result) {
    failures_.add();
    for (const Sent& one : sent) dirty_.emplace(entries_.at(one.path).urgency, one.path);
    if (result.error().code != Code::unavailable) return refused(sent, result.error());
    // The outcome is not known: look before trying again.
    looked_ = false;
    if (failed_ > 0) log::warning("reporting to the store: {}: trying again", result.error().message);
    return try_later();
  }
  failed_ = 0;
  limit_ = std::min(ops_per_commit, 2 * limit_);
  for (const Sent& one : sent) {
    const auto at = entries_.find(one.path);
    Entry& entry = at->second;
    entry.presence = one.wanted ? Presence::ours : Presence::absent;
    forget(entry.there);
    troubles_.erase(one.path);
    if (entry.change != one.change) continue;  // changed again meanwhile: it is dirty
    if (!entry.wanted) entries_.erase(at);
    if (events_.written) events_.written(one.path);
  }
  pump_soon();
}

// The store answered, and did not take the commit.
void Published::refused(const std::vector<Sent>& sent, const Error& error) {
  limit_ = std::max<std::size_t>(1, sent.size() / 2);
  if (sent.size() == 1) {
    Trouble& trouble = troubles_[sent.front().path];
    if (++trouble.failures > 1) {
      if (trouble.failures == 2 || trouble.why != error.message)
        log::warning("{} is not written: {}", sent.front().path, error.message);
      trouble.not_before = std::chrono::steady_clock::now() + store_delay(trouble.failures - 1);
    }
    trouble.why = error.message;
  }
  // Another process made or removed one of the nodes.
  if (error.code == Code::conflict || error.code == Code::not_found) return look();
  pump_soon();
}

std::vector<std::string> Published::refused() const {
  std::vector<std::string> out;
  for (const auto& [path, trouble] : troubles_)
    if (trouble.failures > 1) out.push_back(fmt::format("{} is not written: {}", path, trouble.why));
  return out;
}

void Published::try_later() {
  const auto delay = failed_ == 0 ? std::chrono::milliseconds(0) : store_delay(failed_);
  ++failed_;
  retry_ = loop_.after(delay, [this] { look(); });
}

}  // namespace midonet::agent
