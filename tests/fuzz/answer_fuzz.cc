// Any bytes as the answer of another program: of Keystone about a token, and of the agent to mm-ctl.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "api/keystone_answer.h"
#include "cli/http_answer.h"

namespace {

using namespace midonet;

// An answer that is complete stays what it is when more comes behind it or the connection ends.
void check_http(std::string_view bytes) {
  const auto ended = cli::read_http_answer(bytes, true);
  if (ended && !*ended) std::abort();  // with the end everything is there, or something is wrong
  for (std::size_t length = 0; length <= bytes.size(); length += 1 + length / 8) {
    const auto now = cli::read_http_answer(bytes.substr(0, length), false);
    if (!now) {
      if (cli::read_http_answer(bytes, true)) std::abort();  // what is ill-formed stays so
      return;
    }
    if (!*now) continue;
    if (!ended || **ended != **now) std::abort();
    return;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto token = api::parse_keystone_answer(bytes, {"admin"});
  if (token && !(api::parse_keystone_answer(bytes, {"admin"}) == token)) std::abort();
  check_http(bytes);
  return 0;
}
