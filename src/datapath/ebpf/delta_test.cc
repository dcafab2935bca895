// The difference between what is desired and what the kernel holds, without a kernel.
#include "datapath/ebpf/delta.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace midonet::datapath::delta_test {
namespace {

constexpr std::uint32_t max_ports = 300;

Uuid id_number(std::uint8_t number) {
  std::array<std::uint8_t, 16> bytes{};
  bytes[15] = number;
  return Uuid(bytes);
}

Mac mac_number(std::uint8_t number) { return Mac({2, 0, 0, 0, 0, number}); }
Ip vtep_number(std::uint8_t number) { return Ip::v4({198, 51, 100, number}); }
Vni vni(std::uint32_t number) { return Vni::from(number).value(); }

// Few ids, interfaces, MACs and bridges, so that they collide in every way.
Desired any_desired() {
  Desired desired;
  const auto bridges = *rc::gen::inRange(1, 4);
  for (int i = 1; i <= bridges; i++) {
    BridgeSpec bridge{.vni = vni(static_cast<std::uint32_t>(i)), .admin_up = *rc::gen::arbitrary<bool>()};
    for (const auto number : *rc::gen::container<std::vector<std::uint8_t>>(rc::gen::inRange<std::uint8_t>(0, 12)))
      bridge.static_macs.emplace(mac_number(number), id_number(*rc::gen::inRange<std::uint8_t>(0, 100)));
    for (const auto number : *rc::gen::container<std::vector<std::uint8_t>>(rc::gen::inRange<std::uint8_t>(0, 12)))
      bridge.neighbours.emplace(Ip::v4({192, 0, 2, number}), mac_number(*rc::gen::inRange<std::uint8_t>(0, 12)));
    for (const auto number : *rc::gen::container<std::vector<std::uint8_t>>(rc::gen::inRange<std::uint8_t>(0, 60)))
      bridge.peers.insert(vtep_number(number));
    for (const auto number : *rc::gen::container<std::vector<std::uint8_t>>(rc::gen::inRange<std::uint8_t>(0, 80)))
      bridge.sources.insert(vtep_number(number));
    for (const auto number : *rc::gen::container<std::vector<std::uint8_t>>(rc::gen::inRange<std::uint8_t>(0, 12)))
      bridge.remote_macs.emplace(mac_number(number), RemoteMac{vtep_number(*rc::gen::inRange<std::uint8_t>(0, 4)),
                                                               *rc::gen::arbitrary<bool>()});
    desired.bridges.emplace(bridge.vni, bridge);
  }
  if (*rc::gen::inRange(0, 4) != 0)
    desired.tunnel = TunnelSpec{.local = vtep_number(*rc::gen::inRange<std::uint8_t>(0, 3)), .mtu = 1450};
  for (const auto number : *rc::gen::container<std::vector<std::uint8_t>>(rc::gen::inRange<std::uint8_t>(0, 100))) {
    PortSpec port{.id = id_number(number),
                  .vni = vni(*rc::gen::inRange<std::uint32_t>(1, 5)),
                  .ifindex = *rc::gen::inRange<std::uint32_t>(0, 120),
                  .interface = "tap"};
    if (*rc::gen::arbitrary<bool>()) port.mac = mac_number(*rc::gen::inRange<std::uint8_t>(0, 12));
    port.admin_up = *rc::gen::arbitrary<bool>();
    desired.ports.emplace(port.id, port);
  }
  return desired;
}

// What a kernel may hold that others had their hands on.
Tables any_tables() {
  Tables tables;
  for (const auto ifindex : *rc::gen::container<std::vector<std::uint32_t>>(rc::gen::inRange<std::uint32_t>(1, 120))) {
    abi::port port{};
    port.vni = *rc::gen::inRange<std::uint32_t>(0, 6);
    port.slot = *rc::gen::inRange<std::uint32_t>(0, max_ports + 10);
    port.id[15] = *rc::gen::inRange<std::uint8_t>(0, 100);
    tables.ports.emplace(ifindex, port);
  }
  const auto any = [](auto low, auto high) { return *rc::gen::inRange<decltype(low)>(low, high); };
  const auto few = [](std::uint8_t end) {
    return *rc::gen::container<std::vector<std::uint8_t>>(rc::gen::inRange<std::uint8_t>(0, end));
  };
  for (std::uint32_t number = 0; number < 6; number++) {
    for (std::uint32_t chunk = any(0U, 4U); chunk-- > 0;) {
      abi::members members{};
      for (auto& place : members.ifindex) place = any(0U, 120U);
      tables.of<Members>().put({.vni = number, .chunk = chunk}, members);
    }
    for (std::uint32_t chunk = any(0U, 3U); chunk-- > 0;) {
      abi::peers peers{};
      for (auto& place : peers.vtep)
        if (*rc::gen::arbitrary<bool>()) place = vtep_of(vtep_number(any(std::uint8_t{0}, std::uint8_t{60})));
      tables.of<Peers>().put({.vni = number, .chunk = chunk}, peers);
    }
    for (const auto mac : few(12))
      tables.of<Fdb>().put(fdb_key(number, mac_number(mac)), {.ifindex = any(0U, 120U), .reserved = 0});
    for (const auto mac : few(12))
      tables.of<Remotes>().put(fdb_key(number, mac_number(mac)),
                               {.vtep = vtep_of(vtep_number(any(std::uint8_t{0}, std::uint8_t{4}))), .configured = 1});
    for (const auto source : few(80)) tables.of<Admitted>().put(admitted_key(number, vtep_number(source)), 1);
    if (*rc::gen::arbitrary<bool>()) tables.of<Admitted>().put(admitted_key(number, std::nullopt), 1);
  }
  return tables;
}

Circumstances everything() { return {.scope = {}, .max_ports = max_ports, .unusable = {}, .owns_clsact = {}}; }

// The places of a table of chunks; 0 or nothing for a free one.
std::vector<std::uint32_t> places_of(const Entries<Members>& chunks) {
  std::vector<std::uint32_t> places;
  for (const auto& [key, chunk] : chunks)
    places.insert(places.end(), std::begin(chunk.ifindex), std::end(chunk.ifindex));
  return places;
}

std::vector<std::optional<Ip>> places_of(const Entries<Peers>& chunks) {
  std::vector<std::optional<Ip>> places;
  for (const auto& [key, chunk] : chunks)
    std::transform(std::begin(chunk.vtep), std::end(chunk.vtep), std::back_inserter(places), ip_of);
  return places;
}

// What forwarding depends on, whatever the slots and places.
struct Bridge {
  std::multiset<std::uint32_t> members;
  std::map<Mac, std::uint32_t> fdb;
  std::map<std::uint32_t, Mac> neighbours;
  std::map<Mac, RemoteMac> remotes;
  std::multiset<Ip> peers;
  std::set<Ip> admitted;
  bool open = false;
  bool operator==(const Bridge&) const = default;
};

Bridge bridge_of(const Tables& tables, std::uint32_t number) {
  Bridge bridge;
  for (const std::uint32_t ifindex : places_of(tables.of<Members>().of(number)))
    if (ifindex != 0) bridge.members.insert(ifindex);
  for (const auto& [key, entry] : tables.of<Fdb>().of(number)) bridge.fdb[mac_of(key.mac)] = entry.ifindex;
  for (const auto& [key, entry] : tables.of<Neighbours>().of(number)) bridge.neighbours[key.ip] = mac_of(entry.mac);
  for (const auto& [key, entry] : tables.of<Remotes>().of(number))
    bridge.remotes[mac_of(key.mac)] = {*ip_of(entry.vtep), entry.configured != 0};
  for (const auto& peer : places_of(tables.of<Peers>().of(number)))
    if (peer) bridge.peers.insert(*peer);
  for (const auto& [key, one] : tables.of<Admitted>().of(number)) {
    if (const auto address = ip_of(key.vtep))
      bridge.admitted.insert(*address);
    else
      bridge.open = true;
  }
  return bridge;
}

std::set<std::uint32_t> bridges_of(const Tables& tables) {
  std::set<std::uint32_t> bridges;
  const auto add = [&](const auto& table) {
    for (const auto& [vni, entries] : table.bridges()) bridges.insert(vni);
  };
  std::apply([&](const auto&... table) { (add(table), ...); }, tables.of_bridges);
  return bridges;
}

struct Meaning {
  std::map<std::uint32_t, std::tuple<std::uint32_t, std::uint32_t, Mac, Uuid>> ports;
  std::map<std::uint32_t, Bridge> bridges;
  bool operator==(const Meaning&) const = default;
};

Meaning meaning(const Tables& tables) {
  Meaning meaning;
  for (const auto& [ifindex, port] : tables.ports)
    meaning.ports[ifindex] = {port.vni, port.flags, mac_of(port.mac), id_of(port)};
  for (const std::uint32_t number : bridges_of(tables)) meaning.bridges[number] = bridge_of(tables, number);
  return meaning;
}

// True of whatever the kernel may hold after an apply.
void check_sound(const Tables& tables) {
  std::set<std::uint32_t> slots;
  for (const auto& [ifindex, port] : tables.ports) {
    RC_ASSERT(port.slot < max_ports);
    RC_ASSERT(slots.insert(port.slot).second);
  }
  const auto no_gaps = [](const auto& table) {
    for (const auto& [number, chunks] : table.bridges()) {
      std::uint32_t next = 0;
      for (const auto& [key, chunk] : chunks) RC_ASSERT(key.chunk == next++);
    }
  };
  no_gaps(tables.of<Members>());
  no_gaps(tables.of<Peers>());
  for (const std::uint32_t number : bridges_of(tables)) {
    const Bridge bridge = bridge_of(tables, number);
    for (const auto& [mac, ifindex] : bridge.fdb) {
      RC_ASSERT(tables.ports.contains(ifindex));
      RC_ASSERT(tables.ports.at(ifindex).vni == number);
    }
    RC_ASSERT(std::set<Ip>(bridge.peers.begin(), bridge.peers.end()).size() == bridge.peers.size());
    for (const std::uint32_t ifindex : bridge.members) RC_ASSERT(tables.ports.at(ifindex).vni == number);
  }
  for (const auto& [ifindex, port] : tables.ports) RC_ASSERT(bridge_of(tables, port.vni).members.count(ifindex) == 1U);
}

template <class Property>
void check(Property property) {
  const bool holds = rc::check(property);
  EXPECT_TRUE(holds);
}

TEST(Delta, WhateverTheKernelHeldASweepMakesItWhatIsDesiredAndASecondOneDoesNothing) {
  check([] {
    const Desired desired = any_desired();
    Tables tables = any_tables();
    apply_to(tables, difference(tables, desired, Sweep::yes, everything()));
    check_sound(tables);
    const Delta second = difference(tables, desired, Sweep::yes, everything());
    RC_ASSERT(second.writes_nothing());
    // Every desired port is there, or refused with a reason; and no other.
    for (const auto& [id, spec] : desired.ports) {
      const auto port = tables.ports.find(spec.ifindex);
      RC_ASSERT(second.refused.contains(id) != (port != tables.ports.end() && id_of(port->second) == id));
    }
    RC_ASSERT(tables.ports.size() == desired.ports.size() - second.refused.size());
    // What is on other hosts, with a tunnel to get there; nothing else, and never ourselves.
    for (const auto& [number, bridge] : desired.bridges) {
      std::map<Mac, RemoteMac> remotes = bridge.remote_macs;
      std::multiset<Ip> peers(bridge.peers.begin(), bridge.peers.end());
      const auto unreachable = [&](const Ip& vtep) { return !desired.tunnel || vtep == desired.tunnel->local; };
      std::erase_if(remotes, [&](const auto& remote) { return unreachable(remote.second.vtep); });
      std::erase_if(peers, unreachable);
      const Bridge held = bridge_of(tables, number.number());
      RC_ASSERT(held.remotes == remotes);
      RC_ASSERT(held.peers == peers);
      std::set<Ip> admitted = bridge.sources;
      admitted.insert(peers.begin(), peers.end());
      std::erase_if(admitted, unreachable);
      RC_ASSERT(held.admitted == admitted);
      RC_ASSERT(!held.open);
    }
    for (const std::uint32_t number : bridges_of(tables)) RC_ASSERT(desired.bridges.contains(vni(number)));
  });
}

TEST(Delta, WithoutASweepNothingGoesThatCouldStillBeWanted) {
  check([] {
    Tables tables;
    const Desired before = any_desired();
    apply_to(tables, difference(tables, before, Sweep::yes, everything()));
    const Tables was = tables;
    apply_to(tables, difference(tables, Desired{}, Sweep::no, everything()));
    RC_ASSERT(meaning(tables) == meaning(was));
    const Desired after = any_desired();
    const Delta delta = difference(tables, after, Sweep::no, everything());
    apply_to(tables, delta);
    check_sound(tables);
    for (const auto& [ifindex, port] : was.ports) {
      const bool wanted_otherwise = after.ports.contains(id_of(port)) ||
                                    std::any_of(after.ports.begin(), after.ports.end(),
                                                [&, i = ifindex](const auto& p) { return p.second.ifindex == i; });
      RC_ASSERT(wanted_otherwise || tables.ports.contains(ifindex));
    }
    RC_ASSERT(difference(tables, after, Sweep::no, everything()).writes_nothing());
  });
}

TEST(Delta, LookingAtTheChangedBridgesAloneComesToTheSameAsLookingAtAll) {
  check([] {
    const Desired before = any_desired();
    const Desired after = any_desired();
    Tables tables;
    const Delta first = difference(tables, before, Sweep::yes, everything());
    apply_to(tables, first);
    Circumstances changed = everything();
    changed.scope = changed_bridges(before, after);
    // A refused port is tried again, as EbpfDatapath does.
    for (const auto& [id, error] : first.refused) changed.scope->insert(before.ports.at(id).vni);
    for (const auto& [id, error] : first.refused) {
      if (after.ports.contains(id)) changed.scope->insert(after.ports.at(id).vni);
    }
    apply_to(tables, difference(tables, after, Sweep::yes, changed));
    check_sound(tables);
    // A port that was refused because another holds its interface may get it in the next round only.
    apply_to(tables, difference(tables, after, Sweep::yes, changed));
    RC_ASSERT(difference(tables, after, Sweep::yes, everything()).writes_nothing());
  });
}

// Whether any address may send, in steps: before anything is known, then by what is known, also after a restart.
TEST(Delta, ABridgeIsOpenOnlyUntilTheHostsThatServeItWereReadForTheFirstTime) {
  Desired desired;
  desired.tunnel = TunnelSpec{.local = vtep_number(200), .mtu = 1450};
  BridgeSpec& bridge = desired.bridges.emplace(vni(7), BridgeSpec{.vni = vni(7)}).first->second;
  bridge.sources_known = false;
  Tables tables;
  const auto apply = [&](Sweep sweep) { apply_to(tables, difference(tables, desired, sweep, everything())); };
  apply(Sweep::no);
  EXPECT_TRUE(bridge_of(tables, 7).open);
  bridge.sources = {vtep_number(1)};  // a part was read
  apply(Sweep::yes);
  EXPECT_TRUE(bridge_of(tables, 7).open);
  bridge.sources_known = true;
  apply(Sweep::no);
  EXPECT_TRUE(bridge_of(tables, 7).open) << "the view is not complete";
  apply(Sweep::yes);
  EXPECT_FALSE(bridge_of(tables, 7).open);
  // Another process: it knows nothing yet, and the kernel has the set.
  bridge.sources_known = false;
  bridge.sources.clear();
  apply(Sweep::no);
  EXPECT_FALSE(bridge_of(tables, 7).open);
  EXPECT_EQ(bridge_of(tables, 7).admitted, std::set<Ip>{vtep_number(1)});
  desired.tunnel.reset();
  apply(Sweep::yes);
  EXPECT_TRUE(bridges_of(tables).empty());
}

TEST(Delta, AnUpdateOfWhatIsHeldMakesItEqual) {
  check([] {
    Desired held = any_desired();
    const Desired next = any_desired();
    update(held, next);
    RC_ASSERT(held == next);
    RC_ASSERT(changed_bridges(held, next).empty());
  });
}

TEST(Delta, APortKeepsItsPlaceAndSlotWhateverHappensToOthers) {
  Desired desired;
  desired.bridges.emplace(vni(7), BridgeSpec{.vni = vni(7)});
  for (std::uint8_t i = 1; i <= 200; i++)
    desired.ports.emplace(id_number(i), PortSpec{.id = id_number(i), .vni = vni(7), .ifindex = i, .interface = "tap"});
  Tables tables;
  apply_to(tables, difference(tables, desired, Sweep::yes, everything()));
  const Tables before = tables;
  for (std::uint8_t i = 1; i <= 199; i++) {
    if (i % 3 != 0) desired.ports.erase(id_number(i));
  }
  const Delta delta = difference(tables, desired, Sweep::yes, everything());
  EXPECT_TRUE(delta.ports.empty());
  apply_to(tables, delta);
  const auto places_before = places_of(before.of<Members>().of(7));
  const auto places = places_of(tables.of<Members>().of(7));
  for (std::size_t at = 0; at < places.size(); at++) EXPECT_TRUE(places[at] == 0 || places[at] == places_before[at]);
  // The places that became free are taken first.
  desired.ports.emplace(id_number(250),
                        PortSpec{.id = id_number(250), .vni = vni(7), .ifindex = 250, .interface = "tap"});
  EXPECT_EQ(difference(tables, desired, Sweep::yes, everything()).of<Members>().set.size(), 1U);
}

TEST(Delta, OneNewPortIsOnePortOneChunkAndOneMac) {
  Desired desired;
  for (std::uint32_t bridge = 1; bridge <= 3; bridge++)
    desired.bridges.emplace(vni(bridge), BridgeSpec{.vni = vni(bridge)});
  for (std::uint8_t i = 1; i <= 200; i++)
    desired.ports.emplace(
        id_number(i),
        PortSpec{.id = id_number(i), .vni = vni(1U + i % 3), .ifindex = i, .interface = "tap", .mac = mac_number(i)});
  Tables tables;
  apply_to(tables, difference(tables, desired, Sweep::yes, everything()));
  Desired more = desired;
  more.ports.emplace(
      id_number(201),
      PortSpec{.id = id_number(201), .vni = vni(2), .ifindex = 201, .interface = "tap", .mac = mac_number(201)});
  EXPECT_THAT(changed_bridges(desired, more), testing::ElementsAre(vni(2)));
  const Delta delta = difference(tables, more, Sweep::yes, everything());
  EXPECT_EQ(delta.ports.size(), 1U);
  EXPECT_EQ(delta.of<Members>().set.size(), 1U);
  EXPECT_EQ(delta.of<Fdb>().set.size(), 1U);
  EXPECT_TRUE(delta.ports_gone.empty() && delta.of<Fdb>().gone.empty());
}

TEST(Delta, APeerKeepsItsPlaceAndOneMoreIsOneChunk) {
  Desired desired;
  desired.tunnel = TunnelSpec{.local = vtep_number(200), .mtu = 1450};
  BridgeSpec& bridge = desired.bridges.emplace(vni(7), BridgeSpec{.vni = vni(7)}).first->second;
  for (std::uint8_t i = 1; i <= 100; i++) bridge.peers.insert(vtep_number(i));
  Tables tables;
  apply_to(tables, difference(tables, desired, Sweep::yes, everything()));
  const auto before = places_of(tables.of<Peers>().of(7));
  for (std::uint8_t i = 1; i <= 90; i++) bridge.peers.erase(vtep_number(i));
  apply_to(tables, difference(tables, desired, Sweep::yes, everything()));
  const auto after = places_of(tables.of<Peers>().of(7));
  for (std::size_t at = 0; at < after.size(); at++) EXPECT_TRUE(!after[at] || after[at] == before[at]);
  bridge.peers.insert(vtep_number(101));
  const Delta delta = difference(tables, desired, Sweep::yes, everything());
  EXPECT_EQ(delta.of<Peers>().set.size(), 1U);
  EXPECT_TRUE(delta.of<Members>().empty() && delta.of<Remotes>().empty());
}

TEST(Delta, OneRemoteMacThatMovesIsOneEntryOfOneBridge) {
  Desired desired;
  desired.tunnel = TunnelSpec{.local = vtep_number(200), .mtu = 1450};
  for (std::uint32_t number = 1; number <= 200; number++) {
    BridgeSpec& bridge = desired.bridges.emplace(vni(number), BridgeSpec{.vni = vni(number)}).first->second;
    for (std::uint8_t i = 1; i <= 200; i++) bridge.remote_macs.emplace(mac_number(i), RemoteMac{vtep_number(i), true});
  }
  Tables tables;
  apply_to(tables, difference(tables, desired, Sweep::yes, everything()));
  Desired moved = desired;
  moved.bridges.at(vni(9)).remote_macs.at(mac_number(5)).vtep = vtep_number(6);
  Circumstances changed = everything();
  changed.scope = changed_bridges(desired, moved);
  EXPECT_THAT(*changed.scope, testing::ElementsAre(vni(9)));
  const Delta delta = difference(tables, moved, Sweep::yes, changed);
  ASSERT_EQ(delta.of<Remotes>().set.size(), 1U);
  EXPECT_EQ(mac_of(delta.of<Remotes>().set[0].first.mac), mac_number(5));
  EXPECT_TRUE(delta.of<Remotes>().gone.empty() && delta.of<Peers>().empty());
}

// Port 1 at interface 11, with a MAC; another host, and what it has.
Desired one_port() {
  Desired desired;
  BridgeSpec bridge{.vni = vni(1), .admin_up = true};
  bridge.neighbours.emplace(Ip::v4({192, 0, 2, 1}), mac_number(1));
  bridge.peers.insert(vtep_number(2));
  bridge.remote_macs.emplace(mac_number(2), RemoteMac{vtep_number(2), true});
  desired.bridges.emplace(bridge.vni, bridge);
  PortSpec port{.id = id_number(1), .vni = vni(1), .ifindex = 11, .interface = "tap1"};
  port.mac = mac_number(1);
  desired.ports.emplace(port.id, port);
  desired.tunnel = TunnelSpec{.local = vtep_number(1), .mtu = 1450};
  return desired;
}

TEST(Delta, APortOfWhichNothingIsKnownStaysWithAllThatItsBridgeHas) {
  Tables kernel;
  apply_to(kernel, difference({}, one_port(), Sweep::yes, everything()));
  Desired desired;
  desired.tunnel = one_port().tunnel;
  desired.held.insert(id_number(1));
  EXPECT_TRUE(difference(kernel, desired, Sweep::yes, everything()).writes_nothing());
  desired.held = {id_number(2)};
  apply_to(kernel, difference(kernel, desired, Sweep::yes, everything()));
  EXPECT_TRUE(kernel.ports.empty());
  EXPECT_TRUE(bridges_of(kernel).empty());
}

TEST(Delta, APortAtABannedInterfaceGoesWithoutASweepAndIsLedToNoMore) {
  Tables kernel;
  apply_to(kernel, difference({}, one_port(), Sweep::yes, everything()));
  Desired desired;
  desired.banned = {11};
  const Delta delta = difference(kernel, desired, Sweep::no, everything());
  EXPECT_EQ(delta.ports_gone, std::vector<std::uint32_t>{11});
  apply_to(kernel, delta);
  EXPECT_TRUE(kernel.ports.empty());
  EXPECT_TRUE(bridge_of(kernel, 1).fdb.empty());
  EXPECT_TRUE(bridge_of(kernel, 1).members.empty());
  EXPECT_EQ(bridge_of(kernel, 1).remotes.size(), 1U) << "that is not known to be wrong";
}

TEST(Delta, OfTwoPortsWithOneMacTheStaticEntryDecidesElseTheSmallerId) {
  Desired desired;
  desired.bridges.emplace(vni(7), BridgeSpec{.vni = vni(7)});
  for (std::uint8_t i = 1; i <= 2; i++)
    desired.ports.emplace(
        id_number(i),
        PortSpec{.id = id_number(i), .vni = vni(7), .ifindex = 100U - i, .interface = "tap", .mac = mac_number(1)});
  Tables tables;
  apply_to(tables, difference(tables, desired, Sweep::yes, everything()));
  EXPECT_EQ(bridge_of(tables, 7).fdb.at(mac_number(1)), 99U);
  desired.bridges.at(vni(7)).static_macs.emplace(mac_number(1), id_number(2));
  apply_to(tables, difference(tables, desired, Sweep::yes, everything()));
  EXPECT_EQ(bridge_of(tables, 7).fdb.at(mac_number(1)), 98U);
  desired.bridges.at(vni(7)).static_macs.clear();
  desired.ports.erase(id_number(1));
  apply_to(tables, difference(tables, desired, Sweep::yes, everything()));
  EXPECT_EQ(bridge_of(tables, 7).fdb.at(mac_number(1)), 98U);
}

}  // namespace
}  // namespace midonet::datapath::delta_test
