#include "http/request_reader.h"

#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <limits>

#include "http/target.h"
#include "http/wire.h"

namespace midonet::http {

namespace beast = boost::beast;

struct RequestReader::Parser {
  beast::http::request_parser<beast::http::string_body> beast;
  beast::error_code error;
  std::size_t header_bytes = 0;  // taken of the request line and the headers
  std::size_t searched = 0;      // of the bytes after them: known to hold no end of a line that is looked for
  bool line_read = false;        // the request line is taken
};

RequestReader::RequestReader(std::size_t header_bytes, std::size_t body_bytes)
    : header_bytes_(header_bytes), body_bytes_(body_bytes) {}
RequestReader::~RequestReader() = default;
RequestReader::RequestReader(RequestReader&&) noexcept = default;
RequestReader& RequestReader::operator=(RequestReader&&) noexcept = default;

namespace {

// Whether the request line ends in a version, though not one of ours: "PRI * HTTP/2.0".
bool names_another_version(std::string_view bytes) {
  const std::string_view line = bytes.substr(0, bytes.find('\r'));
  const std::size_t at = line.rfind(" HTTP/");
  if (at == std::string_view::npos || line.size() != at + 9) return false;
  const auto digit = [&](std::size_t i) { return line[i] >= '0' && line[i] <= '9'; };
  return digit(at + 6) && line[at + 7] == '.' && digit(at + 8);
}

}  // namespace

void RequestReader::refuse(int status, std::string message) {
  state_ = State::refused;
  refusal_ = {status, std::move(message)};
  parser_.reset();
}

void RequestReader::fail_parse(std::string_view bytes) {
  const beast::error_code error = parser_->error;
  if (error == beast::http::error::body_limit)
    return refuse(413, fmt::format("the body is longer than {} bytes", body_bytes_));
  if (error == beast::http::error::bad_version && names_another_version(bytes))
    return refuse(505, "this server speaks HTTP/1.1");
  refuse(400, "ill-formed request: " + error.message());
}

std::size_t RequestReader::take(std::string_view bytes) {
  std::size_t taken = 0;
  if (state_ == State::idle) {
    // Empty lines before a request are skipped (RFC 9112 section 2.2).
    while (bytes.substr(taken, 2) == "\r\n") taken += 2;
    bytes.remove_prefix(taken);
    if (bytes.empty() || bytes == "\r") return taken;
    state_ = State::header;
    parser_ = std::make_unique<Parser>();
    parser_->beast.header_limit(std::numeric_limits<std::uint32_t>::max());  // header_part() has the limit
    parser_->beast.body_limit(body_bytes_);
  }
  if (state_ == State::header) {
    const std::size_t header = take_header(bytes);
    taken += header;
    bytes.remove_prefix(header);
    if (stop_at_header_) return taken;
  }
  if (state_ == State::body && !parser_->beast.is_done() && !bytes.empty()) {
    wants_continue_ = false;
    const std::size_t body = parser_->beast.put(boost::asio::buffer(bytes.data(), bytes.size()), parser_->error);
    taken += body;
    if (parser_->error && parser_->error != beast::http::error::need_more)
      fail_parse(bytes);
    else if (body == 0 && !parser_->beast.is_done() && bytes.size() >= buffer_bytes())
      refuse(431, "a chunk header or the trailers are too long");
  }
  if (state_ == State::body && parser_->beast.is_done()) {
    request_.body = std::move(parser_->beast.get().body());
    parser_.reset();
    state_ = State::complete;
  }
  return taken;
}

// The parser gets the request line as a whole, then all headers as a whole. It would take them in parts, but then decides
// differently about the same bytes near its limit; so the limit and the ends of lines are judged here, byte by byte.
std::size_t RequestReader::take_header(std::string_view bytes) {
  std::size_t taken = 0;
  while (state_ == State::header) {
    const std::string_view rest = bytes.substr(taken);
    const std::size_t part = header_part(rest);
    if (part == 0) break;
    auto& parser = parser_->beast;
    parser.put(boost::asio::buffer(rest.data(), part), parser_->error);
    if (parser_->error && parser_->error != beast::http::error::need_more) {
      fail_parse(rest.substr(0, part));
      break;
    }
    taken += part;
    parser_->header_bytes += part;
    parser_->searched = 0;
    parser_->line_read = true;
    if (parser.is_header_done()) {
      parser.eager(true);
      read_header();
    }
  }
  return taken;
}

// The length of the request line, or of all headers with the empty line, at the beginning of `bytes`; 0 while it is not
// complete, or refused.
std::size_t RequestReader::header_part(std::string_view bytes) {
  for (std::size_t& at = parser_->searched; at < bytes.size(); ++at) {
    if (parser_->header_bytes + at >= header_bytes_) {
      refuse(431, fmt::format("the request line and headers are longer than {} bytes", header_bytes_));
      return 0;
    }
    const auto byte = static_cast<unsigned char>(bytes[at]);
    const bool line_end = byte == '\n' && at > 0 && bytes[at - 1] == '\r';
    if ((at > 0 && bytes[at - 1] == '\r' && !line_end) || (byte == '\n' && !line_end)) {
      refuse(400, "ill-formed request: a line does not end in CR LF");
      return 0;
    }
    if ((byte < ' ' && byte != '\t' && byte != '\r' && byte != '\n') || byte == 0x7f) {
      refuse(400, "ill-formed request: a control character in the request line or a header");
      return 0;
    }
    const bool empty_line = line_end && (at == 1 || (at > 2 && bytes[at - 2] == '\n'));
    if (line_end && (empty_line || !parser_->line_read)) return at + 1;
  }
  return 0;
}

// Looks at the header before the body is read: trailers of a chunked body, which the parser would add, are not wanted.
void RequestReader::read_header() {
  auto& parser = parser_->beast;
  const auto& message = parser.get();
  http_1_0_ = message.version() == 10;
  keep_alive_ = message.keep_alive();
  Request request;
  request.method = message.method_string();
  for (const auto& field : message) request.headers.emplace(field.name_string(), field.value());

  Result<Target> target = parse_target(message.target());
  if (!target) return refuse(400, target.error().message);
  const auto hosts = request.headers.count("host");
  if (hosts > 1 || (hosts == 0 && !http_1_0_)) return refuse(400, "a request has exactly one Host header");
  if (!target->authority.empty()) {
    // RFC 9112 section 3.2.2: the absolute form's authority replaces the Host.
    request.headers.erase("host");
    request.headers.emplace("Host", target->authority);
  }
  if (const auto host = request.header("host"); host && !host->empty() && !is_authority(*host))
    return refuse(400, "ill-formed Host header");

  if (const auto coding = request.header("transfer-encoding")) {
    if (http_1_0_) return refuse(400, "HTTP/1.0 has no Transfer-Encoding");
    if (request.headers.count("transfer-encoding") != 1 || !equal_without_case(*coding, "chunked"))
      return refuse(501, "the only transfer coding that is understood is 'chunked'");
  }
  if (const auto expect = request.header("expect"); expect && !http_1_0_) {
    if (!equal_without_case(*expect, "100-continue")) return refuse(417, "the only expectation is '100-continue'");
    wants_continue_ = !parser.is_done();
  }
  request.target = std::move(target->origin);
  request.path = std::move(target->path);
  request.query = std::move(target->query);
  request_ = std::move(request);
  state_ = State::body;
}

std::size_t RequestReader::held_bytes() const { return parser_ ? parser_->beast.get().body().size() : 0; }

Request RequestReader::request() {
  state_ = State::idle;
  wants_continue_ = false;
  return std::exchange(request_, Request{});
}

}  // namespace midonet::http
