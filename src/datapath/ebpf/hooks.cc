#include "datapath/ebpf/hooks.h"

#include <algorithm>
#include <array>
#include <string>

namespace midonet::datapath {
namespace {

constexpr std::array both_hooks{Hook::ingress, Hook::egress};

std::string filter_name(const Program& program) { return std::string("midolman/") + program.name; }

FilterPlace place_on(std::uint32_t ifindex, Hook hook) {
  return {.ifindex = ifindex, .hook = hook, .priority = Hooks::priority, .handle = Hooks::handle};
}

bool is_ours(const Filter& filter) {
  return filter.kind == "bpf" && filter.place.priority == Hooks::priority && filter.place.handle == Hooks::handle &&
         filter.name.starts_with("midolman/");
}

bool gone(const Error& error) { return error.code == Code::not_found; }

// What hangs at both hooks of an interface.
struct Census {
  std::size_t ours = 0;
  std::size_t others = 0;
  std::optional<Filter> in_our_place{};
};

Result<Census> census(Tc& tc, std::uint32_t ifindex) {
  Census census;
  for (const Hook hook : both_hooks) {
    const auto filters = tc.filters(ifindex, hook);
    if (!filters) return tl::unexpected(filters.error());
    for (const Filter& filter : *filters) {
      if (is_ours(filter)) {
        census.ours++;
        continue;
      }
      census.others++;
      // A priority has filters of one kind; of ours there is only one.
      if (filter.place.priority == Hooks::priority) census.in_our_place = filter;
    }
  }
  return census;
}

}  // namespace

Result<bool> Hooks::complete(std::uint32_t ifindex) {
  for (const Hook hook : both_hooks) {
    if (program(hook) == nullptr) continue;
    const auto filter = tc_.filter(place_on(ifindex, hook));
    if (!filter) return tl::unexpected(filter.error());
    if (!*filter || !is_ours(**filter) || (*filter)->program_id != program(hook)->id || !(*filter)->direct_action)
      return false;
  }
  return true;
}

Result<bool> Hooks::prepare(std::uint32_t ifindex, std::optional<bool> recorded) {
  const auto made = tc_.add_clsact(ifindex);
  if (!made || *made) return made;
  const auto there = census(tc_, ifindex);
  if (!there) return tl::unexpected(there.error());
  if (there->in_our_place)
    return fail(Code::conflict, "attach to interface {}: priority {} is held by a {} filter{} of somebody else",
                ifindex, priority, there->in_our_place->kind,
                there->in_our_place->name.empty() ? "" : " \"" + there->in_our_place->name + "\"");
  // No record, but filters of ours and of nobody else: the record was lost with its map.
  return recorded.value_or(there->ours > 0 && there->others == 0);
}

Status Hooks::attach(std::uint32_t ifindex, Hook hook) {
  if (program(hook) == nullptr) return {};
  const FilterPlace place = place_on(ifindex, hook);
  const auto there = tc_.filter(place);
  if (!there) return tl::unexpected(there.error());
  if (*there && !is_ours(**there))  // came after prepare()
    return fail(Code::conflict, "attach to interface {}: priority {} is held by somebody else", ifindex, priority);
  const Program& ours = *program(hook);
  return tc_.put_filter(place, ours.fd, filter_name(ours), there->has_value());
}

Status Hooks::detach(std::uint32_t ifindex, bool owns_clsact) {
  const auto there = census(tc_, ifindex);
  if (!there) return gone(there.error()) ? Status{} : tl::unexpected(there.error());
  if (owns_clsact && there->others == 0) {
    auto removed = tc_.remove_clsact(ifindex);
    // Code::invalid: somebody has removed it before us.
    if (removed || gone(removed.error()) || removed.error().code == Code::invalid) return {};
    return removed;
  }
  if (there->ours == 0) return {};
  for (const Hook hook : both_hooks) {
    const FilterPlace place = place_on(ifindex, hook);
    const auto filter = tc_.filter(place);
    if (!filter) return gone(filter.error()) ? Status{} : tl::unexpected(filter.error());
    if (!*filter || !is_ours(**filter)) continue;
    if (auto removed = tc_.remove_filter(place); !removed && !gone(removed.error())) return removed;
  }
  return {};
}

Result<std::vector<Hooks::Stray>> Hooks::strays(const std::function<bool(std::uint32_t)>& known) {
  const auto interfaces = tc_.clsact_interfaces();
  if (!interfaces) return tl::unexpected(interfaces.error());
  std::vector<Stray> strays;
  for (const std::uint32_t ifindex : *interfaces) {
    if (known(ifindex)) continue;
    const auto there = census(tc_, ifindex);
    if (!there && gone(there.error())) continue;
    if (!there) return tl::unexpected(there.error());
    if (there->ours > 0) strays.push_back({.ifindex = ifindex, .alone = there->others == 0});
  }
  return strays;
}

bool Hooks::concerns(const TcEvent& event) {
  // A new qdisc is of interest too: it stands where we could not attach before, or where ours was.
  return event.qdisc || (event.place.priority == priority);
}

}  // namespace midonet::datapath
