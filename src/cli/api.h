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
  // what check() has against the credentials. These are shown only to an API that asks who is there, by answering 401; a
  // login is made once. `ca_file`: PEM, authorities of the certificate of an https API; empty: the system's.
  static Result<Api> at(const std::string& url, std::chrono::milliseconds timeout, Credentials credentials = {},
                        std::string ca_file = {});

  const std::string& url() const { return url_; }  // with the root

  // `path` is below the root ("/bridges") or an absolute URI that the API gave ("http://…/ports/<id>/attach_interface"). Of
  // such a one the path counts alone: what is sent, a token for one, goes to the API that was named and nowhere else.
  // Code::unavailable: no server answers, or the API says that its store (or Keystone) does not; the message says what to do.
  // Code::unauthenticated: it asks who is there, and the message says what to set. Any other error is the API's own, with
  // its message.
  Result<Json> get(const std::string& path) const;
  Result<std::string> create(const std::string& path, const Json& body) const;  // the URI of what was made
  Status remove(const std::string& path) const;

  // `more_time`: how much longer than usual the answer may take.
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
// What the agent of this host says of itself, over its socket. Code::unavailable when none answers.
Result<Json> agent_status(const std::string& socket, std::chrono::milliseconds timeout);

}  // namespace midonet::cli
