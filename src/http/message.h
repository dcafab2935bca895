// HTTP requests and responses as our handlers see them. No library type shows here.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace midonet::http {

// Header names compare without case (RFC 9110 section 5.1).
struct HeaderLess {
  using is_transparent = void;
  bool operator()(std::string_view a, std::string_view b) const;
};
using Headers = std::multimap<std::string, std::string, HeaderLess>;

// A request that a handler works on, as far as the server has to know of it. On the loop's thread.
class Work {
 public:
  virtual ~Work() = default;
  // False: its client has gone, and will not read an answer.
  virtual bool wanted() const = 0;
  // The request waits for an event from outside this process: it no longer counts among the requests in progress, whose number is
  // limited (Limits::in_progress).
  virtual void waits() = 0;
};

struct Request {
  std::string method{};  // "GET"
  // As received, "/midonet-api/ports?tenant_id=x", or "*" (OPTIONS). An absolute form is reduced to this.
  std::string target{};
  std::string path{};                                            // percent-decoded, without query
  std::multimap<std::string, std::string, std::less<>> query{};  // percent-decoded
  Headers headers{};
  std::string body{};
  std::string peer{};  // "127.0.0.1:34567" or "unix"
  std::string
      client{};  // takes its share of bounded resources: "127.0.0.1", "2001:db8::" (a network of 64 bits), "unix"
  std::shared_ptr<Work> work{};  // null for a request that no server received

  // The first value, if there is one.
  std::optional<std::string> header(std::string_view name) const;
  std::optional<std::string> parameter(std::string_view name) const;
};

// A body that is made while it is sent: chunked (RFC 9112 section 7.1), or for HTTP/1.0 until the connection ends. The server asks for
// more when the client has taken most of the bytes before, so a slow client delays its source and holds no memory. A body that ends too
// early never looks complete: the connection breaks off before the last chunk, and with HTTP/1.0 it is reset.
//
// On the loop's thread. Destroyed when all was sent, or when the client has gone.
class BodySource {
 public:
  enum class More {
    later,    // nothing (more) for now
    end,      // that was all
    cut_off,  // incomplete, and the client must see that: the connection is broken off
  };
  virtual ~BodySource() = default;
  // Appends about as many bytes as there is room for, or what there is.
  virtual More take(std::size_t room, std::string& out) = 0;
  // To be called when there is something again after take() had nothing. Never calls back at once.
  virtual void on_more(std::function<void()> more) = 0;
  // Whether the server's stop may end the body where it is, as that of a feed, which has no end of its own. Any other goes on
  // for as long as the stop waits (Limits::stop_time).
  virtual bool endless() const { return false; }

 protected:
  BodySource() = default;
  BodySource(const BodySource&) = delete;
  BodySource& operator=(const BodySource&) = delete;
};

struct Response {
  int status = 200;
  Headers headers{};  // Content-Length, Connection and Date are the server's
  std::string body{};
  std::string route{};  // for metrics and the log: which of few routes it was, "/midonet-api/ports/{id}"; never sent
  std::shared_ptr<BodySource> source{};  // instead of `body`
};

// Called exactly once per request, on the loop's thread, now or later.
using Responder = std::function<void(Response)>;
using Handler = std::function<void(const Request&, Responder)>;

// The standard reason phrase (RFC 9110 section 15), "" for an unknown code.
std::string_view reason_phrase(int status);

}  // namespace midonet::http
