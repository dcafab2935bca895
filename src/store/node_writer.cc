#include "store/node_writer.h"

#include <algorithm>

#include "base/backoff.h"
#include "base/log.h"
#include "model/paths.h"

namespace midonet::store {
namespace {

constexpr Backoff backoff(std::chrono::milliseconds(50), std::chrono::milliseconds(10'000));

// Operations that the owner may add to those of a group.
constexpr std::size_t spare_ops = 2;

}  // namespace

NodeWriter::NodeWriter(Loop& loop, Store& store, Counter commits, Counter failures, std::vector<Area> areas,
                       Events events)
    : loop_(loop),
      store_(store),
      commits_(commits),
      failures_(failures),
      areas_(std::move(areas)),
      events_(std::move(events)) {
  subscription_ = store_.on_state([this](State state) { on_state(state); });
}

NodeWriter::~NodeWriter() = default;

std::size_t NodeWriter::ops_of(const Entry& entry) {
  return 1 + entry.guards.size() + (entry.presence == Presence::foreign ? 1 : 0);
}

const std::string& NodeWriter::group_of(const Item& item) {
  return item.second.kind.group ? *item.second.kind.group : item.first;
}

bool NodeWriter::Before::operator()(const Item* a, const Item* b) const {
  if (a->second.kind.rank != b->second.kind.rank) return a->second.kind.rank < b->second.kind.rank;
  if (const int order = group_of(*a).compare(group_of(*b)); order != 0) return order < 0;
  if (a->second.kind.order != b->second.kind.order) return a->second.kind.order < b->second.kind.order;
  return a->first < b->first;
}

void NodeWriter::start() {
  if (started_ && !paused_) return;
  started_ = true;
  resume();
}

void NodeWriter::pause() {
  paused_ = true;
  pump_timer_.cancel();
}

void NodeWriter::resume() {
  paused_ = false;
  if (started_) look();
}

void NodeWriter::look_again() {
  if (started_ && looked_ && !in_flight_) look();
}

NodeWriter::Item& NodeWriter::item_at(const std::string& path, const Kind& kind) {
  const auto [at, fresh] = entries_.try_emplace(path, Entry{.kind = kind});
  return *at;
}

// What is dirty is sorted by it.
void NodeWriter::set_kind(Item& item, const Kind& kind) {
  dirty_.erase(&item);
  item.second.kind = kind;
}

void NodeWriter::put(const std::string& path, const Kind& kind, std::string value, std::vector<std::string> guards) {
  Item& item = item_at(path, kind);
  Entry& entry = item.second;
  if (entry.change == 0) set_kind(item, kind);  // it was found, and is told of for the first time
  if (entry.wanted && entry.value == value && entry.guards == guards) return;
  entry.wanted = true;
  entry.value = std::move(value);
  entry.guards = std::move(guards);
  changed(item);
}

void NodeWriter::remove(const std::string& path) {
  const auto at = entries_.find(path);
  if (at == entries_.end() || (at->second.change != 0 && !at->second.wanted)) return;
  at->second.wanted = false;
  at->second.value = {};
  at->second.guards.clear();
  changed(*at);
}

void NodeWriter::adopt(const std::string& path, const Kind& kind, const Node& node) {
  if (!looked_) return;  // it will be found
  Entry& entry = item_at(path, kind).second;
  if (entry.presence != Presence::absent) return;
  entry.presence = Presence::there;
  entry.version = node.stat.version;
  entry.found = std::make_unique<std::string>(node.value);
}

void NodeWriter::changed(Item& item) {
  item.second.change = ++changes_;
  troubles_.erase(group_of(item));
  dirty_.insert(&item);
  pump_soon();
}

void NodeWriter::sweep(unsigned rank, bool sweeps) {
  if (!sweeps) {
    sweeps_.erase(rank);
    return;
  }
  if (!sweeps_.insert(rank).second) return;
  for (Item& item : entries_)
    if (item.second.kind.rank == rank && !item.second.wanted) dirty_.insert(&item);
  pump_soon();
}

bool NodeWriter::settled() const { return looked_ && dirty_.empty() && !in_flight_; }

void NodeWriter::on_state(State state) {
  if (!started_ || state == State::disconnected) return;
  failed_ = 0;
  retry_.cancel();
  if (state == State::new_session || !looked_)
    look();
  else
    pump_soon();
}

// Learns which nodes there are. At this moment none of them is known to be as it was.
void NodeWriter::look() {
  ++look_;
  looked_ = look_failed_ = in_flight_ = false;
  unread_.clear();
  reading_ = 0;
  for (Item& item : entries_) {
    item.second.presence = Presence::absent;
    item.second.found.reset();
    dirty_.insert(&item);
  }
  for (const Area& area : areas_) look_at(area);
  if (events_.looking) events_.looking();
}

void NodeWriter::look_at(Area area) {
  if (area.self) unread_.push_back({area.path, area.kind, false});
  if (area.children) unread_.push_back({std::move(area.path), std::move(area.kind), true});
  read_more();
}

void NodeWriter::read_more() {
  while (!unread_.empty() && reading_ < reads_at_once) {
    auto read = std::make_shared<Read>(std::move(unread_.front()));
    unread_.pop_front();
    ++reading_;
    const auto stale = [this, alive = liveness_.token(), look = look_] { return alive.expired() || look != look_; };
    if (read->list) {
      store_.list(read->path, [this, stale, read](const Result<std::vector<std::string>>& names) {
        if (!stale()) listed(*read, names);
      });
    } else {
      store_.get(read->path, [this, stale, read](const Result<NodePtr>& node) {
        if (!stale()) found(*read, node);
      });
    }
  }
}

void NodeWriter::listed(const Read& read, const Result<std::vector<std::string>>& names) {
  if (names) {
    for (const std::string& name : *names) unread_.push_back({model::paths::child(read.path, name), read.kind, false});
  } else if (names.error().code == Code::not_found && events_.missing) {
    events_.missing(read.path);
  }
  answered(!names && names.error().code != Code::not_found);
}

void NodeWriter::found(const Read& read, const Result<NodePtr>& node) {
  if (node) {
    Item& item = item_at(read.path, read.kind);
    Entry& entry = item.second;
    const Stat& stat = (*node)->stat;
    entry.presence =
        entry.kind.life == Life::ephemeral && stat.owner != store_.session() ? Presence::foreign : Presence::there;
    entry.version = stat.version;
    entry.found = std::make_unique<std::string>((*node)->value);
    dirty_.insert(&item);
    if (events_.found) events_.found(read.path, **node);
  }
  answered(!node && node.error().code != Code::not_found);
}

void NodeWriter::answered(bool failed) {
  --reading_;
  if (failed) {
    look_failed_ = true;  // all of it will be looked at again
    unread_.clear();
  }
  read_more();
  if (reading_ > 0) return;
  if (look_failed_) return try_later();
  looked_ = true;
  if (dirty_.empty()) failed_ = 0;
  if (events_.looked) events_.looked();
  pump_soon();
}

// From the loop, so that all that is put in one go is sent in one go.
void NodeWriter::pump_soon() {
  if (!looked_ || paused_ || in_flight_ || retry_.armed() || pump_timer_.armed() || dirty_.empty()) return;
  pump_timer_ = loop_.after(std::chrono::nanoseconds(0), [this] { pump(); });
}

void NodeWriter::pump() {
  if (!looked_ || paused_ || in_flight_) return;
  Commit commit;
  const auto now = Steady::now();
  std::optional<Steady::time_point> next;
  for (auto first = dirty_.begin(); first != dirty_.end();) {
    const std::string& group = group_of(**first);
    const unsigned rank = (*first)->second.kind.rank;
    auto last = first;
    std::size_t ops = spare_ops;
    for (; last != dirty_.end() && (*last)->second.kind.rank == rank && group_of(**last) == group; ++last)
      ops += ops_of((*last)->second);
    const bool full =
        commit.groups.size() >= limit_ || commit.bytes >= bytes_per_commit || commit.ops.size() + ops > ops_per_commit;
    if (!commit.ops.empty() && (full || commit.rank != rank)) break;
    if (const auto trouble = troubles_.find(group); trouble != troubles_.end() && trouble->second.not_before > now) {
      next = std::min(next.value_or(trouble->second.not_before), trouble->second.not_before);
      first = last;
      continue;
    }
    take(first, last, commit);
    first = last;
  }
  if (commit.ops.empty()) {
    if (dirty_.empty()) failed_ = 0;
    if (next) postponed_ = loop_.after(*next - now, [this] { pump_soon(); });
    return;
  }
  in_flight_ = true;
  commits_.add();
  store_.commit(std::move(commit.ops), [this, alive = liveness_.token(), look = look_, sent = std::move(commit.sent),
                                        groups = commit.groups.size()](const Result<Revision>& result) {
    if (!alive.expired() && look == look_) committed(sent, groups, result);
  });
}

// Nothing has to be written: it is in the store as it is wanted, or nothing is to be done about it.
bool NodeWriter::as_wanted(Item& item) {
  Entry& entry = item.second;
  if (!entry.wanted && entry.presence != Presence::absent)
    // Perhaps it is wanted in a moment; sweep() comes back to it.
    return entry.kind.life == Life::given || (entry.change == 0 && !sweeps_.contains(entry.kind.rank));
  if (!entry.wanted || (entry.kind.life == Life::given && entry.presence == Presence::absent)) return true;
  return entry.presence == Presence::there && entry.found && *entry.found == entry.value;
}

// As much of one group as the commit has room for.
void NodeWriter::take(Dirty::iterator first, Dirty::iterator last, Commit& commit) {
  std::vector<Item*> removed, written;
  for (auto at = first; at != last;) {
    Item* item = *at;
    if (!as_wanted(*item)) {
      (item->second.wanted ? written : removed).push_back(item);
      ++at;
      continue;
    }
    at = dirty_.erase(at);
    if (!item->second.wanted && item->second.presence != Presence::absent) continue;  // not spoken of yet
    const std::string path = item->first;
    item->second.found.reset();
    item->second.guards.clear();
    const bool told = item->second.change != 0;
    if (!item->second.wanted) entries_.erase(path);
    if (told && events_.written) events_.written(path);
  }
  std::vector<Op> ops;
  const auto room = [&](const Item& item) {
    const std::size_t there = commit.ops.size() + ops.size();
    return there == 0 || (there + ops_of(item.second) + spare_ops <= ops_per_commit && commit.bytes < bytes_per_commit);
  };
  const auto send = [&](Item* item) {
    const Entry& entry = item->second;
    commit.bytes += item->first.size() + entry.value.size();
    commit.sent.push_back({item, entry.change, entry.wanted});
    commit.groups.insert(group_of(*item));
    commit.rank = entry.kind.rank;
    dirty_.erase(item);
  };
  const auto version = [](const Entry& entry) {
    return entry.kind.life == Life::durable ? entry.version : any_version;
  };
  for (auto at = removed.rbegin(); at != removed.rend() && room(**at); ++at) {
    ops.push_back(Op::remove((*at)->first, version((*at)->second)));
    send(*at);
  }
  for (Item* item : written) {
    if (!room(*item)) break;
    const Entry& entry = item->second;
    for (const std::string& guard : entry.guards) ops.push_back(Op::check(guard));
    if (entry.presence == Presence::foreign) ops.push_back(Op::remove(item->first));
    if (entry.presence == Presence::there)
      ops.push_back(Op::set(item->first, entry.value, version(entry)));
    else if (entry.kind.life == Life::ephemeral)
      ops.push_back(Op::create_ephemeral(item->first, entry.value));
    else
      ops.push_back(Op::create(item->first, entry.value));
    send(item);
  }
  if (ops.empty()) return;
  if (events_.committing) events_.committing(ops);
  commit.ops.insert(commit.ops.end(), std::make_move_iterator(ops.begin()), std::make_move_iterator(ops.end()));
}

void NodeWriter::committed(const std::vector<Sent>& sent, std::size_t groups, const Result<Revision>& result) {
  in_flight_ = false;
  if (!result) {
    failures_.add();
    for (const Sent& one : sent) dirty_.insert(one.item);
    if (result.error().code != Code::unavailable) return refused(sent, groups, result.error());
    // The outcome is not known: look before trying again.
    looked_ = false;
    if (failed_ > 0) log::warning("writing to the store: {}: trying again", result.error().message);
    return try_later();
  }
  failed_ = 0;
  limit_ = std::min(ops_per_commit, 2 * limit_);
  for (const Sent& one : sent) {
    Entry& entry = one.item->second;
    entry.version = one.wanted && entry.presence == Presence::there ? entry.version + 1 : 0;
    entry.presence = one.wanted ? Presence::there : Presence::absent;
    entry.found.reset();
    troubles_.erase(group_of(*one.item));
    if (entry.change != one.change) continue;  // changed again meanwhile: it is dirty
    const std::string path = one.item->first;
    entry.guards.clear();
    if (!entry.wanted) {
      dirty_.erase(one.item);
      entries_.erase(path);
    }
    if (events_.written) events_.written(path);
  }
  pump_soon();
}

// The store answered, and did not take the commit.
void NodeWriter::refused(const std::vector<Sent>& sent, std::size_t groups, const Error& error) {
  limit_ = std::max<std::size_t>(1, groups / 2);
  if (groups == 1) {
    const Item& first = *sent.front().item;
    Trouble& trouble = troubles_[group_of(first)];
    trouble.path = first.first;
    if (++trouble.failures > 1) {
      if (trouble.failures == 2 || trouble.why != error.message)
        log::warning("{} is not written: {}", trouble.path, error.message);
      trouble.not_before = Steady::now() + backoff.after(trouble.failures - 1, random_);
    }
    trouble.why = error.message;
  }
  // Another process changed, made or removed one of the nodes.
  if (error.code == Code::conflict || error.code == Code::not_found) return look();
  pump_soon();
}

std::vector<std::string> NodeWriter::refused() const {
  std::vector<std::string> out;
  for (const auto& [group, trouble] : troubles_)
    if (trouble.failures > 1) out.push_back(fmt::format("{} is not written: {}", trouble.path, trouble.why));
  return out;
}

void NodeWriter::try_later() {
  retry_ = loop_.after(backoff.after(failed_, random_), [this] { look(); });
  ++failed_;
}

// Growing, and different for each process: what failed for many at once is not tried again by all at once.

}  // namespace midonet::store
