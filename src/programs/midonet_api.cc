// midonet-api: the REST API over a store. Exit code 0 after SIGTERM or SIGINT, 1 when it cannot start, 2 for wrong usage.
#include <CLI/CLI.hpp>

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
  // What waits for the API waits for its store: the unit sets no limit to the start. Meanwhile requests are answered 503.
  const auto ready = [&] {
    log::info("ready listen={} store={}", *bound, (*store)->uri());
    programs::tell_systemd(programs::systemd_ready);
  };
  const programs::StoreGate gate(
      loop, **store,
      [&] {
        api.serve();
        loop.post(ready);  // the next turn of the loop has made the listener accept
      },
      end,
      [&] {
        log::info("api at http://{} answers 503 until then", *bound);
        programs::tell_systemd(programs::systemd_waiting);
      });
  loop.on_stop_signal([&] {
    log::info("midonet-api stops: requests in progress may finish");
    programs::tell_systemd("STOPPING=1");
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
