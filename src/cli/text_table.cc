#include "cli/text_table.h"

#include <algorithm>

namespace midonet::cli {

namespace {

std::size_t width_of(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

// The first characters, and "…" for the others.
std::string cut(const std::string& text, std::size_t width) {
  if (width_of(text) <= width) return text;
  std::size_t end = 0;
  for (std::size_t left = width; end < text.size(); ++end) {
    if ((static_cast<unsigned char>(text[end]) & 0xc0) != 0x80 && left-- == 1) break;
  }
  return text.substr(0, end) + "…";
}

// Takes from the widest column until the line fits. No column gets narrower than what tells a short id or a word apart.
void fit(std::vector<std::size_t>& widths, std::size_t width) {
  constexpr std::size_t least = 8;
  if (widths.empty()) return;
  std::size_t all = 2 * (widths.size() - 1);
  for (const std::size_t each : widths) all += each;
  while (all > width) {
    const auto widest = std::max_element(widths.begin(), widths.end());
    if (*widest <= least) return;
    --*widest;
    --all;
  }
}

}  // namespace

std::string wrapped(std::string_view text, std::size_t indent, std::size_t width) {
  std::string out;
  std::size_t at = 0;  // characters of the line so far
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(' '), text.size());
    const std::string_view word = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (word.empty()) continue;
    if (at > 0 && (width == 0 || at + 1 + width_of(word) <= width)) {
      out += ' ';
      ++at;
    } else {
      if (at > 0) out += '\n';
      out.append(indent, ' ');
      at = indent;
    }
    out += word;
    at += width_of(word);
  }
  return out.empty() ? out : out + '\n';
}

std::string text_fields(const std::vector<Row>& rows, bool colour, std::size_t width) {
  std::size_t name_width = 0;
  for (const Row& row : rows) name_width = std::max(name_width, width_of(row.at(0).text));
  const std::size_t indent = name_width + 2;
  std::string out;
  for (const Row& row : rows) {
    const std::string text = row.size() < 2 || row[1].text.empty() ? "-" : printable(row[1].text);
    const std::string lines = wrapped(text, indent, width);
    std::string name = row[0].text;
    name.append(indent - width_of(name), ' ');
    // The first line has the name where the others have blanks.
    const std::string value = lines.empty() ? "-" : lines.substr(indent, lines.size() - indent - 1);
    out += tinted({name, row[0].tint}, colour) + (row.size() < 2 ? value : tinted({value, row[1].tint}, colour)) + "\n";
  }
  return out;
}

std::string tinted(const Cell& cell, bool colour) {
  if (!colour) return cell.text;
  switch (cell.tint) {
    case Tint::none: break;
    case Tint::good: return "\x1b[32m" + cell.text + "\x1b[0m";
    case Tint::waiting: return "\x1b[33m" + cell.text + "\x1b[0m";
    case Tint::bad: return "\x1b[31m" + cell.text + "\x1b[0m";
    case Tint::faint: return "\x1b[2m" + cell.text + "\x1b[0m";
  }
  return cell.text;
}

std::string printable(std::string_view text) {
  std::string out(text);
  for (std::size_t i = 0; i < out.size(); ++i) {
    const auto c = static_cast<unsigned char>(out[i]);
    if (c < ' ' || c == 0x7f) out[i] = '?';
    // C1 control characters, U+0080 to U+009F, are two bytes of UTF-8.
    if (c == 0xc2 && i + 1 < out.size() && static_cast<unsigned char>(out[i + 1]) < 0xa0) out[i] = out[i + 1] = '?';
  }
  return out;
}

std::string text_table(const std::vector<std::string>& headings, const std::vector<Row>& rows, bool colour,
                       std::size_t width) {
  std::vector<Row> all;
  all.reserve(rows.size() + 1);
  if (!headings.empty()) all.emplace_back(headings.begin(), headings.end());
  all.insert(all.end(), rows.begin(), rows.end());

  std::vector<std::size_t> widths;
  for (Row& row : all) {
    if (row.size() > widths.size()) widths.resize(row.size());
    for (std::size_t i = 0; i < row.size(); ++i) {
      row[i].text = row[i].text.empty() ? "-" : printable(row[i].text);
      widths[i] = std::max(widths[i], width_of(row[i].text));
    }
  }
  if (width > 0) fit(widths, width);
  std::string out;
  for (Row& row : all) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      if (width > 0) row[i].text = cut(row[i].text, widths[i]);
      out += tinted(row[i], colour);
      if (i + 1 < row.size()) out.append(widths[i] - width_of(row[i].text) + 2, ' ');
    }
    out += '\n';
    if (!row.note.empty()) out += wrapped(printable(row.note), 4, width);
  }
  return out;
}

}  // namespace midonet::cli
