#include "api/answer.h"

#include "base/json.h"
#include "http/status.h"

namespace midonet::api {

namespace {

// What others sent may stand in a message: a byte that is not UTF-8 must not fail the answer.
nlohmann::ordered_json error_json(int status, std::string_view message) {
  return {{"message", std::string(message)}, {"code", status}};
}

nlohmann::ordered_json violation_json(const Violation& violation) {
  return {{"property", violation.property}, {"message", violation.message}};
}

}  // namespace

Answer ok(std::string body, std::string media_type) { return {200, std::move(media_type), std::move(body)}; }

Answer created(const std::string& location) { return {201, "", "", {{"Location", location}}}; }

Answer no_content() { return {204}; }

Answer error_answer(const Error& error) {
  if (error.code == Code::invalid) {
    nlohmann::ordered_json json = error_json(400, error.message);
    json["violations"] = nlohmann::ordered_json::array();
    if (!error.property.empty()) json["violations"].push_back(violation_json({error.property, error.message}));
    return {400, error_media_type, dump_json(json)};
  }
  return status_answer(http::status_of(error.code), error.message);
}

Answer invalid_answer(const std::vector<Violation>& violations) {
  std::string message;
  for (const Violation& violation : violations)
    message += fmt::format("{}{}: {}", message.empty() ? "" : "; ", violation.property, violation.message);
  nlohmann::ordered_json json = error_json(400, message);
  json["violations"] = nlohmann::ordered_json::array();
  for (const Violation& violation : violations) json["violations"].push_back(violation_json(violation));
  return {400, error_media_type, dump_json(json)};
}

Answer status_answer(int status, std::string_view message) {
  Answer answer{status, error_media_type, dump_json(error_json(status, message))};
  if (status == 401) answer.headers.emplace("WWW-Authenticate", "Basic realm=\"midonet\"");
  if (status == 503) answer.headers.emplace("Retry-After", "1");
  return answer;
}

}  // namespace midonet::api
