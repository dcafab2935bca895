// The deadlines of a connection: for a head, a body, the next request, an answer, a client that takes nothing.
#include "base/log.h"
#include "http/http1_connection.h"
#include "http/wire.h"

namespace midonet::http {

using boost::system::error_code;

Http1Connection::Phase Http1Connection::phase() const {
  if (eof_deadline_ || !may_parse()) return Phase::none;
  if (reader_.state() == RequestReader::State::body) {
    const bool ours_to_do = reader_.wants_continue() && !slots_.empty();
    return ours_to_do ? Phase::none : Phase::body;
  }
  if (begun()) return Phase::header;
  return busy() ? Phase::none : Phase::idle;
}

void Http1Connection::update_deadlines() {
  const Phase now = phase();
  if (now == phase_ && requests_ == phase_request_) return;
  phase_ = now;
  phase_request_ = requests_;
  const auto time = now == Phase::header ? limits_.header_time
                    : now == Phase::body ? limits_.body_time
                                         : limits_.idle_time;
  phase_deadline_ = Clock::now() + time;
}

// One timer serves all deadlines. It is set again only when a deadline comes nearer; when it fires too early, it looks at
// the deadlines and sleeps on. So an ordinary request touches no timer at all.
void Http1Connection::arm_timer() {
  std::optional<Clock::time_point> next;
  const auto consider = [&](Clock::time_point at) { next = next ? std::min(*next, at) : at; };
  if (phase_ != Phase::none) consider(phase_deadline_);
  if (write_deadline_) consider(*write_deadline_);
  if (eof_deadline_) consider(*eof_deadline_);
  if (linger_deadline_) consider(*linger_deadline_);
  for (const Slot& slot : slots_) {
    if (slot.response) continue;
    consider(slot.started + limits_.answer_time);
    break;  // they were started one after the other
  }
  if (!next || (armed_ && *armed_ <= *next)) return;
  armed_ = next;
  timer_.expires_at(*next);
  timer_.async_wait([weak = weak_from_this()](const error_code& failed) {
    const auto self = weak.lock();
    if (failed || !self || self->closed_) return;
    self->armed_.reset();
    self->on_timer();
  });
}

void Http1Connection::on_timer() {
  const auto now = Clock::now();
  const auto over = [now](const std::optional<Clock::time_point>& deadline) { return deadline && *deadline <= now; };
  if (over(write_deadline_) || over(eof_deadline_) || over(linger_deadline_)) return close();
  if (phase_ != Phase::none && phase_deadline_ <= now) {
    if (phase_ == Phase::idle) return close();
    reader_.refuse(408, phase_ == Phase::header ? "the request did not come in time" : "the body did not come in time");
    add_refusal();
  }
  for (Slot& slot : slots_) {
    if (slot.response || slot.started + limits_.answer_time > now) continue;
    log::error("http: no answer to {} {} within {} s", slot.exchange.method, slot.exchange.target,
               std::chrono::duration_cast<std::chrono::seconds>(limits_.answer_time).count());
    slot.response = plain_error(503, "the request was not answered in time", all_->options.error_media_type);
    slot.request.reset();
    slot.request_bytes = 0;
  }
  process();
}

}  // namespace midonet::http
