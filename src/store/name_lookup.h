// Names of hosts to addresses, without blocking the loop.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/loop.h"
#include "store/zookeeper_address.h"

namespace midonet::store {

// `done` gets the servers' addresses in the library's form ("192.0.2.1:2181", "2001:db8::1:2181"), each once;
// unavailable when none of the names is known now. If only some of them are unknown, these get a line in the log. `done` runs later, on
// the loop's thread, unless the returned object is destroyed before.
[[nodiscard]] std::shared_ptr<void> look_up(Loop& loop, const std::vector<ZookeeperAddress::Server>& servers,
                                            std::function<void(Result<std::vector<std::string>>)> done);

}  // namespace midonet::store
