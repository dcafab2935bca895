#include "api/keystone_answer.h"

#include <algorithm>
#include <ctime>

#include "base/json.h"

namespace midonet::api {

namespace {

// "2026-11-22T23:59:59.000000Z"
std::optional<std::chrono::system_clock::time_point> parse_time(const std::string& text) {
  std::tm parts{};
  const char* rest = ::strptime(text.c_str(), "%Y-%m-%dT%H:%M:%S", &parts);
  if (rest == nullptr || text.back() != 'Z') return std::nullopt;
  // A clock of nanoseconds in 64 bits ends in the year 2262; a token that lives longer than this process is as good.
  constexpr std::time_t latest = 8'000'000'000;  // in the year 2223
  return std::chrono::system_clock::from_time_t(std::clamp<std::time_t>(::timegm(&parts), 0, latest));
}

}  // namespace

std::optional<KeystoneToken> parse_keystone_answer(std::string_view body, const std::vector<std::string>& admin_roles) {
  const nlohmann::json answer = parse_json(body);
  if (!answer.is_object() || !answer.contains("token") || !answer["token"].is_object()) return std::nullopt;
  const nlohmann::json& token = answer["token"];
  const auto expires = token.contains("expires_at") && token["expires_at"].is_string()
                           ? parse_time(token["expires_at"].get<std::string>())
                           : std::nullopt;
  if (!expires) return std::nullopt;
  KeystoneToken said{*expires};
  if (!token.contains("roles") || !token["roles"].is_array()) return said;
  for (const nlohmann::json& role : token["roles"])
    if (role.is_object() && role.contains("name") && role["name"].is_string())
      said.admin =
          said.admin || std::count(admin_roles.begin(), admin_roles.end(), role["name"].get<std::string>()) > 0;
  return said;
}

}  // namespace midonet::api
