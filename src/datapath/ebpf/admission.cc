// EbpfDatapath and the map "admitted": which addresses may send through the tunnel, and to which of this host's.
#include "datapath/ebpf/admission.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/log.h"
#include "datapath/ebpf/ebpf_datapath.h"
#include "datapath/ebpf/round.h"

namespace midonet::datapath {

void Leaving::keep(const std::function<bool(const Delta::Admission&)>& in_scope,
                   const std::set<Delta::Admission>& gone) {
  const Clock::time_point due = Clock::now() + linger_;
  std::erase_if(due_, [&](const auto& entry) { return in_scope(entry.first) && !gone.contains(entry.first); });
  for (const auto& admission : gone) due_.try_emplace(admission, due);
  arm();
}

void Leaving::clear() {
  due_.clear();
  timer_.cancel();
}

void Leaving::arm() {
  if (due_.empty()) return timer_.cancel();
  const auto first =
      std::min_element(due_.begin(), due_.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  timer_ = loop_.after(std::max(first->second - Clock::now(), Clock::duration::zero()), [this] { fire(); });
}

void Leaving::fire() {
  const Clock::time_point now = Clock::now();
  std::vector<Delta::Admission> over;
  std::erase_if(due_, [&](const auto& entry) {
    if (entry.second > now) return false;
    over.push_back(entry.first);
    return true;
  });
  arm();
  for (const auto& admission : over) remove_(admission);
}

Status EbpfDatapath::read_admitted(Tables& read) {
  const auto& map = objects_->maps().admitted;
  const auto entries = map.entries();
  if (!entries) return tl::unexpected(entries.error());
  for (const auto& [key, one] : *entries) {
    const auto address = ip_of(key.vtep);
    if (key.vni == MIDONET_THIS_HOST && address) {
      read.addresses.insert(*address);
    } else if (address) {
      read.bridges[key.vni].admitted.insert(*address);
    } else if (key.vtep.family == 0 && key.vni != MIDONET_THIS_HOST) {
      read.bridges[key.vni].open = true;
    } else if (auto removed = map.remove(key); !removed) {  // of nobody's making
      return removed;
    }
  }
  if (!std::exchange(admits_anew_, false)) return {};
  // The programs that run now let every address send. Those of this version refuse nothing until the records were read.
  std::set<std::uint32_t> bridges;
  for (const auto& [ifindex, port] : read.ports) bridges.insert(port.vni);
  for (const std::uint32_t vni : bridges) {
    if (auto written = map.put(admitted_key(vni, std::nullopt), 1); !written) return written;
    read.bridges[vni].open = true;
  }
  return {};
}

void EbpfDatapath::write_admitted(Round& round) {
  const auto& map = objects_->maps().admitted;
  for (const auto& admission : round.delta.admitted_set) {
    if (const auto written = map.put(admitted_key(admission.vni, admission.address), 1); !written) {
      round.fail_bridge(admission.vni, written.error());
      continue;
    }
    Delta one;
    one.admitted_set.push_back(admission);
    apply_to(known_, one);
  }
  std::set<Delta::Admission> leaving;
  for (const auto& admission : round.delta.admitted_gone) {
    if (admission.address) {
      leaving.insert(admission);
    } else {
      remove_admitted(admission);
    }
  }
  leaving_.keep(
      [&](const Delta::Admission& admission) {
        const auto vni = Vni::from(admission.vni);
        return vni && round.in_scope(*vni);
      },
      leaving);
}

void EbpfDatapath::remove_admitted(const Delta::Admission& admission) {
  const auto& [vni, address] = admission;
  if (const auto removed = objects_->maps().admitted.remove(admitted_key(vni, address)); !removed) {
    log::warning("{}", removed.error().message);
    stale_ = true;  // the next apply() finds it again
    return;
  }
  if (vni == MIDONET_THIS_HOST) {
    known_.addresses.erase(*address);
    return;
  }
  Delta one;
  one.admitted_gone.push_back(admission);
  apply_to(known_, one);
}

Status EbpfDatapath::write_addresses(const std::optional<TunnelSpec>& tunnel, Sweep sweep) {
  std::set<Ip> wanted;
  if (tunnel) {
    wanted = tunnel->addresses;
    wanted.insert(tunnel->local);
  }
  for (const Ip& address : wanted) {
    if (known_.addresses.contains(address)) continue;
    if (auto written = objects_->maps().admitted.put(admitted_key(MIDONET_THIS_HOST, address), 1); !written)
      return written;
    known_.addresses.insert(address);
  }
  std::set<Delta::Admission> leaving;
  for (const Ip& address : known_.addresses) {
    if (!wanted.contains(address) && sweep == Sweep::yes) leaving.insert({MIDONET_THIS_HOST, address});
  }
  leaving_.keep([](const Delta::Admission& admission) { return admission.vni == MIDONET_THIS_HOST; }, leaving);
  return {};
}

}  // namespace midonet::datapath
