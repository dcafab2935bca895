#include "cli/http_answer.h"

#include <gtest/gtest.h>

namespace midonet::cli::http_answer_test {
namespace {

// The answer, which must be complete with the last byte and, where the end is told by lengths, not one byte before.
HttpAnswer whole(std::string_view bytes, bool until_close = false) {
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    const auto part = read_http_answer(bytes.substr(0, length), false);
    EXPECT_TRUE(part && !*part) << length << " bytes";
  }
  const auto answer = read_http_answer(bytes, until_close);
  EXPECT_TRUE(answer && *answer);
  return answer && *answer ? **answer : HttpAnswer{};
}

Code code_of(std::string_view bytes, bool ended) {
  const auto answer = read_http_answer(bytes, ended);
  EXPECT_FALSE(answer) << bytes;
  return answer ? Code::pending : answer.error().code;
}

TEST(HttpAnswer, EndsWithItsContentLength) {
  EXPECT_EQ(whole("HTTP/1.1 200 OK\r\ncontent-LENGTH:  4 \r\nServer: x\r\n\r\n{\"\"}"), (HttpAnswer{200, "{\"\"}"}));
}

TEST(HttpAnswer, OfStatus204HasNoBody) {
  EXPECT_EQ(whole("HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n"), (HttpAnswer{204, ""}));
}

TEST(HttpAnswer, MayLackAReasonPhrase) { EXPECT_EQ(whole("HTTP/1.1 204\r\n\r\n"), (HttpAnswer{204, ""})); }

TEST(HttpAnswer, ComesInChunks) {
  EXPECT_EQ(
      whole("HTTP/1.1 409 Conflict\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\n\r\n"),
      (HttpAnswer{409, "abc0123456789"}));
  EXPECT_EQ(whole("HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n0\r\nTrailer: x\r\n\r\n"),
            (HttpAnswer{200, ""}));
}

TEST(HttpAnswer, WithoutALengthEndsWhenThePeerCloses) {
  EXPECT_EQ(whole("HTTP/1.0 200 OK\r\n\r\nall of it", true), (HttpAnswer{200, "all of it"}));
}

TEST(HttpAnswer, FollowsInterimAnswers) {
  EXPECT_EQ(whole("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), (HttpAnswer{200, ""}));
}

TEST(HttpAnswer, CutShortIsUnavailable) {
  for (const char* bytes :
       {"", "HTT", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n", "HTTP/1.1 100 Continue\r\n\r\n"})
    EXPECT_EQ(code_of(bytes, true), Code::unavailable) << bytes;
}

TEST(HttpAnswer, OfAnotherKindIsRefusedAtOnce) {
  for (const char* bytes :
       {"SSH-2.0-OpenSSH", "HTTP/2 200\r\n\r\n", "HTTP/1.1 abc OK\r\n\r\n", "HTTP/1.1 2000 OK\r\n\r\n",
        "HTTP/1.1 099 No\r\n\r\n", "HTTP/1.1 200 OK\r\nno colon\r\n\r\n", "HTTP/1.1 200 OK\r\n: x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 1x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n"})
    EXPECT_EQ(code_of(bytes, false), Code::internal) << bytes;
}

TEST(HttpAnswer, IsBounded) {
  EXPECT_EQ(code_of("HTTP/1.1 200 OK\r\n\r\n" + std::string(max_answer_bytes, 'x'), false), Code::internal);
}

}  // namespace
}  // namespace midonet::cli::http_answer_test
