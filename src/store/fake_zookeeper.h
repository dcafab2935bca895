// For tests and fuzzing: a server on loopback that speaks enough of ZooKeeper's client protocol (jute, ZooKeeper 3.8) for a
// session, and answers each request with the bytes that a function makes. One connection at a time, on a thread of its own.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <thread>

#include "base/unique_fd.h"

namespace midonet::store {

// Bytes of an answer, integers in network byte order.
class JuteWriter {
 public:
  JuteWriter& number32(std::int32_t value);
  JuteWriter& number64(std::int64_t value);
  JuteWriter& buffer(std::string_view bytes);  // with its length before it; also a string
  JuteWriter& stat(std::int64_t zxid, std::int32_t version);
  JuteWriter& raw(std::string_view bytes);
  std::string take() { return std::move(out_); }

 private:
  std::string out_;
};

class FakeZookeeper {
 public:
  // Operations as in zookeeper's proto.h.
  static constexpr std::int32_t exists = 3, get_data = 4, get_children = 8, multi = 14;
  struct Answer {
    std::int32_t error = 0;
    std::string body{};
  };
  // `request` is the request behind its header. Called on the server's thread.
  using Answers = std::function<Answer(std::int32_t operation, std::string_view request)>;

  explicit FakeZookeeper(Answers answers);
  ~FakeZookeeper();
  std::string address() const;  // "127.0.0.1:12345"

 private:
  void run();
  void serve(int fd);

  const Answers answers_;
  UniqueFd listener_;
  std::uint16_t port_ = 0;
  std::atomic<bool> ended_ = false;
  std::thread thread_;
};

}  // namespace midonet::store
