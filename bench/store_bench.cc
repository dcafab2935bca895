// What a store costs: a commit alone and many at once, reads at the rate of an agent's start, and a look through a mirror
// of 20,000 followed nodes. Of the embedded store, whose files are made in BENCH_DIR, or the directory for temporary files;
// where that is decides what a commit's flush costs. Or of BENCH_SERVERS ("127.0.0.1:2181"), ZooKeeper servers that are
// there for this: what is written to them, below /bench-…, stays.
#include <benchmark/benchmark.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/loop.h"
#include "store/embedded_store.h"
#include "store/mirror.h"
#include "store/uri.h"

namespace midonet::store {
namespace {

using namespace std::chrono_literals;

const std::string record(300, 'x');  // about what a port's record measures

std::string port(std::int64_t number) { return fmt::format("/ports/00000000-0000-4000-8000-{:012}", number); }

class Bed {
 public:
  Bed() {
    if (const char* servers = std::getenv("BENCH_SERVERS")) {
      static int last = 0;
      auto connected =
          connect(loop, fmt::format("zookeeper://{}/bench-{}-{}", servers, ::getpid(), ++last), {.patience = 60s});
      if (!connected) std::abort();
      store = *std::move(connected);
      commit({Op::create("/ports", "")});
      return;
    }
    const char* place = std::getenv("BENCH_DIR");
    directory_ = (place != nullptr ? std::string(place) : std::filesystem::temp_directory_path().string()) +
                 "/midonet-bench-XXXXXX";
    if (::mkdtemp(directory_.data()) == nullptr) std::abort();
    auto database = EmbeddedDatabase::open(loop, directory_ + "/midonet.db", 0ms);
    if (!database) std::abort();
    store = (*database)->session();
    commit({Op::create("/ports", "")});
  }
  ~Bed() {
    store.reset();
    if (!directory_.empty()) std::filesystem::remove_all(directory_);
  }

  void commit(std::vector<Op> ops) {
    bool done = false;
    store->commit(std::move(ops), [&](const Result<Revision>& revision) {
      if (!revision) std::abort();
      done = true;
    });
    wait([&] { return done; });
  }
  void make_ports(std::int64_t count) {
    for (std::int64_t i = 0; i < count; i += 1000) {
      std::vector<Op> ops;
      for (std::int64_t j = i; j < std::min(count, i + 1000); ++j) ops.push_back(Op::create(port(j), record));
      commit(std::move(ops));
    }
  }
  void wait(const std::function<bool()>& done) {
    if (!loop.run_until(done, 60s)) std::abort();
  }

  Loop loop;
  std::unique_ptr<Store> store;

 private:
  std::string directory_;
};

// One attach's worth of operations, acknowledged, then the next.
void commit_single(benchmark::State& state) {
  Bed bed;
  bed.make_ports(1000);
  std::int64_t i = 0;
  for (auto _ : state) {
    ++i;
    bed.commit(
        {Op::set(port(i % 1000), record), Op::create(fmt::format("/ports/x{}", i), record), Op::check("/ports")});
  }
}
BENCHMARK(commit_single)->Unit(benchmark::kMicrosecond)->UseRealTime();

void commit_ephemeral(benchmark::State& state) {
  Bed bed;
  bed.commit({Op::create_ephemeral("/alive", record)});
  for (auto _ : state) bed.commit({Op::set("/alive", record)});
}
BENCHMARK(commit_ephemeral)->Unit(benchmark::kMicrosecond)->UseRealTime();

// So many commits of different callers at once: the time until the last is acknowledged.
void commit_batch(benchmark::State& state) {
  Bed bed;
  bed.make_ports(1000);
  std::int64_t number = 0;
  for (auto _ : state) {
    std::int64_t left = state.range(0);
    for (std::int64_t i = 0; i < state.range(0); ++i) {
      ++number;
      bed.store->commit(
          {Op::set(port(i), record), Op::create(fmt::format("/ports/x{}", number), record), Op::check("/ports")},
          [&](const Result<Revision>&) { --left; });
    }
    bed.wait([&] { return left == 0; });
  }
}
BENCHMARK(commit_batch)->Arg(250)->Unit(benchmark::kMillisecond)->UseRealTime();

// The agent's start with 10,000 bound ports: 25,000 gets, each with a watch, asked for at once.
void get_25000(benchmark::State& state) {
  Bed bed;
  bed.make_ports(25'000);
  for (auto _ : state) {
    int left = 25'000;
    for (int i = 0; i < 25'000; ++i) {
      bed.store->get(
          port(i), [&](const Result<NodePtr>&) { --left; }, [] {});
    }
    bed.wait([&] { return left == 0; });
  }
}
BENCHMARK(get_25000)->Unit(benchmark::kMillisecond)->UseRealTime();

// The reader's run over everything it follows, of which nothing or one node has changed.
void mirror_read_20000(benchmark::State& state) {
  Bed bed;
  bed.make_ports(20'000);
  std::vector<std::string> paths;
  for (int i = 0; i < 20'000; ++i) paths.push_back(port(i));
  int changes = 0;
  Mirror mirror(bed.loop, *bed.store, [&] { ++changes; });
  const auto read = [&](View& view) -> Status {
    std::size_t found = 0;
    for (const std::string& path : paths) {
      if (const auto node = view.get(path)) found += (*node)->value.size() > 0 ? 1 : 0;
    }
    if (found < paths.size()) return fail(Code::pending, "{} of {}", found, paths.size());
    return {};
  };
  static_cast<void>(mirror.read(read));
  bed.wait([&] { return changes > 0; });
  for (auto _ : state) {
    if (!mirror.read(read)) std::abort();
  }
}
BENCHMARK(mirror_read_20000)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace midonet::store

BENCHMARK_MAIN();
