// What the kernel counts per port and for the tunnel, for Prometheus: read when metrics are asked for, never before.
#pragma once

#include "base/metrics.h"
#include "datapath/datapath.h"

namespace midonet::agent {

// midonet_port_packets_total, midonet_port_bytes_total {port, direction} and midonet_port_drops_total {port, reason};
// direction "rx" is from the guest. While there is a tunnel: midonet_tunnel_packets_total and midonet_tunnel_bytes_total
// {direction}, where "rx" is from other hosts, and midonet_tunnel_drops_total {reason}. The datapath outlives every call of
// the registry's text().
void collect_port_metrics(Registry& registry, datapath::Datapath& datapath);

}  // namespace midonet::agent
