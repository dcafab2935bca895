#include "agent/plan/neighbours.h"

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

void append_neighbours(const model::OfferedPort& offered, const Uuid& host, std::vector<Neighbour>& out) {
  const auto configured = offered.configured();
  if (!configured || !of_a_station(*configured)) return;
  for (const Ip& ip : offered.ips)
    if (of_a_station(ip)) out.push_back({ip, *configured, offered.port_id, !offered.down, host});
}

std::vector<NeighbourConflict> settle_neighbours(std::vector<Neighbour> claims, std::map<Ip, Mac>& neighbours) {
  std::vector<NeighbourConflict> conflicts;
  std::erase_if(claims, [&](const Neighbour& claim) { return !claim.ip.is_v4() || neighbours.contains(claim.ip); });
  std::sort(claims.begin(), claims.end(), [](const Neighbour& a, const Neighbour& b) {
    return std::tie(a.ip, b.active, a.port, a.host) < std::tie(b.ip, a.active, b.port, b.host);
  });
  for (auto first = claims.begin(); first != claims.end();) {
    const auto end = std::find_if(first, claims.end(), [&](const Neighbour& claim) { return claim.ip != first->ip; });
    const bool one =
        std::all_of(first, end, [&](const Neighbour& claim) { return !claim.active || claim.mac == first->mac; });
    if (one && first->active) neighbours.emplace(first->ip, first->mac);
    for (auto claim = first; claim != end; ++claim) {
      if (claim->host) continue;
      const auto other = std::find_if(first, end, [&](const Neighbour& candidate) {
        return candidate.port != claim->port && candidate.mac != claim->mac;
      });
      if (other != end) conflicts.push_back({claim->port, *other});
    }
    first = end;
  }
  return conflicts;
}

}  // namespace midonet::agent
