// midonet-api: the REST API over a store. Exit code 0 after SIGTERM or SIGINT, 1 when it cannot start, 2 for wrong usage.
#include <CLI/CLI.hpp>
#include <iostream>

#include "api/api_server.h"
#include "base/descriptor_limit.h"
#include "base/log.h"
#include "store/uri.h"

namespace {

using namespace midonet;

constexpr int cannot_start = 1;
constexpr int wrong_usage = 2;
constexpr std::chrono::seconds store_patience{10};
const std::string default_config = "/etc/midolman/midonet-api.conf";

struct Flags {
  std::string store;
  std::string log_level = "info";
  api::ApiServer::Options api;
};

int run(const Flags& flags) {
  if (const Status level = log::set_level(flags.log_level); !level) {
    std::cerr << "midonet-api: " << level.error().message << "\n";
    return wrong_usage;
  }
  if (const Status raised = raise_descriptor_limit(); !raised) log::warning("{}", raised.error().message);
  Loop loop;
  Registry registry;
  const Result<std::unique_ptr<store::Store>> store = store::open(loop, flags.store, {.patience = store_patience});
  if (!store) {
    log::error("midonet-api cannot start: {}", store.error().message);
    return store.error().code == Code::invalid ? wrong_usage : cannot_start;
  }
  api::ApiServer api(loop, **store, registry, flags.api);
  if (const Result<std::string> bound = api.start(); !bound) {
    log::error("midonet-api cannot start: {}", bound.error().message);
    return bound.error().code == Code::invalid ? wrong_usage : cannot_start;
  }
  loop.on_stop_signal([&] {
    log::info("midonet-api stops: requests in progress may finish");
    api.stop([&] { loop.stop(); });
  });
  loop.run();
  log::info("midonet-api stopped");
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  Flags flags;
  CLI::App app("The MidoNet REST API over a store.", "midonet-api");
  app.set_version_flag("--version", MIDONET_VERSION);
  app.set_config("--config", default_config, "File with the same keys as these flags, one `key = value` a line");
  app.allow_config_extras(CLI::config_extras_mode::error);
  app.add_option("--store", flags.store, "embedded:FILE, or zookeeper://HOST:PORT,…/ROOT")->required();
  app.add_option("--listen", flags.api.listen, "Address and port of the API")->capture_default_str();
  app.add_option("--base-uri", flags.api.base_uri,
                 "What URIs in answers begin with; else they follow each request's Host header");
  app.add_flag("--allow-unauthenticated", flags.api.allow_unauthenticated,
               "Listen on an address that is not loopback, though nobody has to log in");
  app.add_flag("--require-tunnel-zone,!--no-require-tunnel-zone", flags.api.require_tunnel_zone,
               "A port can be bound only on a host that is in a tunnel zone (POST /hosts/ID/ports)")
      ->capture_default_str();
  app.add_option("--log-level", flags.log_level, "debug, info, warning or error")->capture_default_str();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : wrong_usage;
  }
  return run(flags);
}
