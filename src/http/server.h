// An HTTP/1.1 server on the loop: keep-alive, pipelined requests answered in order, limits and timeouts for everything a
// client can hold back. On TCP (the REST API) and on a unix socket (the agent). Used by api/ and agent/.
//
// On the loop's thread. A handler may answer later and out of order; the client gets the answers in the order of its
// requests. The server answers for a handler that fails: 500 when it drops its Responder or throws, 503 when it does not
// answer in time. Answers of the server's own (400, 408, 413, 431 …) have a JSON body {"message", "code"}.
//
//   accept -> [ header -> admit -> body -> wait for a turn -> handler ]* -> answers in order -> keep-alive, or shut down, discard, close
//              `- not read while `pipelined` requests wait for answers, or answers wait for the client
//
// Connections, requests in progress and held bytes are bounded, and shared fairly among the addresses of clients. At a bound, the
// client that takes most gives way: midonet_http_cut_off_total counts that by its reason.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/loop.h"
#include "base/metrics.h"
#include "base/result.h"
#include "http/message.h"

namespace midonet::http {

struct Limits {
  std::size_t header_bytes = 16 * 1024;  // 431 above
  std::size_t body_bytes = 1024 * 1024;  // 413 above
  // A further connection takes the place of one that waits for its client: the longest unserved of the client that has most. If no
  // connection waits, the new one is closed at accept.
  std::size_t connections = 10'000;
  std::size_t pipelined = 1;      // requests of one connection in progress; further ones are not read yet
  std::size_t in_progress = 128;  // requests of all connections that handlers work on; further ones wait for their turn
  // Bytes held for clients: requests that are not answered yet, and answers that were not taken yet. Above the bound, the longest
  // unserved connection of the client that takes most goes: a request that is being read is answered 503, a reader is cut off.
  std::size_t held_bytes = 64 * 1024 * 1024;
  std::size_t client_held_bytes = 32 * 1024 * 1024;  // of one client's address
  std::chrono::milliseconds header_time{10'000};     // from the first byte of a request to its last header: 408
  std::chrono::milliseconds body_time{30'000};       // for the body: 408
  std::chrono::milliseconds idle_time{120'000};      // a kept-alive connection without a request is closed
  std::chrono::milliseconds write_time{30'000};      // a client that does not read its answer is cut off
  std::chrono::milliseconds answer_time{660'000};    // a handler that does not answer: 503. Above the longest ?wait=
  std::chrono::milliseconds half_close_time{5'000};  // a client that has ended its sending gets answers for so long
  std::chrono::milliseconds linger_time{2'000};      // after the last answer: what still comes is read and dropped
  std::chrono::milliseconds stop_time{5'000};        // stop(): what is being answered may finish for so long
};

class Server {
 public:
  // Called once for each request, after its header and before its body is read; `request` has no body yet, and is valid during the
  // call. It calls back once, now or later. With nothing, the request is admitted. With a response, the request is refused; a body of
  // more than a few kilobytes is not read, and the connection ends.
  using Admit = std::function<void(const Request& request, std::function<void(std::optional<Response>)> done)>;

  // Requests are counted and timed in `registry` as midonet_http_*{server="name"} and logged, one line each, at level
  // `info` when `access_log`.
  struct Options {
    std::string name = "api";
    bool access_log = true;
    std::string error_media_type = "application/json";  // of the server's own answers
    Admit admit{};                                      // empty: every request is handed to the handler
    Limits limits{};
  };

  Server(Loop& loop, Registry& registry, Options options, Handler handler);
  ~Server();  // closes everything at once

  // "127.0.0.1:8181", "[::1]:8181", port 0 for any. Result: the address bound ("127.0.0.1:8181"). invalid: not such an
  // address; conflict: in use.
  Result<std::string> listen_tcp(const std::string& address);
  // Makes the socket with the given mode; a stale socket file (no process listens) is replaced, a live one is a conflict.
  Status listen_unix(const std::string& path, unsigned mode = 0600);

  // Accepts no more, closes idle connections, lets requests in progress and bodies under way finish, then calls `stopped`. Bodies that
  // are not finished after limits.stop_time are cut off, and do not look complete.
  void stop(std::function<void()> stopped);

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace midonet::http
