// Any bytes as what a client of the agent's socket sends, to a real agent on a store and a kernel in memory. The agent answers
// with HTTP and goes on: the next status, of a client that behaves, is whole.
#include <filesystem>

#include "agent/binding_socket.h"
#include "agent/testbed.h"
#include "base/json.h"
#include "base/log.h"
#include "http/raw_client.h"

namespace {

using namespace midonet;

struct Bed {
  Bed() {
    (void)log::set_level("error");
    const Uuid bridge = *Uuid::parse("99999999-0000-4000-8000-000000000000");
    bed.create_bridge(bridge);
    (void)bed.create_port(*Uuid::parse("11111111-0000-4000-8000-000000000000"), bridge);
    bed.links.add("tap1");
    bed.start();
    if (!bed.settle()) std::abort();
    std::string pattern = std::filesystem::temp_directory_path() / "midonet-fuzz-XXXXXX";
    folder = ::mkdtemp(pattern.data());
    socket.emplace(bed.loop, *bed.store, *bed.agent, bed.registry);
    if (!socket->listen(path())) std::abort();
  }
  ~Bed() {
    socket.reset();
    std::filesystem::remove_all(folder);
  }
  std::string path() const { return folder + "/s"; }
  std::string send(std::string_view bytes) {
    http::RawClient client(bed.loop, "unix:" + path());
    client.send(bytes);
    client.end_sending();
    return client.everything();
  }

  agent::Testbed bed;
  std::string folder;
  std::optional<agent::BindingSocket> socket;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Bed bed;
  const std::string answer = bed.send({reinterpret_cast<const char*>(data), size});
  if (!answer.empty() && !answer.starts_with("HTTP/1.1 ")) std::abort();
  static unsigned count = 0;
  if (++count % 64 != 0) return 0;
  const std::string status = bed.send("GET /status HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  const auto body = status.find("\r\n\r\n");
  if (!status.starts_with("HTTP/1.1 200 ") || !parse_json(std::string_view(status).substr(body + 4)).is_object())
    std::abort();
  return 0;
}
