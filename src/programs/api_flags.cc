#include "programs/api_flags.h"

#include <CLI/CLI.hpp>
#include <map>

namespace midonet::programs {

namespace {

using Kind = api::AuthOptions::Kind;
const std::map<std::string, Kind> kinds{{"none", Kind::none}, {"users", Kind::users}, {"keystone", Kind::keystone}};

}  // namespace

void add_api_flags(CLI::App& app, api::ApiServer::Options& options) {
  app.add_option("--listen", options.listen, "Address and port of the API")->capture_default_str();
  app.add_option("--base-uri", options.base_uri,
                 "The beginning of URIs in answers; else they follow each request's Host header");
  app.add_option("--allow-host", options.allowed_hosts,
                 "On a loopback address: one more name that is accepted in the Host header, besides loopback names. On "
                 "another address: the only names that are accepted (without this option and without --auth: names "
                 "without a dot, and the machine's). May be given several times");
  app.add_option("--allow-origin", options.allowed_origins,
                 "A site whose pages may use the API from a browser (CORS), for example https://ui.example.org; may be "
                 "given several times");
  app.add_option("--trusted-proxy", options.trusted_proxies,
                 "An address or prefix whose X-Forwarded-Proto, -Host, -Prefix, -For and Forwarded are believed, or "
                 "none; may be given several times")
      ->capture_default_str();
  app.add_option_function<std::string>(
         "--auth", [&options](const std::string& kind) { options.auth.kind = kinds.at(kind); },
         "How logins are checked: not at all, with a file of users, or by Keystone")
      ->check(CLI::IsMember({"none", "users", "keystone"}))
      ->default_str("none");
  app.add_option(
      "--users-file", options.auth.users_file,
      "With --auth users: file with a line name:hash for each, the hash as `mkpasswd -m yescrypt` prints it; "
      "readable by its owner alone");
  app.add_option_function<int>(
         "--token-life", [&options](int seconds) { options.auth.token_life = std::chrono::seconds(seconds); },
         "With --auth users: for how many seconds a token is valid")
      ->type_name("INT")
      ->default_str(std::to_string(options.auth.token_life.count()))
      ->check(CLI::Range(60, 365 * 24 * 3600));
  app.add_option("--keystone-url", options.auth.keystone_url,
                 "With --auth keystone: the URL of Keystone, for example http://controller:5000");
  app.add_option("--keystone-domain", options.auth.keystone_domain,
                 "With --auth keystone: name of the domain of users and projects that log in")
      ->capture_default_str();
  app.add_option("--keystone-project", options.auth.keystone_project,
                 "With --auth keystone: the project of a login that names none")
      ->capture_default_str();
  app.add_option_function<int>(
         "--keystone-cache", [&options](int seconds) { options.auth.keystone_cache = std::chrono::seconds(seconds); },
         "With --auth keystone: for how many seconds Keystone's answer about a token is kept, also of a revoked token")
      ->type_name("INT")
      ->default_str(std::to_string(options.auth.keystone_cache.count()))
      ->check(CLI::Range(0, 3600));
  app.add_option("--admin-role", options.auth.admin_roles,
                 "With --auth keystone: a role that may use the API; may be given several times")
      ->capture_default_str();
  app.add_option("--keystone-connections", options.auth.keystone_connections,
                 "With --auth keystone: how many requests go to Keystone at a time; the others wait")
      ->check(CLI::Range(1, 1000))
      ->capture_default_str();
  app.add_option("--metrics", options.metrics,
                 "Access to /metrics: open (no login), login (as for the API), off, or ADDRESS:PORT, which serves only "
                 "/metrics")
      ->capture_default_str();
  constexpr std::size_t mebibyte = 1024 * 1024;
  app.add_option(
         "--max-connections", options.limits.connections,
         "Connections at once; one more takes the place of an idle one of the address that has most. Fewer where the "
         "limit of open files is low")
      ->check(CLI::Range(16, 1'000'000))
      ->capture_default_str();
  app.add_option("--max-requests", options.limits.in_progress,
                 "Requests that are worked on at a time; the others wait, and the addresses are served in turn")
      ->check(CLI::Range(1, 100'000))
      ->capture_default_str();
  const auto mebibytes = [&app](const char* name, std::size_t& bytes, const char* help) {
    app.add_option_function<std::size_t>(
           name, [&bytes](std::size_t size) { bytes = size * mebibyte; }, help)
        ->type_name("UINT")
        ->default_str(std::to_string(bytes / mebibyte))
        ->check(CLI::Range(2, 1'000'000));
  };
  mebibytes("--max-memory", options.limits.held_bytes,
            "MiB of requests and answers that are held for clients; above it, connections of the address with most are "
            "cut off");
  mebibytes("--max-client-memory", options.limits.client_held_bytes, "MiB of these for one address");
  app.add_flag("--allow-unauthenticated", options.allow_unauthenticated,
               "Allow an address that is not loopback although no login is needed");
  app.add_flag("--require-tunnel-zone,!--no-require-tunnel-zone", options.require_tunnel_zone,
               "A port can be bound only on a host that is in a tunnel zone (POST /hosts/ID/ports)");
  app.add_flag("--gre-means-vxlan,!--no-gre-means-vxlan", options.gre_means_vxlan,
               "Accept tunnel zones of type gre and make them vxlan, for tools that only know gre");
}

}  // namespace midonet::programs
