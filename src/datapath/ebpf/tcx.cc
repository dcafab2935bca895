#include "datapath/ebpf/tcx.h"

#include <bpf/bpf.h>
#include <linux/bpf.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>

namespace midonet::datapath::tcx {
namespace {

// enum bpf_attach_type, bpf_link_type and the flags of BPF_LINK_CREATE, which Debian's headers do not have yet.
constexpr std::uint32_t tcx_ingress = 46;
constexpr std::uint32_t tcx_egress = 47;
constexpr std::uint32_t link_type_tcx = 11;
constexpr std::uint32_t before = 1U << 3;  // BPF_F_BEFORE; with no relative program: before all
constexpr std::uint32_t loopback = 1;
constexpr std::size_t most_programs = 64;  // BPF_MPROG_MAX
constexpr std::chrono::milliseconds give_up_pause{5};
constexpr int give_up_tries = 20;

struct LinkCreate {
  std::uint32_t program_fd;
  std::uint32_t ifindex;
  std::uint32_t attach_type;
  std::uint32_t flags;
  std::uint32_t relative;
  std::uint32_t padding;
  std::uint64_t expected_revision;
};
static_assert(sizeof(LinkCreate) == 32);

struct ProgramQuery {
  std::uint32_t ifindex;
  std::uint32_t attach_type;
  std::uint32_t query_flags;
  std::uint32_t attach_flags;
  std::uint64_t program_ids;
  std::uint32_t count;
  std::uint32_t padding;
  std::uint64_t program_flags;
  std::uint64_t link_ids;
  std::uint64_t link_flags;
  std::uint64_t revision;
};
static_assert(sizeof(ProgramQuery) == 64);

struct LinkInfo {
  std::uint32_t type;
  std::uint32_t id;
  std::uint32_t program_id;
  std::uint32_t padding;
  std::uint32_t ifindex;
  std::uint32_t attach_type;
  std::array<std::uint32_t, 26> more;  // of other sorts of links
};

template <class Attributes>
int call(int command, Attributes& attributes) {
  return static_cast<int>(::syscall(SYS_bpf, command, &attributes, sizeof attributes));
}

std::uint32_t attach_type(Hook hook) { return hook == Hook::ingress ? tcx_ingress : tcx_egress; }
const char* name(Hook hook) { return hook == Hook::ingress ? "ingress" : "egress"; }

}  // namespace

bool supported() {
  ProgramQuery query{};
  query.ifindex = loopback;
  query.attach_type = tcx_ingress;
  // An older kernel takes the type, or what stands behind the fields that it knows, for wrong.
  return call(BPF_PROG_QUERY, query) == 0 || (errno != EINVAL && errno != E2BIG);
}

Result<std::vector<Attached>> programs(std::uint32_t ifindex, Hook hook) {
  std::array<std::uint32_t, most_programs> program_ids{};
  std::array<std::uint32_t, most_programs> link_ids{};
  ProgramQuery query{};
  query.ifindex = ifindex;
  query.attach_type = attach_type(hook);
  query.program_ids = reinterpret_cast<std::uint64_t>(program_ids.data());
  query.link_ids = reinterpret_cast<std::uint64_t>(link_ids.data());
  query.count = most_programs;
  std::vector<Attached> all;
  if (call(BPF_PROG_QUERY, query) != 0) {
    if (errno == ENOENT) return all;
    return fail_errno(errno, "list the programs at {} of interface {}", name(hook), ifindex);
  }
  for (std::size_t i = 0; i < query.count && i < most_programs; i++)
    all.push_back({.program_id = program_ids[i], .link_id = link_ids[i]});
  return all;
}

Result<std::optional<Pinned>> pinned(const std::string& path) {
  UniqueFd fd(::bpf_obj_get(path.c_str()));
  if (!fd && errno == ENOENT) return std::optional<Pinned>();
  if (!fd) return fail_errno(errno, "open {}", path);
  LinkInfo info{};
  std::uint32_t length = sizeof info;
  if (::bpf_obj_get_info_by_fd(fd.get(), &info, &length) != 0) return fail_errno(errno, "look at {}", path);
  if (info.type != link_type_tcx) return std::optional<Pinned>();
  const Link link{.id = info.id,
                  .program_id = info.program_id,
                  .ifindex = info.ifindex,
                  .hook = info.attach_type == tcx_egress ? Hook::egress : Hook::ingress};
  return std::optional<Pinned>(Pinned{std::move(fd), link});
}

Status attach(std::uint32_t ifindex, Hook hook, int program_fd, const std::string& path) {
  LinkCreate create{};
  create.program_fd = static_cast<std::uint32_t>(program_fd);
  create.ifindex = ifindex;
  create.attach_type = attach_type(hook);
  create.flags = before;
  UniqueFd link(call(BPF_LINK_CREATE, create));
  // The kernel gives up a link whose pin was lost in the background, and takes no program twice.
  for (int i = 0; !link && errno == EEXIST && i < give_up_tries; i++) {
    std::this_thread::sleep_for(give_up_pause);
    link.reset(call(BPF_LINK_CREATE, create));
  }
  if (!link) return fail_errno(errno, "attach a program at {} of interface {}", name(hook), ifindex);
  // Without its pin the link ends with this function.
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return fail_errno(errno, "replace the pin {}", path);
  if (::bpf_obj_pin(link.get(), path.c_str()) != 0) return fail_errno(errno, "pin {}", path);
  return {};
}

Status replace(const Pinned& link, int program_fd) {
  if (::bpf_link_update(link.fd.get(), program_fd, nullptr) == 0) return {};
  return fail_errno(errno, "replace the program at {} of interface {}", name(link.link.hook), link.link.ifindex);
}

Status detach(const std::string& path) {
  // The pin alone would take its time: the kernel gives links up in the background.
  if (const UniqueFd link(::bpf_obj_get(path.c_str())); link) {
    if (::bpf_link_detach(link.get()) != 0 && errno != ENOLINK && errno != EINVAL)
      return fail_errno(errno, "detach {}", path);
  } else if (errno != ENOENT) {
    return fail_errno(errno, "open {}", path);
  }
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return fail_errno(errno, "unpin {}", path);
  return {};
}

std::string program_name(std::uint32_t program_id) {
  const UniqueFd fd(::bpf_prog_get_fd_by_id(program_id));
  bpf_prog_info info{};
  std::uint32_t length = sizeof info;
  if (!fd || ::bpf_obj_get_info_by_fd(fd.get(), &info, &length) != 0) return {};
  return std::string(info.name, ::strnlen(info.name, sizeof info.name));
}

}  // namespace midonet::datapath::tcx
