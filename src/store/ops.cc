#include "store/ops.h"

#include "store/path.h"

namespace midonet::store {

Status check_ops(const std::vector<Op>& ops) {
  if (ops.empty()) return fail(Code::invalid, "commit: it is empty");
  for (const Op& op : ops) {
    if (auto well_formed = check_path(op.path); !well_formed) return well_formed;
    if (op.value.size() > max_value_bytes) {
      return fail(Code::invalid, "{}: a value of {} bytes, more than the {} that a node may have", op.path,
                  op.value.size(), max_value_bytes);
    }
    if (op.version < any_version) return fail(Code::invalid, "{}: {} is not a version", op.path, op.version);
  }
  return {};
}

}  // namespace midonet::store
