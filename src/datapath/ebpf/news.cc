#include "datapath/ebpf/news.h"

#include <bpf/libbpf.h>

#include <cerrno>
#include <cstring>

#include "base/log.h"
#include "datapath/ebpf/tables.h"

namespace midonet::datapath {

void News::CloseRing::operator()(ring_buffer* ring) const { ring_buffer__free(ring); }

Result<std::unique_ptr<News>> News::open(Loop& loop, const Maps& maps, Told told) {
  std::unique_ptr<News> news(new News(maps, std::move(told)));
  news->ring_.reset(ring_buffer__new(maps.news.fd(), &News::take, news.get(), nullptr));
  if (!news->ring_) return fail_errno(errno, "read the BPF ring buffer \"news\"");
  if (auto old = news->drain(); !old) return failed(old);
  const auto lost = news->lost();
  if (!lost) return failed(lost);
  news->lost_ = *lost;
  news->keys_.clear();
  news->watch_ = loop.on_readable(ring_buffer__epoll_fd(news->ring_.get()), [self = news.get()] { self->read(); });
  return news;
}

int News::take(void* self, void* bytes, std::size_t length) {
  abi::fdb_key key{};
  if (length != sizeof key) return 0;  // no program of ours makes these
  std::memcpy(&key, bytes, sizeof key);
  static_cast<News*>(self)->keys_.emplace(key.vni, mac_of(key.mac));
  return 0;
}

Result<std::uint64_t> News::lost() const {
  const auto lost = maps_.news_lost.get(0);
  if (!lost) return failed(lost);
  return lost->value_or(0);
}

Status News::drain() {
  const int got = ring_buffer__consume(ring_.get());
  if (got < 0) return fail_errno(-got, "read the BPF ring buffer \"news\"");
  return {};
}

void News::read() {
  if (auto drained = drain(); !drained) log::warning("{}", drained.error().message);
  const auto lost = this->lost();
  if (!lost) log::warning("{}", lost.error().message);
  const bool more = !lost || *lost != lost_;
  lost_ = lost.value_or(lost_);
  const auto keys = std::exchange(keys_, {});
  if (!keys.empty() || more) told_(keys, more);
}

}  // namespace midonet::datapath
