#include "cli/mm_ctl.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "base/backoff.h"
#include "base/interface_name.h"
#include "base/json.h"
#include "cli/agent_socket.h"
#include "cli/direct_binding.h"
#include "cli/tap.h"

namespace midonet::cli {

namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

// Failed with this exit status, for good unless `passing`: then trying again may help.
struct Failure {
  int exit_status;
  std::string why;
  bool passing = false;
};

int exit_status_of(Code code) {
  return code == Code::forbidden || code == Code::unauthenticated ? mm_ctl_exit::not_permitted : mm_ctl_exit::failure;
}
tl::unexpected<Failure> give_up(const Error& error) {
  return tl::unexpected<Failure>(Failure{exit_status_of(error.code), error.message});
}

// One line, whatever a file name or a server put into it.
void complain(std::string_view text) {
  std::string line = fmt::format("mm-ctl: {}", text);
  for (char& c : line) {
    if (static_cast<unsigned char>(c) < ' ' || c == 0x7f) c = ' ';
  }
  line += '\n';
  for (std::string_view left = line; !left.empty();) {
    const ssize_t written = ::write(STDERR_FILENO, left.data(), left.size());
    if (written <= 0) return;  // no agent to tell
    left.remove_prefix(static_cast<std::size_t>(written));
  }
}

// What the agent says for itself in {"message": …}; else its status.
std::string message_of(const HttpAnswer& answer) {
  const auto body = parse_json(answer.body);
  if (body.is_object() && body.contains("message") && body["message"].is_string()) return body["message"];
  return fmt::format("the agent answers with HTTP status {}", answer.status);
}

struct Task {
  Uuid port_id;
  std::optional<std::string> interface_name;  // bind to it; absent: unbind
  std::string socket, store, secret_file, host_id_file;
  Deadline deadline;
};

tl::expected<void, Failure> bind_without_agent(const Task& task) {
  const Result<Uuid> host_id = read_host_id(task.host_id_file);
  if (!host_id) {
    const int status = host_id.error().code == Code::forbidden ? mm_ctl_exit::not_permitted : mm_ctl_exit::no_host_id;
    return tl::unexpected<Failure>(Failure{status, host_id.error().message});
  }
  // A short patience with a store that is in use: its user may be an agent that is starting, and will answer instead.
  const Deadline patience = std::min(task.deadline, Clock::now() + 100ms);
  const Status bound = bind_directly({task.store, task.secret_file, *host_id, task.port_id, task.interface_name},
                                     task.store.starts_with("embedded:") ? patience : task.deadline);
  if (bound) return {};
  Failure failure{exit_status_of(bound.error().code), bound.error().message, bound.error().code == Code::unavailable};
  return tl::unexpected<Failure>(std::move(failure));
}

// Until the deadline: the agent if it answers, else the store, unless another process has it, and so on.
tl::expected<void, Failure> carry_out(const Task& task) {
  AgentRequest request{"DELETE", "/binding/" + task.port_id.to_string(), {}};
  if (task.interface_name) {
    request.method = "PUT";
    request.body = dump_json(nlohmann::json{{"interfaceName", *task.interface_name}});
  }
  // An agent that took the request and is silent gets half of the time; the other half is for the store.
  const Deadline agents_part = Clock::now() + (task.deadline - Clock::now()) / 2;

  for (Backoff backoff(2ms, 100ms);;) {
    std::string why;
    const Deadline now = Clock::now();
    const Result<HttpAnswer> answer = ask_agent(task.socket, request, now < agents_part ? agents_part : task.deadline);
    if (answer) {
      if (answer->status >= 200 && answer->status < 300) return {};
      const bool forbidden = answer->status == 401 || answer->status == 403;
      // 503: the agent lives and its store does not answer, which may pass.
      if (answer->status != 503)
        return tl::unexpected<Failure>(
            Failure{forbidden ? mm_ctl_exit::not_permitted : mm_ctl_exit::failure, message_of(*answer)});
      why = message_of(*answer);
    } else if (answer.error().code != Code::unavailable) {
      return give_up(answer.error());
    } else {
      auto bound = bind_without_agent(task);
      if (bound) return {};
      why = fmt::format("{}; without it: {}", answer.error().message, bound.error().why);
      if (!bound.error().passing) return tl::unexpected<Failure>(Failure{bound.error().exit_status, why});
    }
    const auto pause = backoff.next();
    if (Clock::now() + pause >= task.deadline) return tl::unexpected<Failure>(Failure{mm_ctl_exit::failure, why});
    (void)::poll(nullptr, 0, static_cast<int>(pause.count()));
  }
}

tl::expected<void, Failure> run(const MmCtlCommand& command) {
  const Deadline deadline = Clock::now() + command.timeout;
  const Result<Uuid> port_id = Uuid::parse(command.port_id);
  if (!port_id) return give_up(port_id.error());
  const bool bind = command.verb == MmCtlCommand::Verb::bind;
  if (bind) {
    if (const Status valid = check_interface_name(command.interface_name); !valid) return give_up(valid.error());
  }
  Result<AgentConfig> config = read_agent_config(command.config_file);
  if (!config) return give_up(config.error());
  if (command.run_dir) config->run_dir = *command.run_dir;

  Task task{*port_id,
            std::nullopt,
            command.socket.value_or(config->socket()),
            command.store.value_or(config->store),
            config->zookeeper_secret_file,
            command.host_id_file.value_or(config->host_id_file),
            deadline};
  if (bind) task.interface_name = command.interface_name;
  if (auto done = carry_out(task); !done) return done;

  const ReleaseTap release = command.release_tap.value_or(config->release_tap);
  const bool wanted = bind && (release == ReleaseTap::yes ||
                               (release == ReleaseTap::automatic && command.interface_name == nova_tap_name(*port_id) &&
                                libvirt_makes_its_taps("")));
  if (wanted) {
    if (const Status released = release_tap(command.interface_name); !released) {
      return tl::unexpected<Failure>(
          Failure{exit_status_of(released.error().code),
                  fmt::format("the tap, which libvirt is to make, cannot be deleted: {}", released.error().message)});
    }
  }
  return {};
}

}  // namespace

