#include "store/zookeeper_server.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <utility>

#include "base/backoff.h"
#include "base/unique_fd.h"

namespace midonet::store {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

constexpr std::chrono::milliseconds most_patience = 2s;

constexpr const char* java = "/usr/bin/java";
constexpr const char* jar = "/usr/share/java/zookeeper.jar";
// Says what went wrong in a line each, where it is installed.
constexpr const char* log_jar = "/usr/share/java/slf4j-simple.jar";

sockaddr_in socket_address(const std::string& host, std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  ::inet_pton(AF_INET, host.c_str(), &address.sin_addr);
  return address;
}

const sockaddr* generic(const sockaddr_in& address) { return reinterpret_cast<const sockaddr*>(&address); }

std::uint16_t free_port(const std::string& host) {
  const UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address = socket_address(host, 0);
  socklen_t size = sizeof address;
  if (::bind(socket.get(), generic(address), size) != 0 ||
      ::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    throw std::runtime_error("no free port on " + host);
  }
  return ntohs(address.sin_port);
}

// Removes the folder when this process has ended, however it did: a shell that waits for the end of the pipe. In a session of its
// own, so that what ends a group of processes leaves it alone.
UniqueFd remove_after_us(const std::string& folder) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw std::runtime_error("no pipe");
  const UniqueFd read_end(ends[0]);
  UniqueFd write_end(ends[1]);
  const pid_t child = ::fork();
  if (child < 0) throw std::runtime_error("fork failed");
  if (child == 0) {
    ::setsid();
    // The one between goes at once, so that there is nothing to wait for.
    if (::fork() != 0) ::_exit(0);
    ::dup2(read_end.get(), STDIN_FILENO);
    // The servers die at the same moment: a second try finds what they still wrote.
    ::execl("/bin/sh", "sh", "-c", "read -r _; rm -rf \"$0\" 2>/dev/null || { sleep 1; rm -rf \"$0\"; }",
            folder.c_str(), nullptr);
    ::_exit(127);
  }
  while (::waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
  }
  return write_end;
}

}  // namespace

std::optional<std::string> ZookeeperServers::missing() {
  for (const char* file : {java, jar}) {
    if (::access(file, R_OK) != 0)
      return fmt::format("{} is not there (packages zookeeper, default-jre-headless)", file);
  }
  return std::nullopt;
}

const std::vector<std::string> ZookeeperServers::quick{"-Xmx96m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
                                                       "-Xshare:auto"};

ZookeeperServers::ZookeeperServers(std::size_t count, int tick_ms, std::vector<std::string> java_flags)
    : java_flags_(std::move(java_flags)) {
  directory_ = (fs::temp_directory_path() / "midonet-zookeeper-XXXXXX").string();
  if (::mkdtemp(directory_.data()) == nullptr) throw std::runtime_error("no temporary directory");
  guard_ = remove_after_us(directory_);
  // Every process has addresses of its own in 127.0.0.0/8, so two do not take each other's ports.
  const auto pid = static_cast<unsigned>(::getpid());
  host_ = fmt::format("127.{}.{}.{}", 64 + (pid >> 15 & 0x3f), pid >> 8 & 0x7f, 1 + pid % 254);
  for (std::size_t i = 0; i < count; ++i) {
    servers_.push_back({free_port(host_), free_port(host_), free_port(host_)});
  }
  for (std::size_t i = 0; i < count; ++i) {
    configure(i, tick_ms);
    start(i);
  }
  if (!wait()) throw std::runtime_error("the ZooKeeper servers do not start:\n" + log(0));
}

ZookeeperServers::~ZookeeperServers() {
  for (std::size_t i = 0; i < servers_.size(); ++i) kill(i);
  std::error_code ignored;
  fs::remove_all(directory_, ignored);
}

std::string ZookeeperServers::file(std::size_t server, const std::string& name) const {
  return fmt::format("{}/{}/{}", directory_, server + 1, name);
}

std::string ZookeeperServers::data(std::size_t server) const { return file(server, "data"); }

void ZookeeperServers::configure(std::size_t server, int tick_ms) const {
  fs::create_directories(file(server, "data"));
  std::ofstream config(file(server, "zoo.cfg"));
  // What is written outlives SIGKILL without a flush; only a crash of the machine asks for one.
  config << "tickTime=" << tick_ms << "\nmaxSessionTimeout=60000\ninitLimit=100\nsyncLimit=50\nforceSync=no\n"
         << "dataDir=" << file(server, "data") << "\nclientPortAddress=" << host_
         << "\nclientPort=" << servers_[server].client_port
         << "\nmaxClientCnxns=0\nadmin.enableServer=false\n4lw.commands.whitelist=*\n";
  if (servers_.size() == 1) return;
  std::ofstream(file(server, "data/myid")) << server + 1 << '\n';
  for (std::size_t i = 0; i < servers_.size(); ++i) {
    config << fmt::format("server.{}={}:{}:{}\n", i + 1, host_, servers_[i].peer_port, servers_[i].election_port);
  }
}

