#include "cli/text_table.h"

#include <algorithm>

namespace midonet::cli {

namespace {

std::size_t width_of(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

}  // namespace

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

std::string text_table(const std::vector<std::string>& headings, const std::vector<Row>& rows, bool colour) {
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
  std::string out;
  for (const Row& row : all) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      out += tinted(row[i], colour);
      if (i + 1 < row.size()) out.append(widths[i] - width_of(row[i].text) + 2, ' ');
    }
    out += '\n';
  }
  return out;
}

}  // namespace midonet::cli
