// What the guest of a port may send from, as its record says.
#include "agent/plan/guard.h"

#include <gtest/gtest.h>

namespace midonet::agent::guard_test {
namespace {

const Mac own({2, 0, 0, 0, 0, 1}), other({2, 0, 0, 0, 0, 2});
Ip ip(const char* text) { return *Ip::parse(text); }

model::Port secured() {
  model::Port port;
  port.port_security = true;
  port.mac_address = own;
  port.fixed_ips = {{{}, ip("10.0.0.1")}, {{}, ip("2001:db8::1")}};
  port.allowed_address_pairs = {
      {"10.0.0.9", {}}, {"10.1.0.0/16", other}, {"2001:db8:1::/64", {}}, {"2001:db8::9", other}};
  return port;
}

TEST(Guard, HoldsThePortsAddressesAndItsPairs) {
  const auto guard = guard_of(secured());
  ASSERT_TRUE(guard);
  EXPECT_EQ(guard->mac, own);
  EXPECT_EQ(guard->addresses, (std::set<datapath::AllowedAddress>{{own, ip("10.0.0.1"), 32},
                                                                  {own, ip("2001:db8::1"), 128},
                                                                  {own, ip("10.0.0.9"), 32},
                                                                  {other, ip("10.1.0.0"), 16},
                                                                  {own, ip("2001:db8:1::"), 64},
                                                                  {other, ip("2001:db8::9"), 128}}));
}

TEST(Guard, IsNotThereWhereNothingAsksForIt) {
  model::Port port = secured();
  port.port_security = false;
  EXPECT_FALSE(guard_of(port));
  port.port_security.reset();
  EXPECT_FALSE(guard_of(port));
}

TEST(Guard, OfAPortWithoutAMacHoldsPairsWithOneAlone) {
  model::Port port = secured();
  port.mac_address.reset();
  const auto guard = guard_of(port);
  ASSERT_TRUE(guard);
  EXPECT_FALSE(guard->mac);
  EXPECT_EQ(guard->addresses,
            (std::set<datapath::AllowedAddress>{{other, ip("10.1.0.0"), 16}, {other, ip("2001:db8::9"), 128}}));
}

}  // namespace
}  // namespace midonet::agent::guard_test
