#include "cli/api.h"

#include <optional>

#include "base/json.h"
#include "http/client.h"

namespace midonet::cli {

namespace {

constexpr std::uint64_t longest_answer = 1024ull * 1024 * 1024;
constexpr std::string_view usual_root = "/midonet-api";

struct Location {
  std::string endpoint;  // "http://host:port"
  std::string target;    // "/…", or empty
};

std::optional<Location> split(const std::string& uri) {
  const std::size_t scheme = uri.starts_with("http://") ? 7 : uri.starts_with("https://") ? 8 : 0;
  if (scheme == 0 || uri.size() == scheme || uri[scheme] == '/') return std::nullopt;
  const std::size_t slash = uri.find('/', scheme);
  if (slash == std::string::npos) return Location{uri, {}};
  return Location{uri.substr(0, slash), uri.substr(slash)};
}

// The JSON library throws for bytes that are not UTF-8, which only an argument of the command line can bring here.
Result<std::string> serialized(const Json& body) {
  try {
    return body.dump();
  } catch (const Json::exception&) {
    return fail(Code::invalid, "an argument is not text in UTF-8");
  }
}

Code code_of_status(int status) {
  switch (status) {
    case 400:
    case 405:
    case 406:
    case 413:
    case 415: return Code::invalid;
    case 401: return Code::unauthenticated;
    case 403: return Code::forbidden;
    case 404: return Code::not_found;
    case 409: return Code::conflict;
    case 503:
    case 504: return Code::unavailable;
    case 507: return Code::exhausted;
    default: return Code::internal;
  }
}

// What the API says in {"message", "violations"}, and what to do next where that is known.
Error error_of(const http::Response& response, const std::string& url) {
  const Json body = parse_json(response.body);
  std::string message = text_of(body, "message");
  if (const Json& violations = member_of(body, "violations"); violations.is_array()) {
    for (const Json& violation : violations) {
      const std::string what = text_of(violation, "message");
      // The message often repeats its only violation.
      if (message.find(what) == std::string::npos)
        message += fmt::format(" ({}: {})", text_of(violation, "property"), what);
    }
  }
  if (message.empty()) message = fmt::format("the API at {} answers with HTTP status {}", url, response.status);
  if (response.status == 503) message += ": try again later";
  return Error{code_of_status(response.status), std::move(message)};
}

Result<Json> parse(const std::string& body, const std::string& url) {
  Json json = parse_json(body);
  if (json.is_discarded()) return fail(Code::internal, "what {} answers is not JSON: is it the API of MidoNet?", url);
  return json;
}

http::Headers headers_of(const std::string& accept, const std::string& token) {
  http::Headers out{{"Accept", accept}};
  if (!token.empty()) out.emplace("X-Auth-Token", token);
  return out;
}

}  // namespace

Result<Api> Api::at(const std::string& url, std::chrono::milliseconds timeout, Credentials credentials,
                    std::string ca_file) {
  if (const Status good = check(credentials); !good) return failed(good);
  const auto location = split(url);
  if (!location) return fail(Code::invalid, "'{}' is not the URL of an API: give one like http://127.0.0.1:8181", url);
  Api api;
  api.endpoint_ = location->endpoint;
  api.root_ = location->target;
  while (api.root_.ends_with('/')) api.root_.pop_back();
  if (api.root_.empty()) api.root_ = usual_root;
  api.url_ = api.endpoint_ + api.root_;
  api.timeout_ = timeout;
  api.credentials_ = std::move(credentials);
  api.ca_file_ = std::move(ca_file);
  return api;
}

// A path below the root, or where the API itself says that something is. It may call itself by another address, and its root by
// another prefix, than a proxy before it.
std::string Api::target_of(const std::string& path) const {
  const auto location = split(path);
  if (!location) return root_ + path;
  if (location->target.starts_with(root_ + "/")) return location->target;
  const std::size_t root = location->target.find(fmt::format("{}/", usual_root));
  return root == std::string::npos ? location->target : root_ + location->target.substr(root + usual_root.size());
}

// One request and its answer, whatever its status is.
Result<http::Response> Api::exchange(const std::string& target, const std::string& method, http::Headers headers,
                                     const std::string& body, std::chrono::milliseconds deadline) const {
  if (!headers.contains("Accept")) headers.emplace("Accept", json);
  if (!body.empty()) headers.emplace("Content-Type", json);
  auto response = http::call(endpoint_, method, target, headers, body, deadline,
                             {.ca_file = ca_file_, .longest_answer = longest_answer});
  if (!response && response.error().code == Code::unavailable) {
    response.error().message += ": start midonet-api or `midolman standalone`, or name another with --api URL";
  } else if (!response && response.error().code == Code::unauthenticated) {
    response.error().message +=
        ": name the file of its authority with --ca-file FILE, or its right name with --api URL";
  }
  return response;
}

Result<std::string> Api::log_in() const {
  if (!credentials_.token.empty()) return credentials_.token;
  if (credentials_.nobody())
    return fail(
        Code::unauthenticated,
        "the API at {} needs a login: set --user and --password-file (or MIDONET_USER and MIDONET_PASSWORD), or "
        "MIDONET_TOKEN",
        url_);
  http::Headers headers{{"Authorization", basic_authorization(credentials_.user, credentials_.password)}};
  if (!credentials_.project.empty()) headers.emplace("X-Auth-Project", credentials_.project);
  const auto response = exchange(root_ + "/login", "POST", std::move(headers), "{}", timeout_);
  if (!response) return failed(response);
  if (response->status != 200) {
    Error error = error_of(*response, endpoint_);
    error.message =
        fmt::format("cannot log in at {} as '{}'{}: {}", url_, credentials_.user,
                    credentials_.project.empty() ? "" : " of project '" + credentials_.project + "'", error.message);
    if (error.code == Code::unauthenticated)
      error.message += " Set --user, --password-file (or MIDONET_PASSWORD) and, for Keystone, --project";
    return failed(std::move(error));
  }
  const std::string token = text_of(parse_json(response->body), "key");
  if (const Status good = check({.token = token}); token.empty() || !good)
    return fail(Code::internal, "what {} answers to a login is no token: is it the API of MidoNet?", endpoint_);
  return token;
}

Result<http::Response> Api::call(const std::string& path, const std::string& method, const std::string& body,
                                 std::chrono::milliseconds deadline, const std::string& accept) const {
  const std::string target = target_of(path);
  auto response = exchange(target, method, headers_of(accept, token_), body, deadline);
  // It did nothing but ask, so that the same request may be sent once more.
  if (response && response->status == 401 && token_.empty()) {
    auto token = log_in();
    if (!token) return failed(token);
    token_ = *std::move(token);
    response = exchange(target, method, headers_of(accept, token_), body, deadline);
  }
  if (!response || response->status < 300) return response;
  Error error = error_of(*response, endpoint_);
  if (error.code == Code::unauthenticated && !credentials_.token.empty())
    error.message += " Set another --token or MIDONET_TOKEN, or none, and --user and --password-file";
  return failed(std::move(error));
}

Result<Json> Api::get(const std::string& path) const {
  const auto response = call(path, "GET", {}, timeout_);
  if (!response) return failed(response);
  return parse(response->body, endpoint_);
}

Result<std::string> Api::download(const std::string& path, const std::string& media_type,
                                  std::chrono::milliseconds more_time) const {
  auto response = call(path, "GET", {}, timeout_ + more_time, media_type);
  if (!response) return failed(response);
  return std::move(response->body);
}

Result<std::string> Api::create(const std::string& path, const Json& body) const {
  const auto text = serialized(body);
  if (!text) return failed(text);
  const auto response = call(path, "POST", *text, timeout_);
  if (!response) return failed(response);
  const auto location = response->headers.find("Location");
  if (location == response->headers.end())
    return fail(Code::internal, "{} does not say where it made what was asked for", endpoint_);
  return location->second;
}

Status Api::remove(const std::string& path) const {
  const auto response = call(path, "DELETE", {}, timeout_);
  if (!response) return failed(response);
  return {};
}

Result<Json> Api::post(const std::string& path, const Json& body, std::chrono::milliseconds more_time) const {
  const auto text = serialized(body);
  if (!text) return failed(text);
  const auto response = call(path, "POST", *text, timeout_ + more_time);
  if (!response) return failed(response);
  return parse(response->body, endpoint_);
}

Result<http::Response> call_agent(const std::string& socket, const std::string& method, const std::string& target,
                                  std::chrono::milliseconds timeout) {
  auto response = http::call("unix:" + socket, method, target, {}, {}, timeout);
  if (!response || response->status == 200) return response;
  return failed(error_of(*response, socket));
}

Result<Json> agent_status(const std::string& socket, std::chrono::milliseconds timeout) {
  const auto response = call_agent(socket, "GET", "/status", timeout);
  if (!response) return failed(response);
  return parse(response->body, socket);
}

}  // namespace midonet::cli
