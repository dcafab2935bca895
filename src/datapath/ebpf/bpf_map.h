// A BPF map with the types of its key and value, over libbpf's system call wrappers. Used by the datapath's files; the
// types are those of abi.h. Owns the descriptor. Not thread-safe; the kernel's programs use the map at the same time.
#pragma once

#include <bpf/bpf.h>

#include <cerrno>
#include <cstdint>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"

namespace midonet::datapath {

template <class Key, class Value>
class BpfMap {
  static_assert(std::is_trivially_copyable_v<Key> && std::is_trivially_copyable_v<Value>);

 public:
  BpfMap() = default;
  BpfMap(UniqueFd fd, std::string name) : fd_(std::move(fd)), name_(std::move(name)) {}

  int fd() const { return fd_.get(); }
  const std::string& name() const { return name_; }

  Result<std::optional<Value>> get(const Key& key) const {
    Value value{};
    if (::bpf_map_lookup_elem(fd_.get(), &key, &value) == 0) return std::optional<Value>(value);
    if (errno == ENOENT) return std::optional<Value>{};
    return fail_errno(errno, "read the BPF map \"{}\"", name_);
  }

  Status put(const Key& key, const Value& value) const {
    if (::bpf_map_update_elem(fd_.get(), &key, &value, BPF_ANY) == 0) return {};
    if (errno == E2BIG) return fail(Code::exhausted, "write the BPF map \"{}\": it is full", name_);
    return fail_errno(errno, "write the BPF map \"{}\"", name_);
  }

  // Also a success when there is no such key.
  Status remove(const Key& key) const {
    if (::bpf_map_delete_elem(fd_.get(), &key) == 0 || errno == ENOENT) return {};
    return fail_errno(errno, "delete from the BPF map \"{}\"", name_);
  }

  // All entries (a hash map of any size; what comes or goes meanwhile may be in or not).
  Result<std::vector<std::pair<Key, Value>>> entries() const {
    std::vector<std::pair<Key, Value>> all;
    std::vector<Key> keys(batch_entries);
    std::vector<Value> values(batch_entries);
    std::uint32_t cursor = 0;
    bool first = true;
    for (;;) {
      auto count = static_cast<std::uint32_t>(keys.size());
      const int got = ::bpf_map_lookup_batch(fd_.get(), first ? nullptr : &cursor, &cursor, keys.data(), values.data(),
                                             &count, nullptr);
      if (got != 0 && errno == ENOSPC) {  // one bucket holds more than there is room for
        keys.resize(keys.size() * 2);
        values.resize(values.size() * 2);
        continue;
      }
      if (got != 0 && errno != ENOENT) return fail_errno(errno, "read the BPF map \"{}\"", name_);
      for (std::uint32_t i = 0; i < count; i++) all.emplace_back(keys[i], values[i]);
      if (got != 0) return all;  // ENOENT: the end
      first = false;
    }
  }

 private:
  static constexpr std::size_t batch_entries = 1024;
  UniqueFd fd_;
  std::string name_;
};

}  // namespace midonet::datapath