int mm_ctl(std::span<const char* const> arguments) {
  // A caller may leave a standard stream closed; the store's file must not become it and take our complaint in.
  while (true) {
    const int fd = ::open("/dev/null", O_RDWR);
    if (fd < 0) break;
    if (fd > STDERR_FILENO) {
      ::close(fd);
      break;
    }
  }
  // Nova calls with umask 0, and what SQLite makes beside the store must be for its owner alone.
  ::umask(0077);
  ::signal(SIGPIPE, SIG_IGN);
  const Result<MmCtlCommand> command = parse_mm_ctl(arguments);
  const auto print = [](int fd, std::string_view text) { return ::write(fd, text.data(), text.size()) >= 0; };
  if (!command) {
    (void)print(STDERR_FILENO, mm_ctl_usage);
    return mm_ctl_exit::usage;
  }
  if (command->verb == MmCtlCommand::Verb::help) return print(STDOUT_FILENO, mm_ctl_help) ? 0 : mm_ctl_exit::failure;
  if (command->verb == MmCtlCommand::Verb::version)
    return print(STDOUT_FILENO, "mm-ctl " MIDONET_VERSION "\n") ? 0 : mm_ctl_exit::failure;

  const auto done = run(*command);
  if (done) return mm_ctl_exit::success;
  const char* verb = command->verb == MmCtlCommand::Verb::bind ? "bind" : "unbind";
  complain(command->verb == MmCtlCommand::Verb::bind
               ? fmt::format("{} port {} to {}: {}", verb, command->port_id, command->interface_name, done.error().why)
               : fmt::format("{} port {}: {}", verb, command->port_id, done.error().why));
  return done.error().exit_status;
}

}  // namespace midonet::cli
