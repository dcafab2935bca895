#include "model/port_vni.h"

#include <gtest/gtest.h>

#include "model/port.h"

namespace midonet::model::port_vni_test {
namespace {

TEST(PortVni, ComesBackAndOutlivesAnUpdateOfThePort) {
  EXPECT_FALSE(port_vni(encode(Port{})));
  const std::string record = with_port_vni(encode(Port{}, R"({"theirs": 1})"), *Vni::from(7));
  EXPECT_EQ(port_vni(record), *Vni::from(7));
  Port port = *decode<Port>(record);
  port.name = "another";
  EXPECT_EQ(port_vni(encode(port, record)), *Vni::from(7));
}

TEST(PortVni, WhatIsDamagedIsNothing) {
  for (const char* record : {"", "7", R"({"vni": 0})", R"({"vni": 16777216})", R"({"vni": -1})", R"({"vni": "7"})"})
    EXPECT_FALSE(port_vni(record)) << record;
}

}  // namespace
}  // namespace midonet::model::port_vni_test
