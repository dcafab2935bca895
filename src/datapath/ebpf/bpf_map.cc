#include "datapath/ebpf/bpf_map.h"

#include <bpf/bpf.h>

#include <cerrno>

namespace midonet::datapath {

Result<bool> RawMap::look_up(const void* key, void* value) const {
  if (::bpf_map_lookup_elem(fd_.get(), key, value) == 0) return true;
  if (errno == ENOENT) return false;
  return fail_errno(errno, "read the BPF map \"{}\"", name_);
}

Status RawMap::update(const void* key, const void* value) const {
  if (::bpf_map_update_elem(fd_.get(), key, value, BPF_ANY) == 0) return {};
  if (errno == E2BIG || errno == ENOSPC) return fail(Code::exhausted, "write the BPF map \"{}\": it is full", name_);
  return fail_errno(errno, "write the BPF map \"{}\"", name_);
}

Status RawMap::erase(const void* key) const {
  if (::bpf_map_delete_elem(fd_.get(), key) == 0 || errno == ENOENT) return {};
  return fail_errno(errno, "delete from the BPF map \"{}\"", name_);
}

Result<bool> RawMap::next_key(const void* key, void* next) const {
  if (::bpf_map_get_next_key(fd_.get(), key, next) == 0) return true;
  if (errno == ENOENT) return false;
  return fail_errno(errno, "read the BPF map \"{}\"", name_);
}

Result<RawMap::Batch> RawMap::next_batch(std::optional<std::uint32_t>& cursor, void* keys, void* values,
                                         std::size_t room, std::size_t& count) const {
  auto taken = static_cast<std::uint32_t>(room);
  std::uint32_t next = cursor.value_or(0);
  const int got = ::bpf_map_lookup_batch(fd_.get(), cursor ? &*cursor : nullptr, &next, keys, values, &taken, nullptr);
  if (got != 0 && errno == ENOSPC) {
    count = 0;
    return Batch::too_small;
  }
  if (got != 0 && errno != ENOENT) return fail_errno(errno, "read the BPF map \"{}\"", name_);
  count = taken;
  cursor = next;
  return got == 0 ? Batch::more : Batch::end;
}

}  // namespace midonet::datapath
