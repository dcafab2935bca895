#include "programs/child.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>

namespace midonet::programs {

Child::Child(const std::vector<std::string>& argv, const std::function<void()>& prepare) {
  std::array<int, 2> out{}, err{};
  if (::pipe2(out.data(), O_CLOEXEC) != 0 || ::pipe2(err.data(), O_CLOEXEC) != 0) std::abort();
  out_.reset(out[0]);
  err_.reset(err[0]);
  std::vector<char*> arguments;
  for (const std::string& argument : argv) arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  pid_ = ::fork();
  if (pid_ == 0) {
    ::dup2(out[1], STDOUT_FILENO);
    ::dup2(err[1], STDERR_FILENO);
    const UniqueFd null(::open("/dev/null", O_RDONLY));
    ::dup2(null.get(), STDIN_FILENO);
    if (::chdir("/") != 0) ::_exit(126);
    if (prepare) prepare();
    ::execv(arguments[0], arguments.data());
    ::_exit(127);
  }
  ::close(out[1]);
  ::close(err[1]);
}

Child::~Child() {
  if (!out_ || pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

Ended Child::wait() {
  Ended ended;
  ended.err = std::move(err_so_far_);
  std::array<pollfd, 2> ends{pollfd{out_.get(), POLLIN, 0}, pollfd{err_.get(), POLLIN, 0}};
  std::array<std::string*, 2> texts{&ended.out, &ended.err};
  while (ends[0].fd >= 0 || ends[1].fd >= 0) {
    if (::poll(ends.data(), ends.size(), 60'000) <= 0) {
      ADD_FAILURE() << "the program does not end";
      return ended;
    }
    for (std::size_t i = 0; i < ends.size(); ++i) {
      if (ends[i].fd < 0 || ends[i].revents == 0) continue;
      std::array<char, 4096> chunk{};
      const ssize_t got = ::read(ends[i].fd, chunk.data(), chunk.size());
      if (got <= 0)
        ends[i].fd = -1;
      else
        texts[i]->append(chunk.data(), static_cast<std::size_t>(got));
    }
  }
  int status = 0;
  ::waitpid(pid_, &status, 0);
  if (WIFEXITED(status)) ended.status = WEXITSTATUS(status);
  out_.reset();
  return ended;
}

std::string Child::read_err_until(std::string_view text) {
  while (err_so_far_.find(text) == std::string::npos) {
    pollfd ready{err_.get(), POLLIN, 0};
    std::array<char, 4096> chunk{};
    const ssize_t got = ::poll(&ready, 1, 10'000) == 1 ? ::read(err_.get(), chunk.data(), chunk.size()) : 0;
    if (got <= 0) {
      ADD_FAILURE() << "the program does not say '" << text << "', only: " << err_so_far_;
      break;
    }
    err_so_far_.append(chunk.data(), static_cast<std::size_t>(got));
  }
  return err_so_far_;
}

std::string endpoint_of(Child& midonet_api) {
  const std::string log = midonet_api.read_err_until("/midonet-api\n");
  // The last one: where the store takes its time, it says before that it answers 503 there until then.
  const auto at = log.rfind("http://"), end = log.rfind("/midonet-api\n");
  return at == std::string::npos || end == std::string::npos ? "" : log.substr(at, end - at);
}

TemporaryDirectory::TemporaryDirectory() {
  char name[] = "/tmp/midonet-test-XXXXXX";
  if (::mkdtemp(name) == nullptr) std::abort();
  path_ = name;
}
TemporaryDirectory::~TemporaryDirectory() { std::filesystem::remove_all(path_); }

void write_file(const std::string& path, const std::string& text) { std::ofstream(path) << text; }

FakeAgent::FakeAgent(std::string path, unsigned mode) : path_(std::move(path)) {
  fd_.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path_.c_str(), sizeof address.sun_path - 1);
  if (::bind(fd_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::chmod(path_.c_str(), mode) != 0 || ::listen(fd_.get(), 64) != 0)
    ADD_FAILURE() << path_ << ": " << std::strerror(errno);
}
FakeAgent::~FakeAgent() { ::unlink(path_.c_str()); }

UniqueFd FakeAgent::accept() {
  pollfd ready{fd_.get(), POLLIN, 0};
  if (::poll(&ready, 1, 10'000) != 1) {
    ADD_FAILURE() << "no client connects";
    return {};
  }
  return UniqueFd(::accept4(fd_.get(), nullptr, nullptr, SOCK_CLOEXEC));
}

std::string FakeAgent::read_request(int fd) {
  std::string request;
  std::array<char, 4096> chunk{};
  while (true) {
    const std::size_t blank = request.find("\r\n\r\n");
    if (blank != std::string::npos) {
      const std::string length = "Content-Length: ";
      const std::size_t at = request.find(length);
      const std::size_t body =
          at == std::string::npos || at > blank ? 0 : std::stoul(request.substr(at + length.size()));
      if (request.size() >= blank + 4 + body) return request;
    }
    const ssize_t got = ::read(fd, chunk.data(), chunk.size());
    if (got <= 0) return request;
    request.append(chunk.data(), static_cast<std::size_t>(got));
  }
}

std::string FakeAgent::serve(const std::string& answer) {
  const UniqueFd connection = accept();
  std::string request = read_request(connection.get());
  EXPECT_EQ(::send(connection.get(), answer.data(), answer.size(), MSG_NOSIGNAL), static_cast<ssize_t>(answer.size()));
  return request;
}

}  // namespace midonet::programs
