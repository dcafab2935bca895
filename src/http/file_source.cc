#include "http/file_source.h"

#include <unistd.h>

#include <algorithm>
#include <utility>

namespace midonet::http {
namespace {

class FileSource final : public BodySource {
 public:
  explicit FileSource(UniqueFd file) : file_(std::move(file)) {}

  More take(std::size_t room, std::string& out) override {
    const std::size_t before = out.size();
    out.resize(before + std::max<std::size_t>(room, 1));
    const ssize_t got = ::read(file_.get(), out.data() + before, out.size() - before);
    out.resize(before + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    return got > 0 ? More::later : got == 0 ? More::end : More::cut_off;
  }
  void on_more(std::function<void()>) override {}

 private:
  const UniqueFd file_;
};

}  // namespace

std::shared_ptr<BodySource> file_source(UniqueFd file) { return std::make_shared<FileSource>(std::move(file)); }

}  // namespace midonet::http
