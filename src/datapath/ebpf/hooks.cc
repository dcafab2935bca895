#include "datapath/ebpf/hooks.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>
#include <set>

#include "base/log.h"
#include "datapath/ebpf/tcx.h"

namespace midonet::datapath {
namespace {

namespace fs = std::filesystem;

constexpr std::array both_hooks{Hook::ingress, Hook::egress};

const char* name_of(Hook hook) { return hook == Hook::ingress ? "ingress" : "egress"; }

std::string filter_name(const Program& program) { return std::string("midolman/") + program.name; }

FilterPlace place_on(std::uint32_t ifindex, Hook hook) {
  return {.ifindex = ifindex, .hook = hook, .priority = Hooks::priority, .handle = Hooks::handle};
}

bool is_ours(const Filter& filter) {
  return filter.kind == "bpf" && filter.place.priority == Hooks::priority && filter.place.handle == Hooks::handle &&
         filter.name.starts_with("midolman/");
}

bool gone(const Error& error) { return error.code == Code::not_found; }

std::string quoted(const std::string& name) { return name.empty() ? "" : " \"" + name + "\""; }

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
    if (!filters) return failed(filters);
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

std::string Hooks::pin(std::uint32_t ifindex, Hook hook) const {
  return fmt::format("{}/{}-{}", settings_.links, ifindex, name_of(hook));
}

std::optional<std::uint32_t> Hooks::interface_of(std::string_view pin) {
  std::uint32_t ifindex = 0;
  const auto [end, error] = std::from_chars(pin.data(), pin.data() + pin.size(), ifindex);
  const std::string_view rest(end, static_cast<std::size_t>(pin.data() + pin.size() - end));
  if (error != std::errc() || (rest != "-ingress" && rest != "-egress")) return std::nullopt;
  return ifindex;
}

std::optional<std::uint32_t> Hooks::linked(std::string_view pin) const {
  const auto ifindex = interface_of(pin);
  return ifindex && way(*ifindex) == Way::tcx ? ifindex : std::nullopt;
}

Result<bool> Hooks::first(std::uint32_t ifindex) const {
  if (!settings_.kernel_has_tcx) return true;
  for (const Hook hook : both_hooks) {
    if (program(hook) == nullptr) continue;
    const auto programs = tcx::programs(ifindex, hook);
    if (!programs) return failed(programs);
    const auto is_ours = [&](const tcx::Attached& attached) { return attached.program_id == program(hook)->id; };
    if (way(ifindex) == Way::clsact ? !std::all_of(programs->begin(), programs->end(), is_ours)
                                    : programs->empty() || !is_ours(programs->front()))
      return false;
  }
  return true;
}

Result<Hooks::Standing> Hooks::look(std::uint32_t ifindex) {
  Standing by_links{.complete = true, .before = {}}, by_filters = by_links;
  const auto add = [](Standing& standing, bool current, const std::string& before) {
    standing.complete &= current;
    if (standing.before.empty()) standing.before = before;
  };
  bool linked = false;
  std::string need;
  for (const Hook hook : both_hooks) {
    if (program(hook) == nullptr || !settings_.kernel_has_tcx) continue;
    const auto links = look_at_links(ifindex, hook);
    if (!links) return failed(links);
    // Ours, where it is missing, is put first.
    add(by_links, links->current, links->ours ? links->before : "");
    // Behind a filter stands nothing of tcx.
    add(by_filters, true, links->any);
    linked |= links->ours;
    if (need.empty()) need = links->any;
  }
  if (settings_.way == Way::tcx || (!settings_.way && linked)) {
    linked_.insert(ifindex);
    return by_links;
  }
  for (const Hook hook : both_hooks) {
    if (program(hook) == nullptr) continue;
    const auto filters = look_at_filters(ifindex, hook);
    if (!filters) return failed(filters);
    add(by_filters, filters->current, filters->before);
    if (need.empty()) need = filters->before;
  }
  if (settings_.way || need.empty()) {
    linked_.erase(ifindex);
    return by_filters;
  }
  use_links(ifindex, fmt::format("{} would run before our filters", need));
  return by_links;
}

Result<Hooks::Links> Hooks::look_at_links(std::uint32_t ifindex, Hook hook) const {
  const auto programs = tcx::programs(ifindex, hook);
  if (!programs) return failed(programs);
  Links found;
  if (programs->empty()) return found;
  const auto pinned = tcx::pinned(pin(ifindex, hook));
  if (!pinned) return failed(pinned);
  for (const tcx::Attached& attached : *programs) {
    if (*pinned && attached.link_id == (*pinned)->link.id && attached.link_id != 0) {
      found.ours = true;
      found.current = attached.program_id == program(hook)->id;
    } else if (found.any.empty() && attached.program_id != program(hook)->id) {  // of ours: a link that is just going
      found.any = fmt::format("the BPF program{} (id {}) at its tcx {}", quoted(tcx::program_name(attached.program_id)),
                              attached.program_id, name_of(hook));
      if (!found.ours) found.before = found.any;
    }
  }
  return found;
}

Result<Hooks::Filters> Hooks::look_at_filters(std::uint32_t ifindex, Hook hook) {
  const auto filters = tc_.filters(ifindex, hook);
  if (!filters) return failed(filters);
  Filters found;
  for (const Filter& filter : *filters) {
    if (is_ours(filter)) {
      found.current = filter.program_id == program(hook)->id && filter.direct_action;
    } else if (filter.place.priority < priority && found.before.empty()) {
      found.before = fmt::format("the {} filter{} of priority {} at its {}", filter.kind, quoted(filter.name),
                                 filter.place.priority, name_of(hook));
    }
  }
  return found;
}

void Hooks::use_links(std::uint32_t ifindex, const std::string& why) {
  if (linked_.insert(ifindex).second) log::info("interface {} is attached by tcx: {}", ifindex, why);
}

Result<bool> Hooks::prepare(std::uint32_t ifindex, std::optional<bool> recorded) {
  if (way(ifindex) == Way::tcx) return recorded.value_or(false);
  auto made = make_clsact(ifindex, recorded);
  if (made || made.error().code != Code::conflict || settings_.way) return made;
  use_links(ifindex, made.error().message);
  return recorded.value_or(false);
}

Result<bool> Hooks::make_clsact(std::uint32_t ifindex, std::optional<bool> recorded) {
  const auto made = tc_.add_clsact(ifindex);
  if (!made || *made) return made;
  const auto there = census(tc_, ifindex);
  if (!there) return failed(there);
  if (there->in_our_place)
    return fail(Code::conflict, "attach to interface {}: priority {} is held by a {} filter{} of another program",
                ifindex, priority, there->in_our_place->kind, quoted(there->in_our_place->name));
  // No record, and only filters of ours: the record was lost with its map.
  return recorded.value_or(there->ours > 0 && there->others == 0);
}

Status Hooks::attach(std::uint32_t ifindex, Hook hook) {
  if (program(hook) == nullptr) return {};
  return way(ifindex) == Way::tcx ? attach_link(ifindex, hook) : attach_filter(ifindex, hook);
}

Status Hooks::attach_link(std::uint32_t ifindex, Hook hook) const {
  const Program& ours = *program(hook);
  const std::string path = pin(ifindex, hook);
  const auto there = tcx::pinned(path);
  if (!there) return failed(there);
  // A link of an interface that is gone, or a detached link, is of no use any more.
  if (!*there || (*there)->link.ifindex != ifindex || (*there)->link.hook != hook)
    return tcx::attach(ifindex, hook, ours.fd, path);
  return (*there)->link.program_id == ours.id ? Status() : tcx::replace(**there, ours.fd);
}

Status Hooks::attach_filter(std::uint32_t ifindex, Hook hook) {
  const FilterPlace place = place_on(ifindex, hook);
  const auto there = tc_.filter(place);
  if (!there) return failed(there);
  if (*there && !is_ours(**there))  // came after prepare()
    return fail(Code::conflict, "attach to interface {}: priority {} is held by another program", ifindex, priority);
  const Program& ours = *program(hook);
  return tc_.put_filter(place, ours.fd, filter_name(ours), there->has_value());
}

Status Hooks::finish(std::uint32_t ifindex) {
  return way(ifindex) == Way::tcx ? detach_filters(ifindex, false) : detach_links(ifindex);
}

Status Hooks::detach(std::uint32_t ifindex, std::optional<bool> owns_clsact) {
  linked_.erase(ifindex);
  if (auto detached = detach_links(ifindex); !detached) return detached;
  return detach_filters(ifindex, owns_clsact);
}

Status Hooks::detach_links(std::uint32_t ifindex) const {
  for (const Hook hook : both_hooks) {
    if (auto detached = tcx::detach(pin(ifindex, hook)); !detached) return detached;
  }
  return {};
}

Status Hooks::detach_filters(std::uint32_t ifindex, std::optional<bool> owns_clsact) {
  const auto there = census(tc_, ifindex);
  if (!there) return gone(there.error()) ? Status{} : tl::unexpected(there.error());
  if (owns_clsact.value_or(there->ours > 0) && there->others == 0) {
    auto removed = tc_.remove_clsact(ifindex);
    // Code::invalid: another program has removed it before us.
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
  std::vector<Stray> strays;
  std::set<std::uint32_t> linked;
  std::error_code error;
  std::vector<std::string> defunct;
  for (const auto& entry : fs::directory_iterator(settings_.links, error)) {
    const auto ifindex = interface_of(entry.path().filename().string());
    if (!ifindex) continue;
    const auto there = tcx::pinned(entry.path());
    if (!there) return failed(there);
    if (!*there) continue;
    if ((*there)->link.ifindex == 0) {
      defunct.push_back(entry.path());
    } else if (!known(*ifindex)) {
      linked.insert(*ifindex);
    }
  }
  for (const std::string& path : defunct) {
    if (auto removed = tcx::detach(path); !removed) return failed(removed);
  }
  const auto interfaces = tc_.clsact_interfaces();
  if (!interfaces) return failed(interfaces);
  for (const std::uint32_t ifindex : *interfaces) {
    const bool filters = known(ifindex);
    if (filters && way(ifindex) == Way::clsact) continue;
    const auto there = census(tc_, ifindex);
    if (!there && gone(there.error())) continue;
    if (!there) return failed(there);
    if (there->ours == 0) continue;
    strays.push_back({.ifindex = ifindex, .filters = filters});
    linked.erase(ifindex);
  }
  for (const std::uint32_t ifindex : linked) strays.push_back({.ifindex = ifindex, .filters = false});
  return strays;
}

bool Hooks::concerns(const TcEvent& event) const {
  if (way(event.place.ifindex) == Way::tcx) return false;
  // A new qdisc is of interest too: it stands where we could not attach before, or where ours was.
  return event.qdisc || event.place.priority <= priority;
}

}  // namespace midonet::datapath
