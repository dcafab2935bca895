// A hypervisor host, and what its agent reports of it. Records at /hosts/<id>, /hosts/<id>/alive, /hosts/<id>/interfaces/<name>.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/mac.h"
#include "base/uuid.h"
#include "model/record.h"

namespace midonet::model {

struct Host {
  Uuid id;
  std::string name;
  std::int64_t flooding_proxy_weight = 1;
  std::int64_t container_weight = 1;
  std::int64_t container_limit = -1;
  bool enforce_container_limit = false;
  bool operator==(const Host&) const = default;
};

// Ephemeral: there while the host's agent has a session.
struct Alive {
  std::int64_t pid = 0;
  std::string version;
  std::string started;  // RFC 3339
  bool operator==(const Alive&) const = default;
};

// Ephemeral: one network interface of the host as its agent sees it.
struct Interface {
  std::string name;
  std::string mac;  // "" when the link has none
  std::int64_t mtu = 0;
  std::string type;         // Physical, Virtual, Tunnel, Unknown
  std::string endpoint;     // PHYSICAL, TUNTAP, LOCALHOST, UNKNOWN
  std::int64_t status = 0;  // bit 0: up, bit 1: carrier (values 1 and 2)
  std::vector<std::string> addresses;
  bool operator==(const Interface&) const = default;
};

template <>
const Table& table<Host>();
template <>
const Table& table<Alive>();
template <>
const Table& table<Interface>();

}  // namespace midonet::model
