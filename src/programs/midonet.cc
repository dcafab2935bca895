// midonet, the operator's command: flags, and which verb of cli/commands.h they mean.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "cli/agent_commands.h"
#include "cli/commands.h"
#include "programs/config_format.h"
#include "programs/midonet_completion.h"

namespace midonet::programs {

namespace {

using cli::Failure;
using cli::Format;
using cli::Outcome;
using cli::Session;

constexpr const char* exit_statuses =
    R"(Bridges, ports, hosts and tunnel zones go by their name, their id, or the beginning of their id (4 characters or more, if
only one has it); ports also by their MAC address or by the interface that they are bound to.

Exit status:
  0  done
  1  wrong usage, an ill-formed value, or a name that may mean several things; of status: something is not well
  2  there is no such thing
  3  refused: something else is in the way, or it is not permitted
  4  the API, or its store, does not answer
  5  attached, and --wait is over before the port is active
  6  attached, and the host's agent reports an error
  7  the API failed, or its answer makes no sense)";

struct Flags {
  std::string api = "http://127.0.0.1:8181";
  std::string socket = "/var/run/midolman/midolman.sock";
  std::string output = "table";
  bool full = false;
  double timeout_s = 10;
  std::string token, user, password_file, project, ca_file;
};

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

// Of OpenStack's own variables only when nothing of ours is set.
Result<cli::Credentials> credentials(const Flags& flags) {
  cli::Credentials out{flags.token, flags.user, "", flags.project};
  if (out.nobody()) {
    out.token = environment("OS_TOKEN");
    out.user = environment("OS_USERNAME");
    out.password = environment("OS_PASSWORD");
    if (out.password.empty()) out.user.clear();
    if (out.project.empty()) out.project = environment("OS_PROJECT_NAME");
  }
  if (!out.token.empty() || flags.user.empty()) return out;
  if (flags.password_file.empty()) {
    out.password = environment("MIDONET_PASSWORD");
    return out;
  }
  auto password = cli::read_password(flags.password_file);
  if (!password) return failed(password);
  out.password = *std::move(password);
  return out;
}

Result<Session> open_session(const Flags& flags) {
  const auto timeout = std::chrono::milliseconds(static_cast<std::int64_t>(flags.timeout_s * 1000));
  auto who = credentials(flags);
  if (!who) return failed(who);
  std::string ca_file = flags.ca_file.empty() ? environment("OS_CACERT") : flags.ca_file;
  auto api = cli::Api::at(flags.api, timeout, *std::move(who), std::move(ca_file));
  if (!api) return failed(api);
  const char* no_colour = std::getenv("NO_COLOR");  // https://no-color.org
  const char* terminal = std::getenv("TERM");
  const bool colour = ::isatty(STDOUT_FILENO) != 0 && (no_colour == nullptr || *no_colour == '\0') &&
                      (terminal == nullptr || std::string_view(terminal) != "dumb");
  const Format format = flags.output == "json" ? Format::json : flags.output == "wide" ? Format::wide : Format::table;
  return Session{*std::move(api), {format, colour, std::chrono::system_clock::now(), flags.full}, flags.socket};
}

// The verb that the command line asks for; set by the sub-command that was parsed.
using Verb = std::function<Outcome(const Session&)>;

struct Command {
  Command();

  CLI::App app{"Looks at and changes the virtual networks of MidoNet.", "midonet"};
  Flags flags;
  Verb verb;
  bool print_completion = false;

 private:
  void add_bridge();
  void add_port();
  void add_host();
  void add_tunnel_zone();
  void add_attach();
  void add_agent();
  // `name` of `noun`s: list, show and delete are alike.
  CLI::App* add_noun(const std::string& noun, const std::string& doc);
  void add_show_and_delete(CLI::App* group, const std::string& noun);

  // What the sub-commands' own flags and arguments are read into.
  std::vector<std::string> which_;
  std::optional<std::string> filter_;
  bool with_contents_ = false;
  cli::NewBridge bridge_;
  cli::NewPort port_;
  cli::NewTunnelZone zone_;
  cli::ZoneMember member_;
  cli::Attach attach_;
  std::optional<double> wait_s_;
  std::string file_;
};

std::optional<std::chrono::milliseconds> milliseconds(const std::optional<double>& seconds) {
  if (!seconds) return {};
  return std::chrono::milliseconds(static_cast<std::int64_t>(*seconds * 1000));
}

