// The contract of store.h as tests, against the interface alone. Every implementation's tests instantiate the suite:
//
//   INSTANTIATE_TEST_SUITE_P(Embedded, StoreContract, testing::Values(StoreFactory{…}), StoreFactory::name_of);
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "base/loop.h"
#include "store/store.h"

namespace midonet::store {

// A store that exists for one test: empty but for its root.
class StoreUnderTest {
 public:
  virtual ~StoreUnderTest() = default;
  // A new session, connected or about to be. Destroying it ends it.
  virtual std::unique_ptr<Store> session() = 0;
  // Stops the store and starts it again on the same data. Called when every session has been destroyed. False: it cannot.
  virtual bool restart() = 0;
};

struct StoreFactory {
  std::string name;
  std::function<std::unique_ptr<StoreUnderTest>(Loop&)> make;

  static std::string name_of(const testing::TestParamInfo<StoreFactory>& info) { return info.param.name; }
  friend std::ostream& operator<<(std::ostream& out, const StoreFactory& factory) { return out << factory.name; }
};

class StoreContract : public testing::TestWithParam<StoreFactory> {
 protected:
  StoreContract();

  // Each waits for the answer; a store that gives none within a minute fails the test.
  Result<NodePtr> get(Store& store, const std::string& path, Notify watch = {});
  Result<std::vector<std::string>> list(Store& store, const std::string& path, Notify watch = {});
  Result<Revision> commit(Store& store, std::vector<Op> ops);
  [[nodiscard]] bool wait(const std::function<bool()>& done);
  template <class T>
  static Code code_of(const Result<T>& result) {
    EXPECT_FALSE(result.has_value());
    return result ? Code::internal : result.error().code;
  }
  // Everything that was committed before has been told to this session after this.
  void settle(Store& store);
  // Path to node, of the whole tree but the node that settle() uses.
  std::map<std::string, Node> tree(Store& store);

  Loop loop_;
  std::unique_ptr<StoreUnderTest> under_test_;
  std::unique_ptr<Store> a_;  // two sessions
  std::unique_ptr<Store> b_;
};

}  // namespace midonet::store
