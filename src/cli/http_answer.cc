#include "cli/http_answer.h"

#include <charconv>

namespace midonet::cli {

namespace {

// ASCII only, as field names are (RFC 9110 section 5.1).
bool same_word(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
    if (lower(a[i]) != lower(b[i])) return false;
  }
  return true;
}

std::string_view trim(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

// All of `text` as a number, or nothing.
std::optional<std::size_t> number(std::string_view text, int base) {
  std::size_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

tl::unexpected<Error> no_http(std::string_view why) {
  return fail(Code::internal, "the answer is not HTTP/1.1: {}", why);
}

struct Head {
  int status = 0;
  std::optional<std::size_t> length;
  bool chunked = false;
};

// `text` ends with the line break of the last header line.
Result<Head> read_head(std::string_view text) {
  Head head;
  bool first = true;
  while (!text.empty()) {
    const std::size_t line_end = text.find("\r\n");
    const std::string_view line = text.substr(0, line_end);
    text.remove_prefix(line_end + 2);
    if (first) {
      first = false;
      // "HTTP/1.1 200 OK"
      if (line.size() < 12 || !line.starts_with("HTTP/1.") || line[8] != ' ') return no_http("its first line");
      const auto status = number(line.substr(9, 3), 10);
      if (!status || *status < 100 || (line.size() > 12 && line[12] != ' ')) return no_http("its status");
      head.status = static_cast<int>(*status);
      continue;
    }
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos || colon == 0) return no_http("a header line");
    const std::string_view value = trim(line.substr(colon + 1));
    if (same_word(line.substr(0, colon), "content-length")) {
      head.length = number(value, 10);
      if (!head.length || *head.length > max_answer_bytes) return no_http("its length");
    } else if (same_word(line.substr(0, colon), "transfer-encoding")) {
      if (!same_word(value, "chunked")) return no_http("its transfer encoding");
      head.chunked = true;
    }
  }
  return head;
}

// RFC 9112 section 7.1: size in hexadecimal, line break, data, line break, …, 0, trailers, an empty line.
Result<std::optional<std::string>> read_chunks(std::string_view text) {
  std::string body;
  while (true) {
    const std::size_t line_end = text.find("\r\n");
    if (line_end == std::string_view::npos) return std::nullopt;
    const std::string_view line = text.substr(0, line_end);
    const auto size = number(trim(line.substr(0, line.find(';'))), 16);
    if (!size || *size > max_answer_bytes) return no_http("the size of a chunk");
    text.remove_prefix(line_end + 2);
    if (*size == 0) {
      // Trailers are of no use here; the answer is over with the empty line after them.
      if (text.starts_with("\r\n") || text.find("\r\n\r\n") != std::string_view::npos) return body;
      return std::nullopt;
    }
    if (text.size() < *size + 2) return std::nullopt;
    body.append(text.substr(0, *size));
    if (text.substr(*size, 2) != "\r\n") return no_http("the end of a chunk");
    text.remove_prefix(*size + 2);
  }
}

}  // namespace

Result<std::optional<HttpAnswer>> read_http_answer(std::string_view bytes, bool ended) {
  const auto incomplete = [ended]() -> Result<std::optional<HttpAnswer>> {
    if (!ended) return std::nullopt;
    return fail(Code::unavailable, "the connection was closed before the answer was complete");
  };
  if (bytes.size() > max_answer_bytes) return no_http("its size");
  while (true) {
    const std::size_t blank = bytes.find("\r\n\r\n");
    if (blank == std::string_view::npos) {
      constexpr std::string_view begin = "HTTP/1.";
      if (!begin.starts_with(bytes.substr(0, begin.size()))) return no_http("its first line");
      return incomplete();
    }
    const Result<Head> head = read_head(bytes.substr(0, blank + 2));
    if (!head) return failed(head);
    bytes.remove_prefix(blank + 4);
    if (head->status < 200) continue;  // interim; the answer follows
    if (head->status == 204 || head->status == 304) return HttpAnswer{head->status, {}};
    if (head->chunked) {
      Result<std::optional<std::string>> body = read_chunks(bytes);
      if (!body) return failed(body);
      if (!*body) return incomplete();
      return HttpAnswer{head->status, **std::move(body)};
    }
    if (head->length) {
      if (bytes.size() < *head->length) return incomplete();
      return HttpAnswer{head->status, std::string(bytes.substr(0, *head->length))};
    }
    if (!ended) return std::nullopt;
    return HttpAnswer{head->status, std::string(bytes)};
  }
}

}  // namespace midonet::cli
