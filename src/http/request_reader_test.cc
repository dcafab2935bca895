#include "http/request_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace midonet::http::request_reader_test {
namespace {

using ::testing::HasSubstr;

constexpr std::size_t header_bytes = 512;

struct Seen {
  std::vector<std::string> requests{};  // method, target, body
  int refused = 0;                      // the status
  std::string why{};
  bool operator==(const Seen&) const = default;
};

// As a connection does: at most `cut` bytes come at a time, and those that are not taken are handed over again.
Seen read(std::string_view bytes, std::size_t cut) {
  RequestReader reader(header_bytes, 1024);
  Seen seen;
  std::string buffer;
  while (seen.refused == 0 && !bytes.empty()) {
    const std::size_t step = std::min({cut, bytes.size(), reader.buffer_bytes() - buffer.size()});
    EXPECT_GT(step, 0u) << "it would never go on";
    if (step == 0) break;
    buffer += bytes.substr(0, step);
    bytes.remove_prefix(step);
    for (bool more = true; more;) {
      buffer.erase(0, reader.take(buffer));
      more = reader.state() == RequestReader::State::complete;
      if (more) {
        const Request request = reader.request();
        seen.requests.push_back(request.method + ' ' + request.target + ' ' + request.body);
      }
    }
    if (reader.state() == RequestReader::State::refused) {
      seen.refused = reader.refusal().status;
      seen.why = reader.refusal().message;
    }
  }
  return seen;
}

Seen read_each_way(std::string_view bytes) {
  const Seen whole = read(bytes, bytes.size());
  for (const std::size_t cut : std::vector<std::size_t>{1, 2, 3, 5, 64, 511, 512, 513})
    EXPECT_EQ(read(bytes, cut), whole) << "in pieces of " << cut << " bytes";
  return whole;
}

// A GET whose request line and headers have so many bytes.
std::string get_of(std::size_t bytes) {
  const std::string begin = "GET /a HTTP/1.1\r\nHost: a\r\nX: ", end = "\r\n\r\n";
  return begin + std::string(bytes - begin.size() - end.size(), 'x') + end;
}

TEST(RequestReader, HasOneHeaderLimitHoweverTheBytesCome) {
  for (std::size_t bytes = header_bytes - 6; bytes <= header_bytes + 6; ++bytes) {
    const Seen seen = read_each_way(get_of(bytes) + "GET /next HTTP/1.1\r\nHost: a\r\n\r\n");
    if (bytes <= header_bytes) {
      EXPECT_EQ(seen, (Seen{{"GET /a ", "GET /next "}})) << bytes;
    } else {
      EXPECT_EQ(seen, (Seen{{}, 431, "the request line and headers are longer than 512 bytes"})) << bytes;
    }
  }
}

TEST(RequestReader, LimitsTheRequestLineAndTheHeadersTogether) {
  for (std::size_t line = 1; line < header_bytes + 4; ++line) {
    const std::string head = "GET /" + std::string(line, 'a') + " HTTP/1.1\r\nHost: a\r\n\r\n";
    EXPECT_EQ(read_each_way(head).refused, head.size() > header_bytes ? 431 : 0) << line;
  }
  EXPECT_EQ(read_each_way("GET /" + std::string(2 * header_bytes, 'a')).refused, 431);
}

// What the fuzzer found: a header name that is not ASCII, in a header that ends at the limit.
TEST(RequestReader, RefusesAHeaderNameThatIsNotAsciiHoweverTheBytesCome) {
  for (std::size_t bytes = header_bytes - 6; bytes <= header_bytes + 6; ++bytes) {
    std::string request = get_of(bytes);
    request.replace(request.find("X: "), 1, "\xe9");
    EXPECT_EQ(read_each_way(request).refused, bytes <= header_bytes ? 400 : 431) << bytes;
  }
}

TEST(RequestReader, RefusesALineThatDoesNotEndInCrLfWithoutWaitingForMore) {
  for (const char* text : {"GET / HTTP/1.1\n", "GET / HTTP/1.1\r\nHost: a\n", "GET / HTTP/1.1\rX", "\n", "\rX",
                           "GET / HTTP/1.1\r\nHost: a\r\n\n"}) {
    const Seen seen = read_each_way(text);
    EXPECT_EQ(seen.refused, 400) << text;
    EXPECT_THAT(seen.why, HasSubstr("a line does not end in CR LF")) << text;
  }
}

TEST(RequestReader, RefusesAControlCharacterWithoutWaitingForMore) {
  const std::string hello("\x16\x03\x01\x02\x00", 5);  // of a client that speaks TLS
  for (const std::string& text : {hello, std::string("GET /\x01"), std::string("GET / HTTP/1.1\r\nHost: a\x7f"),
                                  std::string("GET / HTTP/1.1\r\nHost: a\0", 25)})
    EXPECT_THAT(read_each_way(text).why, HasSubstr("a control character")) << text;
}

TEST(RequestReader, RefusesARequestLineThatIsNoneBeforeTheHeadersCome) {
  EXPECT_EQ(read_each_way("HELO mail.example.org\r\n").refused, 400);
  EXPECT_EQ(read_each_way("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").refused, 505);
}

TEST(RequestReader, SkipsEmptyLinesBeforeARequest) {
  EXPECT_EQ(read_each_way("\r\n\r\nGET /a HTTP/1.1\r\nHost: a\r\n\r\n\r\nGET /b HTTP/1.0\r\n\r\n"),
            (Seen{{"GET /a ", "GET /b "}}));
}

TEST(RequestReader, ReadsChunksAndTrailersHoweverTheyCome) {
  EXPECT_EQ(read_each_way("PUT /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                          "3;x=y\r\nabc\r\n2\r\nde\r\n0\r\nT: 1\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\n\r\n"),
            (Seen{{"PUT /a abcde", "GET /b "}}));
}

}  // namespace
}  // namespace midonet::http::request_reader_test
