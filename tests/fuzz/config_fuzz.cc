// Any bytes as a configuration file: of the servers, of mm-ctl, and of the host's id. It is read or refused with a message, and
// the agent and mm-ctl, which read the same file, see the same store in it.
#include <sys/mman.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <optional>
#include <sstream>
#include <string>

#include "api/api_server.h"
#include "cli/agent_config.h"
#include "programs/api_flags.h"
#include "programs/server_flags.h"

namespace {

using namespace midonet;

// What the programs say goes nowhere.
struct Silence {
  std::ostringstream words;
  Silence() {
    std::cout.rdbuf(words.rdbuf());
    std::cerr.rdbuf(words.rdbuf());
  }
};

// The store that the agent uses by the file; nothing when the file is refused, "" when it names none.
std::optional<std::string> store_of_agent(std::string_view text) {
  static const int file = ::memfd_create("midolman.conf", 0);
  if (::ftruncate(file, 0) != 0 || ::pwrite(file, text.data(), text.size(), 0) < 0) std::abort();
  std::string path = "/proc/self/fd/" + std::to_string(file);
  static Silence silence;
  silence.words.str("");
  programs::ServerFlags flags;
  api::ApiServer::Options api;
  CLI::App app("", "midolman");
  programs::add_server_flags(app, flags, path, "");
  app.add_option("--store", flags.store, "");
  programs::add_api_flags(*app.add_subcommand("standalone", "")->fallthrough(), api);
  std::string name = "midolman", option = "--config", command = "standalone";
  char* arguments[] = {name.data(), option.data(), path.data(), command.data(), nullptr};
  const auto exit_code = programs::parse(app, 4, arguments, flags);
  if (exit_code && *exit_code != programs::wrong_usage) std::abort();
  if (exit_code && silence.words.str().empty()) std::abort();
  return exit_code ? std::nullopt : std::optional(flags.store);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::optional<std::string> store = store_of_agent(text);
  const auto config = cli::parse_agent_config(text, "midolman.conf");
  if (!config && config.error().message.empty()) std::abort();
  const bool sections = text.find('[') != std::string_view::npos;
  if (config && store && !store->empty() && !sections && config->store != *store) std::abort();
  if (const auto id = cli::parse_host_id(text, "host_id.properties"); !id && id.error().message.empty()) std::abort();
  return 0;
}
