// Any bytes as a stored record of any kind: it is refused, or what is read from it comes back from what is written for it.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "model/binding.h"
#include "model/bridge.h"
#include "model/bridge_tables.h"
#include "model/host.h"
#include "model/offer.h"
#include "model/port.h"
#include "model/record.h"
#include "model/tunnel_zone.h"

namespace {

template <class R>
void check(std::string_view value) {
  const auto record = midonet::model::decode<R>(value);
  if (!record) return;
  const std::string written = midonet::model::encode(*record, value);
  const auto again = midonet::model::decode<R>(written);
  if (!again || !(*again == *record)) std::abort();
}

void check_offers(std::string_view value) {
  using namespace midonet::model;
  if (const auto host = decode_bridge_host(value)) {
    const auto again = decode_bridge_host(encode(*host, value));
    if (!again || !(*again == *host)) std::abort();
  }
  if (const auto chunk = decode_offer_chunk(value)) {
    const auto again = decode_offer_chunk(encode(*chunk, value));
    if (!again || !(*again == *chunk)) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace midonet::model;
  const std::string_view value(reinterpret_cast<const char*>(data), size);
  check<Bridge>(value);
  check<Port>(value);
  check<Host>(value);
  check<Alive>(value);
  check<Interface>(value);
  check<Binding>(value);
  check<PortStatus>(value);
  check<TunnelZone>(value);
  check<TunnelZoneHost>(value);
  check<MacEntry>(value);
  check<ArpEntry>(value);
  check_offers(value);
  return 0;
}
