// Bytes as a client may send them, through the reader of requests and the router. Looks for crashes, and for two things
// that must hold: how the bytes are cut changes nothing, and every request gets exactly one answer.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "api/login.h"
#include "api/router.h"
#include "http/request_reader.h"

namespace {

using namespace midonet;
using http::RequestReader;

struct Seen {
  std::vector<http::Request> requests{};
  int refused = 0;  // the status
};

// As a connection does: what is not taken is handed over again, with more behind it.
Seen read(std::string_view bytes, std::size_t cut) {
  RequestReader reader(512, 1024);
  Seen seen;
  std::string buffer;
  while (seen.refused == 0 && !bytes.empty()) {
    const std::size_t step = std::min({cut, bytes.size(), reader.buffer_bytes() - buffer.size()});
    buffer += bytes.substr(0, step);
    bytes.remove_prefix(step);
    for (bool more = true; more;) {
      const std::size_t taken = reader.take(buffer);
      if (taken > buffer.size()) std::abort();
      buffer.erase(0, taken);
      more = reader.state() == RequestReader::State::complete;
      if (more) seen.requests.push_back(reader.request());
      if (reader.state() == RequestReader::State::refused) seen.refused = reader.refusal().status;
    }
    if (seen.refused == 0 && buffer.size() >= reader.buffer_bytes()) std::abort();  // it would never go on
  }
  return seen;
}

bool same(const http::Request& a, const http::Request& b) {
  return a.method == b.method && a.target == b.target && a.path == b.path && a.query == b.query &&
         a.headers == b.headers && a.body == b.body;
}

api::Router& router() {
  static api::Router instance({.authority = "a", .allowed_origins = {"https://ui.example.org"}});
  static const bool made = [] {
    const auto answer = [](const api::Call& call, const api::Reply& reply) {
      if (call.base_uri.find_first_of("\r\n\"<> ") != std::string::npos) std::abort();  // it stands in every answer
      if (call.query_parameter("fail")) return reply(fail(Code::invalid, "{}", call.path));
      std::string all = call.base_uri + call.body;
      for (const auto& [name, value] : call.parameters) all += value;
      reply(api::ok(all, call.media_type));
    };
    const std::string type = "application/vnd.org.midonet.Port-v3+json";
    for (const char* method : {"GET", "PUT", "DELETE"})
      instance.add({.method = method,
                    .path = "/midonet-api/ports/{id}",
                    .name = "",
                    .summary = "",
                    .produces = {type},
                    .consumes = {type},
                    .handler = answer});
    static const auto open = api::without_login();
    static Loop loop;
    api::add_login(instance, loop, open);
    return true;
  }();
  (void)made;
  return instance;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const Seen whole = read(bytes, bytes.size());
  for (const std::size_t step : {std::size_t{1}, std::size_t{7}}) {
    const Seen cut = read(bytes, step);
    if (whole.refused != cut.refused || whole.requests.size() != cut.requests.size()) std::abort();
    for (std::size_t i = 0; i < whole.requests.size(); ++i)
      if (!same(whole.requests[i], cut.requests[i])) std::abort();
  }
  for (http::Request request : whole.requests) {
    request.peer = "127.0.0.1:1";  // a proxy that is believed
    int answers = 0;
    router().handle(request, [&](const http::Response& response) {
      ++answers;
      if (response.status < 200 || response.status > 599) std::abort();
    });
    if (answers != 1) std::abort();
  }
  return 0;
}
