// The API about itself: the URIs of its resources, and the state of the system. Not stored; every field is derived.
#pragma once

#include "model/record.h"

namespace midonet::model {

struct Application {};
struct SystemState {};

// An answer has only the links that are served, and the one to a router, which clients need in any case.
template <>
const Table& table<Application>();
template <>
const Table& table<SystemState>();

}  // namespace midonet::model
