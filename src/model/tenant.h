// A tenant as the records know it: the owner of a bridge. No record of its own.
#pragma once

#include <string>

#include "model/record.h"

namespace midonet::model {

struct Tenant {
  std::string id;
};

template <>
const Table& table<Tenant>();

}  // namespace midonet::model