Command::Command() {
  app.set_version_flag("--version", "midonet " MIDONET_VERSION);
  add_config(app, "/etc/midolman/midonet.conf", "File with the same keys as these flags, one a line");
  app.add_option("--api", flags.api, "The REST API, http:// or https://")
      ->envname("MIDONET_API")
      ->capture_default_str();
  app.add_option(
         "--ca-file", flags.ca_file,
         "With https: a file with the authorities (PEM) that its certificate is checked against; else the system's")
      ->envname("MIDONET_CA_FILE")
      ->type_name("FILE");
  app.add_option("--socket", flags.socket, "The socket of this host's agent")->capture_default_str();
  app.add_option("-o,--output", flags.output, "table, wide (every field, ids and times in full) or json")
      ->check(CLI::IsMember({"table", "wide", "json"}).description(""))
      ->type_name("FORMAT")
      ->capture_default_str();
  app.add_flag("--full", flags.full,
               "Tables with whole ids and names, however wide they get; else they fit 80 columns");
  app.add_option("--timeout", flags.timeout_s, "Seconds to wait for an answer")
      ->check(CLI::Range(0.001, 3600.0).description(""))
      ->type_name("SECONDS")
      ->capture_default_str();
  app.add_option("--user", flags.user, "Your user name, for an API with logins (its --auth)")->envname("MIDONET_USER");
  app.add_option("--password-file", flags.password_file,
                 "A file with your password, which no other user may read; or the variable MIDONET_PASSWORD has it")
      ->type_name("FILE");
  app.add_option("--project", flags.project, "The project to log in to, for an API that uses Keystone")
      ->envname("MIDONET_PROJECT");
  app.add_option("--token", flags.token,
                 "A token instead of a user; better in the variable, since other users see command lines")
      ->envname("MIDONET_TOKEN");
  app.footer(exit_statuses);
  app.require_subcommand(1);
  app.fallthrough();

  CLI::App* status = app.add_subcommand("status", "Whether all is well, and if not, what is wrong");
  status->add_option("--wait", wait_s_, "Ask again until all is well, for so long")
      ->check(CLI::Range(0.0, 3600.0).description(""))
      ->type_name("SECONDS");
  status->callback(
      [this] { verb = [wait = milliseconds(wait_s_)](const Session& s) { return cli::status(s, wait); }; });
  CLI::App* show = app.add_subcommand("show", "Everything as a tree: host, port, interface, state and since when");
  show->callback([this] { verb = cli::show; });
  add_bridge();
  add_port();
  add_host();
  add_tunnel_zone();
  add_attach();
  add_agent();
  CLI::App* completion = app.add_subcommand("completion", "Print a script that completes this command in a shell");
  completion->require_subcommand(1);
  completion->add_subcommand("bash", "For bash: source <(midonet completion bash)")->callback([this] {
    print_completion = true;
  });
}

CLI::App* Command::add_noun(const std::string& noun, const std::string& doc) {
  CLI::App* group = app.add_subcommand(noun, doc);
  group->require_subcommand(1);
  group->fallthrough();
  return group;
}

void Command::add_show_and_delete(CLI::App* group, const std::string& noun) {
  CLI::App* show = group->add_subcommand("show", "One " + noun + " in full");
  show->add_option(noun, which_, "Its name, id, or the beginning of its id")->required()->expected(1);
  show->callback(
      [this, noun] { verb = [this, noun](const Session& s) { return cli::show_one(s, noun, which_.at(0)); }; });
  CLI::App* remove = group->add_subcommand("delete", "Delete " + noun + "s; none, if one of the names is wrong");
  remove->add_option(noun, which_, "Names, ids, or beginnings of ids")->required();
  if (noun == "bridge")
    remove->add_flag("--with-ports", with_contents_, "Also a bridge with bound ports: their bindings end");
  if (noun == "tunnel-zone")
    remove->add_flag("--with-hosts", with_contents_, "Also a tunnel zone with hosts: their tunnels end");
  remove->callback(
      [this, noun] { verb = [this, noun](const Session& s) { return cli::remove(s, noun, which_, with_contents_); }; });
}

