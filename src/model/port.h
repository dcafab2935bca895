// An exterior port of a bridge. Record at /ports/<id>. hostId and interfaceName say where it is bound; they
// change only with the binding at /hosts/<hostId>/ports/<id>, in one commit.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/ip.h"
#include "base/mac.h"
#include "base/uuid.h"
#include "model/record.h"

namespace midonet::model {

// An address that the orchestrator gave to the port.
struct FixedIp {
  std::optional<Uuid> subnet_id;  // the orchestrator's
  Ip ip_address;
  bool operator==(const FixedIp&) const = default;
};

// Other addresses that the guest may send from.
struct AddressPair {
  std::string ip_address;  // an address, or a prefix "192.0.2.0/24"
  std::optional<Mac> mac_address;
  bool operator==(const AddressPair&) const = default;
};

// A place to which a port is or was bound.
struct TakenFrom {
  Uuid host_id;
  std::string interface_name;
  bool operator==(const TakenFrom&) const = default;
};

struct Port {
  Uuid id;
  Uuid bridge_id;  // "bridgeId" in the record, "deviceId" over REST
  bool admin_state_up = true;
  std::optional<Mac> mac_address;
  std::optional<Uuid> host_id;
  std::optional<std::string> interface_name;
  std::optional<Uuid> vif_id;
  std::string name;
  std::vector<FixedIp> fixed_ips;
  std::vector<AddressPair> allowed_address_pairs;
  std::vector<Uuid> security_group_ids;
  std::optional<bool> port_security;  // true: its guest sends from its own addresses alone
  std::optional<std::int64_t> vlan_id;
  std::optional<std::int64_t> tunnel_key;
  std::optional<Uuid> inbound_filter_id;
  std::optional<Uuid> outbound_filter_id;
  std::optional<Uuid> taken_from_host;
  std::optional<std::string> taken_from_interface;

  // Where the port was bound before it was taken over, so that its guest may still run there (ADR 9). Attach and detach write
  // it; it stays until the port is unbound, given back or taken over again.
  std::optional<TakenFrom> taken_from() const;
  void set_taken_from(const std::optional<TakenFrom>& from);

  bool operator==(const Port&) const = default;
};

// Addresses that have their first `length` bits in common.
struct Prefix {
  Ip ip;
  std::uint8_t length = 0;
};
// Of an IPv4 or IPv6 address alone (all of its bits), or of one with a prefix length. invalid.
Result<Prefix> parse_prefix(std::string_view text);
Status check_address_or_prefix(std::string_view text);

template <>
const Table& table<FixedIp>();
template <>
const Table& table<AddressPair>();
template <>
const Table& table<Port>();

}  // namespace midonet::model
