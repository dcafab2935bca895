// An HTTP/1.1 client on the loop, for requests of a server to another one: one request, one answer, one connection. http and
// https (TLS 1.2 or later). The certificate must be valid for the host's name or address, and signed by an authority of `ca_file` or,
// without one, of the system.
//
// On the loop's thread. After the client is destroyed no callback runs.
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
  std::string path;  // "" or "/…", no slash at its end

  std::string authority() const;                      // for the Host header
  static Result<Url> parse(const std::string& text);  // invalid
};

class AsyncClient {
 public:
  using Done = std::function<void(Result<Response>)>;

  struct Options {
    std::string ca_file{};  // PEM; if the file cannot be read, each call to https fails with the reason
    std::uint64_t longest_answer = 1024 * 1024;  // bytes of the body
  };

  explicit AsyncClient(Loop& loop);
  AsyncClient(Loop& loop, const Options& options);
  ~AsyncClient();
  AsyncClient(const AsyncClient&) = delete;
  AsyncClient& operator=(const AsyncClient&) = delete;

  // `path` follows the URL's own. The deadline is for everything from the look-up of the name to the end of the answer, of at most
  // `longest_answer`. unavailable: no answer; the message names the server and the reason. unauthenticated: the server's
  // certificate is not valid.
  void call(const Url& url, const std::string& method, const std::string& path, const Headers& headers,
            const std::string& body, std::chrono::milliseconds deadline, Done done);

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace midonet::http