void Command::add_bridge() {
  CLI::App* group = add_noun("bridge", "Virtual layer-2 networks");
  CLI::App* list = group->add_subcommand("list", "All bridges");
  list->add_option("--tenant", filter_, "Only this tenant's");
  list->callback([this] { verb = [this](const Session& s) { return cli::list(s, "bridge", filter_); }; });
  add_show_and_delete(group, "bridge");
  CLI::App* create = group->add_subcommand("create", "Make a bridge and print its id");
  create->add_option("name,--name", bridge_.name, "Its name");
  create->add_option("--tenant", bridge_.tenant, "Its tenant");
  create->add_option("--id", bridge_.id, "Its id (a UUID; drawn at random)");
  create->callback([this] { verb = [this](const Session& s) { return cli::create_bridge(s, bridge_); }; });
}

void Command::add_port() {
  CLI::App* group = add_noun("port", "Ports of bridges, where interfaces are attached");
  CLI::App* list = group->add_subcommand("list", "All ports");
  list->add_option("bridge,--bridge", filter_, "Only this bridge's");
  list->callback([this] { verb = [this](const Session& s) { return cli::list(s, "port", filter_); }; });
  add_show_and_delete(group, "port");
  CLI::App* create = group->add_subcommand("create", "Make a port of a bridge and print its id");
  create->add_option("bridge,--bridge", port_.bridge, "The bridge")->required();
  create->add_option("--mac", port_.mac, "The guest's MAC address, known before its first frame");
  create->add_option("--id", port_.id, "Its id (a UUID; drawn at random)");
  create->callback([this] { verb = [this](const Session& s) { return cli::create_port(s, port_); }; });
}

void Command::add_host() {
  CLI::App* group = add_noun("host", "Hosts, which appear when their agents start");
  group->add_subcommand("list", "All hosts")->callback([this] {
    verb = [](const Session& s) { return cli::list(s, "host", std::nullopt); };
  });
  add_show_and_delete(group, "host");
  CLI::App* create = group->add_subcommand("create", "Explain how a host is made: by starting its agent");
  create->add_option("name", which_, "Any name");
  create->callback([this] {
    verb = [](const Session&) -> Outcome {
      return tl::unexpected<Failure>(
          Failure{cli::midonet_exit::usage,
                  "a host makes itself known when its agent starts: run `midolman --store URI` on it"});
    };
  });
}

void Command::add_tunnel_zone() {
  CLI::App* group = add_noun("tunnel-zone", "Hosts that tunnel to each other, and their addresses");
  group->add_subcommand("list", "All tunnel zones")->callback([this] {
    verb = [](const Session& s) { return cli::list(s, "tunnel-zone", std::nullopt); };
  });
  add_show_and_delete(group, "tunnel-zone");
  CLI::App* create = group->add_subcommand("create", "Make a tunnel zone and print its id");
  create->add_option("name,--name", zone_.name, "Its name; no two zones have the same name")->required();
  create->add_option("--id", zone_.id, "Its id (a UUID; drawn at random)");
  create->callback([this] { verb = [this](const Session& s) { return cli::create_tunnel_zone(s, zone_); }; });
  CLI::App* add = group->add_subcommand("add-host", "Add a host to a tunnel zone");
  add->add_option("tunnel-zone", member_.zone, "The tunnel zone")->required();
  add->add_option("host", member_.host, "The host")->required();
  add->add_option("address", member_.address, "The address at which the other hosts of the zone reach it: IPv4 or IPv6")
      ->required();
  add->callback([this] { verb = [this](const Session& s) { return cli::add_to_tunnel_zone(s, member_); }; });
  CLI::App* remove = group->add_subcommand("remove-host", "Remove a host from a tunnel zone");
  remove->add_option("tunnel-zone", member_.zone, "The tunnel zone")->required();
  remove->add_option("host", member_.host, "The host")->required();
  remove->callback([this] { verb = [this](const Session& s) { return cli::remove_from_tunnel_zone(s, member_); }; });
}

void Command::add_attach() {
  CLI::App* attach = app.add_subcommand("attach", "Bind a port to an interface of a host");
  attach->add_option("port", attach_.port, "The port")->required();
  attach->add_option("host", attach_.host, "The host")->required();
  attach->add_option("interface", attach_.interface, "The interface there; it need not exist yet")->required();
  attach->add_option("--wait", wait_s_, "Wait for so long until the port is active")
      ->check(CLI::Range(0.0, 3600.0).description(""))
      ->type_name("SECONDS");
  attach->add_option("--move-from", attach_.move_from, "Move the port, which is bound on that host now");
  attach->callback([this] {
    attach_.wait = milliseconds(wait_s_);
    verb = [this](const Session& s) { return cli::attach(s, attach_); };
  });
  CLI::App* detach = app.add_subcommand("detach", "End the binding of a port");
  detach->add_option("port", attach_.port, "The port")->required();
  detach->callback([this] { verb = [this](const Session& s) { return cli::detach(s, attach_.port); }; });
}

