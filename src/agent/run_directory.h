// The folder that one running agent has to itself (socket, lock), and the BPF file system that its pins live in. Used by
// main before the loop runs; blocking.
#pragma once

#include <string>

#include "base/result.h"
#include "base/unique_fd.h"

namespace midonet::agent {

class RunDirectory {
 public:
  // Makes the folder where it is missing and locks it (PATH/midolman.lock) for as long as this object, and so this process,
  // lives. conflict: another agent has it; the message names its process.
  //
  // The folder and the lock are root's alone (0700, 0600): a user who could open the lock could hold it, and keep every
  // agent from starting. A folder that holds other files keeps its mode.
  static Result<RunDirectory> claim(const std::string& path);

  const std::string& path() const { return path_; }
  std::string socket() const { return path_ + "/midolman.sock"; }
  // The lock's device and inode: what tells two run directories of one machine apart, also those of containers.
  std::string lock_id() const;

 private:
  std::string path_;
  UniqueFd lock_;
};

// The folder of this agent's pins in the BPF file system at `bpffs`: BPFFS/midolman/<run directory with '/' as '-'>, so
// that agents with different run directories do not share any. Where that could be another directory's too (a '-' or a '.'
// in its name), a checksum of the whole path follows. Symbolic links are resolved first.
std::string pin_directory(const std::string& bpffs, const std::string& run_directory);

// Mounts a BPF file system at `path` unless there is one. invalid: another file system is mounted just there.
Status ensure_bpffs(const std::string& path);

}  // namespace midonet::agent
