#include "http/gzip.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <zlib.h>

#include <array>

namespace midonet::http::gzip_test {
namespace {

// By zlib's own reader; the whole text must be there, with its checksum.
std::optional<std::string> gunzip(std::string bytes) {
  z_stream stream{};
  EXPECT_EQ(::inflateInit2(&stream, 15 + 16), Z_OK);
  std::vector<unsigned char> in(bytes.begin(), bytes.end());
  stream.next_in = in.data();
  stream.avail_in = static_cast<unsigned>(in.size());
  std::string out;
  int outcome = Z_OK;
  while (outcome == Z_OK) {
    std::array<unsigned char, 4096> room;
    stream.next_out = room.data();
    stream.avail_out = room.size();
    outcome = ::inflate(&stream, Z_NO_FLUSH);
    out.append(room.begin(), room.end() - stream.avail_out);
  }
  const bool whole = outcome == Z_STREAM_END && stream.avail_in == 0;
  ::inflateEnd(&stream);
  if (!whole) return std::nullopt;
  return out;
}

std::string take_all(BodySource& source, std::size_t room) {
  std::string out;
  for (;;) {
    const std::size_t before = out.size();
    const BodySource::More more = source.take(room, out);
    EXPECT_NE(more, BodySource::More::cut_off);
    if (more == BodySource::More::end) return out;
    EXPECT_GT(out.size(), before) << "it had nothing, and would be asked no more";
    if (out.size() == before) return out;
  }
}

TEST(Gzip, IsReadBackAsItWas) {
  rc::check([](const std::string& text) { RC_ASSERT(gunzip(gzip(text)) == text); });
  const std::string large(3'000'000, 'x');
  const std::string small = gzip(large);
  EXPECT_LT(small.size(), 20'000U);
  EXPECT_EQ(gunzip(small), large);
}

TEST(Gzip, OfASourceIsReadBackAsItWas) {
  std::string text;
  for (int i = 0; text.size() < 2'000'000; ++i) text += "{\"id\": " + std::to_string(i * 7919) + "},";
  for (const std::size_t room : {1UL, 1000UL, 65536UL}) {
    const std::string some = room == 1 ? text.substr(0, 20'000) : text;
    EXPECT_EQ(take_all(*body_source(some), room), some);
    EXPECT_EQ(gunzip(take_all(*gzip(body_source(some)), room)), some);
  }
  EXPECT_EQ(gunzip(take_all(*gzip(body_source("")), 100)), "");
}

// Gives what it is given, and has nothing in between.
struct Slow final : BodySource {
  std::string has;
  bool ended = false;
  More take(std::size_t, std::string& out) override {
    out += std::exchange(has, "");
    return ended ? More::end : More::later;
  }
  void on_more(std::function<void()>) override {}
};

TEST(Gzip, WaitsForItsSource) {
  const auto slow = std::make_shared<Slow>();
  const auto source = gzip(std::shared_ptr<BodySource>(slow));
  std::string out;
  EXPECT_EQ(source->take(100, out), BodySource::More::later);
  slow->has = "one";
  EXPECT_EQ(source->take(100, out), BodySource::More::later);
  slow->has = "two";
  slow->ended = true;
  EXPECT_EQ(source->take(100, out), BodySource::More::end);
  EXPECT_EQ(gunzip(out), "onetwo");
}

}  // namespace
}  // namespace midonet::http::gzip_test
