// BPF maps with the types of their keys and values. Used by the datapath's files; the types are those of abi.h. Each owns its
// descriptor. Not thread-safe; the kernel's programs use the maps at the same time.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace midonet::datapath {

// The system calls, without types.
class RawMap {
 public:
  RawMap() = default;
  RawMap(UniqueFd fd, std::string name) : fd_(std::move(fd)), name_(std::move(name)) {}

  int fd() const { return fd_.get(); }
  const std::string& name() const { return name_; }

 protected:
  Result<bool> look_up(const void* key, void* value) const;  // false: there is no such key
  Status update(const void* key, const void* value) const;
  Status erase(const void* key) const;
  // The key after `key`, or the first one; false: there is none.
  Result<bool> next_key(const void* key, void* next) const;

  // Part of a hash map's entries: at most `room`, `count` of them.
  enum class Batch { more, end, too_small };
  Result<Batch> next_batch(std::optional<std::uint32_t>& cursor, void* keys, void* values, std::size_t room,
                           std::size_t& count) const;

 private:
  UniqueFd fd_;
  std::string name_;
};

template <class Key, class Value>
class BpfMap : public RawMap {
  static_assert(std::is_trivially_copyable_v<Key> && std::is_trivially_copyable_v<Value>);

 public:
  static constexpr std::uint32_t key_bytes = sizeof(Key), value_bytes = sizeof(Value);
  using RawMap::RawMap;

  Result<std::optional<Value>> get(const Key& key) const {
    Value value{};
    const auto found = look_up(&key, &value);
    if (!found) return failed(found);
    return *found ? std::optional<Value>(value) : std::nullopt;
  }

  // Code::exhausted when the map is full.
  Status put(const Key& key, const Value& value) const { return update(&key, &value); }

  // Also a success when there is no such key.
  Status remove(const Key& key) const { return erase(&key); }

  // All entries of a hash map (what comes or goes meanwhile may be in or not).
  Result<std::vector<std::pair<Key, Value>>> entries() const {
    std::vector<std::pair<Key, Value>> all;
    std::vector<Key> keys(1024);
    std::vector<Value> values(keys.size());
    std::optional<std::uint32_t> cursor;
    for (;;) {
      std::size_t count = 0;
      const auto batch = next_batch(cursor, keys.data(), values.data(), keys.size(), count);
      if (!batch) return failed(batch);
      for (std::size_t i = 0; i < count; i++) all.emplace_back(keys[i], values[i]);
      if (*batch == Batch::end) return all;
      if (*batch == Batch::too_small) {  // one bucket holds more
        keys.resize(keys.size() * 2);
        values.resize(keys.size());
      }
    }
  }
};

// A trie of prefixes (BPF_MAP_TYPE_LPM_TRIE) whose value is that of the key's `prefix`: get() finds the longest entry that contains the
// key, and the value says which one that is.
template <class Key>
class PrefixMap : public BpfMap<Key, std::uint32_t> {
 public:
  using BpfMap<Key, std::uint32_t>::BpfMap;

  // The entry of this very prefix.
  Result<std::optional<std::uint32_t>> get(const Key& key) const {
    auto found = BpfMap<Key, std::uint32_t>::get(key);
    if (found && *found && **found != key.prefix) return std::optional<std::uint32_t>();
    return found;
  }
  Result<std::vector<std::pair<Key, std::uint32_t>>> entries() const {
    std::vector<std::pair<Key, std::uint32_t>> all;
    std::optional<Key> last;
    for (;;) {
      Key key{};
      const auto next = this->next_key(last ? &*last : nullptr, &key);
      if (!next) return failed(next);
      if (!*next) return all;
      last = key;
      const auto value = get(key);
      if (!value) return failed(value);
      if (*value) all.emplace_back(key, **value);
    }
  }
};

// A map with a value for each CPU. `cpus` is the number of possible CPUs, libbpf_num_possible_cpus().
template <class Key, class Value>
class PerCpuMap : public RawMap {
  static_assert(std::is_trivially_copyable_v<Key> && std::is_trivially_copyable_v<Value> && sizeof(Value) % 8 == 0);

 public:
  static constexpr std::uint32_t key_bytes = sizeof(Key), value_bytes = sizeof(Value);
  using RawMap::RawMap;

  // A value for each CPU; none when there is no such key.
  Result<std::vector<Value>> get(const Key& key, std::size_t cpus) const {
    std::vector<Value> values(cpus);
    const auto found = look_up(&key, values.data());
    if (!found) return failed(found);
    if (!*found) values.clear();
    return values;
  }
  // Value{} on each CPU.
  Status clear(const Key& key, std::size_t cpus) const {
    const std::vector<Value> none(cpus);
    return update(&key, none.data());
  }
};

// A ring buffer (BPF_MAP_TYPE_RINGBUF): libbpf reads it.
class RingMap : public RawMap {
 public:
  static constexpr std::uint32_t key_bytes = 0, value_bytes = 0;
  using RawMap::RawMap;
};

}  // namespace midonet::datapath
