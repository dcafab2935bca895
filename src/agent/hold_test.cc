// The store loses a host whose ports forward: nothing goes from the kernel until the operator says so, or until the store
// knows all of it again.
#include "agent/hold.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "agent/many_hosts_bed.h"

namespace midonet::agent::hold_test {
namespace {

namespace paths = model::paths;
using many_hosts::id;
using many_hosts::mac;
using many_hosts::ManyHosts;
using many_hosts::net;
using many_hosts::zone;
using model::PortState;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class HoldTest : public ManyHosts {
 protected:
  HoldTest() {
    EXPECT_NE(::mkdtemp(directory_.data()), nullptr);
    for (const auto& host : cloud.hosts) host->hold_file = directory_ + "/" + host->id.to_string();
    for (const auto& host : cloud.hosts) cloud.restart(*host);
    plug(1, 0);
    plug(2, 0);
    plug(3, 1);
    EXPECT_TRUE(cloud.settle());
  }
  ~HoldTest() override { std::filesystem::remove_all(directory_); }

  void lose_store() {
    for (const auto& host : cloud.hosts)
      if (host->store) host->store->cut();
    cloud.lose_store();
    for (const auto& host : cloud.hosts)
      if (host->store) host->store->restore(true);
  }
  // The same ids, as an orchestrator makes them again from what it knows.
  void make_anew() {
    cloud.create_bridge(net);
    for (int n = 1; n <= 3; ++n) ASSERT_TRUE(cloud.create_port(id(n), net, mac(n)));
    cloud.join_all(zone);
  }
  std::set<Uuid> plugged(std::size_t host) {
    std::set<Uuid> out;
    for (const auto& port : h(host).kernel.counters()) out.insert(port.id);
    return out;
  }
  bool warned(std::size_t host) { return !h(host).agent->warnings().empty(); }

  std::string directory_ = (std::filesystem::temp_directory_path() / "midonet-hold-XXXXXX").string();
};

TEST_F(HoldTest, AnEmptyStoreTakesNothingFromTheKernelAndIsWarnedOf) {
  const auto remote = where(0, mac(3));
  ASSERT_TRUE(remote);
  lose_store();
  ASSERT_TRUE(cloud.until([&] { return warned(0) && warned(1); }));
  EXPECT_THAT(h(0).agent->warnings(), ElementsAre(HasSubstr("what forwards here (2 ports) goes on")));
  EXPECT_TRUE(cloud.settle());
  EXPECT_EQ(plugged(0), (std::set<Uuid>{id(1), id(2)}));
  EXPECT_THAT(h(2).agent->warnings(), IsEmpty()) << "nothing forwards there";
  // The host is known again, and alive.
  EXPECT_TRUE(cloud.node(paths::host(h(0).id)));
  EXPECT_TRUE(cloud.node(paths::alive(h(0).id)));
}

TEST_F(HoldTest, ARestartedAgentStillHolds) {
  lose_store();
  ASSERT_TRUE(cloud.until([&] { return warned(0); }));
  ASSERT_TRUE(cloud.settle());
  cloud.restart(h(0));
  ASSERT_TRUE(cloud.until([&] { return h(0).agent->reconciles() > 0; }));
  ASSERT_TRUE(cloud.settle());
  EXPECT_EQ(plugged(0), (std::set<Uuid>{id(1), id(2)}));
  EXPECT_TRUE(warned(0));
}

TEST_F(HoldTest, AnAgentThatStartsAfterTheLossHolds) {
  cloud.stop(h(0));
  lose_store();
  cloud.start(h(0));
  ASSERT_TRUE(cloud.until([&] { return warned(0); }));
  ASSERT_TRUE(cloud.settle());
  EXPECT_EQ(plugged(0), (std::set<Uuid>{id(1), id(2)}));
}

TEST_F(HoldTest, TheOperatorsWordLetsItGo) {
  lose_store();
  ASSERT_TRUE(cloud.until([&] { return warned(0); }));
  h(0).agent->accept_store();
  EXPECT_FALSE(warned(0));
  EXPECT_TRUE(cloud.until([&] { return plugged(0).empty(); }));
  cloud.restart(h(0));
  ASSERT_TRUE(cloud.settle());
  EXPECT_FALSE(warned(0));
}

TEST_F(HoldTest, ItEndsByItselfWhenTheStoreKnowsAllThatForwards) {
  lose_store();
  ASSERT_TRUE(cloud.until([&] { return warned(0); }));
  ASSERT_TRUE(cloud.settle());
  make_anew();
  ASSERT_TRUE(cloud.take(id(1), h(0), "tap1"));
  ASSERT_TRUE(cloud.settle());
  EXPECT_TRUE(warned(0)) << "one of two is not known yet";
  EXPECT_EQ(plugged(0), (std::set<Uuid>{id(1), id(2)}));
  ASSERT_TRUE(cloud.take(id(2), h(0), "tap2"));
  ASSERT_TRUE(cloud.until([&] { return !warned(0); }));
  ASSERT_TRUE(cloud.settle());
  EXPECT_EQ(cloud.status(h(0), id(1))->state, PortState::active);
  ASSERT_TRUE(cloud.detach(id(1)));
  EXPECT_TRUE(cloud.until([&] { return plugged(0) == std::set<Uuid>{id(2)}; })) << "what is detached goes as ever";
}

TEST_F(HoldTest, ALostSessionAloneHoldsNothing) {
  for (const auto& host : cloud.hosts) {
    host->store->cut();
    host->store->restore(true);
  }
  ASSERT_TRUE(cloud.settle());
  EXPECT_FALSE(warned(0));
  ASSERT_TRUE(cloud.detach(id(1)));
  EXPECT_TRUE(cloud.until([&] { return plugged(0) == std::set<Uuid>{id(2)}; }));
}

TEST(Hold, AFileThatIsEmptyHoldsToo) {
  std::string directory = (std::filesystem::temp_directory_path() / "midonet-hold-XXXXXX").string();
  ASSERT_NE(::mkdtemp(directory.data()), nullptr);
  const std::string file = directory + "/hold";
  EXPECT_FALSE(Hold(file).on());
  std::ofstream(file).flush();
  Hold hold(file);
  EXPECT_TRUE(hold.on());
  hold.end();
  EXPECT_FALSE(Hold(file).on());
  std::filesystem::remove_all(directory);
}

}  // namespace
}  // namespace midonet::agent::hold_test
