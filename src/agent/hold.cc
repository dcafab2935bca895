#include "agent/hold.h"

#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <utility>

#include "base/log.h"
#include "base/result.h"

namespace midonet::agent {

Hold::Hold(std::string file) : file_(std::move(file)) {
  if (file_.empty()) return;
  std::ifstream in(file_);
  if (!in) return;
  std::getline(in, reason_);
  if (reason_.empty()) reason_ = "the store had lost this host";
  log::error("{}: nothing is removed from the kernel until `midonet agent accept`", reason_);
}

void Hold::begin(std::string reason) {
  if (on()) return;
  reason_ = std::move(reason);
  log::error("{}: nothing is removed from the kernel until `midonet agent accept`", reason_);
  if (file_.empty()) return;
  std::ofstream out(file_);
  out << reason_ << '\n';
  if (!out.flush()) log::error("write {}: the next start of this agent will not know of it", file_);
}

std::string Hold::warning() const {
  return fmt::format(
      "{}. Restore the store or make the bindings again; or `midonet agent accept` to remove from this host what the "
      "store does not know",
      reason_);
}

bool Hold::begin_for(datapath::Datapath& datapath, const std::string& store) {
  const std::size_t ports = datapath.counters().size();
  if (ports == 0) return false;
  begin(fmt::format("store {} has lost this host and its bindings; what forwards here ({} {}) goes on", store, ports,
                    ports == 1 ? "port" : "ports"));
  return true;
}

void Hold::end_if_known(const datapath::Desired& desired, datapath::Datapath& datapath, const std::string& store) {
  for (const datapath::PortCounters& port : datapath.counters())
    if (!desired.ports.contains(port.id)) return;
  log::info("store {} knows all ports that forward here: the hold ends", store);
  end();
}

void Hold::end() {
  reason_.clear();
  if (!file_.empty() && ::unlink(file_.c_str()) != 0 && errno != ENOENT)
    log::warning("{}", fail_errno(errno, "remove {}", file_).value().message);
}

}  // namespace midonet::agent
