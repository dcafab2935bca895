// The entries of a BPF map that the agent alone writes, each of one bridge: what is known to be in the kernel, what has to
// change, and what did. Pure data; one thread.
//
// A table is declared by a type:
//
//   struct Fdb {
//     using Key = abi::fdb_key;              // begins with the bridge's VNI, `vni`
//     using Value = abi::fdb_entry;
//     static constexpr const char* name;     // for messages
//     static const BpfMap<Key, Value>& map(const Maps&);
//     // Appends what a bridge should have, given what is known to be there; of two entries with one key the first counts.
//     static void want(const BridgeView&, const Entries<Fdb>& known, Wanted<Fdb>& wanted);
//     // Whether an entry that is not wanted goes; perhaps the view is not complete.
//     static bool goes(const BridgeView&, const Key&, const Value&);
//     // Whether the agent can have written it. What it can't have written is removed when it is read.
//     static bool valid(const Key&, const Value&);
//     static constexpr bool chunks;          // keys are numbered without a gap (abi::members_key)
//   };
//
// KernelTable<T> holds what is known, difference() says what has to be written, and write.h writes it, reads it back and keeps
// what is known up to date. tables.h has the declarations.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <map>
#include <type_traits>
#include <utility>
#include <vector>

namespace midonet::datapath {

// Keys and values of maps are compared as the kernel does: byte by byte. Padding is always zero.
template <class T>
bool same(const T& a, const T& b) {
  static_assert(std::is_trivially_copyable_v<T>);
  return std::memcmp(&a, &b, sizeof a) == 0;
}

struct BytesLess {
  template <class T>
  bool operator()(const T& a, const T& b) const {
    return std::memcmp(&a, &b, sizeof a) < 0;
  }
};

template <class Table>
using Entries = std::map<typename Table::Key, typename Table::Value, BytesLess>;
template <class Table>
using Wanted = std::vector<std::pair<typename Table::Key, typename Table::Value>>;

// Sets in ascending order of the keys, removals in descending order: chunks have no gap at any moment.
template <class Table>
struct Changes {
  std::vector<std::pair<typename Table::Key, typename Table::Value>> set;
  std::vector<typename Table::Key> gone;
  bool empty() const { return set.empty() && gone.empty(); }
};

template <class Table>
class KernelTable {
 public:
  using Declaration = Table;
  using Key = typename Table::Key;
  using Value = typename Table::Value;
  using Entries = datapath::Entries<Table>;

  // Of one bridge; none when it has none.
  const Entries& of(std::uint32_t vni) const {
    static const Entries none;
    const auto found = bridges_.find(vni);
    return found != bridges_.end() ? found->second : none;
  }
  const std::map<std::uint32_t, Entries>& bridges() const { return bridges_; }  // by VNI; none that is empty

  bool holds(const Key& key, const Value& value) const {
    const Entries& entries = of(key.vni);
    const auto found = entries.find(key);
    return found != entries.end() && same(found->second, value);
  }
  bool contains(const Key& key) const { return of(key.vni).contains(key); }

  void put(const Key& key, const Value& value) { bridges_[key.vni].insert_or_assign(key, value); }
  void remove(const Key& key) {
    const auto bridge = bridges_.find(key.vni);
    if (bridge == bridges_.end()) return;
    bridge->second.erase(key);
    if (bridge->second.empty()) bridges_.erase(bridge);
  }
  void apply(const Changes<Table>& changes) {
    for (const auto& [key, value] : changes.set) put(key, value);
    for (const Key& key : changes.gone) remove(key);
  }

  // Adds to `changes` what makes the bridge of `view` as it should be.
  template <class View>
  void difference(const View& view, Changes<Table>& changes) const {
    const Entries& known = of(view.vni);
    Wanted<Table> wanted;
    Table::want(view, known, wanted);
    const auto before = [](const auto& a, const auto& b) { return BytesLess()(a.first, b.first); };
    if (!std::is_sorted(wanted.begin(), wanted.end(), before)) std::stable_sort(wanted.begin(), wanted.end(), before);
    const auto equal = [](const auto& a, const auto& b) { return same(a.first, b.first); };
    wanted.erase(std::unique(wanted.begin(), wanted.end(), equal), wanted.end());

    std::vector<Key> gone;
    auto entry = known.begin();
    const auto leave = [&] {
      if (Table::goes(view, entry->first, entry->second)) gone.push_back(entry->first);
      ++entry;
    };
    for (const auto& [key, value] : wanted) {
      while (entry != known.end() && BytesLess()(entry->first, key)) leave();
      const bool there = entry != known.end() && same(entry->first, key);
      if (!there || !same(entry->second, value)) changes.set.emplace_back(key, value);
      if (there) ++entry;
    }
    while (entry != known.end()) leave();
    changes.gone.insert(changes.gone.end(), gone.rbegin(), gone.rend());
  }

 private:
  std::map<std::uint32_t, Entries> bridges_;
};

// The declaration of a KernelTable, of a reference to one, too.
template <class Table>
using Declaration = typename std::remove_cvref_t<Table>::Declaration;

}  // namespace midonet::datapath
