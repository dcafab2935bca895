#include "api/api_server.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <functional>
#include <optional>

#include "api/login.h"
#include "api/resources.h"
#include "api/router.h"
#include "base/descriptor_limit.h"
#include "base/log.h"
#include "http/listener.h"

namespace midonet::api {

namespace {

// The text format of Prometheus, version 0.0.4.
const std::string metrics_media_type = "text/plain; version=0.0.4; charset=utf-8";
constexpr std::size_t most_scrapers = 64;  // connections

http::Server::Options server_options(const ApiServer::Options& options, const Router& router) {
  http::Server::Options server;
  server.name = "api";
  server.error_media_type = error_media_type;
  server.admit = [&router](const http::Request& request, std::function<void(std::optional<http::Response>)> done) {
    router.admit(request, std::move(done));
  };
  server.limits = options.limits;
  server.limits.connections = std::min(server.limits.connections, descriptors_for_clients());
  if (server.limits.connections < options.limits.connections)
    log::info("api: at most {} connections, since this process may open {} files and others need some",
              server.limits.connections, descriptor_limit());
  return server;
}

std::string machine_name() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "";
}

}  // namespace

class ApiServer::Impl {
 public:
  Impl(Loop& loop, store::Store& store, Registry& registry, Options options)
      : options_(std::move(options)),
        loop_(loop),
        store_(store),
        router_({.authority = options_.listen}),
        resources_(loop, store,
                   {.require_tunnel_zone = options_.require_tunnel_zone, .gre_means_vxlan = options_.gre_means_vxlan}),
        server_(loop, registry, server_options(options_, router_),
                [this](const http::Request& request, http::Responder respond) {
                  // What waits for a store that is away must not keep others from hearing so.
                  if (store_.state() == store::State::disconnected && request.work) request.work->waits();
                  router_.handle(request, std::move(respond));
                }) {
    resources_.add_to(router_);
    add_login(router_, loop, auth_);
    router_.add(
        {.method = "GET",
         .path = "/healthz",
         .name = "getHealth",
         .summary = "Whether this process answers",
         .produces = {json_media_type},
         .open = true,
         .handler = [](const Call& call, const Reply& reply) { reply(ok(R"({"status":"ok"})", call.media_type)); }});
    router_.add({.method = "GET",
                 .path = "/readyz",
                 .name = "getReadiness",
                 .summary = "Whether this process can do what it is asked for: 503 while its store does not answer",
                 .produces = {json_media_type},
                 .open = true,
                 .handler = [this](const Call& call, const Reply& reply) { ready(call, reply); }});
    if (options_.metrics == "open" || options_.metrics == "login") add_metrics(router_, registry);
    if (options_.metrics == "open" || options_.metrics == "login" || options_.metrics == "off") return;
    add_metrics(metrics_router_, registry);
    http::Server::Options metrics{.name = "metrics", .access_log = false, .error_media_type = error_media_type};
    metrics.limits.connections = most_scrapers;
    metrics_.emplace(loop, registry, std::move(metrics), [this](const http::Request& request, http::Responder respond) {
      metrics_router_.handle(request, std::move(respond));
    });
  }

