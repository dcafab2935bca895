#include "http/gzip.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <cstdlib>

namespace midonet::http {

namespace {

constexpr int gzip_level = 1;  // JSON of lists shrinks to a tenth already; a higher level costs several times as much
constexpr int gzip_window = 15 + 16;  // 32 KiB, with the header and trailer of gzip
constexpr std::size_t gzip_piece = 32 * 1024;

class Deflater {
 public:
  Deflater() {
    if (::deflateInit2(&stream_, gzip_level, Z_DEFLATED, gzip_window, 8, Z_DEFAULT_STRATEGY) != Z_OK) std::abort();
  }
  ~Deflater() { ::deflateEnd(&stream_); }
  Deflater(const Deflater&) = delete;
  Deflater& operator=(const Deflater&) = delete;

  void add(std::string_view text, bool last, std::string& out) {
    std::array<unsigned char, gzip_piece> room;
    // zlib does not write to its input.
    stream_.next_in = reinterpret_cast<unsigned char*>(const_cast<char*>(text.data()));
    stream_.avail_in = static_cast<unsigned>(text.size());
    do {
      stream_.next_out = room.data();
      stream_.avail_out = room.size();
      ::deflate(&stream_, last ? Z_FINISH : Z_NO_FLUSH);
      out.append(room.begin(), room.end() - stream_.avail_out);
    } while (stream_.avail_out == 0);
  }

 private:
  z_stream stream_{};
};

class GzipSource final : public BodySource {
 public:
  explicit GzipSource(std::shared_ptr<BodySource> source) : source_(std::move(source)) {}

  More take(std::size_t room, std::string& out) override {
    const std::size_t before = out.size();
    while (!ended_ && out.size() == before) {
      std::string plain;
      const More more = source_->take(std::min(room, gzip_piece), plain);
      if (more == More::cut_off) return more;
      ended_ = more == More::end;
      if (!plain.empty() || ended_) deflater_.add(plain, ended_, out);
      if (plain.empty() && !ended_) return More::later;
    }
    return ended_ ? More::end : More::later;
  }
  void on_more(std::function<void()> more) override { source_->on_more(std::move(more)); }

 private:
  const std::shared_ptr<BodySource> source_;
  Deflater deflater_;
  bool ended_ = false;
};

class StringSource final : public BodySource {
 public:
  explicit StringSource(std::string body) : body_(std::move(body)) {}

  More take(std::size_t room, std::string& out) override {
    const std::size_t count = std::min(room, body_.size() - at_);
    out.append(body_, at_, count);
    at_ += count;
    return at_ == body_.size() ? More::end : More::later;
  }
  void on_more(std::function<void()>) override {}

 private:
  const std::string body_;
  std::size_t at_ = 0;
};

}  // namespace

std::string gzip(std::string_view text) {
  std::string out;
  Deflater().add(text, true, out);
  return out;
}

std::shared_ptr<BodySource> gzip(std::shared_ptr<BodySource> source) {
  return std::make_shared<GzipSource>(std::move(source));
}

std::shared_ptr<BodySource> body_source(std::string body) { return std::make_shared<StringSource>(std::move(body)); }

}  // namespace midonet::http
