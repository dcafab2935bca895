#include "agent/observe/learned.h"

#include <algorithm>

namespace midonet::agent {

const Learned::Entry* Learned::find(Vni vni, const Mac& mac) const {
  const auto at = entries_.find({vni, mac});
  return at == entries_.end() ? nullptr : &at->second;
}

bool Learned::any(const Uuid& port) const {
  const auto at = ports_.find(port);
  return at != ports_.end() && !at->second.now.empty();
}

const Learned::Macs& Learned::offered(const Uuid& port) const {
  static const Macs none;
  const auto at = ports_.find(port);
  return at == ports_.end() ? none : at->second.offered;
}

void Learned::put(Vni vni, const Mac& mac, const Uuid& port, Moves moves) {
  const auto [at, fresh] = entries_.try_emplace({vni, mac}, Entry{port, moves});
  if (!fresh) {
    if (at->second.port == port && at->second.moves == moves) return;
    if (at->second.port != port && ports_[at->second.port].now.erase(mac) > 0) changed_.insert(at->second.port);
    at->second = {port, moves};
  }
  ports_[port].now[mac] = moves;
  changed_.insert(port);
}

void Learned::erase(std::map<std::pair<Vni, Mac>, Entry>::iterator at) {
  if (ports_[at->second.port].now.erase(at->first.second) > 0) changed_.insert(at->second.port);
  entries_.erase(at);
}

void Learned::heard(const datapath::FdbEntry& entry, const Elsewhere& elsewhere) {
  const Entry* own = find(entry.vni, entry.mac);
  const auto other = elsewhere(entry.vni, entry.mac);
  const Moves moves = std::max(other ? *other + 1 : 0, own ? own->moves : 0);
  put(entry.vni, entry.mac, entry.port, moves);
}

std::vector<std::pair<Vni, Mac>> Learned::aged(const std::vector<datapath::FdbEntry>& fdb, const Stored& stored,
                                               const Elsewhere& elsewhere) {
  std::set<std::pair<Vni, Mac>> there;
  std::vector<std::pair<Vni, Mac>> others;
  for (const datapath::FdbEntry& entry : fdb) {
    if (entry.configured || entry.vtep) continue;
    const auto number = stored(entry.port, entry.mac);
    const Entry* own = find(entry.vni, entry.mac);
    if (!own && !number && elsewhere(entry.vni, entry.mac)) {
      others.emplace_back(entry.vni, entry.mac);
      continue;
    }
    there.emplace(entry.vni, entry.mac);
    put(entry.vni, entry.mac, entry.port, std::max(own ? own->moves : 0, number.value_or(0)));
  }
  for (auto at = entries_.begin(); at != entries_.end();) {
    const auto here = at++;
    if (!there.contains(here->first)) erase(here);
  }
  return others;
}

void Learned::lost(Vni vni, const Mac& mac) {
  if (const auto at = entries_.find({vni, mac}); at != entries_.end()) erase(at);
}

void Learned::keep_ports(const std::function<bool(const Uuid& port)>& stays) {
  std::set<Uuid> gone;
  for (const auto& [port, at] : ports_)
    if (!stays(port)) gone.insert(port);
  forget_ports(gone);
}

void Learned::forget_ports(const std::set<Uuid>& ports) {
  std::set<Uuid> gone;
  for (const Uuid& port : ports)
    if (ports_.contains(port)) gone.insert(port);
  if (gone.empty()) return;
  std::erase_if(entries_, [&](const auto& entry) { return gone.contains(entry.second.port); });
  for (const Uuid& port : gone) {
    ports_.erase(port);
    changed_.erase(port);
  }
}

void Learned::clear() {
  entries_.clear();
  ports_.clear();
  changed_.clear();
}

Learned::Released Learned::release(Time now) {
  Released out;
  for (auto at = changed_.begin(); at != changed_.end();) {
    AtPort& port = ports_[*at];
    const auto back = std::min<std::int64_t>(port.spent, (now - port.since) / refill);
    port.spent -= static_cast<unsigned>(back);
    port.since = port.spent == 0 ? now : port.since + back * refill;
    if (port.now == port.offered) {
      at = changed_.erase(at);
    } else if (port.spent < burst) {
      ++port.spent;
      port.offered = port.now;
      out.ports.insert(*at);
      at = changed_.erase(at);
    } else {
      const Time due = port.since + refill;
      out.next = std::min(out.next.value_or(due), due);
      ++at;
    }
  }
  return out;
}

}  // namespace midonet::agent
