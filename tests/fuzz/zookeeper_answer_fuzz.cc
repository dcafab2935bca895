// Answers of ZooKeeper with any error, value, names and results in them, through the real client library: each call of the
// store is answered once, with what the server sent or with an error. (Answers that end early are left out where the library
// itself then reads memory that it did not set: a node's value, the number of names.)
#include <fuzzer/FuzzedDataProvider.h>

#include <cstdlib>
#include <mutex>
#include <optional>

#include "base/log.h"
#include "store/fake_zookeeper.h"
#include "store/zookeeper_error.h"
#include "store/zookeeper_store.h"

namespace {

using namespace midonet;
using namespace midonet::store;
using namespace std::chrono_literals;

struct Sent {
  FakeZookeeper::Answer value, names, absence, results;
  std::optional<std::string> good_value;
};

struct Bed {
  Bed() {
    (void)log::set_level("error");
    if (!loop.run_until([this] { return store->state() == State::connected; }, 60s)) std::abort();
  }
  FakeZookeeper::Answer answer(std::int32_t operation, std::string_view request) {
    const std::lock_guard hold(lock);
    // The root of the store is there.
    if (operation == FakeZookeeper::exists && request.substr(4, 5) == "/root" && request.size() == 10)
      return {0, JuteWriter().stat(1, 0).take()};
    if (operation == FakeZookeeper::exists) return sent.absence;
    if (operation == FakeZookeeper::get_data) return sent.value;
    if (operation == FakeZookeeper::get_children) return sent.names;
    return sent.results;
  }

  std::mutex lock;  // of `sent`
  Sent sent;
  Loop loop;
  FakeZookeeper server{[this](std::int32_t operation, std::string_view request) { return answer(operation, request); }};
  std::unique_ptr<Store> store = *connect_zookeeper(
      loop, *ZookeeperAddress::parse("zookeeper://" + server.address() + "/root"), {.patience = 30s});
};

// Not one that means a lost connection: the store asks again until its patience is over.
std::int32_t error_of(FuzzedDataProvider& input) {
  static constexpr std::int32_t usual[] = {0, 0, 0, -101, -102, -103, -108, -110, -111, -119, -125};
  const auto error = input.ConsumeBool() ? input.PickValueInArray(usual) : input.ConsumeIntegral<std::int32_t>();
  return is_lost(error) ? 0 : error;
}

Sent make(FuzzedDataProvider& input) {
  Sent out;
  out.value.error = error_of(input);
  const std::string value = input.ConsumeRandomLengthString(64);
  JuteWriter data;
  if (input.ConsumeBool())
    data.buffer(value);
  else
    data.number32(-1);  // null
  out.value.body = data.stat(input.ConsumeIntegral<std::int64_t>(), input.ConsumeIntegral<std::int32_t>()).take();
  if (out.value.error == 0) out.good_value = out.value.body.starts_with("\xff") ? "" : value;
  out.absence = {error_of(input), JuteWriter().stat(input.ConsumeIntegral<std::int64_t>(), 0).take()};
  // A commit of a set and a check: a result for each, of the operation or an error.
  JuteWriter results;
  for (int i = 0; i < 2; ++i) {
    const std::int32_t error = error_of(input);
    if (error != 0)
      results.number32(-1).raw({"\0", 1}).number32(error).number32(error);
    else
      results.number32(i == 0 ? 5 : 13).raw({"\0", 1}).number32(0).raw(i == 0 ? JuteWriter().stat(7, 1).take() : "");
  }
  out.results = {error_of(input), results.number32(-1).raw({"\1", 1}).number32(-1).take()};
  const auto count = input.ConsumeIntegralInRange<std::int32_t>(0, 300);
  out.names = {error_of(input), JuteWriter().number32(count).raw(input.ConsumeRemainingBytesAsString()).take()};
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Bed bed;
  FuzzedDataProvider input(data, size);
  Sent sent = make(input);
  const auto good_value = sent.good_value;
  {
    const std::lock_guard hold(bed.lock);
    bed.sent = std::move(sent);
  }
  int answers = 0;
  bed.store->get("/a",
                 [&](const Result<NodePtr>& node) {
                   ++answers;
                   if (good_value && (!node || (*node)->value != *good_value)) std::abort();
                   if (!good_value && node) std::abort();
                 },
                 {});
  bed.store->get(
      "/b", [&](const Result<NodePtr>&) { ++answers; }, [] {});
  bed.store->list("/a", [&](const auto&) { ++answers; }, {});
  bed.store->commit({Op::set("/a", "x", 0), Op::check("/b", 1)}, [&](const Result<Revision>&) { ++answers; });
  if (!bed.loop.run_until([&] { return answers == 4; }, 60s)) std::abort();
  return 0;
}
