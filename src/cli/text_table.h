// Columns of text for a terminal.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace midonet::cli {

enum class Tint { none, good, waiting, bad, faint };

struct Cell {
  std::string text;
  Tint tint = Tint::none;
  Cell() = default;
  Cell(std::string t, Tint c = Tint::none) : text(std::move(t)), tint(c) {}  // NOLINT: a text is a cell
  Cell(const char* t) : text(t) {}                                           // NOLINT
};
using Row = std::vector<Cell>;

// The text in its colour (ECMA-48 SGR), or as it is.
std::string tinted(const Cell& cell, bool colour);

// What a terminal must not see (control characters) becomes '?', so that a name in the store cannot write to it.
std::string printable(std::string_view text);

// Left-aligned columns two blanks apart, no blanks at the ends of lines, one line break after each row. An empty heading
// list gives rows alone. An empty cell shows as "-". Widths count code points of UTF-8. A row may be shorter than others.
std::string text_table(const std::vector<std::string>& headings, const std::vector<Row>& rows, bool colour);

}  // namespace midonet::cli
