#include "api/negotiation.h"

#include <algorithm>
#include <cstdint>

#include "api/header_value.h"

namespace midonet::api {

namespace {

bool is_token(std::string_view text) {
  constexpr std::string_view marks = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           marks.find(c) != std::string_view::npos;
  });
}

// Thousandths: "1", "0.5", ".25", "0.125". Nothing for anything else.
std::optional<int> weight(std::string_view text) {
  if (text.empty() || text.size() > 5) return std::nullopt;
  int whole = 0;
  if (text.front() == '0' || text.front() == '1') {
    whole = text.front() - '0';
    text.remove_prefix(1);
  } else if (text.front() != '.') {
    return std::nullopt;
  }
  int thousandths = whole * 1000;
  if (!text.empty()) {
    if (text.front() != '.') return std::nullopt;
    text.remove_prefix(1);
    for (int unit = 100; !text.empty(); unit /= 10, text.remove_prefix(1)) {
      if (text.front() < '0' || text.front() > '9') return std::nullopt;
      thousandths += unit * (text.front() - '0');
    }
  }
  if (thousandths > 1000) return std::nullopt;
  return thousandths;
}

struct Range {
  std::string type;  // "application/json", "application/*", "*/*"
  int exactness = 0;
  int weight = 1000;
};

std::optional<Range> parse_range(std::string_view element) {
  const std::string_view name = next_part(element, ';');
  Range range;
  range.type = name == "*" ? "*/*" : bare_media_type(name);
  if (range.type.empty()) return std::nullopt;
  range.exactness = range.type == "*/*" ? 0 : range.type.ends_with("/*") ? 1 : 2;
  while (!element.empty()) {
    const std::string_view parameter = next_part(element, ';');
    if (parameter.size() < 2 || (parameter[0] != 'q' && parameter[0] != 'Q') || parameter[1] != '=') continue;
    const auto q = weight(parameter.substr(2));
    if (!q) return std::nullopt;
    range.weight = *q;
    break;
  }
  return range;
}

bool covers(const Range& range, const std::string& type) {
  if (range.exactness == 0) return true;
  if (range.exactness == 2) return range.type == type;
  return type.compare(0, range.type.size() - 1, range.type, 0, range.type.size() - 1) == 0;
}

}  // namespace

std::string bare_media_type(std::string_view text) {
  const std::string_view name = next_part(text, ';');
  const std::size_t slash = name.find('/');
  if (slash == std::string_view::npos || !is_token(name.substr(0, slash)) || !is_token(name.substr(slash + 1)))
    return "";
  return lower_case(name);
}

std::vector<std::string> with_plain_json(std::vector<std::string> offers) {
  const auto is_json = [](const std::string& offer) { return bare_media_type(offer).ends_with("json"); };
  const auto is_plain = [](const std::string& offer) { return bare_media_type(offer) == "application/json"; };
  if (std::any_of(offers.begin(), offers.end(), is_json) && std::none_of(offers.begin(), offers.end(), is_plain))
    offers.push_back("application/json");
  return offers;
}

std::optional<std::string> choose_media_type(const std::vector<std::string>& offers,
                                             const std::optional<std::string>& accept) {
  if (offers.empty()) return std::nullopt;
  if (!accept || trimmed(*accept).empty()) return offers.front();
  std::vector<Range> ranges;
  for (std::string_view rest = *accept; !rest.empty();)
    if (auto range = parse_range(next_part(rest, ','))) ranges.push_back(*std::move(range));

  const std::string* best = nullptr;
  int best_weight = 0;
  int best_exactness = -1;
  for (const std::string& offer : offers) {
    const std::string type = bare_media_type(offer);
    // The most exact range that covers a type decides about it.
    const Range* decides = nullptr;
    for (const Range& range : ranges)
      if (covers(range, type) && (decides == nullptr || range.exactness > decides->exactness)) decides = &range;
    if (decides == nullptr || decides->weight == 0) continue;
    if (decides->weight > best_weight || (decides->weight == best_weight && decides->exactness > best_exactness)) {
      best = &offer;
      best_weight = decides->weight;
      best_exactness = decides->exactness;
    }
  }
  if (best == nullptr) return std::nullopt;
  return *best;
}

bool accepts_coding(const std::optional<std::string>& accept_encoding, std::string_view coding) {
  if (!accept_encoding) return false;
  std::optional<bool> named, any;
  for (std::string_view rest = *accept_encoding; !rest.empty();) {
    std::string_view element = next_part(rest, ',');
    const std::string name = lower_case(next_part(element, ';'));
    bool wanted = true;
    while (!element.empty()) {
      const std::string parameter = lower_case(next_part(element, ';'));
      if (parameter.starts_with("q=")) wanted = weight(std::string_view(parameter).substr(2)).value_or(0) > 0;
    }
    if (name == coding) named = wanted;
    if (name == "*") any = wanted;
  }
  return named.value_or(any.value_or(false));
}

bool is_consumed(const std::vector<std::string>& consumes, const std::optional<std::string>& content_type) {
  if (!content_type || trimmed(*content_type).empty()) return true;
  std::string_view rest = *content_type;
  const auto range = parse_range(next_part(rest, ';'));
  if (!range) return false;
  while (!rest.empty()) {
    const std::string parameter = lower_case(next_part(rest, ';'));
    constexpr std::string_view charset = "charset=";
    if (!parameter.starts_with(charset)) continue;
    std::string value = parameter.substr(charset.size());
    value.erase(std::remove(value.begin(), value.end(), '"'), value.end());
    if (value != "utf-8" && value != "utf8" && value != "us-ascii") return false;
  }
  return std::any_of(consumes.begin(), consumes.end(),
                     [&](const std::string& type) { return covers(*range, bare_media_type(type)); });
}

}  // namespace midonet::api
