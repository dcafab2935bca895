// Any bytes as the body of a request for each resource: it is refused with what is wrong, or the record that is made of it is
// stored and read again as it is, and answered.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/json.h"
#include "model/binding.h"
#include "model/bridge.h"
#include "model/bridge_tables.h"
#include "model/entity.h"
#include "model/port.h"
#include "model/record.h"
#include "model/tunnel_zone.h"

namespace {

using namespace midonet::model;

template <class R>
void check(const Json& body) {
  for (const Writing writing : {Writing::create, Writing::update}) {
    R record{};
    if (!read_entity(body, writing, record).empty()) continue;
    const std::string stored = encode(record);
    const auto again = decode<R>(stored);
    if (!again || encode(*again) != stored) std::abort();
    (void)entity(record, "http://h/midonet-api", Json::object()).dump();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto body = parse_object(std::string_view(reinterpret_cast<const char*>(data), size));
  if (!body) return 0;
  check<Bridge>(*body);
  check<Port>(*body);
  check<AttachInterface>(*body);
  check<TunnelZone>(*body);
  check<TunnelZoneHost>(*body);
  check<MacPort>(*body);
  check<Ip4Mac>(*body);
  return 0;
}
