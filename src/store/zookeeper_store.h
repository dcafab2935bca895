// The store on a ZooKeeper ensemble, through ZooKeeper's own C library. One session for each Store object.
//
// On the loop's thread; the library's threads only post to it (zookeeper_handle.h). Beyond what store.h promises:
//   * While no server answers, calls wait until their patience is over, and then fail with Code::unavailable. So a change of
//     servers or an election is a delay, not an error. Reads that were under way when a connection broke are sent again.
//     A commit that was under way is not: it is unknown whether it was done, and its message says so.
//   * A server that takes a connection and does not answer within two seconds is left for the next one.
//   * A session that the servers have ended is replaced by a new one (State::new_session); the process goes on.
//   * With a session file, destroying the Store leaves the session to the next process, until it times out.
//   * A get or list of an absent node, with a watch, takes effect when its watch is set, which may be after commits of the
//     same session that were called a moment later. If the node appeared meanwhile, the answer is still not_found, and
//     the watch fires right after it.
#pragma once

#include <memory>
#include <string>

#include "base/loop.h"
#include "store/store.h"
#include "store/uri.h"
#include "store/zookeeper_address.h"

namespace midonet::store {

// A store that connects as soon as a server answers, and makes its root where it is missing. forbidden, not_found …: the
// secret's file cannot be used.
Result<std::unique_ptr<Store>> connect_zookeeper(Loop& loop, const ZookeeperAddress& address,
                                                 const OpenOptions& options);

}  // namespace midonet::store
