// For tests of rules: an embedded store in memory, run to the end of each call.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/loop.h"
#include "store/transaction.h"
#include "store/uri.h"
#include "topology/removal.h"

namespace midonet::topology {

class StoreFixture {
 public:
  StoreFixture() : store(std::move(*store::open(loop, "embedded::memory:", {.patience = std::chrono::seconds(1)}))) {}

  // The outcome of a transaction.
  template <class T>
  Result<T> run(std::function<Result<T>(store::Transaction&)> body) {
    std::optional<Result<T>> outcome;
    store::transact<T>(*store, std::move(body), [&outcome](Result<T> result) { outcome = std::move(result); });
    EXPECT_TRUE(loop.run_until([&outcome] { return outcome.has_value(); }, std::chrono::seconds(10)));
    return *std::move(outcome);
  }
  Status run(std::function<Status(store::Transaction&)> body) {
    std::optional<Result<store::Revision>> outcome;
    store::transact(*store, std::move(body),
                    [&outcome](Result<store::Revision> result) { outcome = std::move(result); });
    EXPECT_TRUE(loop.run_until([&outcome] { return outcome.has_value(); }, std::chrono::seconds(10)));
    if (!*outcome) return failed(*outcome);
    return {};
  }

  // What takes several commits, to its end.
  Status run_steps(const Step& step) {
    std::optional<Status> outcome;
    topology::run_steps(*store, step, [&outcome](Status status) { outcome = std::move(status); });
    EXPECT_TRUE(loop.run_until([&outcome] { return outcome.has_value(); }, std::chrono::seconds(60)));
    return *std::move(outcome);
  }

  std::optional<std::string> value(const std::string& path) {
    const store::NodePtr node = get(path);
    return node ? std::optional<std::string>(node->value) : std::nullopt;
  }
  store::NodePtr get(const std::string& path) {
    auto node = run<store::NodePtr>([path](store::Transaction& t) { return t.get(path); });
    return node ? *node : nullptr;
  }
  std::vector<std::string> list(const std::string& path) {
    return run<std::vector<std::string>>([path](store::Transaction& t) { return t.list(path); })
        .value_or(std::vector<std::string>());
  }
  void put(const std::string& path, const std::string& value) {
    ASSERT_TRUE(run([=](store::Transaction& t) -> Status {
      const auto node = t.get(path);
      if (!node && node.error().code == Code::pending) return failed(node);
      node ? t.set(path, value) : t.create(path, value);
      return {};
    })) << path;
  }

  // Every node below a path: path -> value and version, so that two dumps are equal when nothing was written.
  std::map<std::string, std::string> dump(const std::string& path = "/") {
    std::map<std::string, std::string> all;
    const store::NodePtr node = get(path);
    if (node) all[path] = node->value + " @" + std::to_string(node->stat.modified);
    for (const std::string& name : list(path)) all.merge(dump((path == "/" ? "" : path) + "/" + name));
    return all;
  }

  Loop loop;
  std::unique_ptr<store::Store> store;
};

}  // namespace midonet::topology
