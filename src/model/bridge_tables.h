// Entries of a bridge's tables. MacEntry and ArpEntry are the records of entries that were set by hand, /bridges/<b>/mac_table/<mac> and
// /bridges/<b>/arp_table/<ip>, whose key stands in the path. MacPort and Ip4Mac are entries over REST, also learned ones.
#pragma once

#include <string>

#include "base/ip.h"
#include "base/mac.h"
#include "base/uuid.h"
#include "model/record.h"

namespace midonet::model {

struct MacEntry {
  Uuid port_id;
  bool operator==(const MacEntry&) const = default;
};

struct ArpEntry {
  Mac mac;
  bool operator==(const ArpEntry&) const = default;
};

struct MacPort {
  Mac mac;
  Uuid port_id;
  bool operator==(const MacPort&) const = default;
};

struct Ip4Mac {
  Ip ip;
  Mac mac;
  bool operator==(const Ip4Mac&) const = default;
};

// Of an entry in URIs and messages: "02-00-00-00-00-01_<port>", "192.0.2.1_02-00-00-00-00-01".
std::string name_of(const MacPort& entry);
std::string name_of(const Ip4Mac& entry);

template <>
const Table& table<MacEntry>();
template <>
const Table& table<ArpEntry>();
template <>
const Table& table<MacPort>();
template <>
const Table& table<Ip4Mac>();

}  // namespace midonet::model
