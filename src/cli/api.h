// The REST API as the operator's command uses it: JSON in and out, errors as Result. Blocking.
#pragma once

#include <chrono>
#include <string>

#include "base/result.h"
#include "cli/json.h"

namespace midonet::cli {

class Api {
 public:
  // "http://127.0.0.1:8181", with or without the root "/midonet-api". Code::invalid for anything but http://.
  static Result<Api> at(const std::string& url, std::chrono::milliseconds timeout);

  const std::string& url() const { return url_; }  // with the root

  // `path` is below the root ("/bridges") or an absolute URI that the API gave ("http://…/ports/<id>/attach_interface").
  // Code::unavailable: nobody answers, or the API says that its store does not; the message says what to do. Any other
  // error is the API's own, with its message.
  Result<Json> get(const std::string& path) const;
  Result<std::string> create(const std::string& path, const Json& body) const;  // the URI of what was made
  Status remove(const std::string& path) const;

  // `more_time`: how much longer than usual the answer may take.
  Result<Json> post(const std::string& path, const Json& body, std::chrono::milliseconds more_time) const;

 private:
  Api() = default;
  std::string endpoint_;  // "http://127.0.0.1:8181"
  std::string root_;      // "/midonet-api"
  std::string url_;
  std::chrono::milliseconds timeout_{};
};

// What the agent of this host says of itself, over its socket. Code::unavailable when none answers.
Result<Json> agent_status(const std::string& socket, std::chrono::milliseconds timeout);

}  // namespace midonet::cli
