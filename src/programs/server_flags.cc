#include "programs/server_flags.h"

#include <sys/stat.h>

#include <CLI/CLI.hpp>
#include <iostream>

#include "base/log.h"
#include "programs/config_format.h"

namespace midonet::programs {

void add_server_flags(CLI::App& app, ServerFlags& flags, const std::string& config_file,
                      const std::string& config_help) {
  app.set_version_flag("--version", app.get_name() + " " MIDONET_VERSION);
  add_config(app, config_file, config_help);
  app.add_option("--log-level", flags.log_level, "debug, info, warning or error")->capture_default_str();
  app.add_option(
      "--zookeeper-secret-file", flags.store_options.secret_file,
      "File with one line user:password, the same on every host: only programs with this secret may then use "
      "the nodes in ZooKeeper");
  app.add_flag("--accept-store-loss", flags.store_options.accept_loss,
               "Once, on the command line: an embedded store that lost records goes on with those that are left")
      ->configurable(false);
  app.add_option_function<int>(
         "--session-timeout",
         [&flags](int milliseconds) { flags.store_options.session_timeout = std::chrono::milliseconds(milliseconds); },
         "Milliseconds of silence after which ZooKeeper ends the session of this process; its servers may set limits")
      ->type_name("INT")
      ->default_str(std::to_string(flags.store_options.session_timeout.count()))
      ->check(CLI::Range(1'000, 600'000));
}

std::optional<int> parse(CLI::App& app, int argc, char** argv, const ServerFlags& flags) {
  ::umask(0077);
  const auto readable = [&app] {
    const Status status = config_is_readable(app);
    if (!status) std::cerr << app.get_name() << ": " << status.error().message << "\n";
    return status.has_value();
  };
  try {
    app.parse(argc, argv);
    if (!readable()) return wrong_usage;
  } catch (const CLI::ParseError& error) {
    // What is said to be missing may stand in the file.
    if (error.get_exit_code() != 0 && !readable()) return wrong_usage;
    return app.exit(error) == 0 ? 0 : wrong_usage;
  }
  if (const Status level = log::set_level(flags.log_level); !level) {
    std::cerr << app.get_name() << ": " << level.error().message << "\n";
    return wrong_usage;
  }
  return {};
}

int refuse(const std::string& program, const Error& error) {
  log::error("{} cannot start: {}", program, error.message);
  return error.code == Code::invalid ? wrong_usage : cannot_start;
}

}  // namespace midonet::programs
