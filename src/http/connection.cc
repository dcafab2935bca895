#include "http/connection.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "base/log.h"
#include "http/http1_connection.h"
#include "http/wire.h"

namespace midonet::http {

namespace {

namespace asio = boost::asio;
using boost::system::error_code;

constexpr std::size_t read_bytes = 16 * 1024;        // per read
constexpr std::size_t unsent_bytes = 256 * 1024;     // no further request is looked at above
constexpr std::size_t stream_bytes = 64 * 1024;      // a stream's source is not asked for more above
constexpr std::size_t write_step_bytes = 64 * 1024;  // what a client has to take within write_time
constexpr std::size_t linger_bytes = 4 * 1024 * 1024;

}  // namespace

bool Http1Connection::open(UniqueFd socket, int family) {
  error_code error;
  socket_.assign(asio::generic::stream_protocol(family, 0), socket.get(), error);
  if (error) return false;
  socket.release();
  socket_.non_blocking(true, error);
  return !error;
}

bool Http1Connection::may_parse() const {
  if (closed_ || last_ || lingering_ || admission_ == Admission::asked) return false;
  if (draining_ && reader_.state() == RequestReader::State::idle) return false;
  return slots_.size() < limits_.pipelined && out_bytes_ < unsent_bytes;
}

// One request a turn of the loop: a client that sends many at once has others between them.
void Http1Connection::process() {
  if (closed_ || in_process_) return;
  in_process_ = true;
  const bool held_up = !may_parse();
  const bool any = parse();
  flush();
  in_process_ = false;
  if ((any || held_up) && !in_.empty() && may_parse()) process_later();
  settle();
}

void Http1Connection::process_later() {
  if (std::exchange(process_posted_, true)) return;
  all_->loop.post([self = shared_from_this()] {
    self->process_posted_ = false;
    self->process();
  });
}

// Reads the next request from the received bytes, unless the limit of requests in progress is reached. Returns whether there was one.
bool Http1Connection::parse() {
  bool any = false;
  std::size_t taken = 0;
  for (bool more = true; more && may_parse();) {
    taken += reader_.take(std::string_view(in_).substr(taken));
    more = false;
    switch (reader_.state()) {
      case RequestReader::State::complete:
        dispatch();
        any = true;
        break;
      case RequestReader::State::refused:
        add_refusal();
        any = true;
        break;
      case RequestReader::State::body:
        if (admission_ != Admission::none || !all_->options.admit) break;
        ask_admission();
        more = true;
        break;
      case RequestReader::State::idle:
      case RequestReader::State::header: break;
    }
    if (any) break;
  }
  in_.erase(0, taken);
  if (in_.empty() && in_.capacity() > 1024) in_ = std::string();
  return any;
}

void Http1Connection::dispatch() {
  const bool keep_alive = reader_.keep_alive();
  Slot slot;
  slot.http_1_0 = reader_.http_1_0();
  slot.request = std::make_unique<Request>(reader_.request());
  slot.request->peer = peer_;
  slot.request->client = member_->address();
  slot.request_bytes = slot.request->body.size();
  slot.exchange.method = slot.request->method;
  slot.exchange.target = slot.request->target;
  slot.exchange.peer = peer_;
  slot.started = Clock::now();
  slot.head = slot.request->method == "HEAD";
  slot.close = !keep_alive;
  slot.counted = true;
  slot.response = std::exchange(refusal_, std::nullopt);
  admission_ = Admission::none;
  last_ = slot.close;
  ++requests_;
  const bool refused = slot.response.has_value();
  if (refused) slot.request.reset();
  const std::uint64_t id = first_id_ + slots_.size();
  slots_.push_back(std::move(slot));
  all_->traffic.started();
  if (!refused && !all_->turns->ask(member_->address(), shared_from_this(), id)) all_->traffic.queued();
}

// The reader takes no more: answer with the reason, after the answers that are still owed, and end.
void Http1Connection::add_refusal() {
  Slot slot;
  slot.exchange.method = "other";
  slot.exchange.peer = peer_;
  slot.started = Clock::now();
  slot.close = true;
  slot.counted = true;
  slot.response = plain_error(reader_.refusal().status, reader_.refusal().message, all_->options.error_media_type);
  last_ = true;
  slots_.push_back(std::move(slot));
  all_->traffic.started();
}

void Http1Connection::respond(std::uint64_t id, Response response) {
  if (closed_ || id < first_id_ || id - first_id_ >= slots_.size()) return;
  Slot& slot = slots_[id - first_id_];
  if (slot.response) return;  // it took so long that 503 was answered instead
  slot.response = std::move(response);
  slot.request_bytes = 0;
  if (in_process_) return;
  // Not from within a handler. Send at once; but the handlers of further requests run from the loop, not from here.
  const auto self = shared_from_this();
  flush();
  if (closed_) return;
  if (!in_.empty() && may_parse())
    process_later();
  else
    settle();
}

void Http1Connection::dropped(std::uint64_t id) {
  // The caller that drops it does not expect to be called back from here.
  all_->loop.post([self = shared_from_this(), id] {
    log::error("http: a handler dropped its request without an answer");
    self->respond(id, plain_error(500, "the request was not answered", self->all_->options.error_media_type));
  });
}

void Http1Connection::serialise_ready() {
  while (!stream_ && !slots_.empty() && slots_.front().response && out_bytes_ < unsent_bytes) {
    Slot slot = std::move(slots_.front());
    slots_.pop_front();
    ++first_id_;
    serialise(std::move(slot));
  }
  pump_stream();
  const bool admitted = admission_ == Admission::given || !all_->options.admit;
  if (!busy() && !last_ && admitted && reader_.wants_continue()) {
    reader_.continued();
    out_.push_back({"HTTP/1.1 100 Continue\r\n\r\n", {}});
    out_bytes_ += out_.back().head.size();
  }
}

void Http1Connection::serialise(Slot slot) {
  Response response = *std::exchange(slot.response, std::nullopt);
  const bool made_later = response.source && may_have_body(response.status);
  const bool streams = made_later && !slot.head;
  slot.close = slot.close || (draining_ && slots_.empty() && reader_.state() == RequestReader::State::idle) ||
               (streams && slot.http_1_0);
  last_ = last_ || slot.close;
  const Framing framing = !made_later ? Framing::length : slot.http_1_0 ? Framing::until_close : Framing::chunked;
  Out out;
  out.head = head_of(response, {.close = slot.close, .announce_keep_alive = slot.http_1_0, .framing = framing},
                     std::chrono::system_clock::now());
  if (!slot.head && !made_later && may_have_body(response.status)) out.body = std::move(response.body);
  slot.exchange.status = response.status;
  slot.exchange.route = std::move(response.route);
  slot.exchange.bytes = out.body.size();
  if (streams) {
    stream_.emplace(Stream{std::move(slot), std::move(response.source), framing == Framing::chunked});
    stream_->source->on_more([weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->stream_has_more();
    });
  } else {
    out.slot = std::move(slot);
  }
  out_bytes_ += out.head.size() + out.body.size();
  out_.push_back(std::move(out));
}

void Http1Connection::pump_stream() {
  while (stream_ && out_bytes_ < stream_bytes) {
    Out out;
    const bool over = draining_ && stream_->source->endless();
    const BodySource::More more = over ? BodySource::More::end : stream_->source->take(stream_bytes, out.body);
    if (more == BodySource::More::cut_off) {
      log::warning("http: {} {} is cut off by what it is made from", stream_->slot.exchange.method,
                   stream_->slot.exchange.target);
      return close();
    }
    const std::size_t bytes = out.body.size();
    if (bytes > 0) {
      stream_->slot.exchange.bytes += bytes;
      if (stream_->chunked) {
        out.head = fmt::format("{:x}\r\n", bytes);
        out.body += "\r\n";
      }
      out_bytes_ += out.head.size() + out.body.size();
      out_.push_back(std::move(out));
    }
    if (more == BodySource::More::end) return end_stream();
    if (bytes == 0) return;
  }
}

void Http1Connection::end_stream() {
  Stream stream = *std::exchange(stream_, std::nullopt);
  Out out;
  if (stream.chunked) out.head = "0\r\n\r\n";
  out.until_close = !stream.chunked;
  out.slot = std::move(stream.slot);
  out_bytes_ += out.head.size();
  out_.push_back(std::move(out));
}

// From the source: not while it is asked, and once for many of its calls.
void Http1Connection::stream_has_more() {
  if (closed_ || std::exchange(more_posted_, true)) return;
  all_->loop.post([weak = weak_from_this()] {
    const auto self = weak.lock();
    if (!self) return;
    self->more_posted_ = false;
    self->process();
  });
}

void Http1Connection::flush() {
  if (closed_ || writing_) return;
  for (serialise_ready(); !out_.empty(); serialise_ready())
    if (!write_once()) return;
}

// Hands the kernel what it takes. False when that is nothing for now, or when the connection is closed.
bool Http1Connection::write_once() {
  std::array<asio::const_buffer, 16> buffers;  // the unused ones stay empty
  std::size_t used = 0;
  std::size_t skip = out_offset_;
  for (const Out& out : out_) {
    if (used + 2 > buffers.size()) break;
    for (const std::string* part : {&out.head, &out.body}) {
      const std::size_t cut = std::min(skip, part->size());
      skip -= cut;
      if (part->size() > cut) buffers[used++] = asio::buffer(part->data() + cut, part->size() - cut);
    }
  }
  error_code error;
  const std::size_t written = socket_.write_some(buffers, error);
  if (error == asio::error::would_block || error == asio::error::try_again) {
    if (!write_deadline_) write_deadline_ = Clock::now() + limits_.write_time;
    writing_ = true;
    socket_.async_wait(Socket::wait_write, [self = shared_from_this()](const error_code& failed) {
      self->writing_ = false;
      if (self->closed_) return;
      if (failed) return self->close();
      self->process();
    });
    return false;
  }
  if (error == asio::error::interrupted) return true;
  if (error) {
    close();
    return false;
  }
  sent(written);
  return true;
}

void Http1Connection::sent(std::size_t bytes) {
  out_bytes_ -= bytes;
  write_progress_ += bytes;
  out_offset_ += bytes;
  while (!out_.empty() && out_offset_ >= out_.front().head.size() + out_.front().body.size()) {
    Out& front = out_.front();
    out_offset_ -= front.head.size() + front.body.size();
    if (front.slot) {
      finished(*front.slot, front.slot->exchange.status);
      member_->served();
    }
    out_.pop_front();
  }
  if (write_progress_ >= write_step_bytes || out_.empty()) {
    write_progress_ = 0;
    write_deadline_.reset();
  }
}

void Http1Connection::finished(Slot& slot, int status) {
  if (!std::exchange(slot.counted, false)) return;
  slot.exchange.status = status;
  slot.exchange.duration = Clock::now() - slot.started;
  all_->traffic.finished(slot.exchange);
}

// After anything has happened: what are we waiting for now?
void Http1Connection::settle() {
  if (closed_) return;
  if (!busy() && !lingering_) {
    if (last_ || (draining_ && !begun())) return finish();
    if (eof_deadline_) return close();
  }
  update_deadlines();
  arm_timer();
  wait_readable();
  if (closed_) return;
  member_->hold(held());
  if (all_->too_much_held() && all_->more_held) all_->more_held();
}

// All is answered. Closing with bytes unread would make the kernel send a reset, which can overtake the answer at the
// client; so end the sending, and read until the client ends its own (RFC 9112 section 9.6).
void Http1Connection::finish() {
  if (eof_deadline_) return close();
  error_code error;
  socket_.shutdown(Socket::shutdown_send, error);
  if (error) return close();
  lingering_ = true;
  in_ = std::string();
  linger_deadline_ = Clock::now() + limits_.linger_time;
  update_deadlines();
  arm_timer();
  wait_readable();
  member_->hold(held());
}

void Http1Connection::wait_readable() {
  // A wait is pending also while handlers work, so that a client that goes away is noticed.
  if (reading_ || closed_ || eof_deadline_) return;
  if (!lingering_ && in_.size() >= reader_.buffer_bytes()) return;
  reading_ = true;
  socket_.async_wait(Socket::wait_read, [self = shared_from_this()](const error_code& failed) {
    self->reading_ = false;
    if (self->closed_) return;
    if (failed) return self->close();
    self->on_readable();
  });
}

void Http1Connection::on_readable() {
  if (lingering_) return discard();
  std::array<char, read_bytes> bytes;
  const std::size_t room = std::min(bytes.size(), reader_.buffer_bytes() - in_.size());
  error_code error;
  const std::size_t got = socket_.read_some(asio::buffer(bytes.data(), room), error);
  if (error == asio::error::eof) {
    // The client may only have ended its sending, and still read; or be gone. TCP does not tell which.
    eof_deadline_ = Clock::now() + limits_.half_close_time;
  } else if (error == asio::error::would_block || error == asio::error::interrupted) {
    return wait_readable();
  } else if (error) {
    return close();
  }
  in_.append(bytes.data(), got);
  process();
}

void Http1Connection::discard() {
  std::array<char, read_bytes> bytes;
  error_code error;
  discarded_ += socket_.read_some(asio::buffer(bytes), error);
  const bool later = error == asio::error::would_block || error == asio::error::interrupted;
  if ((error && !later) || discarded_ > linger_bytes) return close();
  wait_readable();
}

void Http1Connection::drain() {
  draining_ = true;
  // Called from within a handler or from the loop: either way settle() comes later, or now.
  if (in_process_) return;
  const auto self = shared_from_this();
  if (stream_) flush();  // the end of one that has none of its own
  settle();
}

// Whether a body that is under way has no other mark of its end.
bool Http1Connection::ends_with_connection() const {
  if (stream_) return !stream_->chunked;
  return std::any_of(out_.begin(), out_.end(), [](const Out& out) { return out.until_close; });
}

void Http1Connection::close() {
  if (std::exchange(closed_, true)) return;
  const auto self = shared_from_this();
  error_code ignored;
  // The end of the connection would look like the end of the body: the client must see that it is incomplete.
  if (ends_with_connection()) socket_.set_option(asio::socket_base::linger(true, 0), ignored);
  socket_.close(ignored);
  timer_.cancel();
  for (Out& out : out_)
    if (out.slot) finished(*out.slot, Traffic::status_of_closed);
  if (stream_) finished(stream_->slot, Traffic::status_of_closed);
  for (Slot& slot : slots_) finished(slot, Traffic::status_of_closed);
  out_.clear();
  slots_.clear();
  stream_.reset();
  in_ = std::string();
  reader_.refuse(503, "");
  member_.reset();
  all_->traffic.closed();
  all_->open.erase(this);
  if (all_->one_closed) all_->one_closed();
}

void Connection::start(const std::shared_ptr<Connections>& all, Accepted accepted, int family) {
  const auto connection = std::make_shared<Http1Connection>(all, std::move(accepted.peer), accepted.client);
  if (!connection->open(std::move(accepted.socket), family)) return;
  all->open.emplace(connection.get(), connection);
  all->traffic.opened();
  connection->process();
}

}  // namespace midonet::http
