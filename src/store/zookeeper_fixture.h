// For tests: stores on one real ZooKeeper server, which all tests of a program share, each with a root of its own.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>

#include "store/zookeeper_server.h"
#include "store/zookeeper_store.h"

namespace midonet::store {

// The server that all tests of this program share: started when it is first asked for.
inline ZookeeperServers& shared_server() {
  static ZookeeperServers servers;
  return servers;
}

inline std::string fresh_root() {
  static int last = 0;
  return "/test-" + std::to_string(++last);
}

// For tests that wait for a server to come again: its start takes many seconds on a busy machine.
inline OpenOptions patient() {
  return {.patience = std::chrono::seconds(60), .session_timeout = std::chrono::seconds(30)};
}

class ZookeeperTest : public testing::Test {
 protected:
  void SetUp() override {
    if (const auto missing = ZookeeperServers::missing()) GTEST_SKIP() << "no ZooKeeper server: " << *missing;
  }

  std::unique_ptr<Store> open(const std::string& uri, const OpenOptions& options = patient()) {
    auto store = connect_zookeeper(loop_, *ZookeeperAddress::parse(uri), options);
    EXPECT_TRUE(store) << store.error().message;
    return store ? *std::move(store) : nullptr;
  }
  Result<NodePtr> get(Store& store, const std::string& path, Notify watch = {}) {
    std::optional<Result<NodePtr>> answer;
    store.get(
        path, [&](Result<NodePtr> node) { answer = std::move(node); }, std::move(watch));
    EXPECT_TRUE(wait([&] { return answer.has_value(); })) << path;
    return answer ? *answer : fail(Code::internal, "no answer");
  }
  Result<std::vector<std::string>> list(Store& store, const std::string& path, Notify watch = {}) {
    std::optional<Result<std::vector<std::string>>> answer;
    store.list(
        path, [&](auto names) { answer = std::move(names); }, std::move(watch));
    EXPECT_TRUE(wait([&] { return answer.has_value(); })) << path;
    return answer ? *answer : fail(Code::internal, "no answer");
  }
  Result<Revision> commit(Store& store, std::vector<Op> ops) {
    std::optional<Result<Revision>> answer;
    store.commit(std::move(ops), [&](Result<Revision> revision) { answer = std::move(revision); });
    EXPECT_TRUE(wait([&] { return answer.has_value(); }));
    return answer ? *answer : fail(Code::internal, "no answer");
  }
  [[nodiscard]] bool wait(const std::function<bool()>& done) { return loop_.run_until(done, std::chrono::seconds(90)); }

  Loop loop_;
};

}  // namespace midonet::store
