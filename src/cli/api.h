// The REST API as the operator's command uses it: JSON in and out, errors as Result. Blocking.
#pragma once

#include <chrono>
#include <string>

#include "base/result.h"
#include "cli/credentials.h"
#include "cli/json.h"
#include "http/message.h"

namespace midonet::cli {

class Api {
 public:
  // "http://127.0.0.1:8181" or "https://…", with or without the root "/midonet-api". Code::invalid for anything else, and for
  // credentials that check() refuses. Credentials are sent only to an API that answers 401, and a login is made once. `ca_file`: PEM,
  // authorities of the certificate of an https API; empty: the system's.
  static Result<Api> at(const std::string& url, std::chrono::milliseconds timeout, Credentials credentials = {},
                        std::string ca_file = {});

  const std::string& url() const { return url_; }  // with the root

  // `path` is below the root ("/bridges") or an absolute URI that the API gave ("http://…/ports/<id>/attach_interface"). Only the path
  // of such a URI is used, so that a token goes to no other server. Code::unavailable: no server answers, or its store (or Keystone)
  // does not; the message says what to do. Code::unauthenticated: a login is needed, and the message says what to set. Any other error
  // is the API's own, with its message.
  Result<Json> get(const std::string& path) const;
  Result<std::string> create(const std::string& path, const Json& body) const;  // the URI of what was made
  Status remove(const std::string& path) const;

  // `more_time` is added to the usual deadline.
  Result<std::string> download(const std::string& path, const std::string& media_type,
                               std::chrono::milliseconds more_time) const;
  Result<Json> post(const std::string& path, const Json& body, std::chrono::milliseconds more_time) const;

 private:
  static inline const std::string json = "application/json";

  Api() = default;
  Result<http::Response> call(const std::string& path, const std::string& method, const std::string& body,
                              std::chrono::milliseconds deadline, const std::string& accept = json) const;
  Result<http::Response> exchange(const std::string& target, const std::string& method, http::Headers headers,
                                  const std::string& body, std::chrono::milliseconds deadline) const;
  std::string target_of(const std::string& path) const;
  Result<std::string> log_in() const;

  std::string endpoint_;  // "http://127.0.0.1:8181"
  std::string root_;      // "/midonet-api"
  std::string url_;
  std::chrono::milliseconds timeout_{};
  Credentials credentials_;
  std::string ca_file_;
  mutable std::string token_;  // empty until the API asked for one
};

// One request to the agent of this host, over its socket; an answer other than 200 is an error with the agent's words.
Result<http::Response> call_agent(const std::string& socket, const std::string& method, const std::string& target,
                                  std::chrono::milliseconds timeout);
// The status of this host's agent, over its socket. Code::unavailable when no agent answers.
Result<Json> agent_status(const std::string& socket, std::chrono::milliseconds timeout);

}  // namespace midonet::cli