void ZookeeperServers::start(std::size_t server) {
  // All that needs memory before the fork: other threads may hold the allocator's lock.
  const std::string config = file(server, "zoo.cfg");
  const std::string log_file = file(server, "log");
  const std::string class_path = fmt::format("{}:{}", jar, log_jar);
  std::vector<const char*> arguments = {java};
  for (const std::string& flag : java_flags_) arguments.push_back(flag.c_str());
  arguments.insert(arguments.end(), {"-XX:-UsePerfData", "-Dzookeeper.jmx.log4j.disable=true",
                                     "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp", class_path.c_str(),
                                     "org.apache.zookeeper.server.quorum.QuorumPeerMain", config.c_str(), nullptr});
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child < 0) throw std::runtime_error("fork failed");
  if (child == 0) {
    // Whatever ends us ends it.
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    const int log = ::open(log_file.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (::getppid() != parent || log < 0) ::_exit(126);
    ::dup2(log, STDOUT_FILENO);
    ::dup2(log, STDERR_FILENO);
    ::execv(java, const_cast<char**>(arguments.data()));
    ::_exit(127);
  }
  servers_[server].pid = child;
  servers_[server].stopped = false;
}

void ZookeeperServers::kill(std::size_t server) {
  const pid_t pid = std::exchange(servers_[server].pid, -1);
  if (pid <= 0) return;
  ::kill(pid, SIGKILL);
  while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
  }
}

void ZookeeperServers::stop(std::size_t server) {
  if (servers_[server].pid <= 0) return;
  ::kill(servers_[server].pid, SIGSTOP);
  // A busy machine lets its threads run on for a while: it hangs when all of them have stopped.
  int status = 0;
  while (::waitpid(servers_[server].pid, &status, WUNTRACED) < 0 && errno == EINTR) {
  }
  servers_[server].stopped = true;
}

void ZookeeperServers::go_on(std::size_t server) {
  if (servers_[server].pid <= 0) return;
  ::kill(servers_[server].pid, SIGCONT);
  servers_[server].stopped = false;
}

bool ZookeeperServers::wait(int seconds) const {
  const auto deadline = Clock::now() + std::chrono::seconds(seconds);
  for (std::size_t i = 0; i < servers_.size(); ++i) {
    if (servers_[i].pid <= 0 || servers_[i].stopped) continue;
    // Nothing tells when a server of another program is ready but asking it. One that has just begun to listen may take
    // the question and never answer it (zookeeper_connection.h says why).
    Backoff backoff(100ms, most_patience);
    auto patience = backoff.next();
    for (auto asked = Clock::now(); ask(i, "srvr", patience).find("Mode: ") == std::string::npos;
         asked = Clock::now()) {
      if (Clock::now() > deadline) return false;
      if (Clock::now() - asked >= patience) patience = backoff.next();
      ::poll(nullptr, 0, 5);
    }
  }
  return true;
}

std::size_t ZookeeperServers::leader() const {
  for (std::size_t i = 0; i < servers_.size(); ++i) {
    if (servers_[i].pid > 0 && ask(i, "srvr", most_patience).find("Mode: leader") != std::string::npos) return i;
  }
  return servers_.size();
}

std::string ZookeeperServers::address() const {
  std::string out;
  for (const Server& server : servers_) {
    out += fmt::format("{}{}:{}", out.empty() ? "" : ",", host_, server.client_port);
  }
  return out;
}

std::string ZookeeperServers::ask(std::size_t server, const std::string& word,
                                  std::chrono::milliseconds patience) const {
  const UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const timeval most{.tv_sec = patience.count() / 1000, .tv_usec = patience.count() % 1000 * 1000};
  ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &most, sizeof most);
  ::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &most, sizeof most);
  const sockaddr_in address = socket_address(host_, servers_[server].client_port);
  if (::connect(socket.get(), generic(address), sizeof address) != 0) return {};
  if (::send(socket.get(), word.data(), word.size(), MSG_NOSIGNAL) < 0) return {};
  std::string answer;
  char buffer[4096];
  while (true) {
    const ssize_t size = ::recv(socket.get(), buffer, sizeof buffer, 0);
    if (size <= 0) return answer;
    answer.append(buffer, static_cast<std::size_t>(size));
  }
}

std::map<std::string, std::int64_t> ZookeeperServers::counters(std::size_t server) const {
  std::map<std::string, std::int64_t> out;
  std::istringstream lines(ask(server, "mntr", most_patience));
  for (std::string line; std::getline(lines, line);) {
    std::istringstream fields(line);
    std::string name;
    std::int64_t value = 0;
    if (fields >> name >> value) out[name] = value;
  }
  return out;
}

std::string ZookeeperServers::log(std::size_t server) const {
  std::ifstream in(file(server, "log"));
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

}  // namespace midonet::store
