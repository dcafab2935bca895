// The HTTP/1.1 client: one request, one answer, one connection, over TCP, TLS (1.2 or later) or a unix socket. A server's
// certificate must be good for the host's name or address, and by the authorities of `ca_file` or, without one, of the system.
//
// A Client is used on the loop's thread; after it is destroyed no callback runs. call() blocks, for programs without a loop.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/loop.h"
#include "base/result.h"
#include "http/message.h"

namespace midonet::http {

// "https://controller:5000/identity" in its parts.
struct Url {
  bool tls = false;
  std::string host;  // without brackets
  std::string port;
  std::string path;    // "" or "/…", no slash at its end
  std::string socket;  // of a unix socket: its path, and nothing else above

  std::string authority() const;  // for the Host header
  std::string text() const;
  static Result<Url> parse(const std::string& text);        // "http://…" or "https://…"; invalid
  static Result<Url> unix_socket(const std::string& path);  // invalid: no path of a socket
};

class Client {
 public:
  using Done = std::function<void(Result<Response>)>;

  struct Options {
    std::string ca_file{};                       // PEM; a file that cannot be read is told by each call to https
    std::uint64_t longest_answer = 1024 * 1024;  // bytes of the body
  };

  explicit Client(Loop& loop);
  Client(Loop& loop, const Options& options);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // `path` comes behind the URL's own. The deadline is for everything from the look-up of the name to the end of the answer,
  // of at most `longest_answer`. A server may answer before it has read the whole request: then that answer counts.
  //
  // unavailable: no answer; the message says from where, and why. forbidden: the socket may not be opened. unauthenticated: the
  // server's certificate is not good. invalid: a line break in the request, or a `ca_file` that cannot be read.
  void call(const Url& url, const std::string& method, const std::string& path, const Headers& headers,
            const std::string& body, std::chrono::milliseconds deadline, Done done);

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

// `endpoint`: "http://127.0.0.1:8181", "https://…" or "unix:/var/run/midolman/midolman.sock". Results are those of a Client;
// invalid also for another endpoint.
Result<Response> call(const std::string& endpoint, const std::string& method, const std::string& target,
                      const Headers& headers, const std::string& body, std::chrono::milliseconds deadline,
                      const Client::Options& options = {.longest_answer = 1024ull * 1024 * 1024});

}  // namespace midonet::http
