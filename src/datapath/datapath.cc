#include "datapath/datapath.h"

#include <algorithm>

namespace midonet::datapath {

bool Applied::retry() const {
  if (!errors.empty() || !preceded.empty() || (!tunnel && tunnel.error().code != Code::invalid)) return true;
  // A wrong spec stays wrong, and an ifindex that is gone never comes back: those wait for another Desired.
  return std::any_of(ports.begin(), ports.end(), [](const auto& port) {
    const Status& status = port.second;
    return !status && status.error().code != Code::invalid && status.error().code != Code::not_found;
  });
}

}  // namespace midonet::datapath
