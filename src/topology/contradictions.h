// For tests of rules: whether the records of ports, bindings, interfaces and bridges agree.
#pragma once

#include <string>
#include <vector>

#include "model/binding.h"
#include "model/paths.h"
#include "model/port.h"
#include "topology/store_fixture.h"

namespace midonet::topology {

// Everything that is wrong with the records, in words.
inline std::vector<std::string> contradictions(StoreFixture& fixture) {
  std::vector<std::string> out;
  const auto text = [&](const std::string& path) { return fixture.value(path).value_or(""); };
  std::size_t bindings = 0, bound_ports = 0, bridge_ports = 0;
  for (const std::string& h : fixture.list(model::paths::hosts)) {
    const Uuid host_id = *Uuid::parse(h);
    const auto indexed = fixture.list(model::paths::bound_interfaces(host_id));
    const auto bound = fixture.list(model::paths::bindings(host_id));
    bindings += bound.size();
    if (indexed.size() != bound.size()) out.push_back(h + ": as many interfaces as bindings");
    for (const std::string& p : bound) {
      const Uuid port_id = *Uuid::parse(p);
      const auto binding = model::decode<model::Binding>(text(model::paths::binding(host_id, port_id)));
      const auto record = model::decode<model::Port>(text(model::paths::port(port_id)));
      if (!binding || !record || binding->port_id != port_id || record->host_id != host_id ||
          record->interface_name != binding->interface_name) {
        out.push_back(p + ": the port does not know of its binding on " + h);
        continue;
      }
      const auto index =
          model::decode<model::BoundInterface>(text(model::paths::bound_interface(host_id, binding->interface_name)));
      if (!index || index->port_id != port_id) out.push_back(p + ": the interface carries another port");
    }
  }
  const auto all = fixture.list(model::paths::ports);
  for (const std::string& p : all) {
    const Uuid port_id = *Uuid::parse(p);
    const auto record = model::decode<model::Port>(text(model::paths::port(port_id)));
    if (record->host_id) ++bound_ports;
    if (!fixture.value(model::paths::bridge_port(record->bridge_id, port_id)))
      out.push_back(p + ": no bridge lists it");
  }
  const auto all_bridges = fixture.list(model::paths::bridges);
  for (const std::string& b : all_bridges)
    bridge_ports += fixture.list(model::paths::bridge_ports(*Uuid::parse(b))).size();
  if (bound_ports != bindings) out.push_back("as many bound ports as bindings");
  if (bridge_ports != all.size()) out.push_back("as many ports as bridges list");
  if (fixture.list(model::paths::vnis).size() != all_bridges.size()) out.push_back("as many VNIs as bridges");
  return out;
}

}  // namespace midonet::topology
