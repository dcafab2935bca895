#include "agent/neighbours.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace midonet::agent {

namespace {

bool of_a_station(const Mac& mac) { return !mac.is_multicast() && !mac.is_zero(); }

// Neither unspecified, nor a group's, nor reserved (RFC 1112, section 4), which the broadcast address is.
bool of_a_station(const Ip& ip) {
  const auto bytes = ip.bytes();
  if (std::all_of(bytes.begin(), bytes.end(), [](std::uint8_t byte) { return byte == 0; })) return false;
  return ip.is_v4() ? bytes[0] < 224 : bytes[0] != 0xff;
}

}  // namespace

std::vector<Ip> known_addresses(const model::Port& port) {
  std::vector<Ip> out;
  if (!port.admin_state_up || !port.mac_address || !of_a_station(*port.mac_address)) return out;
  for (const model::FixedIp& fixed : port.fixed_ips)
    if (of_a_station(fixed.ip_address)) out.push_back(fixed.ip_address);
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  if (out.size() > most_known_addresses) out.resize(most_known_addresses);
  return out;
}

void append_neighbours(const model::OfferedPort& offered, std::vector<Neighbour>& out) {
  const Mac* configured = nullptr;
  for (const Mac& mac : offered.macs) {
    if (offered.learned.contains(mac) || !of_a_station(mac)) continue;
    if (configured) return;
    configured = &mac;
  }
  if (!configured) return;
  for (const Ip& ip : offered.ips)
    if (of_a_station(ip)) out.push_back({ip, *configured, offered.revision, offered.port_id});
}

void settle_neighbours(std::vector<Neighbour> claims, std::map<Ip, Mac>& neighbours) {
  std::erase_if(claims, [](const Neighbour& claim) { return !claim.ip.is_v4(); });
  std::sort(claims.begin(), claims.end(), [](const Neighbour& a, const Neighbour& b) {
    return std::tie(a.ip, b.revision, b.port) < std::tie(b.ip, a.revision, a.port);
  });
  for (const Neighbour& claim : claims) neighbours.try_emplace(claim.ip, claim.mac);
}

}  // namespace midonet::agent
