// For tests: a client that sends exactly the given bytes at the given moment, and keeps the bytes that come back.
// On the loop's thread, beside the server that is tested.
#pragma once

#include <string>
#include <string_view>

#include "base/loop.h"
#include "base/unique_fd.h"

namespace midonet::http {

class RawClient {
 public:
  // "127.0.0.1:8181" or "unix:/path". Aborts the test when no process listens. `from`: its own address, "127.0.0.2".
  RawClient(Loop& loop, const std::string& endpoint, int receive_buffer_bytes = 0, const std::string& from = "");

  void send(std::string_view bytes);  // aborts when the kernel does not take them all
  std::size_t send_some(std::string_view bytes);
  void end_sending();
  void reset();  // closes with RST
  void close();
  void read_no_more() { watch_ = FdWatch(); }
  void read_again();

  const std::string& received() const { return received_; }
  bool closed() const { return closed_; }  // the server has ended its sending
  bool was_reset() const { return was_reset_; }
  // Waits until so many complete answers are here (or the connection is closed, or 10 s are over) and takes them.
  std::string answers(int count);
  // Waits for the server's end and takes all that came.
  std::string everything();

 private:
  void read();
  void count_answers(int* count, std::size_t* end) const;

  Loop& loop_;
  UniqueFd fd_;
  FdWatch watch_;
  std::string received_;
  bool closed_ = false;
  bool was_reset_ = false;
};

// The answer with its varying part replaced: the value of Date.
std::string masked(std::string answer);

}  // namespace midonet::http
