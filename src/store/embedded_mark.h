// The mark of an embedded store: a small file beside it with the store's identity and the commit that was answered last. A store file
// that is behind its mark has lost records: its write-ahead log was truncated, deleted or damaged, or the file was replaced. Without
// the mark, that looks like a commit that was never made.
//
// The mark is written after the commit is durable, and is not flushed. So after a crash or a power cut it may be behind the
// store, never ahead: a healthy store is never refused, and a commit costs one more write to memory. It has two slots of 64
// bytes, written in turn, each with a checksum:
//   <identity as UUID> <revision, 16 hex digits> <FNV-1a of all before it, 8 hex digits><space><newline>
//
// Blocking; on the loop's thread. Used by embedded_file.cc and embedded_tree.cc.
#pragma once

#include <optional>
#include <string>

#include "base/result.h"
#include "base/unique_fd.h"
#include "base/uuid.h"
#include "store/store.h"

namespace midonet::store {

class EmbeddedMark {
 public:
  struct Content {
    Uuid identity;
    Revision revision = 0;
    bool operator==(const Content&) const = default;
  };

  EmbeddedMark() = default;  // of a store in memory: note() does nothing
  // Reads the mark; one that is absent or has no valid slot has no content. The file is not made.
  static Result<EmbeddedMark> open(std::string path);

  const std::string& path() const { return path_; }
  const std::optional<Content>& content() const { return content_; }
  // Replaces the mark's content, durably; the file is made (0600) if it is absent.
  Status replace(const Content& content);
  // The commit of this revision is durable. A failure leaves the mark behind the store, and is logged once.
  void note(Revision revision);

 private:
  Status write(int slot, const Content& content);

  std::string path_;
  UniqueFd fd_;
  std::optional<Content> content_;
  int next_ = 0;  // the slot to be written
  bool complained_ = false;
};

}  // namespace midonet::store
