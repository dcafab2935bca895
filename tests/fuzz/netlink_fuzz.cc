// Any bytes as a datagram of rtnetlink: nothing is read beyond them, and the table that follows what they say agrees with
// itself after every message.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <type_traits>
#include <variant>
#include <vector>

#include "netlink/link.h"
#include "netlink/message.h"

namespace {

using namespace midonet::netlink;

void require(bool holds) {
  if (!holds) std::abort();
}

// A message that changed something changes nothing when it comes again, as it does after a dump.
void follow(LinkTable& table, const Message& message) {
  const auto twice = [](auto change) {
    change();
    require(!change());
  };
  std::visit(
      [&](const auto& body) {
        using Body = std::decay_t<decltype(body)>;
        if constexpr (std::is_same_v<Body, LinkIs>) {
          twice([&] { return table.put(body.link); });
          const Link* link = table.find(body.link.ifindex);
          require(body.link.ifindex != 0 && !body.link.name.empty());
          require(link != nullptr && link->name == body.link.name && table.find(link->name) == link);
        } else if constexpr (std::is_same_v<Body, LinkGone>) {
          twice([&] { return table.remove(body.ifindex); });
          require(table.find(body.ifindex) == nullptr);
        } else if constexpr (std::is_same_v<Body, AddressIs>) {
          twice([&] { return table.add_address(body.ifindex, body.ip); });
        } else if constexpr (std::is_same_v<Body, AddressGone>) {
          twice([&] { return table.remove_address(body.ifindex, body.ip); });
        } else if constexpr (std::is_same_v<Body, RouteIs>) {
          require(!body.route.interfaces.empty() && !body.route.interfaces.contains(0));
        } else {
          require(body.error_number >= 0 && body.error_number < 4096);
        }
      },
      message.body);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::vector<std::uint8_t> datagram(data, data + size);  // aligned, and with its end guarded
  LinkTable table;
  decode(datagram, [&table](Message&& message) { follow(table, message); });
  for (const auto& [ifindex, link] : table.all()) {
    require(link.ifindex == ifindex);
    // Of two links that claim a name, the one heard of last has it, until that one is gone.
    const Link* named = table.find(link.name);
    require(named == nullptr || named->name == link.name);
  }
  return 0;
}
