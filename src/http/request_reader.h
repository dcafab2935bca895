// Bytes of a connection to Requests (RFC 9112), one after the other. No I/O and no clock: the connection hands over what
// it received and keeps what was not taken. How the bytes are cut changes nothing. Internal to http/.
//
//   idle -> header -> body -> complete -> (request()) -> idle
//     `--------`-------`----> refused: nothing that follows on this connection can be trusted
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "http/message.h"

namespace midonet::http {

class RequestReader {
 public:
  enum class State { idle, header, body, complete, refused };

  struct Refusal {
    int status = 400;
    std::string message{};
  };

  // `header_bytes`: of the request line and all headers together, with the empty line.
  RequestReader(std::size_t header_bytes, std::size_t body_bytes);
  ~RequestReader();
  RequestReader(RequestReader&&) noexcept;
  RequestReader& operator=(RequestReader&&) noexcept;

  // Takes a part of the bytes, from their beginning, and returns how many; the rest must be handed over again, with what
  // comes after it. Never takes anything when complete or refused. A caller whose buffer holds buffer_bytes() can
  // always go on.
  std::size_t take(std::string_view bytes);
  std::size_t buffer_bytes() const { return header_bytes_ + 1024; }

  // From now on take() ends where a header does, so that it can be looked at before the body is read: head().
  void stop_at_header(bool on) { stop_at_header_ = on; }
  // In the state `body`: the request as far as its header goes.
  Request& head() { return request_; }
  const Request& head() const { return request_; }
  std::size_t held_bytes() const;  // of the body, so far

  State state() const { return state_; }
  // The header asked for "100 Continue", and nothing of the body has come yet.
  bool wants_continue() const { return wants_continue_; }
  void continued() { wants_continue_ = false; }

  // When complete: the request, without its peer; the reader is idle again.
  Request request();
  // When complete: the client wants the connection to live on.
  bool keep_alive() const { return keep_alive_; }
  bool http_1_0() const { return http_1_0_; }

  const Refusal& refusal() const { return refusal_; }
  void refuse(int status, std::string message);

 private:
  struct Parser;
  std::size_t take_header(std::string_view bytes);
  std::size_t header_part(std::string_view bytes);
  void read_header();
  void fail_parse(std::string_view bytes);

  std::size_t header_bytes_;
  std::size_t body_bytes_;
  bool stop_at_header_ = false;
  State state_ = State::idle;
  std::unique_ptr<Parser> parser_;  // only while a request is being read
  Request request_;
  bool keep_alive_ = false;
  bool http_1_0_ = false;
  bool wants_continue_ = false;
  Refusal refusal_;
};

}  // namespace midonet::http
