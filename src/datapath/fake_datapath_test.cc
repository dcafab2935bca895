#include "datapath/fake_datapath.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace midonet::datapath::fake_datapath_test {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

Desired one_port(const Uuid& id, std::uint32_t ifindex) {
  const Vni vni = Vni::from(7).value();
  Desired desired;
  desired.bridges[vni] = BridgeSpec{.vni = vni};
  desired.ports[id] = PortSpec{.id = id, .vni = vni, .ifindex = ifindex, .interface = "tap0"};
  return desired;
}

TEST(FakeDatapath, ASecondApplyTouchesNothing) {
  FakeDatapath fake;
  const Uuid id = Uuid::random();
  EXPECT_TRUE(fake.apply(one_port(id, 5), Sweep::no).ports.at(id));
  EXPECT_TRUE(fake.apply(one_port(id, 5), Sweep::yes).ports.at(id));
  EXPECT_THAT(fake.touched(), ElementsAre(id));
  EXPECT_EQ(fake.calls().size(), 2U);
}

TEST(FakeDatapath, OnlyASweepUnplugs) {
  FakeDatapath fake;
  const Uuid id = Uuid::random();
  ASSERT_TRUE(fake.apply(one_port(id, 5), Sweep::no).ports.at(id));
  EXPECT_THAT(fake.apply({}, Sweep::no).ports, IsEmpty());
  EXPECT_EQ(fake.plugged().ports.size(), 1U);
  EXPECT_THAT(fake.apply({}, Sweep::yes).ports, IsEmpty());
  EXPECT_EQ(fake.plugged(), Desired{});
}

TEST(FakeDatapath, APortThatFailsIsRetriedAndThenPlugged) {
  FakeDatapath fake;
  const Uuid id = Uuid::random();
  fake.fail_next(id, Error{Code::unavailable, "attach tap0: busy"});
  const Applied failed = fake.apply(one_port(id, 5), Sweep::yes);
  ASSERT_FALSE(failed.ports.at(id));
  EXPECT_TRUE(failed.retry());
  const Applied mended = fake.apply(one_port(id, 5), Sweep::yes);
  EXPECT_TRUE(mended.ports.at(id));
  EXPECT_FALSE(mended.retry());
}

TEST(FakeDatapath, ALinkThatIsGoneIsNotRetried) {
  FakeDatapath fake;
  const Uuid id = Uuid::random();
  fake.fail_next(id, Error{Code::not_found, "attach tap0: no such link (ENODEV)"});
  EXPECT_FALSE(fake.apply(one_port(id, 5), Sweep::yes).retry());
}

TEST(FakeDatapath, ALostPortIsReportedAndMendedByTheNextApply) {
  FakeDatapath fake;
  const Uuid id = Uuid::random();
  ASSERT_TRUE(fake.apply(one_port(id, 5), Sweep::yes).ports.at(id));
  std::string heard;
  fake.on_drift([&](const std::string& what) { heard = what; });
  fake.lose(id);
  EXPECT_EQ(heard, "filter deleted");
  EXPECT_TRUE(fake.counters().empty());
  EXPECT_TRUE(fake.apply(one_port(id, 5), Sweep::yes).ports.at(id));
  EXPECT_EQ(fake.counters().size(), 1U);
}

}  // namespace
}  // namespace midonet::datapath::fake_datapath_test