void Command::add_agent() {
  CLI::App* backup = app.add_subcommand("backup", "Save an embedded store, which stays in use, to a file");
  backup->add_option("file", file_, "The file to write; it is replaced")->required();
  backup->callback([this] { verb = [this](const Session& s) { return cli::back_up(s, file_); }; });
  CLI::App* group = app.add_subcommand("agent", "The agent of this host");
  group->require_subcommand(1);
  group->fallthrough();
  group
      ->add_subcommand("accept",
                       "After a loss of the store: remove from this host the ports that the store no longer knows")
      ->callback([this] { verb = cli::accept_store; });
}

int print(std::FILE* stream, const std::string& text) {
  const bool written = std::fwrite(text.data(), 1, text.size(), stream) == text.size() && std::fflush(stream) == 0;
  return written ? cli::midonet_exit::success : cli::midonet_exit::defect;
}

int fail_with(const Failure& failure) {
  (void)print(stdout, failure.output);
  std::string line = "midonet: " + cli::printable(failure.message) + "\n";
  (void)print(stderr, line);
  return failure.exit_status;
}

int complete(const std::vector<std::string>& words) {
  const Command command;
  const Completion completion = look_up(command.app, words);
  // What the variables and the configuration say, as of any other command.
  Command configured;
  try {
    configured.app.parse(std::vector<std::string>{"show"});
  } catch (const CLI::ParseError&) {
    return cli::midonet_exit::usage;
  }
  Flags flags = configured.flags;
  flags.timeout_s = 1;  // a user waits at a prompt
  if (!completion.api.empty()) flags.api = completion.api;
  std::vector<std::string> words_out = completion.words;
  if (!completion.noun.empty()) {
    if (const auto session = open_session(flags)) words_out = cli::choices(*session, completion.noun, completion.host);
  }
  std::string out;
  for (const std::string& word : words_out) {
    if (word.starts_with(completion.prefix)) out += word + "\n";
  }
  return print(stdout, out);
}

// What to say when the words name no sub-command where one has to stand; empty when they do.
std::string missing_command(const CLI::App& app, const std::vector<std::string>& words) {
  const CLI::App* at = &app;
  std::string path = "midonet";
  for (std::size_t i = 0;; ++i) {
    const auto subs = at->get_subcommands([](const CLI::App*) { return true; });
    if (subs.empty() || (i < words.size() && words[i].starts_with('-'))) return {};
    std::string names;
    const CLI::App* next = nullptr;
    for (const CLI::App* sub : subs) {
      names += (names.empty() ? "" : ", ") + sub->get_name();
      if (i < words.size() && sub->get_name() == words[i]) next = sub;
    }
    if (i == words.size()) return fmt::format("`{}` needs one of: {}", path, names);
    if (next == nullptr) return fmt::format("`{}` has no command '{}', only: {}", path, words[i], names);
    path += " " + words[i];
    at = next;
  }
}

int run(int argc, char** argv) {
  if (argc > 1 && std::string_view(argv[1]) == "__complete") return complete({argv + 2, argv + argc});
  Command command;
  try {
    command.app.parse(argc, argv);
  } catch (const CLI::Success& success) {  // --help and --version
    return command.app.exit(success);
  } catch (const CLI::ParseError& error) {
    // CLI11 says "A subcommand is required" of one that it does not know.
    const std::string missing = missing_command(command.app, {argv + 1, argv + argc});
    if (!missing.empty()) return fail_with({cli::midonet_exit::usage, missing});
    return fail_with({cli::midonet_exit::usage, std::string(error.what()) + ": `midonet --help` shows how"});
  }
  if (command.print_completion) return print(stdout, bash_completion);
  if (const Status readable = config_is_readable(command.app); !readable)
    return fail_with({cli::midonet_exit::usage, readable.error().message});
  const auto session = open_session(command.flags);
  if (!session) return fail_with(cli::failure(session.error()));
  const Outcome outcome = command.verb(*session);
  return outcome ? print(stdout, *outcome) : fail_with(outcome.error());
}

}  // namespace

}  // namespace midonet::programs

int main(int argc, char** argv) { return midonet::programs::run(argc, argv); }
