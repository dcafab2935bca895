#include "agent/plan/guard.h"

namespace midonet::agent {

std::optional<datapath::Guard> guard_of(const model::Port& port) {
  if (!port.port_security.value_or(false)) return {};
  datapath::Guard guard;
  guard.mac = port.mac_address;
  const auto allow = [&](const std::optional<Mac>& mac, const Ip& ip, std::uint8_t length) {
    if (mac) guard.addresses.insert({*mac, ip, length});
  };
  for (const model::FixedIp& fixed : port.fixed_ips)
    allow(port.mac_address, fixed.ip_address, static_cast<std::uint8_t>(fixed.ip_address.bytes().size() * 8));
  for (const model::AddressPair& pair : port.allowed_address_pairs)
    if (const auto prefix = model::parse_prefix(pair.ip_address))
      allow(pair.mac_address ? pair.mac_address : port.mac_address, prefix->ip, prefix->length);
  return guard;
}

}  // namespace midonet::agent
