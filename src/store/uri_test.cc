#include "store/uri.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <optional>

#include "model/paths.h"
#include "store/transaction.h"

namespace midonet::store::uri_test {
namespace {

using namespace std::chrono_literals;
namespace paths = model::paths;

TEST(Uri, AFreshStoreHasTheLayout) {
  Loop loop;
  auto store = open(loop, "embedded::memory:", {.patience = 0ms});
  ASSERT_TRUE(store) << store.error().message;
  EXPECT_EQ((*store)->uri(), "embedded::memory:");
  std::optional<Result<std::vector<std::string>>> names;
  (*store)->list("/", [&](auto result) { names = std::move(result); });
  ASSERT_TRUE(loop.run_until([&] { return names.has_value(); }, 10s));
  EXPECT_EQ(**names, (std::vector<std::string>{"bridges", "hosts", "ports", "tunnel_zones", "version", "vnis"}));
}

TEST(Uri, WhatIsNoStoreIsRefused) {
  Loop loop;
  for (const std::string uri :
       {"", "embedded", "embedded:", "embedded:relative.db", "embedded:/", "zk://h:2181", "/a/b"}) {
    const auto store = open(loop, uri, {.patience = 0ms});
    ASSERT_FALSE(store) << uri;
    EXPECT_EQ(store.error().code, Code::invalid) << uri;
  }
}

TEST(Uri, AFileKeepsWhatItWasToldAndIsFreeAsSoonAsItsStoreIsGone) {
  std::string directory = (std::filesystem::temp_directory_path() / "midonet-uri-XXXXXX").string();
  ASSERT_NE(::mkdtemp(directory.data()), nullptr);
  const std::string uri = "embedded:" + directory + "/deep/midonet.db";
  Loop loop;
  for (const std::int32_t version : {0, 1, 2}) {
    auto store = open(loop, uri, {.patience = 0ms});
    ASSERT_TRUE(store) << store.error().message;
    const auto second = open(loop, uri, {.patience = 0ms});
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, Code::unavailable);
    std::optional<Result<NodePtr>> node;
    (*store)->get(paths::ports, [&](auto result) { node = std::move(result); });
    std::optional<Result<Revision>> revision;
    (*store)->commit({Op::set(paths::ports, "x")}, [&](auto result) { revision = std::move(result); });
    ASSERT_TRUE(loop.run_until([&] { return revision.has_value(); }, 10s));
    EXPECT_EQ((**node)->stat.version, version);
    EXPECT_TRUE(*revision) << revision->error().message;
  }
  std::filesystem::remove_all(directory);
}

}  // namespace
}  // namespace midonet::store::uri_test
