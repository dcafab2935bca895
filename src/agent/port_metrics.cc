#include "agent/port_metrics.h"

#include <memory>
#include <optional>
#include <vector>

namespace midonet::agent {

using datapath::PortCounters;
using datapath::TunnelCounters;

void collect_port_metrics(Registry& registry, datapath::Datapath& datapath) {
  // The kernel is read once per scrape: by the first of the three, which the registry asks in this order.
  auto read = std::make_shared<std::vector<PortCounters>>();
  const auto both = [](const std::vector<PortCounters>& ports, auto rx, auto tx) {
    std::vector<Registry::Sample> out;
    out.reserve(ports.size() * 2);
    for (const PortCounters& port : ports) {
      const std::string id = port.id.to_string();
      out.push_back({{{"port", id}, {"direction", "rx"}}, static_cast<double>(port.*rx)});
      out.push_back({{{"port", id}, {"direction", "tx"}}, static_cast<double>(port.*tx)});
    }
    return out;
  };
  registry.collect("midonet_port_packets_total", "Frames of each port, a GSO frame as one", [read, both, &datapath] {
    *read = datapath.counters();
    return both(*read, &PortCounters::rx_packets, &PortCounters::tx_packets);
  });
  registry.collect("midonet_port_bytes_total", "Bytes of each port",
                   [read, both] { return both(*read, &PortCounters::rx_bytes, &PortCounters::tx_bytes); });
  registry.collect("midonet_port_drops_total", "Frames of each port that were dropped, by reason", [read] {
    std::vector<Registry::Sample> out;
    for (const PortCounters& port : *read)
      for (const auto& [reason, frames] : port.drops)
        out.push_back({{{"port", port.id.to_string()}, {"reason", reason}}, static_cast<double>(frames)});
    read->clear();
    read->shrink_to_fit();
    return out;
  });

  auto tunnel = std::make_shared<std::optional<TunnelCounters>>();
  const auto tunnel_both = [](const std::optional<TunnelCounters>& counted, auto rx, auto tx) {
    std::vector<Registry::Sample> out;
    if (!counted) return out;
    out.push_back({{{"direction", "rx"}}, static_cast<double>((*counted).*rx)});
    out.push_back({{{"direction", "tx"}}, static_cast<double>((*counted).*tx)});
    return out;
  };
  registry.collect("midonet_tunnel_packets_total", "Frames from and to other hosts, a GSO frame as one",
                   [tunnel, tunnel_both, &datapath] {
                     *tunnel = datapath.tunnel_counters();
                     return tunnel_both(*tunnel, &TunnelCounters::rx_packets, &TunnelCounters::tx_packets);
                   });
  registry.collect("midonet_tunnel_bytes_total", "Bytes of the frames from and to other hosts", [tunnel, tunnel_both] {
    return tunnel_both(*tunnel, &TunnelCounters::rx_bytes, &TunnelCounters::tx_bytes);
  });
  registry.collect("midonet_tunnel_drops_total", "Frames from other hosts that were dropped, by reason", [tunnel] {
    std::vector<Registry::Sample> out;
    if (!*tunnel) return out;
    for (const auto& [reason, frames] : (*tunnel)->drops)
      out.push_back({{{"reason", reason}}, static_cast<double>(frames)});
    return out;
  });
}

}  // namespace midonet::agent
