#include <gtest/gtest.h>

#include "http/listener.h"
#include "http/message.h"
#include "http/request_reader.h"
#include "http/status.h"
#include "http/target.h"
#include "http/wire.h"

namespace midonet::http::values_test {
namespace {

TEST(Status, EachCodeHasOne) {
  for (const auto& [code, status] : std::vector<std::pair<Code, int>>{{Code::invalid, 400},
                                                                      {Code::unauthenticated, 401},
                                                                      {Code::forbidden, 403},
                                                                      {Code::not_found, 404},
                                                                      {Code::conflict, 409},
                                                                      {Code::unavailable, 503},
                                                                      {Code::exhausted, 507},
                                                                      {Code::internal, 500},
                                                                      {Code::pending, 500}}) {
    EXPECT_EQ(status_of(code), status);
    EXPECT_NE(reason_phrase(status), "");
  }
}

TEST(Target, PercentEncodingIsReadStrictly) {
  EXPECT_EQ(percent_decode("a%2Fb%c3%a4+").value(), "a/b\xc3\xa4+");
  for (const char* text :
       {"%", "%1", "%g0", "%0g", "a%00", "%ff", "%c3", "%c3%28", "%ed%a0%80", "%f4%90%80%80", "%c0%af"})
    EXPECT_FALSE(percent_decode(text)) << text;
  EXPECT_EQ(percent_decode("a-._~ /?#[]@!$&'()*+,;=%25%C3%A4").value(), "a-._~ /?#[]@!$&'()*+,;=%\xc3\xa4");
}

TEST(Target, QueriesKeepRepeatedKeysAndReadPlusAsSpace) {
  const Query query = parse_query("a=1&b=x+y%2B&a=2&&c&=v").value();
  EXPECT_EQ(query, (Query{{"", "v"}, {"a", "1"}, {"a", "2"}, {"b", "x y+"}, {"c", ""}}));
  EXPECT_TRUE(parse_query("").value().empty());
  EXPECT_FALSE(parse_query("a=%"));
  EXPECT_FALSE(parse_query("%zz=1"));
}

TEST(Target, PathsAreSplitBeforeTheyAreDecoded) {
  EXPECT_EQ(split_path("/a/b%2Fc/").value(), (std::vector<std::string>{"a", "b/c", ""}));
  EXPECT_EQ(split_path("/").value(), std::vector<std::string>{""});
  EXPECT_FALSE(split_path(""));
  EXPECT_FALSE(split_path("a/b"));
}

TEST(Target, AllFormsOfARequestTargetAreRead) {
  const Target absolute = parse_target("http://h:1?x=y").value();
  EXPECT_EQ(absolute.authority, "h:1");
  EXPECT_EQ(absolute.origin, "/?x=y");
  EXPECT_EQ(absolute.path, "/");
  EXPECT_EQ(parse_target("*").value().path, "*");
  EXPECT_EQ(parse_target("/a%20b?c").value().path, "/a b");
  for (const char* text : {"", "a", "h:443", "ftp://h/", "http://", "http://a@b/", "/#"})
    EXPECT_FALSE(parse_target(text)) << text;
}

TEST(Headers, NamesCompareWithoutCase) {
  const Request request{.headers = {{"Content-Type", "a"}, {"content-length", "1"}, {"Content", "b"}}};
  EXPECT_EQ(request.header("CONTENT-TYPE"), "a");
  EXPECT_EQ(request.header("content"), "b");
  EXPECT_EQ(request.header("content-"), std::nullopt);
}

TEST(Head, HasADateALengthAndNoHeaderThatWouldSplitIt) {
  const Response response{
      .status = 201, .headers = {{"Location", "x"}, {"A", "b\r\nC: d"}, {"content-length", "7"}}, .body = "abc"};
  const std::chrono::system_clock::time_point time(std::chrono::seconds(784111777));
  EXPECT_EQ(head_of(response, {.close = true}, time),
            "HTTP/1.1 201 Created\r\nLocation: x\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
            "Content-Length: 3\r\nConnection: close\r\n\r\n");
}

TEST(RequestReader, TakesRequestsOneByOneHoweverTheBytesAreCut) {
  const std::string bytes =
      "\r\nPOST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\nGET /b "
      "HTTP/1.1\r\nHost: h\r\n\r\n";
  for (std::size_t cut = 1; cut < bytes.size(); ++cut) {
    RequestReader reader(1000, 1000);
    std::string buffer;
    std::vector<std::string> seen;
    for (std::size_t at = 0; at < bytes.size(); at += cut) {
      buffer += bytes.substr(at, cut);
      for (bool more = true; more;) {
        buffer.erase(0, reader.take(buffer));
        more = reader.state() == RequestReader::State::complete;
        if (more) {
          const Request request = reader.request();
          seen.push_back(request.method + request.target + request.body);
        }
      }
    }
    EXPECT_EQ(seen, (std::vector<std::string>{"POST/aabc", "GET/b"})) << cut;
  }
}

TEST(Endpoint, IsAnAddressWithAPort) {
  EXPECT_EQ(Endpoint::parse("127.0.0.1:8181")->to_string(), "127.0.0.1:8181");
  EXPECT_EQ(Endpoint::parse("[::1]:0")->to_string(), "[::1]:0");
  EXPECT_EQ(Endpoint::parse("localhost:1")->to_string(), "127.0.0.1:1");
  for (const char* text : {"", "8181", ":8181", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:65536",
                           "127.0.0.1:-1", "::1:8181", "[127.0.0.1]:1", "[::1]8181", "host:8181", "127.0.0.1:8181 "})
    EXPECT_FALSE(Endpoint::parse(text)) << text;
}

TEST(Endpoint, KnowsLoopback) {
  for (const char* text : {"127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "[::ffff:127.0.0.1]:1"})
    EXPECT_TRUE(Endpoint::parse(text)->is_loopback()) << text;
  for (const char* text : {"0.0.0.0:1", "10.0.0.1:1", "[::]:1", "[fe80::1]:1", "[::ffff:10.0.0.1]:1"})
    EXPECT_FALSE(Endpoint::parse(text)->is_loopback()) << text;
}

}  // namespace
}  // namespace midonet::http::values_test
