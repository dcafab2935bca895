// BPF programs at an interface's tcx hooks (Linux 6.6), as links: what hooks.h needs of bpf(2). Knows nothing of what is ours;
// mechanism only. Programs at a hook run one after the other, from the first on, before every tc filter of the interface.
//
// Why not libbpf's: Debian 12 has 1.1, which is older than tcx. Layouts: include/uapi/linux/bpf.h of Linux 6.6.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "netlink/tc.h"

namespace midonet::datapath {
using netlink::Hook;
}

namespace midonet::datapath::tcx {

// Whether this kernel has tcx.
bool supported();

struct Attached {
  std::uint32_t program_id = 0;
  std::uint32_t link_id = 0;  // 0: attached without a link
};
// The programs at a hook, in the order in which they run. Code::not_found: there is no such interface.
Result<std::vector<Attached>> programs(std::uint32_t ifindex, Hook hook);

struct Link {
  std::uint32_t id = 0;
  std::uint32_t program_id = 0;
  std::uint32_t ifindex = 0;  // 0: it was detached, or its interface is gone
  Hook hook = Hook::ingress;
};

// The link that is pinned there; nothing when there is none, or something else.
struct Pinned {
  UniqueFd fd;
  Link link;
};
Result<std::optional<Pinned>> pinned(const std::string& path);

// Puts the program before all others that are at the hook, and pins its link.
Status attach(std::uint32_t ifindex, Hook hook, int program_fd, const std::string& path);
// Swaps the program; no frame passes between.
Status replace(const Pinned& link, int program_fd);
// Takes the program away, and the pin. A pin that is not there is a success.
Status detach(const std::string& path);

// What the maker of a program calls it; empty when it cannot be read.
std::string program_name(std::uint32_t program_id);

}  // namespace midonet::datapath::tcx
