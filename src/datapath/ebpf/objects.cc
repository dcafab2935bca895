#include "datapath/ebpf/objects.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/pkt_cls.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <filesystem>
#include <set>
#include <vector>

#include "base/log.h"
#include "bridge.skel.h"

namespace midonet::datapath {
namespace {

namespace fs = std::filesystem;

struct SkeletonDeleter {
  void operator()(bridge_bpf* skeleton) const { bridge_bpf__destroy(skeleton); }
};
using Skeleton = std::unique_ptr<bridge_bpf, SkeletonDeleter>;

// libbpf explains a failure on its log; the error that it returns is an errno.
int to_log(libbpf_print_level level, const char* format, va_list arguments) {
  std::array<char, 1024> text{};
  const int length = std::vsnprintf(text.data(), text.size(), format, arguments);
  std::string_view line(text.data(),
                        std::min<std::size_t>(text.size() - 1, static_cast<std::size_t>(std::max(length, 0))));
  while (line.ends_with('\n')) line.remove_suffix(1);
  if (level == LIBBPF_WARN) {
    log::warning("{}", line);
  } else {
    log::debug("{}", line);
  }
  return 0;
}

// FNV-1a, 64 bits: tells versions apart; it is no protection against forgery.
void mix(std::uint64_t& hash, const void* bytes, std::size_t length) {
  const auto* at = static_cast<const std::uint8_t*>(bytes);
  for (std::size_t i = 0; i < length; i++) hash = (hash ^ at[i]) * 0x100000001b3ULL;
}

// Of struct bpf_tunnel_key, what this kernel takes; it refuses a larger one.
std::uint32_t tunnel_key_bytes() { return sets_tunnel_source() ? sizeof(bpf_tunnel_key) : 28; }

std::string hash_of(const EbpfOptions& options) {
  std::size_t length = 0;
  const void* code = bridge_bpf__elf_bytes(&length);
  const std::uint64_t ageing = static_cast<std::uint64_t>(options.ageing.count());
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  mix(hash, code, length);
  mix(hash, &ageing, sizeof ageing);
  mix(hash, &options.learn_quota, sizeof options.learn_quota);
  mix(hash, &options.flood_limit, sizeof options.flood_limit);
  mix(hash, &options.check_sources, sizeof options.check_sources);
  const std::uint32_t key_bytes = tunnel_key_bytes();
  mix(hash, &key_bytes, sizeof key_bytes);
  return fmt::format("{:016x}", hash);
}

Result<UniqueFd> duplicate(int fd, const std::string& what) {
  UniqueFd copy(::fcntl(fd, F_DUPFD_CLOEXEC, 3));
  if (!copy) return fail_errno(errno, "keep {}", what);
  return copy;
}

Result<bpf_map_info> map_info(int fd) {
  bpf_map_info info{};
  std::uint32_t length = sizeof info;
  if (::bpf_obj_get_info_by_fd(fd, &info, &length) != 0) return fail_errno(errno, "look at a BPF map");
  return info;
}

// The ids of the maps that a program uses.
Result<std::set<std::uint32_t>> maps_of(int program_fd) {
  std::array<std::uint32_t, 64> ids{};
  bpf_prog_info info{};
  info.nr_map_ids = ids.size();
  info.map_ids = reinterpret_cast<std::uint64_t>(ids.data());
  std::uint32_t length = sizeof info;
  if (::bpf_obj_get_info_by_fd(program_fd, &info, &length) != 0) return fail_errno(errno, "look at a BPF program");
  return std::set<std::uint32_t>(ids.begin(), ids.begin() + std::min<std::size_t>(info.nr_map_ids, ids.size()));
}

Status make_folder(const std::string& folder) {
  // Look before anything is made: a place that is not meant for us keeps no trace.
  fs::path there = folder;
  while (there.has_relative_path() && !fs::exists(fs::symlink_status(there))) there = there.parent_path();
  struct statfs where {};
  if (::statfs(there.c_str(), &where) != 0) return fail_errno(errno, "look at {}", there.string());
  if (static_cast<unsigned long>(where.f_type) != BPF_FS_MAGIC)
    return fail(Code::unavailable, "pin in {}: there is no BPF file system mounted", folder);
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) return fail_errno(error.value(), "make the folder {} for pins", folder);
  if (::chmod(folder.c_str(), 0700) != 0) return fail_errno(errno, "protect {}", folder);
  return {};
}

// The map's pin if there is one that fits; else libbpf makes the map and pins it.
Status settle_map(bpf_map* map, const std::string& folder, std::uint32_t entries) {
  const std::string name = bpf_map__name(map);
  const std::string path = folder + "/" + name;
  if (const int error = bpf_map__set_pin_path(map, path.c_str()); error != 0)
    return fail_errno(-error, "prepare the BPF map \"{}\"", name);
  const UniqueFd pinned(::bpf_obj_get(path.c_str()));
  if (pinned) {
    const auto info = map_info(pinned.get());
    if (!info) return failed(info);
    if (info->type != bpf_map__type(map) || info->key_size != bpf_map__key_size(map) ||
        info->value_size != bpf_map__value_size(map) || info->map_flags != bpf_map__map_flags(map))
      return fail(Code::conflict, "adopt {}: it is not a map of layout " MIDONET_LAYOUT, path);
    if (info->max_entries != entries)
      log::warning("{} keeps its {} entries; {} take effect after everything was removed", path, info->max_entries,
                   entries);
    entries = info->max_entries;
  } else if (errno != ENOENT) {
    return fail_errno(errno, "open {}", path);
  }
  if (const int error = bpf_map__set_max_entries(map, entries); error != 0)
    return fail_errno(-error, "size the BPF map \"{}\"", name);
  return {};
}

// What the programs are told before they are loaded.
void set_constants(bridge_bpf& skeleton, const EbpfOptions& options) {
  skeleton.rodata->ageing_ns = static_cast<std::uint64_t>(std::chrono::nanoseconds(options.ageing).count());
  skeleton.rodata->learn_quota = options.learn_quota;
  skeleton.rodata->check_sources = options.check_sources ? 1 : 0;
  skeleton.rodata->flood_gap_ns = options.flood_limit == 0 ? 0 : 1'000'000'000U / options.flood_limit;
  skeleton.rodata->tunnel_key_bytes = tunnel_key_bytes();
}

// Whether all programs were pinned, and use the very maps that are pinned now: otherwise they are of no use.
Result<bool> fit_together(std::initializer_list<const UniqueFd*> programs,
                          const std::vector<std::pair<bpf_map*, std::uint32_t>>& maps) {
  std::set<std::uint32_t> used;
  for (const UniqueFd* program : programs) {
    if (!*program) return false;
    const auto maps_used = maps_of(program->get());
    if (!maps_used) return failed(maps_used);
    used.insert(maps_used->begin(), maps_used->end());
  }
  for (const auto& [map, entries] : maps) {
    const UniqueFd pinned(::bpf_obj_get(bpf_map__pin_path(map)));
    if (!pinned) return false;
    const auto info = map_info(pinned.get());
    if (!info) return failed(info);
    if (!used.contains(info->id)) return false;
  }
  return true;
}

template <class Map>
Status take(const bpf_map* from, Map& to) {
  const std::string name = bpf_map__name(from);
  if (bpf_map__key_size(from) != Map::key_bytes || bpf_map__value_size(from) != Map::value_bytes)
    return fail(Code::internal, "the BPF map \"{}\" has entries of another size than abi.h says", name);
  auto fd = duplicate(bpf_map__fd(from), name);
  if (!fd) return failed(fd);
  to = Map(std::move(*fd), name);
  return {};
}

Status take(const bpf_program* from, UniqueFd& to) {
  auto fd = duplicate(bpf_program__fd(from), bpf_program__name(from));
  if (!fd) return failed(fd);
  to = std::move(*fd);
  return {};
}

}  // namespace

