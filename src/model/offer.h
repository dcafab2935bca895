// The offers of a host on a bridge that it serves: its own address, and the addresses at each of its ports.
// Records at /bridges/<b>/hosts/<h> (BridgeHost) and /bridges/<b>/hosts/<h>/<n> (OfferChunk), written by that host's
// agent and read by those of the other hosts that serve the bridge. Not ephemeral: a host without an agent still forwards.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip.h"
#include "base/mac.h"
#include "base/result.h"
#include "base/uuid.h"

namespace midonet::model {

struct BridgeHost {
  Ip vtep;                   // its tunnel address for hosts that share no zone with it
  std::map<Uuid, Ip> zones;  // its address in each of its tunnel zones: peers use that of a shared zone
  // The numbers <n> of the chunks below, ascending; written in the commit that makes or removes a chunk. A reader follows these and
  // needs no watch on the list of children, which saves a third of its watches.
  std::vector<std::int64_t> chunks;
  // In the value of /hosts/<h>/served_bridges alone, which has the same form: the host's agent adopts a record on a bridge that
  // the commit of a binding makes.
  bool adopts = false;
  bool operator==(const BridgeHost&) const = default;
};

struct OfferedPort {
  Uuid port_id;
  std::int64_t revision = 0;  // of the binding: of two hosts that offer one port, the higher one has it
  std::vector<Mac> macs;      // configured and learned, ascending
  std::vector<Ip> ips;        // at the configured MAC; ascending
  // For each learned MAC among `macs`, how often it has moved from host to host: the mobility sequence number of RFC 7432, section 7.7.
  // A host that learns a MAC that another host offers with n offers it with n + 1. A MAC without a number is configured and comes
  // before all learned ones.
  std::map<Mac, std::int64_t> learned;
  // Plugged here, and its guest has not been heard here yet: another host that offers the port without this has the guest,
  // whatever the revisions say (live migration, ADR 9). Without such a host it is an offer like any other.
  bool standby = false;
  // The port's configured MAC address, where `macs` does not have it as configured: the port is down, or another active port of the
  // bridge has the same address. A MAC address that is only declared takes no frames.
  std::optional<Mac> declared;
  bool down = false;  // plugged, and its interface has no link: no frame of it is heard, no request for it is answered
  bool operator==(const OfferedPort&) const = default;

  // The MAC address that the port is configured with; nothing when the offer does not tell it without doubt.
  std::optional<Mac> configured() const;

  // Whether frames for the port go to the host of this offer rather than to that of the other one.
  bool before(const OfferedPort& other) const {
    return standby != other.standby ? !standby : revision > other.revision;
  }
};

struct OfferChunk {
  static constexpr std::size_t max_ports = 64;
  std::vector<OfferedPort> ports;
  bool operator==(const OfferChunk&) const = default;
};

// As record.h: unknown keys of `previous` (of the object, and of each port's) are kept; internal for a damaged value.
Result<BridgeHost> decode_bridge_host(std::string_view value);
std::string encode(const BridgeHost& record, std::string_view previous = {});
Result<OfferChunk> decode_offer_chunk(std::string_view value);
std::string encode(const OfferChunk& chunk, std::string_view previous = {});

}  // namespace midonet::model
