// The answer of a handler of the REST API, and the one mapping of an Error to an HTTP status and body (docs/rest.md). Pure.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "http/message.h"
#include "model/entity.h"

namespace midonet::api {

using model::Violation;

inline const std::string json_media_type = "application/json";
inline const std::string error_media_type = "application/vnd.org.midonet.Error-v1+json";

struct Answer {
  int status = 200;
  std::string media_type{};  // empty when there is no body
  std::string body{};
  http::Headers headers{};
  std::shared_ptr<http::BodySource> source{};  // instead of `body`
};

Answer ok(std::string body, std::string media_type);
Answer created(const std::string& location);  // 201, absolute Location, empty body
Answer no_content();                          // 204

// The status is http::status_of the error's code; 401 has WWW-Authenticate, 503 Retry-After. {"message", "code"}; for
// Code::invalid also "violations": the error's property, if it has one.
Answer error_answer(const Error& error);
// 400 for several violations at once; at least one. The message has all of them, for clients that show nothing else.
Answer invalid_answer(const std::vector<Violation>& violations);
// For statuses without a Code: 404, 405, 406, 415 … with {"message", "code"}.
Answer status_answer(int status, std::string_view message);

}  // namespace midonet::api
