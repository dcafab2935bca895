// The Connection of connection.h: its state, and which of its deadlines runs. connection.cc handles its bytes,
// connection_deadlines.cc its times. Internal to http/.
#pragma once

#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "http/connection.h"
#include "http/request_reader.h"

namespace midonet::http {

class Http1Connection final : public Connection, public std::enable_shared_from_this<Http1Connection> {
  using Clock = std::chrono::steady_clock;
  using Socket = boost::asio::generic::stream_protocol::socket;

 public:
  Http1Connection(std::shared_ptr<Connections> all, std::string peer, const std::string& client)
      : all_(std::move(all)),
        limits_(all_->options.limits),
        peer_(std::move(peer)),
        member_(std::in_place, all_->clients, *this, client),
        socket_(all_->loop.io()),
        timer_(all_->loop.io()),
        reader_(limits_.header_bytes, limits_.body_bytes) {
    reader_.stop_at_header(static_cast<bool>(all_->options.admit));
  }

  bool open(UniqueFd socket, int family);
  void process();
  void respond(std::uint64_t id, Response response) override;
  void dropped(std::uint64_t id) override;
  void drain() override;
  void close() override;
  bool closed() const override { return closed_; }
  Spare spare() const override;
  void shed() override;
  void begin(std::uint64_t id, std::shared_ptr<Turn> turn) override;

 private:
  // A request whose answer has not been handed to `out_` yet.
  struct Slot {
    Traffic::Exchange exchange;
    Clock::time_point started;
    std::unique_ptr<Request> request{};  // until its turn comes
    std::size_t request_bytes = 0;       // of its body, until it is answered
    bool head = false;                   // no body is sent
    bool close = false;                  // the connection ends with this answer
    bool http_1_0 = false;
    bool counted = false;
    std::optional<Response> response{};
  };
  // Bytes on their way to the client.
  struct Out {
    std::string head;
    std::string body;
    std::optional<Slot> slot{};
    bool until_close = false;  // the end of a body that ends with the connection
  };
  // An answer whose body is being made; answers to later requests wait behind it.
  struct Stream {
    Slot slot;
    std::shared_ptr<BodySource> source;
    bool chunked = true;
  };
  enum class Phase { none, idle, header, body };
  // Of the request whose header was read.
  enum class Admission { none, asked, given };

  bool parse();
  void ask_admission();
  void admitted(std::uint64_t question, std::optional<Response> refusal);
  bool has_short_body() const;
  bool client_gone();
  void refuse_at_header(Response refusal);
  void process_later();
  std::size_t held() const;
  bool may_parse() const;
  bool busy() const { return !slots_.empty() || !out_.empty() || stream_; }
  bool begun() const { return reader_.state() != RequestReader::State::idle || !in_.empty(); }
  void dispatch();
  void add_refusal();
  void flush();
  void serialise_ready();
  void serialise(Slot slot);
  void pump_stream();
  void end_stream();
  void stream_has_more();
  bool write_once();
  void sent(std::size_t bytes);
  void settle();
  void finish();
  bool ends_with_connection() const;
  void wait_readable();
  void on_readable();
  void discard();
  Phase phase() const;
  void update_deadlines();
  void arm_timer();
  void on_timer();
  void finished(Slot& slot, int status);

  const std::shared_ptr<Connections> all_;
  const Limits& limits_;
  const std::string peer_;
  std::optional<Clients::Member> member_;  // until it is closed
  Socket socket_;
  boost::asio::steady_timer timer_;
  RequestReader reader_;
  Admission admission_ = Admission::none;
  std::uint64_t questions_ = 0;      // put to Server::Options::admit
  std::optional<Response> refusal_;  // of the request that is being read

  std::string in_;              // received, not taken by the reader yet
  std::deque<Slot> slots_;      // in the order of the requests
  std::uint64_t first_id_ = 0;  // of slots_.front()
  std::deque<Out> out_;
  std::size_t out_offset_ = 0;  // of out_.front() that is sent already
  std::size_t out_bytes_ = 0;
  std::optional<Stream> stream_;

  bool in_process_ = false;
  bool process_posted_ = false;
  bool more_posted_ = false;
  bool reading_ = false;  // a wait for the socket to be readable is pending
  bool writing_ = false;  // … writable
  bool last_ = false;     // the last slot is this connection's last
  bool draining_ = false;
  bool lingering_ = false;
  bool closed_ = false;
  std::size_t discarded_ = 0;

  Phase phase_ = Phase::none;
  std::uint64_t requests_ = 0;       // read so far
  std::uint64_t phase_request_ = 0;  // requests_ when phase_ began
  Clock::time_point phase_deadline_;
  std::optional<Clock::time_point> write_deadline_;
  std::size_t write_progress_ = 0;
  std::optional<Clock::time_point> eof_deadline_;  // set once the client has ended its sending
  std::optional<Clock::time_point> linger_deadline_;
  std::optional<Clock::time_point> armed_;
};

}  // namespace midonet::http
