#include "api/event_feed.h"

#include <charconv>
#include <deque>
#include <map>
#include <random>
#include <set>
#include <utility>
#include <vector>

#include "api/host_watch.h"
#include "base/json.h"
#include "model/paths.h"
#include "store/mirror.h"

namespace midonet::api {

// The numbers of messages: a random one for the life of the log, and behind it a counter. So what another server or an
// earlier log has told is not taken for what stands in this one.
class EventFeed::Impl {
 public:
  Impl(Loop& l, store::Store& s, Options o) : loop(l), store(s), options(o) {}

  void add(Stream* stream);
  void remove(Stream* stream);

  void tell(EventText text) {
    if (!ready) return;  // it is part of the state that streams begin with
    log.push_back(std::move(text));
    if (log.size() > options.log) {
      log.pop_front();
      ++first;
    }
  }
  void wake();
  std::uint64_t next() const { return first + log.size(); }

  Loop& loop;
  store::Store& store;
  const Options options;
  bool ready = false;
  std::deque<EventText> log;
  std::uint64_t first = 0;  // the number of log.front(), or of the next message
  std::map<Uuid, std::unique_ptr<HostWatch>> hosts;
  std::unique_ptr<store::Mirror> root;  // while it watches

 private:
  void start();
  void stop();
  void look();
  void become_ready();
  void tick();

  bool listed_ = false;  // the hosts are known
  std::set<Stream*> streams_;
  Timer linger_;
  Timer tick_;
};

// One listener: which part of the state it was told already, and then its position in the log.
class EventFeed::Stream final : public http::BodySource {
 public:
  Stream(std::shared_ptr<Impl> feed, std::optional<std::string> last) : feed_(std::move(feed)), last_(std::move(last)) {
    feed_->add(this);
  }
  ~Stream() override { feed_->remove(this); }

  void on_more(std::function<void()> more) override { more_ = std::move(more); }
  bool endless() const override { return true; }
  void wake() const {
    if (more_) more_();
  }
  void tick() {
    comment_ = !std::exchange(told_, false);
    if (comment_) wake();
  }

  More take(std::size_t room, std::string& out) override {
    const std::size_t before = out.size();
    const auto full = [&] { return out.size() - before >= room; };
    if (feed_->ready && !begun_) begin();
    for (; next_state_ < state_.size() && !full(); ++next_state_) out += *state_[next_state_];
    if (next_state_ == state_.size() && next_state_ > 0) {
      state_.clear();
      next_state_ = 0;
    }
    if (begun_ && state_.empty()) {
      if (position_ < feed_->first) return More::cut_off;
      sync(out);
      while (position_ < feed_->next() && !full()) {
        out += fmt::format("id: {}\n{}", position_, *feed_->log[position_ - feed_->first]);
        ++position_;
        sync(out);
      }
    }
    if (comment_ && out.size() == before) out += ": keep-alive\n\n";
    comment_ = false;
    told_ = told_ || out.size() != before;
    return More::later;
  }

 private:
  void begin() {
    begun_ = true;
    position_ = feed_->next();
    synced_at_ = position_;
    if (resume()) return;
    // Without ids: one that breaks off in between has to begin again.
    state_.push_back(std::make_shared<const std::string>("event: reset\ndata: {}\n\n"));
    for (const auto& [id, host] : feed_->hosts) host->describe(state_);
  }

  // Whether what was missed still stands in the log.
  bool resume() {
    std::uint64_t id = 0;
    if (!last_) return false;
    const auto [end, error] = std::from_chars(last_->data(), last_->data() + last_->size(), id);
    if (error != std::errc() || end != last_->data() + last_->size()) return false;
    if (id + 1 < feed_->first || id >= feed_->next()) return false;
    position_ = id + 1;
    return true;
  }

  void sync(std::string& out) {
    if (synced_at_ != position_) return;
    out += fmt::format("id: {}\nevent: synced\ndata: {{}}\n\n", position_ - 1);
    synced_at_.reset();
  }

  const std::shared_ptr<Impl> feed_;
  const std::optional<std::string> last_;
  std::function<void()> more_;
  bool begun_ = false;
  std::vector<EventText> state_;  // what it begins with, until it is told
  std::size_t next_state_ = 0;
  std::uint64_t position_ = 0;  // the number of the next message of the log
  std::optional<std::uint64_t> synced_at_;
  bool told_ = false;  // something since the last tick
  bool comment_ = false;
};

void EventFeed::Impl::add(Stream* stream) {
  streams_.insert(stream);
  linger_.cancel();
  if (!root) start();
  if (!tick_.armed()) tick_ = loop.after(options.keep_alive, [this] { tick(); });
}

void EventFeed::Impl::remove(Stream* stream) {
  streams_.erase(stream);
  if (!streams_.empty()) return;
  tick_.cancel();
  linger_ = loop.after(options.keep, [this] { stop(); });
}

void EventFeed::Impl::start() {
  std::random_device random;
  first = (std::uint64_t{random()} >> 1 << 32) + 1;
  root = std::make_unique<store::Mirror>(loop, store, [this] { look(); });
  look();
}

void EventFeed::Impl::stop() {
  root.reset();
  hosts.clear();
  log.clear();
  ready = listed_ = false;
}

void EventFeed::Impl::look() {
  std::vector<std::string> names;
  const Status read = root->read([&names](store::View& view) -> Status {
    auto listed = view.list(model::paths::hosts);
    if (!listed && listed.error().code != Code::not_found) return failed(listed);
    if (listed) names = *std::move(listed);
    return {};
  });
  if (!read) return;
  std::set<Uuid> there;
  for (const std::string& name : names)
    if (const auto id = Uuid::parse(name)) there.insert(*id);
  for (auto at = hosts.begin(); at != hosts.end();) {
    if (!there.contains(at->first)) at->second->forget();
    at = there.contains(at->first) ? std::next(at) : hosts.erase(at);
  }
  const auto told = [this](EventText text) { tell(std::move(text)); };
  for (const Uuid& id : there) {
    std::unique_ptr<HostWatch>& host = hosts[id];
    if (!host) host = std::make_unique<HostWatch>(loop, store, id, told, [this] { become_ready(), wake(); });
  }
  listed_ = true;
  become_ready();
  wake();
}

void EventFeed::Impl::become_ready() {
  if (ready || !listed_) return;
  for (const auto& [id, host] : hosts)
    if (!host->known()) return;
  ready = true;
}

void EventFeed::Impl::wake() {
  if (!ready) return;
  for (const Stream* stream : streams_) stream->wake();
}

void EventFeed::Impl::tick() {
  tick_ = loop.after(options.keep_alive, [this] { tick(); });
  for (Stream* stream : streams_) stream->tick();
}

EventFeed::EventFeed(Loop& loop, store::Store& store, Options options)
    : impl_(std::make_shared<Impl>(loop, store, options)) {}
EventFeed::~EventFeed() = default;

std::shared_ptr<http::BodySource> EventFeed::listen(const std::optional<std::string>& last_event_id) {
  return std::make_shared<Stream>(impl_, last_event_id);
}

bool EventFeed::watching() const { return impl_->root != nullptr; }
bool EventFeed::ready() const { return impl_->ready; }

}  // namespace midonet::api
