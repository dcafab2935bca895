#include "store/store_contract_test.h"
#include "store/zookeeper_fixture.h"

namespace midonet::store::zookeeper_contract_test {
namespace {

class ZookeeperUnderTest : public StoreUnderTest {
 public:
  explicit ZookeeperUnderTest(Loop& loop) : loop_(loop) {}

  std::unique_ptr<Store> session() override {
    auto store = connect_zookeeper(loop_, *ZookeeperAddress::parse(shared_server().uri(root_)), patient());
    EXPECT_TRUE(store) << store.error().message;
    return *std::move(store);
  }
  bool restart() override {
    shared_server().kill(0);
    shared_server().start(0);
    return shared_server().wait();
  }

 private:
  Loop& loop_;
  const std::string root_ = fresh_root();
};

std::vector<StoreFactory> factories() {
  if (ZookeeperServers::missing()) return {};  // ZookeeperStoreTest skips, with the reason
  return {{"server", [](Loop& loop) { return std::make_unique<ZookeeperUnderTest>(loop); }}};
}

INSTANTIATE_TEST_SUITE_P(Zookeeper, StoreContract, testing::ValuesIn(factories()), StoreFactory::name_of);
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(StoreContract);

}  // namespace
}  // namespace midonet::store::zookeeper_contract_test
