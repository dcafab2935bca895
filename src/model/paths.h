// The paths of the store's layout (docs/store-layout.md), in one place. Pure string building.
//
//   /version                                {"layout": 1, "minReader": 1}
//   /bridges/<b>  /ports/<p>  /hosts/<h>    the records
//   /bridges/<b>/ports/<p>                  empty: the index of a bridge's ports
//   /bridges/<b>/{hosts,mac_table,arp_table}
//   /hosts/<h>/{alive,interfaces,ports,status}
//   /hosts/<h>/ports/<p>                    the binding
//   /hosts/<h>/bound_interfaces/<name>      {portId}: makes an interface's binding unique, as /vnis/<vni> makes a VNI unique,
//                                           so that a race for one has one winner (ADR 2)
//   /hosts/<h>/served_bridges               empty, or {vtep, zones}: how other hosts reach this one
//   /hosts/<h>/served_bridges/<b>           empty: the bridges with offers of the host, so that a restarted agent finds stale
//                                           ones, and attach knows where a host begins to serve a bridge
//   /bridges/<b>/hosts/<h>                  {vtep, zones}: this host serves the bridge; below it its offers in chunks
//   /tunnel_zones/<z>/hosts/<h>
//   /tunnel_zones/<z>/addresses/<ip>        {hostId}: makes an address unique in its zone
//   /vnis/<vni>
#pragma once

#include <string>
#include <string_view>

#include "base/ip.h"
#include "base/mac.h"
#include "base/uuid.h"
#include "base/vni.h"

namespace midonet::model::paths {

inline const std::string version = "/version";
inline const std::string bridges = "/bridges";
inline const std::string ports = "/ports";
inline const std::string hosts = "/hosts";
inline const std::string tunnel_zones = "/tunnel_zones";
inline const std::string vnis = "/vnis";

inline std::string child(const std::string& parent, std::string_view name) {
  std::string out;
  out.reserve(parent.size() + 1 + name.size());
  out.append(parent).append(1, '/').append(name);
  return out;
}

inline std::string bridge(const Uuid& b) { return child(bridges, b.to_string()); }
inline std::string bridge_ports(const Uuid& b) { return child(bridge(b), "ports"); }
inline std::string bridge_port(const Uuid& b, const Uuid& p) { return child(bridge_ports(b), p.to_string()); }
inline std::string bridge_hosts(const Uuid& b) { return child(bridge(b), "hosts"); }
inline std::string bridge_host(const Uuid& b, const Uuid& h) { return child(bridge_hosts(b), h.to_string()); }
inline std::string mac_table(const Uuid& b) { return child(bridge(b), "mac_table"); }
inline std::string mac_entry(const Uuid& b, const Mac& mac) { return child(mac_table(b), mac.to_string()); }
inline std::string arp_table(const Uuid& b) { return child(bridge(b), "arp_table"); }
inline std::string arp_entry(const Uuid& b, const Ip& ip) { return child(arp_table(b), ip.to_string()); }

inline std::string port(const Uuid& p) { return child(ports, p.to_string()); }

inline std::string host(const Uuid& h) { return child(hosts, h.to_string()); }
inline std::string alive(const Uuid& h) { return child(host(h), "alive"); }
inline std::string interfaces(const Uuid& h) { return child(host(h), "interfaces"); }
inline std::string interface(const Uuid& h, std::string_view name) { return child(interfaces(h), name); }
inline std::string bindings(const Uuid& h) { return child(host(h), "ports"); }
inline std::string binding(const Uuid& h, const Uuid& p) { return child(bindings(h), p.to_string()); }
inline std::string bound_interfaces(const Uuid& h) { return child(host(h), "bound_interfaces"); }
inline std::string bound_interface(const Uuid& h, std::string_view name) { return child(bound_interfaces(h), name); }
inline std::string statuses(const Uuid& h) { return child(host(h), "status"); }
inline std::string served_bridges(const Uuid& h) { return child(host(h), "served_bridges"); }
inline std::string served_bridge(const Uuid& h, const Uuid& b) { return child(served_bridges(h), b.to_string()); }
inline std::string status(const Uuid& h, const Uuid& p) { return child(statuses(h), p.to_string()); }

inline std::string tunnel_zone(const Uuid& z) { return child(tunnel_zones, z.to_string()); }
inline std::string tunnel_zone_hosts(const Uuid& z) { return child(tunnel_zone(z), "hosts"); }
inline std::string tunnel_zone_host(const Uuid& z, const Uuid& h) { return child(tunnel_zone_hosts(z), h.to_string()); }
inline std::string tunnel_zone_addresses(const Uuid& z) { return child(tunnel_zone(z), "addresses"); }
inline std::string tunnel_zone_address(const Uuid& z, const Ip& ip) {
  return child(tunnel_zone_addresses(z), ip.to_string());
}
inline std::string vni(const Vni& v) { return child(vnis, std::to_string(v.number())); }

}  // namespace midonet::model::paths
