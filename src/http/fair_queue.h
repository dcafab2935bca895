// Things that wait, each in the line of its client. The lines are served in turn, so a client with a long line delays only itself.
// Each line has a bound, and all lines together have one. A full queue takes a newcomer of a short line in exchange for the last thing
// of the longest line.
//
// Not thread-safe; no I/O.
#pragma once

#include <algorithm>
#include <cstddef>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <utility>

namespace midonet::http {

template <class T>
class FairQueue {
 public:
  FairQueue(std::size_t most_of_one, std::size_t most) : most_of_one_(most_of_one), most_(most) {}

  // Returns the thing that has no place any more: nothing, the given one, or one that waited.
  std::optional<T> push(const std::string& client, T thing) {
    const auto own = lines_.find(client);
    const std::size_t length = own == lines_.end() ? 0 : own->second.size();
    if (length >= most_of_one_) return thing;
    std::optional<T> displaced;
    if (size_ >= most_) {
      const auto longest = std::max_element(
          lines_.begin(), lines_.end(), [](const auto& a, const auto& b) { return a.second.size() < b.second.size(); });
      if (longest == lines_.end() || longest->second.size() <= length + 1) return thing;
      displaced = std::move(longest->second.back());
      longest->second.pop_back();
      --size_;
    }
    lines_[client].push_back(std::move(thing));
    ++size_;
    return displaced;
  }

  // The first thing of the line whose turn it is.
  std::optional<T> pop() {
    if (size_ == 0) return std::nullopt;
    auto line = lines_.upper_bound(last_served_);
    if (line == lines_.end()) line = lines_.begin();
    std::optional<T> thing = std::move(line->second.front());
    line->second.pop_front();
    last_served_ = line->first;
    --size_;
    if (line->second.empty()) lines_.erase(line);
    return thing;
  }

  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

 private:
  std::size_t most_of_one_;
  std::size_t most_;
  std::size_t size_ = 0;
  std::map<std::string, std::deque<T>> lines_;  // none is empty
  std::string last_served_;
};

}  // namespace midonet::http
