// What from_tap tells of the MACs that it has learned: the ring buffer "news" (abi.h), read when the kernel says that
// there is something. Used by EbpfDatapath, on the loop's thread. No polling.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <utility>

#include "base/loop.h"
#include "base/mac.h"
#include "base/result.h"
#include "datapath/ebpf/objects.h"

struct ring_buffer;

namespace midonet::datapath {

class News {
 public:
  // A VNI and a MAC that was learned or has moved: the receiver looks up where it is now. `lost`: there were more than the ring had
  // room for, so any MAC may have been learned.
  using Told = std::function<void(const std::set<std::pair<std::uint32_t, Mac>>& keys, bool lost)>;

  // What is in the ring already is thrown away. `told` is called from the loop, once for all that is there.
  static Result<std::unique_ptr<News>> open(Loop& loop, const Maps& maps, Told told);

 private:
  struct CloseRing {
    void operator()(ring_buffer* ring) const;
  };
  News(const Maps& maps, Told told) : maps_(maps), told_(std::move(told)) {}
  static int take(void* self, void* bytes, std::size_t length);
  Result<std::uint64_t> lost() const;
  Status drain();
  void read();

  const Maps& maps_;
  Told told_;
  std::unique_ptr<ring_buffer, CloseRing> ring_;
  std::set<std::pair<std::uint32_t, Mac>> keys_;  // of the present reading
  std::uint64_t lost_ = 0;                        // by then
  FdWatch watch_;
};

}  // namespace midonet::datapath