bool sets_tunnel_source() {
  utsname kernel{};
  unsigned major = 0;
  if (::uname(&kernel) != 0 || std::sscanf(kernel.release, "%u", &major) != 1) return false;
  return major >= 6;
}

Result<std::uint32_t> program_id(int program_fd) {
  bpf_prog_info info{};
  std::uint32_t length = sizeof info;
  if (::bpf_obj_get_info_by_fd(program_fd, &info, &length) != 0) return fail_errno(errno, "look at a BPF program");
  return info.id;
}

Objects::Objects(const EbpfOptions& options)
    : pin_dir_(options.pin_dir), folder_(options.pin_dir + "/" MIDONET_LAYOUT), hash_(hash_of(options)) {}

Objects::~Objects() = default;

Result<std::unique_ptr<Objects>> Objects::open(const EbpfOptions& options) {
  if (options.learn_quota == 0 || options.learn_quota > MIDONET_RING_SPOTS)
    return fail(Code::invalid, "{} learned MACs per port: 1 to {} are possible", options.learn_quota,
                MIDONET_RING_SPOTS);
  if (options.flood_limit > 1'000'000'000)
    return fail(Code::invalid, "{} flooded frames a second: 0 (no limit) to 1000000000 are possible",
                options.flood_limit);
  if (options.ageing.count() <= 0) return fail(Code::invalid, "an ageing time of {} s", options.ageing.count());
  std::unique_ptr<Objects> objects(new Objects(options));
  if (auto made = make_folder(objects->links()); !made) return failed(made);
  if (auto loaded = objects->load(options); !loaded) return failed(loaded);
  if (auto pinned = objects->pin(); !pinned) return failed(pinned);
  if (auto removed = objects->remove_old_programs(); !removed) return failed(removed);
  return objects;
}

Status Objects::load(const EbpfOptions& options) {
  libbpf_set_print(to_log);
  const Skeleton skeleton(bridge_bpf__open());
  if (!skeleton) return fail_errno(errno, "open the BPF programs");
  set_constants(*skeleton, options);

  const auto& maps = skeleton->maps;
  const std::vector<std::pair<bpf_map*, std::uint32_t>> sizes{
#define X(name, entries, ...) {maps.name, entries},
      MIDONET_MAPS(X)
#undef X
  };
  admits_anew_ = !UniqueFd(::bpf_obj_get((folder_ + "/admitted").c_str()));
  for (const auto& [map, entries] : sizes) {
    if (auto settled = settle_map(map, folder_, entries); !settled) return settled;
  }

  from_tap_ = UniqueFd(::bpf_obj_get((folder_ + "/from_tap-" + hash_).c_str()));
  to_tap_ = UniqueFd(::bpf_obj_get((folder_ + "/to_tap-" + hash_).c_str()));
  from_tunnel_ = UniqueFd(::bpf_obj_get((folder_ + "/from_tunnel-" + hash_).c_str()));
  const auto fit = fit_together({&from_tap_, &to_tap_, &from_tunnel_}, sizes);
  if (!fit) return failed(fit);
  adopted_ = *fit;
  bpf_program__set_autoload(skeleton->progs.from_tap, !adopted_);
  bpf_program__set_autoload(skeleton->progs.to_tap, !adopted_);
  bpf_program__set_autoload(skeleton->progs.from_tunnel, !adopted_);
  if (const int error = bridge_bpf__load(skeleton.get()); error != 0)
    return fail_errno(-error, "load the BPF programs into the kernel");

  maps_.max_ports = bpf_map__max_entries(maps.ports);
  // Read once, at the start: it takes a descriptor, of which there may be none later on.
  const int cpus = libbpf_num_possible_cpus();
  if (cpus <= 0) return fail_errno(-cpus, "count the CPUs of this host");
  maps_.cpus = static_cast<std::size_t>(cpus);
#define X(name, ...) \
  if (auto taken = take(maps.name, maps_.name); !taken) return taken;
  MIDONET_MAPS(X)
#undef X

  if (adopted_) return {};
  for (Status taken : {take(skeleton->progs.from_tap, from_tap_), take(skeleton->progs.to_tap, to_tap_),
                       take(skeleton->progs.from_tunnel, from_tunnel_)}) {
    if (!taken) return taken;
  }
  return {};
}

std::vector<Objects::Pin> Objects::pins() const {
  return {
#define X(name, ...) {#name, maps_.name.fd(), false},
      MIDONET_MAPS(X)
#undef X
          {"from_tap-" + hash_, from_tap_.get(), true},
      {"to_tap-" + hash_, to_tap_.get(), true},
      {"from_tunnel-" + hash_, from_tunnel_.get(), true},
  };
}

Status Objects::pin() {
  if (auto made = make_folder(links()); !made) return made;
  for (const Pin& pin : pins()) {
    const std::string path = folder_ + "/" + pin.file;
    if (const UniqueFd there(::bpf_obj_get(path.c_str())); there) {
      std::uint32_t id = 0;
      std::uint32_t our_id = 0;
      if (pin.program) {
        const auto theirs = program_id(there.get());
        const auto ours = program_id(pin.fd);
        if (theirs && ours) id = *theirs, our_id = *ours;
      } else {
        const auto theirs = map_info(there.get());
        const auto ours = map_info(pin.fd);
        if (theirs && ours) id = theirs->id, our_id = ours->id;
      }
      if (id == our_id && id != 0) continue;
      // Another owner's object under our name, or a program of maps that are gone.
      if (::unlink(path.c_str()) != 0) return fail_errno(errno, "replace the pin {}", path);
    }
    if (::bpf_obj_pin(pin.fd, path.c_str()) != 0) return fail_errno(errno, "pin {}", path);
    log::debug("pinned {}", path);
  }
  return {};
}

bool Objects::is_pin(std::string_view file) const {
  const auto all = pins();
  return std::any_of(all.begin(), all.end(), [&](const Pin& pin) { return pin.file == file; });
}

Status Objects::remove_old_programs() {
  std::error_code error;
  std::vector<fs::path> old;
  for (const auto& entry : fs::directory_iterator(folder_, error)) {
    const std::string file = entry.path().filename();
    const bool program =
        file.starts_with("from_tap-") || file.starts_with("to_tap-") || file.starts_with("from_tunnel-");
    if (program && !is_pin(file)) old.push_back(entry.path());
  }
  if (error) return fail_errno(error.value(), "list {}", folder_);
  for (const fs::path& path : old) {
    if (::unlink(path.c_str()) != 0 && errno != ENOENT) return fail_errno(errno, "unpin {}", path.string());
  }
  return {};
}

Status Objects::unpin() {
  for (const Pin& pin : pins()) {
    const std::string path = folder_ + "/" + pin.file;
    if (::unlink(path.c_str()) != 0 && errno != ENOENT) return fail_errno(errno, "unpin {}", path);
  }
  if (auto removed = remove_old_programs(); !removed) return removed;
  for (const std::string& folder : {links(), folder_, pin_dir_}) {
    // Something else may live beside our folder; then it stays.
    if (::rmdir(folder.c_str()) != 0 && errno != ENOENT && errno != ENOTEMPTY)
      return fail_errno(errno, "remove the folder {}", folder);
  }
  return {};
}

}  // namespace midonet::datapath
