// The command line of mm-ctl. By hand: a library for flags would cost more than all the rest of a call.
#include <charconv>
#include <vector>

#include "cli/mm_ctl.h"

namespace midonet::cli {

const char* const mm_ctl_usage =
    "usage: mm-ctl --bind-port <portId> <interfaceName>\n"
    "       mm-ctl --unbind-port <portId>\n";

const char* const mm_ctl_help =
    R"(usage: mm-ctl --bind-port <portId> <interfaceName>
       mm-ctl --unbind-port <portId>

Binds a virtual port to a network interface of this host, or ends that. It asks the agent of this host; when none
answers, it writes the same records into the store itself.

--bind-port moves a port here that is bound on another host or interface. --unbind-port leaves a port alone that is bound on another
host or nowhere, and is a success then. Both may be repeated.

  --timeout SECONDS      give up after this time, 0.001 to 3600 (default 10)
  --release-tap CHOICE   auto, yes or no (default auto, or release-tap of the configuration): delete the tap after the
                         binding is recorded, because libvirt from 9.0 on insists on making it itself. Only ever a
                         persistent tap that nobody has open. auto: where libvirt 9.0 or later is installed, and the tap
                         has the name that Nova gave it ("tap" and the first 11 characters of the port's id)
  --config FILE          the agent's configuration (default /etc/midolman/midolman.conf, read if present)
  --run-dir DIR          where the agent's socket midolman.sock is (default /var/run/midolman)
  --socket PATH          the agent's socket itself
  --store URI            the store (default embedded:/var/lib/midolman/midonet.db)
  --host-id-file FILE    the id of this host (default /etc/midonet_host_id.properties)
  --help, --version

Keys of the configuration that it reads: store, zookeeper-secret-file, run-dir, host-id-file, release-tap.

Exit status: 0 done (nothing is printed), 1 wrong usage, 2 this host has no id, 3 any other failure, 13 not permitted.
)";

namespace {

Result<std::chrono::milliseconds> parse_timeout(std::string_view text) {
  double seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (error != std::errc{} || end != text.data() + text.size() || !(seconds >= 0.001 && seconds <= 3600))
    return fail(Code::invalid, "--timeout '{}': give seconds, 0.001 to 3600", text);
  return std::chrono::milliseconds(static_cast<std::int64_t>(seconds * 1000));
}

}  // namespace

Result<MmCtlCommand> parse_mm_ctl(std::span<const char* const> arguments) {
  MmCtlCommand command;
  std::optional<MmCtlCommand::Verb> verb;
  std::vector<std::string> operands;
  bool flags_over = false;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string_view argument = arguments[i];
    if (flags_over || !argument.starts_with("--")) {
      operands.emplace_back(argument);
      continue;
    }
    if (argument == "--") {
      flags_over = true;
      continue;
    }
    if (argument == "--bind-port" || argument == "--unbind-port") {
      if (verb) return fail(Code::invalid, "one of --bind-port and --unbind-port, once");
      verb = argument == "--bind-port" ? MmCtlCommand::Verb::bind : MmCtlCommand::Verb::unbind;
      continue;
    }
    if (argument == "--help" || argument == "--version") {
      command.verb = argument == "--help" ? MmCtlCommand::Verb::help : MmCtlCommand::Verb::version;
      return command;
    }
    const std::size_t equals = argument.find('=');
    const std::string_view flag = argument.substr(0, equals);
    std::string value;
    if (equals != std::string_view::npos) {
      value = argument.substr(equals + 1);
    } else {
      if (++i == arguments.size()) return fail(Code::invalid, "{} needs a value", flag);
      value = arguments[i];
    }
    if (value.empty()) return fail(Code::invalid, "{} needs a value", flag);
    if (flag == "--config") {
      command.config_file = value;
    } else if (flag == "--socket") {
      command.socket = value;
    } else if (flag == "--run-dir") {
      command.run_dir = value;
    } else if (flag == "--store") {
      command.store = value;
    } else if (flag == "--host-id-file") {
      command.host_id_file = value;
    } else if (flag == "--timeout") {
      const auto timeout = parse_timeout(value);
      if (!timeout) return failed(timeout);
      command.timeout = *timeout;
    } else if (flag == "--release-tap") {
      const auto choice = parse_release_tap(value);
      if (!choice) return failed(choice);
      command.release_tap = *choice;
    } else {
      return fail(Code::invalid, "{} is not known", flag);
    }
  }
  const std::size_t wanted = !verb ? 0 : *verb == MmCtlCommand::Verb::bind ? 2 : 1;
  if (!verb || operands.size() != wanted) return fail(Code::invalid, "wrong number of arguments");
  command.verb = *verb;
  command.port_id = operands[0];
  if (wanted == 2) command.interface_name = operands[1];
  return command;
}

}  // namespace midonet::cli
