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
struct Row : std::vector<Cell> {
  using std::vector<Cell>::vector;
  std::string note{};  // stands below the row
};

// The smallest usual width of a terminal. A table of that width fits without broken lines.
inline constexpr std::size_t terminal_width = 80;

// The text in its colour (ECMA-48 SGR), or as it is.
std::string tinted(const Cell& cell, bool colour);

// Control characters become '?', so that a name in the store cannot control the terminal.
std::string printable(std::string_view text);

// Left-aligned columns two blanks apart, no blanks at the ends of lines, one line break after each row. An empty heading
// list gives rows alone. An empty cell shows as "-". Widths count code points of UTF-8. A row may be shorter than others.
// With a width, the widest columns are cut ("abc…") until lines have no more characters, and notes are wrapped; 0: nothing is.
std::string text_table(const std::vector<std::string>& headings, const std::vector<Row>& rows, bool colour,
                       std::size_t width = 0);

// Rows of a name and a text, whose further lines stand below its first one. A row's note is not shown.
std::string text_fields(const std::vector<Row>& rows, bool colour, std::size_t width = 0);

// The words of a text in lines of at most `width` characters (0: one line), each after `indent` blanks. A word is not broken.
std::string wrapped(std::string_view text, std::size_t indent, std::size_t width);

}  // namespace midonet::cli