  Result<std::string> listen() {
    const Result<http::Endpoint> endpoint = http::Endpoint::parse(options_.listen);
    if (!endpoint) return failed(endpoint);
    if (!endpoint->is_loopback() && options_.auth.kind == AuthOptions::Kind::none && !options_.allow_unauthenticated)
      return fail(Code::invalid,
                  "listen on {}: every client that reaches this address could change every network; listen on a "
                  "loopback address, "
                  "ask for a login with --auth, or say --allow-unauthenticated",
                  options_.listen);
    Result<Front> front = Front::make({.base_uri = options_.base_uri,
                                       .authority = options_.listen,
                                       .loopback = endpoint->is_loopback(),
                                       .login = options_.auth.kind != AuthOptions::Kind::none,
                                       .machine = machine_name(),
                                       .allowed_hosts = options_.allowed_hosts,
                                       .allowed_origins = options_.allowed_origins,
                                       .trusted_proxies = options_.trusted_proxies});
    if (!front) return failed(front);
    router_.set_front(*std::move(front));
    auto auth = make_authenticator(loop_, store_, options_.auth);
    if (!auth) return failed(auth);
    auth_ = *std::move(auth);
    router_.set_guard([this](const http::Request& request, const Visit&, const std::function<void(Status)>& passed) {
      if (auth_->is_open() && router_.needs_no_store(request)) return passed({});
      passed(fail(Code::unavailable, "{}", never_answered));
    });
    if (metrics_) {
      const Result<http::Endpoint> where = http::Endpoint::parse(options_.metrics);
      if (!where) return fail(Code::invalid, "metrics: {}; or write open, login or off", where.error().message);
      metrics_router_.set_front(Front::make({.loopback = where->is_loopback()}).value());
      const Result<std::string> there = metrics_->listen_tcp(options_.metrics);
      if (!there) return fail(there.error().code, "metrics: {}", there.error().message);
      log::info("metrics at http://{}/metrics", *there);
    }
    Result<std::string> bound = server_.listen_tcp(options_.listen);
    if (!bound) return bound;
    router_.set_authority(*bound);
    bound_ = *bound;
    return bound;
  }

  void serve() {
    serves_ = true;
    auth_->begin();
    if (auth_->is_open())
      router_.set_guard({});
    else
      router_.set_guard(
          [this](const http::Request& request, const Visit& visit, const std::function<void(Status)>& passed) {
            const auto token = token_of(request);
            if (!token) return passed(fail(Code::unauthenticated, "A token is needed; POST {}/login gives one.", root));
            auth_->check(*token, {visit.client, request.work}, passed);
          });
    log::info("api listening on http://{}{}", bound_, root);
  }

  void stop(std::function<void()> stopped) { server_.stop(std::move(stopped)); }

 private:
  static constexpr std::string_view never_answered = "The store has not answered since this server started.";

  void ready(const Call& call, const Reply& reply) const {
    if (!serves_) return reply(fail(Code::unavailable, "{}", never_answered));
    if (store_.state() == store::State::disconnected)
      return reply(fail(Code::unavailable, "The store {} cannot be reached.", store_.uri()));
    reply(ok(R"({"status":"ready"})", call.media_type));
  }

  void add_metrics(Router& router, Registry& registry) const {
    router.add({.method = "GET",
                .path = "/metrics",
                .name = "getMetrics",
                .summary = "What this process counts, for Prometheus",
                .produces = {metrics_media_type},
                .open = options_.metrics != "login",
                .handler = [&registry](const Call& call, const Reply& reply) {
                  reply(ok(registry.text(), call.media_type));
                }});
  }

  const Options options_;
  std::string bound_;
  bool serves_ = false;
  Loop& loop_;
  store::Store& store_;
  Router router_;
  Router metrics_router_{{.authority = ""}};
  Resources resources_;
  std::unique_ptr<Authenticator> auth_ = without_login();
  std::optional<http::Server> metrics_;
  http::Server server_;  // last: it goes first, with the requests that hold on to the others
};

ApiServer::ApiServer(Loop& loop, store::Store& store, Registry& registry, Options options)
    : impl_(std::make_unique<Impl>(loop, store, registry, std::move(options))) {}
ApiServer::~ApiServer() = default;
Result<std::string> ApiServer::listen() { return impl_->listen(); }
void ApiServer::serve() { impl_->serve(); }
Result<std::string> ApiServer::start() {
  Result<std::string> bound = impl_->listen();
  if (bound) impl_->serve();
  return bound;
}
void ApiServer::stop(std::function<void()> stopped) { impl_->stop(std::move(stopped)); }

}  // namespace midonet::api
