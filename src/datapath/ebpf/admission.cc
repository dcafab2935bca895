// EbpfDatapath and the map "admitted": which addresses may send through the tunnel, and to which of this host's.
#include "datapath/ebpf/admission.h"

#include <algorithm>
#include <set>
#include <utility>
#include <vector>

#include "base/log.h"
#include "datapath/ebpf/ebpf_datapath.h"
#include "datapath/ebpf/round.h"

namespace midonet::datapath {

void Leaving::keep(const std::function<bool(const abi::admitted_key&)>& in_scope,
                   const std::vector<abi::admitted_key>& gone) {
  const Clock::time_point due = Clock::now() + linger_;
  const std::set<abi::admitted_key, BytesLess> leaving(gone.begin(), gone.end());
  std::erase_if(due_, [&](const auto& entry) { return in_scope(entry.first) && !leaving.contains(entry.first); });
  for (const auto& key : leaving) due_.try_emplace(key, due);
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
  std::vector<abi::admitted_key> over;
  std::erase_if(due_, [&](const auto& entry) {
    if (entry.second > now) return false;
    over.push_back(entry.first);
    return true;
  });
  arm();
  for (const auto& key : over) remove_(key);
}

// The programs that ran before the map was made let every address send. Those of this version refuse none until the records were
// read.
Status EbpfDatapath::open_bridges(Tables& read) {
  if (!std::exchange(admits_anew_, false)) return {};
  std::set<std::uint32_t> bridges;
  for (const auto& [ifindex, port] : read.ports) bridges.insert(port.vni);
  for (const std::uint32_t vni : bridges) {
    const auto any = admitted_key(vni, std::nullopt);
    if (auto written = objects_->maps().admitted.put(any, 1); !written) return written;
    read.of<Admitted>().put(any, 1);
  }
  return {};
}

// That any address may send ends at once; an address that may no longer send is taken for a while.
void EbpfDatapath::expire_admitted(Round& round) {
  std::vector<abi::admitted_key> leaving;
  auto& gone = round.delta.of<Admitted>().gone;
  for (const auto& key : std::exchange(gone, {})) {
    if (ip_of(key.vtep))
      leaving.push_back(key);
    else
      gone.push_back(key);
  }
  leaving_.keep(
      [&](const abi::admitted_key& key) {
        const auto vni = Vni::from(key.vni);
        return vni && round.in_scope(*vni);
      },
      leaving);
}

void EbpfDatapath::remove_admitted(const abi::admitted_key& key) {
  if (const auto removed = objects_->maps().admitted.remove(key); !removed) {
    log::warning("{}", removed.error().message);
    stale_ = true;  // the next apply() finds it again
    return;
  }
  known_.of<Admitted>().remove(key);
}

Status EbpfDatapath::write_addresses(const std::optional<TunnelSpec>& tunnel, Sweep sweep) {
  std::set<Ip> wanted;
  if (tunnel) {
    wanted = tunnel->addresses;
    wanted.insert(tunnel->local);
  }
  auto& admitted = known_.of<Admitted>();
  for (const Ip& address : wanted) {
    const auto key = admitted_key(MIDONET_THIS_HOST, address);
    if (admitted.contains(key)) continue;
    if (auto written = objects_->maps().admitted.put(key, 1); !written) return written;
    admitted.put(key, 1);
  }
  std::vector<abi::admitted_key> leaving;
  for (const auto& [key, one] : admitted.of(MIDONET_THIS_HOST)) {
    const auto address = ip_of(key.vtep);
    if (address && !wanted.contains(*address) && sweep == Sweep::yes) leaving.push_back(key);
  }
  leaving_.keep([](const abi::admitted_key& key) { return key.vni == MIDONET_THIS_HOST; }, leaving);
  return {};
}

}  // namespace midonet::datapath
