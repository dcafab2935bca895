// Any bytes as a path of the store: what is accepted has parts that make it up again, and a parent that is accepted too. And as a
// hint: what is read from it comes back from what is written for it.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "store/hint.h"
#include "store/path.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace midonet::store;
  const std::string path(reinterpret_cast<const char*>(data), size);
  const Hint hint = decode_hint(path);
  if (const Hint again = decode_hint(encode_hint(hint)); !again.empty() && again != hint) std::abort();
  if (!check_path(path) || path == "/") return 0;
  const std::string parent(parent_of(path));
  const std::string name(name_of(path));
  if (name.empty() || name.find('/') != std::string::npos) std::abort();
  if (!check_path(parent)) std::abort();
  if ((parent == "/" ? "" : parent) + "/" + name != path) std::abort();
  return 0;
}
