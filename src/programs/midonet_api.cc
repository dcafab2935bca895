// midonet-api: the REST API over a store. Exit code 0 after SIGTERM or SIGINT, 1 when it cannot start, 2 for wrong usage.
#include <CLI/CLI.hpp>
#include <cstdlib>
#include <functional>
#include <utility>

#include "api/api_server.h"
#include "base/descriptor_limit.h"
#include "base/log.h"
#include "base/memory.h"
#include "programs/api_flags.h"
#include "programs/server_flags.h"
#include "programs/store_gate.h"
#include "programs/systemd.h"

namespace {

using namespace midonet;

const std::string default_config = "/etc/midolman/midonet-api.conf";

// How long a request waits for ZooKeeper before it is answered 503: an election is over by then.
constexpr std::chrono::seconds patience{5};

struct Flags : programs::ServerFlags {
  api::ApiServer::Options api;
};

int refuse(const Error& error) { return programs::refuse("midonet-api", error); }

int run(const Flags& flags) {
  if (const Status raised = raise_descriptor_limit(); !raised) log::warning("{}", raised.error().message);
  map_large_blocks();
  Loop loop;
  Registry registry;
  const Result<std::unique_ptr<store::Store>> store = store::connect(loop, flags.store, flags.store_options);
  if (!store) return refuse(store.error());
  api::ApiServer api(loop, **store, registry, flags.api);
  int exit_code = 0;
  const auto end = [&](const Error& error) {
    exit_code = refuse(error);
    loop.stop();
  };
  const Result<std::string> bound = api.listen();
  if (!bound) return refuse(bound.error());
  // A start that waits for its store is over when that is known: systemd would end it.
  std::function<void()> ready = [told = false]() mutable {
    if (std::exchange(told, true)) return;
    if (const Status sent = programs::notify_systemd(std::getenv("NOTIFY_SOCKET"), "READY=1"); !sent)
      log::warning("{}", sent.error().message);
  };
  const programs::StoreGate gate(
      loop, **store,
      [&] {
        api.serve();
        ready();
      },
      end,
      [&] {
        log::info("api at http://{} answers 503 until then", *bound);
        ready();
      });
  loop.on_stop_signal([&] {
    log::info("midonet-api stops: requests in progress may finish");
    api.stop([&] { loop.stop(); });
  });
  loop.run();
  if (exit_code == 0) log::info("midonet-api stopped");
  return exit_code;
}

}  // namespace

int main(int argc, char** argv) {
  Flags flags;
  flags.store_options.patience = patience;
  CLI::App app("The MidoNet REST API over a store.", "midonet-api");
  programs::add_server_flags(app, flags, default_config,
                             "File with the same keys as these flags, one `key = value` a line");
  app.add_option("--store", flags.store, "embedded:FILE, or zookeeper://HOST:PORT,…/ROOT")->required();
  programs::add_api_flags(app, flags.api);
  if (const auto exit_code = programs::parse(app, argc, argv, flags)) return *exit_code;
  return run(flags);
}
