// Two questions before a connection works on a request: whether the request is admitted, before its body is read, and whether it has a
// turn. And how a connection gives way to others.
#include <poll.h>

#include <charconv>

#include "base/log.h"
#include "http/http1_connection.h"
#include "http/ticket.h"
#include "http/wire.h"

namespace midonet::http {

namespace {

// A body that is read for the sake of the connection alone, behind a request that is refused. Clients send "{}" with everything.
constexpr std::size_t short_body_bytes = 4096;

Response no_room(const std::string& media_type) {
  return plain_error(503, "there is no room for this request at the moment", media_type);
}

}  // namespace

void Http1Connection::ask_admission() {
  Request& head = reader_.head();
  head.peer = peer_;
  head.client = member_->address();
  head.work = std::make_shared<Turn>(std::weak_ptr<Turns>(), weak_from_this());  // takes no turn yet
  admission_ = Admission::asked;
  all_->options.admit(head, [weak = weak_from_this(), question = ++questions_](std::optional<Response> refusal) {
    if (const auto self = weak.lock()) self->admitted(question, std::move(refusal));
  });
}

void Http1Connection::admitted(std::uint64_t question, std::optional<Response> refusal) {
  if (closed_ || admission_ != Admission::asked || question != questions_) return;
  admission_ = Admission::given;
  if (refusal && has_short_body())
    refusal_ = std::move(refusal);
  else if (refusal)
    refuse_at_header(*std::move(refusal));
  // From within parse(), which goes on; else from an authenticator, which may have others to tell.
  if (!in_process_) process_later();
}

bool Http1Connection::has_short_body() const {
  if (reader_.wants_continue()) return false;
  const Request& head = reader_.head();
  if (head.header("transfer-encoding")) return false;
  const std::string length = head.header("content-length").value_or("0");
  std::size_t bytes = 0;
  const auto [end, error] = std::from_chars(length.data(), length.data() + length.size(), bytes);
  return error == std::errc() && end == length.data() + length.size() && bytes <= short_body_bytes;
}

// The last answer of this connection: the next request would begin after a body that is not read.
void Http1Connection::refuse_at_header(Response refusal) {
  Slot slot;
  slot.exchange.method = reader_.head().method;
  slot.exchange.target = reader_.head().target;
  slot.exchange.peer = peer_;
  slot.started = Clock::now();
  slot.head = slot.exchange.method == "HEAD";
  slot.http_1_0 = reader_.http_1_0();
  slot.close = true;
  slot.counted = true;
  slot.response = std::move(refusal);
  last_ = true;
  slots_.push_back(std::move(slot));
  all_->traffic.started();
}

// Whether no answer can reach the client any more: it has reset the connection. The loop hears of that after the bytes that
// came before it.
bool Http1Connection::client_gone() {
  pollfd socket{socket_.native_handle(), 0, 0};
  return ::poll(&socket, 1, 0) == 1 && (socket.revents & (POLLERR | POLLHUP)) != 0;
}

void Http1Connection::begin(std::uint64_t id, std::shared_ptr<Turn> turn) {
  if (closed_ || id < first_id_ || id - first_id_ >= slots_.size()) return;
  if (client_gone()) return close();
  const std::unique_ptr<Request> request = std::exchange(slots_[id - first_id_].request, nullptr);
  if (!request) return;  // it waited for so long that 503 was answered
  request->work = turn;
  const auto self = shared_from_this();
  const auto ticket = std::make_shared<Ticket>(weak_from_this(), id, std::move(turn));
  const bool nested = std::exchange(in_process_, true);
  try {
    all_->handler(*request, [ticket](Response response) { ticket->use(std::move(response)); });
  } catch (const std::exception& error) {
    log::error("http: the handler of {} {} threw: {}", request->method, request->path, error.what());
  }
  in_process_ = nested;
  if (!nested) process();
}

Connection::Spare Http1Connection::spare() const {
  for (const Slot& slot : slots_)
    if (!slot.response) return Spare::works;
  if (admission_ == Admission::asked) return Spare::works;
  return stream_ && out_.empty() ? Spare::streams : Spare::waits;
}

void Http1Connection::shed() {
  if (closed_) return;
  if (busy() || lingering_ || last_ || reader_.state() != RequestReader::State::body) return close();
  reader_.refuse(503, "");
  refuse_at_header(no_room(all_->options.error_media_type));
  process();
}

// Counts the bytes that the server keeps for this connection's client.
std::size_t Http1Connection::held() const {
  std::size_t bytes = in_.size() + reader_.held_bytes() + out_bytes_;
  for (const Slot& slot : slots_) bytes += slot.request_bytes + (slot.response ? slot.response->body.size() : 0);
  return bytes;
}

}  // namespace midonet::http
