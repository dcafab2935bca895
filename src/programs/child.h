// For tests of programs: a child process run as another program would run it, with its output and exit status.
#pragma once

#include <sys/types.h>

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/unique_fd.h"

namespace midonet::programs {

struct Ended {
  int status = -1;  // of exit; -1 for one that a signal ended
  std::string out, err;
};

class Child {
 public:
  // `prepare` runs in the child before the program does (umask, user …).
  Child(const std::vector<std::string>& argv, const std::function<void()>& prepare = {});
  Child(Child&&) = default;
  Child& operator=(Child&&) = delete;
  ~Child();  // kills it if it is still there

  // Reads both pipes to their end, which is when no process has them open any more, then takes the exit status.
  Ended wait();
  // The output on stderr so far, up to and with this text; waits for it, ten seconds at most. wait() gives it again.
  std::string read_err_until(std::string_view text);
  pid_t pid() const { return pid_; }

 private:
  pid_t pid_ = -1;
  UniqueFd out_, err_;
  std::string err_so_far_;
};

inline Ended run(const std::vector<std::string>& argv, const std::function<void()>& prepare = {}) {
  return Child(argv, prepare).wait();
}

// The URL of a midonet-api ("http://127.0.0.1:40123"), from its log; empty if it is not logged in time.
std::string endpoint_of(Child& midonet_api);

// A directory of the test's own, removed with all that is in it.
class TemporaryDirectory {
 public:
  TemporaryDirectory();
  ~TemporaryDirectory();
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

void write_file(const std::string& path, const std::string& text);

// A unix socket whose connections the test answers one after the other, byte by byte.
class FakeAgent {
 public:
  explicit FakeAgent(std::string path, unsigned mode = 0600);
  ~FakeAgent();

  // The next connection; waits for it, ten seconds at most.
  UniqueFd accept();
  // The next connection's whole request (head, and a body of its Content-Length).
  static std::string read_request(int fd);
  // Both, and the answer; then the connection is closed.
  std::string serve(const std::string& answer);

 private:
  std::string path_;
  UniqueFd fd_;
};

}  // namespace midonet::programs
