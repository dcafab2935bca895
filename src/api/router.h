// From an HTTP request to the function that answers it: the table of routes, and the rules that all routes share (docs/rest.md). These
// are 404, 405 with Allow, 406, 415, HEAD and OPTIONS, one trailing slash, base URI, error bodies, origins (front.h), gzip.
//
//   router.add({.method = "GET", .path = "/midonet-api/ports/{id}", .name = "getPort", .summary = "One port",
//               .produces = {media::port}, .handler = [&](const Call& call, Reply reply) { … reply(Answer{…}); }});
//
// On the loop's thread. Every request gets exactly one answer; the router itself answers a request that has no route.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "api/answer.h"
#include "api/front.h"
#include "base/result.h"
#include "http/message.h"

namespace midonet::api {

// One request that has been routed. A value: copy what outlives the handler's call.
struct Call {
  std::string method;                                          // as in the route: HEAD arrives as "GET"
  std::string path;                                            // as received, without query; not percent-decoded
  std::map<std::string, std::string, std::less<>> parameters;  // "{id}" -> "id", percent-decoded, never empty
  std::multimap<std::string, std::string, std::less<>> query;  // percent-decoded
  http::Headers headers;
  std::string body;  // of POST, PUT, PATCH: JSON text as received, not looked at; "" for all others, whatever was sent
  std::string
      media_type;  // the one of route.produces (or application/json) that the client prefers: for Answer.media_type
  std::string base_uri;  // "http://127.0.0.1:8181/midonet-api", no trailing slash: what absolute URIs begin with
  std::string peer;      // for logs
  Visit visit;           // how the client sees this server; base_uri is also here
  std::shared_ptr<http::Work> work{};

  // The value of "{name}" in the route's path; a name that is not in the path aborts.
  const std::string& parameter(std::string_view name) const;
  std::optional<std::string> query_parameter(std::string_view name) const;  // the first
  std::optional<std::string> header(std::string_view name) const;           // the first
  void waits() const {
    if (work) work->waits();
  }
};

// Called exactly once, now or later, on the loop's thread. An Error becomes its HTTP answer (see answer.h). A Reply that
// is dropped uncalled answers 500.
using Reply = std::function<void(Result<Answer>)>;

struct Route {
  std::string method;   // GET, POST, PUT, PATCH or DELETE; HEAD and OPTIONS come by themselves
  std::string path;     // "/midonet-api/ports/{id}/attach_interface"; a parameter is a whole segment
  std::string name;     // operation id, for OpenAPI: "attachInterface"
  std::string summary;  // for OpenAPI: one sentence without a full stop
  // Media types that a successful answer may have, best first; empty: the answer has no body, and any Accept will do.
  // "application/json" is added by itself when one of them is JSON.
  std::vector<std::string> produces{};
  // Media types that a body may have; "application/json" is added by itself. Empty: no body is asked for; one that is
  // sent is ignored.
  std::vector<std::string> consumes{};
  bool open = false;           // for all clients: the guard is not asked
  bool without_store = false;  // can be answered while the store has not been reached yet
  std::function<void(const Call&, Reply)> handler;
};

class Router {
 public:
  using Options = FrontOptions;

  explicit Router(Options options);  // ill-formed ones abort; see set_front()
  ~Router();
  Router(const Router&) = delete;
  Router& operator=(const Router&) = delete;

  // The same method and path twice aborts.
  void add(Route route);
  // In the order in which they were added, for OpenAPI.
  const std::vector<Route>& routes() const { return routes_; }
  void set_front(Front front) { front_ = std::move(front); }
  void set_authority(std::string authority) { front_.set_authority(std::move(authority)); }

  // Asked before a request's body is read and before it is looked at any further, also before its 404; `passed` is called once,
  // now or later, unless the router has gone.
  using Guard = std::function<void(const http::Request&, const Visit&, std::function<void(Status)> passed)>;
  void set_guard(Guard guard) { guard_ = std::move(guard); }
  bool is_guarded() const { return static_cast<bool>(guard_); }
  // Whether the request is for a route that needs no store.
  bool needs_no_store(const http::Request& request) const;

  // Suits http::Server as its Admit: what the guard says, which is not asked about routes that are open.
  void admit(const http::Request& request, std::function<void(std::optional<http::Response>)> done) const;
  // Suits http::Server as its Handler, of requests that were admitted.
  void handle(const http::Request& request, http::Responder respond) const;

 private:
  struct Node;
  static const Node* find(const Node& node, const std::vector<std::string>& segments, std::size_t at,
                          std::vector<std::string>& values);
  static std::string allowed(const Node& node);
  const Route* route_of(const http::Request& request) const;
  void serve(const http::Request& request, const Visit& visit, http::Responder respond) const;

  Front front_;
  std::vector<Route> routes_;
  std::unique_ptr<Node> tree_;
  Guard guard_;
};

}  // namespace midonet::api
