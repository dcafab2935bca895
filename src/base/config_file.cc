#include "base/config_file.h"

#include <algorithm>
#include <numeric>

namespace midonet {

namespace {

constexpr std::string_view blank = " \t\r\v\f";

std::string_view trim(std::string_view text) {
  const auto first = text.find_first_not_of(blank);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(blank) - first + 1);
}

std::string_view without_comment(std::string_view text) {
  for (std::size_t at = text.find('#'); at != std::string_view::npos; at = text.find('#', at + 1)) {
    if (at == 0 || blank.find(text[at - 1]) != std::string_view::npos) return trim(text.substr(0, at));
  }
  return trim(text);
}

bool quote(char c) { return c == '"' || c == '\''; }

// The value in `text`, which stands behind a '='.
Result<std::string> value_of(std::string_view text) {
  text = trim(text);
  if (text.empty() || !quote(text.front())) return std::string(without_comment(text));
  const std::size_t end = text.find(text.front(), 1);
  if (end == std::string_view::npos) return fail(Code::invalid, "the closing {} is missing", text.front());
  if (!without_comment(text.substr(end + 1)).empty())
    return fail(Code::invalid, "text follows the closing {}", text.front());
  return std::string(text.substr(1, end - 1));
}

Result<ConfigLine> line_of(std::string_view text) {
  ConfigLine line;
  const std::size_t equals = text.find('=');
  std::string_view key = equals == std::string_view::npos ? without_comment(text) : trim(text.substr(0, equals));
  if (key.size() > 1 && quote(key.front()) && key.front() == key.back()) key = key.substr(1, key.size() - 2);
  if (key.empty() || key.find_first_of(blank) != std::string_view::npos)
    return fail(Code::invalid, "'{}' is no key: write `key = value`", key);
  line.key = key;
  std::replace(line.key.begin(), line.key.end(), '_', '-');
  if (equals == std::string_view::npos) return line;
  Result<std::string> value = value_of(text.substr(equals + 1));
  if (!value) return fail(Code::invalid, "{}: {}", line.key, value.error().message);
  line.value = *std::move(value);
  return line;
}

// Levenshtein's: how many characters to insert, delete or replace.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i + 1);
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, diagonal + 1});
    }
  }
  return row.back();
}

}  // namespace

Result<std::vector<ConfigLine>> parse_config(std::string_view text, const std::string& file) {
  std::vector<ConfigLine> lines;
  std::string section;
  for (int number = 1; !text.empty(); ++number) {
    const std::size_t end = text.find('\n');
    const std::string_view content = trim(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (content.empty() || content.front() == '#' || content.front() == ';') continue;
    if (content.front() == '[') {
      const std::string_view title = without_comment(content);
      if (title.back() != ']') return fail(Code::invalid, "{}:{}: the closing ] is missing", file, number);
      section = trim(title.substr(1, title.size() - 2));
      continue;
    }
    Result<ConfigLine> line = line_of(content);
    if (!line) return fail(Code::invalid, "{}:{}: {}", file, number, line.error().message);
    line->number = number;
    line->section = section;
    lines.push_back(*std::move(line));
  }
  return lines;
}

std::string unknown_key(std::string_view key, std::span<const std::string> known) {
  const std::string* nearest = nullptr;
  std::size_t least = std::max<std::size_t>(2, key.size() / 3) + 1;
  for (const std::string& candidate : known) {
    if (const std::size_t d = distance(key, candidate); d < least) {
      least = d;
      nearest = &candidate;
    }
  }
  return fmt::format("unknown key '{}'{}", key, nearest ? fmt::format("; did you mean '{}'?", *nearest) : "");
}

}  // namespace midonet
