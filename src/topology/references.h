// Referential checks from the tables: what a record refers to must exist. Used by the verbs that create and update.
#pragma once

#include "base/result.h"
#include "model/field.h"
#include "store/store.h"

namespace midonet::topology {

// not_found, "There is no Chain with ID …", for the first reference that a client may set and that leads nowhere.
Status check_references(store::View& view, const model::Table& table, const void* record);

template <class R>
Status check_references(store::View& view, const R& record) {
  return check_references(view, model::table<R>(), &record);
}

}  // namespace midonet::topology
