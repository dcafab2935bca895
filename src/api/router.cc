#include "api/router.h"

#include <algorithm>
#include <cstdlib>
#include <set>

#include "api/header_value.h"
#include "api/negotiation.h"
#include "base/log.h"
#include "http/gzip.h"
#include "http/target.h"

namespace midonet::api {

// A tree by path segments: a request's path is walked down once, whatever the number of routes.
struct Router::Node {
  std::map<std::string, std::unique_ptr<Node>, std::less<>> literals;
  std::unique_ptr<Node> parameter;
  std::string path;                                         // the template of the routes that end here
  std::map<std::string, std::size_t, std::less<>> methods;  // -> index in routes_
};

namespace {

bool is_parameter(std::string_view segment) { return segment.size() > 2 && segment.front() == '{'; }

// "/midonet-api/ports/{id}" -> {"midonet-api", "ports", "{id}"}
std::vector<std::string> segments_of_template(const std::string& path) {
  std::vector<std::string> segments;
  for (std::size_t at = 0; at < path.size();) {
    const std::size_t end = std::min(path.find('/', at + 1), path.size());
    segments.push_back(path.substr(at + 1, end - at - 1));
    at = end;
  }
  return segments;
}

bool takes_body(std::string_view method) { return method == "POST" || method == "PUT" || method == "PATCH"; }

http::Response to_response(Answer answer, const std::string& route) {
  http::Response response;
  response.status = answer.status;
  response.headers = std::move(answer.headers);
  if (!answer.media_type.empty()) response.headers.emplace("Content-Type", std::move(answer.media_type));
  response.body = std::move(answer.body);
  response.source = std::move(answer.source);
  response.route = route;
  return response;
}

constexpr std::size_t worth_compressing = 4 * 1024;     // a list; for one entity it costs more time than it saves
constexpr std::size_t compressed_at_once = 256 * 1024;  // a larger one while it is sent

// In the gzip coding, where that gains anything. What is told as it happens stays as it is.
http::Response compressed(http::Response response) {
  const auto type = response.headers.find("Content-Type");
  const bool suits = response.status == 200 && type != response.headers.end() &&
                     !type->second.starts_with("text/event-stream") && !response.headers.contains("Content-Encoding");
  if (!suits || (!response.source && response.body.size() < worth_compressing)) return response;
  response.headers.emplace("Content-Encoding", "gzip");
  response.headers.emplace("Vary", "Accept-Encoding");
  if (!response.source && response.body.size() <= compressed_at_once) {
    response.body = http::gzip(response.body);
    return response;
  }
  response.source = http::gzip(response.source ? response.source : http::body_source(std::move(response.body)));
  response.body.clear();
  return response;
}

void add_cors_headers(http::Response& response, const std::string& origin) {
  response.headers.emplace("Access-Control-Allow-Origin", origin);
  response.headers.emplace("Access-Control-Expose-Headers", "Location, Retry-After");
  response.headers.emplace("Vary", "Origin");
}

Answer preflight_answer(const std::string& origin) {
  return {.status = 204,
          .headers = {{"Access-Control-Allow-Origin", origin},
                      {"Access-Control-Allow-Methods", "DELETE, GET, HEAD, OPTIONS, POST, PUT"},
                      {"Access-Control-Allow-Headers",
                       "Accept, Authorization, Content-Type, Last-Event-ID, Prefer, X-Auth-Project, X-Auth-Token"},
                      {"Access-Control-Max-Age", "600"},
                      {"Vary", "Origin"}}};
}

// It carries no credentials (Fetch, section 3.2.2).
bool is_preflight(const http::Request& request) {
  return request.method == "OPTIONS" && request.header("access-control-request-method");
}

std::string quoted_path(std::string_view path) {
  return path.size() <= 200 ? std::string(path) : std::string(path.substr(0, 200)) + "...";
}

}  // namespace

const std::string& Call::parameter(std::string_view name) const {
  const auto found = parameters.find(name);
  if (found == parameters.end()) std::abort();
  return found->second;
}

std::optional<std::string> Call::query_parameter(std::string_view name) const {
  const auto found = query.lower_bound(name);
  if (found == query.end() || found->first != name) return std::nullopt;
  return found->second;
}

std::optional<std::string> Call::header(std::string_view name) const {
  const auto found = headers.lower_bound(name);
  if (found == headers.end() || headers.key_comp()(name, found->first)) return std::nullopt;
  return found->second;
}

Router::Router(Options options) : tree_(std::make_unique<Node>()) {
  Result<Front> front = Front::make(std::move(options));
  if (!front) std::abort();
  front_ = *std::move(front);
}
Router::~Router() = default;

void Router::add(Route route) {
  Node* node = tree_.get();
  for (const std::string& segment : segments_of_template(route.path)) {
    std::unique_ptr<Node>& next = is_parameter(segment) ? node->parameter : node->literals[segment];
    if (!next) next = std::make_unique<Node>();
    node = next.get();
  }
  node->path = route.path;
  if (!node->methods.emplace(route.method, routes_.size()).second) std::abort();
  route.produces = with_plain_json(std::move(route.produces));
  if (!route.consumes.empty() &&
      std::find(route.consumes.begin(), route.consumes.end(), json_media_type) == route.consumes.end())
    route.consumes.push_back(json_media_type);
  routes_.push_back(std::move(route));
}

const Router::Node* Router::find(const Node& node, const std::vector<std::string>& segments, std::size_t at,
                                 std::vector<std::string>& values) {
  if (at == segments.size()) return node.methods.empty() ? nullptr : &node;
  if (const auto literal = node.literals.find(segments[at]); literal != node.literals.end())
    if (const Node* found = find(*literal->second, segments, at + 1, values)) return found;
  if (!node.parameter || segments[at].empty()) return nullptr;
  values.push_back(segments[at]);
  const Node* found = find(*node.parameter, segments, at + 1, values);
  if (found == nullptr) values.pop_back();
  return found;
}

std::string Router::allowed(const Node& node) {
  std::set<std::string> methods = {"OPTIONS"};
  for (const auto& [method, index] : node.methods) methods.insert(method);
  if (methods.contains("GET")) methods.insert("HEAD");
  return fmt::format("{}", fmt::join(methods, ", "));
}

const Route* Router::route_of(const http::Request& request) const {
  Result<std::vector<std::string>> segments = http::split_path(request.target.substr(0, request.target.find('?')));
  if (!segments) return nullptr;
  if (segments->back().empty()) segments->pop_back();
  std::vector<std::string> values;
  const Node* node = find(*tree_, *segments, 0, values);
  if (node == nullptr) return nullptr;
  const auto index = node->methods.find(request.method == "HEAD" ? "GET" : request.method);
  return index == node->methods.end() ? nullptr : &routes_[index->second];
}

bool Router::needs_no_store(const http::Request& request) const {
  const Route* route = route_of(request);
  return route != nullptr && route->without_store;
}

void Router::admit(const http::Request& request, std::function<void(std::optional<http::Response>)> done) const {
  const Result<Visit> admitted = front_.admit(request);
  if (!admitted) return done(to_response(error_answer(admitted.error()), ""));
  const auto& origin = admitted->foreign_origin;
  const Route* route = guard_ ? route_of(request) : nullptr;
  if (!guard_ || (route != nullptr && route->open) || (origin && is_preflight(request))) return done(std::nullopt);
  guard_(request, *admitted, [done = std::move(done), origin](const Status& passed) {
    if (passed) return done(std::nullopt);
    http::Response refusal = to_response(error_answer(passed.error()), "");
    if (origin) add_cors_headers(refusal, *origin);
    done(std::move(refusal));
  });
}

void Router::handle(const http::Request& request, http::Responder respond) const {
  const Result<Visit> admitted = front_.admit(request);
  if (!admitted) return respond(to_response(error_answer(admitted.error()), ""));
  const Visit& visit = *admitted;
  if (visit.foreign_origin) {
    if (is_preflight(request)) return respond(to_response(preflight_answer(*visit.foreign_origin), "*"));
    respond = [respond = std::move(respond), origin = *visit.foreign_origin](http::Response response) {
      add_cors_headers(response, origin);
      respond(std::move(response));
    };
  }
  if (accepts_coding(joined_header(request.headers, "accept-encoding"), "gzip"))
    respond = [respond = std::move(respond)](http::Response response) { respond(compressed(std::move(response))); };
  serve(request, visit, std::move(respond));
}

void Router::serve(const http::Request& request, const Visit& visit, http::Responder respond) const {
  const auto refuse = [&](Answer answer, const std::string& route) { respond(to_response(std::move(answer), route)); };
  if (request.target == "*") {
    if (request.method != "OPTIONS") return refuse(status_answer(400, "'*' is a target of OPTIONS alone."), "");
    return refuse({.status = 204, .headers = {{"Allow", "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT"}}}, "*");
  }
  // Not request.path, where "%2F" is a slash already.
  const std::string path = request.target.substr(0, request.target.find('?'));
  Result<std::vector<std::string>> segments = http::split_path(path);
  if (!segments) return refuse(error_answer(segments.error()), "");
  if (segments->back().empty()) segments->pop_back();  // one trailing slash changes nothing

  std::vector<std::string> values;
  const Node* node = find(*tree_, *segments, 0, values);
  if (node == nullptr) return refuse(status_answer(404, fmt::format("There is nothing at {}.", quoted_path(path))), "");
  if (request.method == "OPTIONS") return refuse({.status = 204, .headers = {{"Allow", allowed(*node)}}}, node->path);
  const std::string method = request.method == "HEAD" ? "GET" : request.method;
  const auto index = node->methods.find(method);
  if (index == node->methods.end()) {
    Answer answer = status_answer(405, fmt::format("{} is not a method of {}; there is {}.",
                                                   request.method.substr(0, 32), node->path, allowed(*node)));
    answer.headers.emplace("Allow", allowed(*node));
    return refuse(std::move(answer), node->path);
  }
  const Route& route = routes_[index->second];
  const bool reads_body = takes_body(method) && !route.consumes.empty();
  if (reads_body) {
    if (!is_consumed(route.consumes, request.header("content-type")))
      return refuse(status_answer(415, fmt::format("The body may be of type {}.", fmt::join(route.consumes, " or "))),
                    node->path);
    if (const auto coding = request.header("content-encoding"); coding && *coding != "identity")
      return refuse(status_answer(415, "The body may have no Content-Encoding."), node->path);
  }
  Call call;
  if (!route.produces.empty()) {
    const auto chosen = choose_media_type(route.produces, joined_header(request.headers, "accept"));
    if (!chosen)
      return refuse(
          status_answer(406, fmt::format("The answer would be of type {}.", fmt::join(route.produces, " or "))),
          node->path);
    call.media_type = *chosen;
  }
  call.method = method;
  call.path = path;
  std::size_t next_value = 0;
  for (const std::string& segment : segments_of_template(route.path))
    if (is_parameter(segment)) call.parameters.emplace(segment.substr(1, segment.size() - 2), values[next_value++]);
  call.query = request.query;
  call.headers = request.headers;
  if (reads_body) call.body = request.body;
  call.base_uri = visit.base_uri;
  call.peer = request.peer;
  call.visit = visit;
  call.work = request.work;
  route.handler(call, [respond = std::move(respond), name = node->path](Result<Answer> answer) {
    if (!answer && (answer.error().code == Code::internal || answer.error().code == Code::pending))
      log::error("api {}: {}", name, answer.error().message);
    respond(to_response(answer ? *std::move(answer) : error_answer(answer.error()), name));
  });
}

}  // namespace midonet::api
