// Any bytes as a stored record of any kind: it is refused, or what is read from it comes back from what is written for it.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "model/binding.h"
#include "model/bridge.h"
#include "model/host.h"
#include "model/port.h"
#include "model/record.h"

namespace {

template <class R>
void check(std::string_view value) {
  const auto record = midonet::model::decode<R>(value);
  if (!record) return;
  const std::string written = midonet::model::encode(*record, value);
  const auto again = midonet::model::decode<R>(written);
  if (!again || !(*again == *record)) std::abort();
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
  return 0;
}
