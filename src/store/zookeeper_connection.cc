#include "store/zookeeper_connection.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "store/name_lookup.h"
#include "store/private_file.h"

namespace midonet::store {

using Connection = ZookeeperHandle::Connection;

ZookeeperConnection::ZookeeperConnection(Loop& loop, const ZookeeperAddress& address, const OpenOptions& options,
                                         std::string secret, ZookeeperSession resumed, Listener listener)
    : loop_(loop),
      address_(address),
      options_(options),
      secret_(std::move(secret)),
      listener_(std::move(listener)),
      resumed_(std::move(resumed)) {}

void ZookeeperConnection::start() { look_for_servers(); }

void ZookeeperConnection::end() {
  ended_ = true;
  lookup_.reset();
  retry_.cancel();
  attempt_.cancel();
  recheck_timer_.cancel();
  if (handle_ && !options_.session_file.empty()) handle_->leave_session();
  handle_.reset();
}

void ZookeeperConnection::renew() {
  handle_->leave_session();
  drop_handle();
  watches_gone_ = true;
  if (!ended_) look_for_servers();
}

// --- servers and handles ---

void ZookeeperConnection::look_for_servers() {
  lookup_ =
      look_up(loop_, address_.servers, [weak = weak_from_this()](const Result<std::vector<std::string>>& servers) {
        const auto self = weak.lock();
        if (!self || self->ended_) return;
        self->lookup_.reset();
        if (servers) self->found_servers(*servers);
        const Status opened = servers ? self->open_handle() : Status(failed(servers));
        if (opened) return;
        self->problem_ = opened.error().message;
        log::warning("store {}: {}", self->address_.uri(), self->problem_);
        self->try_later();
      });
}

void ZookeeperConnection::found_servers(std::vector<std::string> servers) {
  servers_ = std::move(servers);
  if (!options_.on_servers) return;
  std::set<Ip> addresses;
  for (const std::string& server : servers_)
    if (const auto ip = Ip::parse(server.substr(0, server.rfind(':')))) addresses.insert(*ip);
  options_.on_servers({addresses.begin(), addresses.end()});
}

// At random, so that servers share their clients; those that have left us without an answer are the last.
std::vector<std::string> ZookeeperConnection::in_order(std::vector<std::string> servers) {
  std::shuffle(servers.begin(), servers.end(), random_);
  std::stable_partition(servers.begin(), servers.end(),
                        [&](const std::string& server) { return !silent_servers_.contains(server); });
  return servers;
}

Status ZookeeperConnection::open_handle() {
  const ZookeeperSession& session = session_.id != 0 && !session_over_ ? session_ : resumed_;
  auto handle = ZookeeperHandle::open(loop_, in_order(servers_), options_.session_timeout, session, secret_,
                                      {[weak = weak_from_this()](Connection connection) {
                                         if (const auto self = weak.lock(); self && !self->ended_)
                                           self->on_connection(connection);
                                       },
                                       [weak = weak_from_this()](ZookeeperEvent event, const std::string& path) {
                                         if (const auto self = weak.lock(); self && !self->ended_)
                                           self->listener_.event(event, path);
                                       }});
  if (!handle) return failed(std::move(handle));
  handle_ = *std::move(handle);
  fresh_handle_ = true;
  lost_at_.reset();
  recheck_delay_.reset();
  recheck_later();
  watch_attempts();
  return {};
}

// With its handle goes what is under way.
void ZookeeperConnection::drop_handle() {
  up_ = false;
  attempt_.cancel();
  recheck_timer_.cancel();
  handle_.reset();
  listener_.dropped();
}

void ZookeeperConnection::begin_anew() {
  log::info("store {}: no server has taken this session's connection for {} ms; trying with a new one", address_.uri(),
            options_.session_timeout.count());
  handle_->leave_session();
  drop_handle();
  data_in_doubt_ = true;
  if (!ended_) look_for_servers();
}

// --- while there is no connection ---

void ZookeeperConnection::recheck_later() {
  recheck_timer_ = loop_.after(recheck_delay_.next(), [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->recheck();
  });
}

void ZookeeperConnection::recheck() {
  if (lost_at_ && std::chrono::steady_clock::now() - *lost_at_ >= options_.session_timeout) return begin_anew();
  recheck_later();
  const auto& servers = address_.servers;
  if (std::all_of(servers.begin(), servers.end(), [](const auto& server) { return is_ip_address(server.host); }))
    return;
  lookup_ = look_up(loop_, servers, [weak = weak_from_this()](const Result<std::vector<std::string>>& found) {
    const auto self = weak.lock();
    if (!self || self->ended_) return;
    self->lookup_.reset();
    if (found && self->handle_ && !self->up_) self->use_addresses(*found);
  });
}

void ZookeeperConnection::use_addresses(std::vector<std::string> servers) {
  if (std::is_permutation(servers.begin(), servers.end(), servers_.begin(), servers_.end())) return;
  log::info("store {}: the servers' addresses are now {}", address_.uri(), fmt::join(servers, ", "));
  found_servers(std::move(servers));
  silent_servers_.clear();
  look_ = first_look;
  handle_->try_anew(in_order(servers_));
  watch_attempts();
}

void ZookeeperConnection::try_later() {
  retry_ = loop_.after(delay_.next(random_), [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->look_for_servers();
  });
}

// --- attempts that take too long ---

void ZookeeperConnection::watch_attempts() {
  attempting_ = false;
  // Then the library is as quick.
  if (2 * look_ >= options_.session_timeout * 2 / 3) return attempt_.cancel();
  look_later();
}

void ZookeeperConnection::look_later() {
  attempt_ = loop_.after(look_, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->look_at_attempt();
  });
}

void ZookeeperConnection::look_at_attempt() {
  const bool attempting = handle_->attempting();
  if (!std::exchange(attempting_, attempting) || !attempting) return look_later();
  const std::string server = handle_->server();
  problem_ = fmt::format("{} does not answer", server);
  log::info("store {}: {}; trying again", address_.uri(), problem_);
  if (!silent_servers_.insert(server).second) {
    silent_servers_ = {server};
    look_ *= 3;
  }
  handle_->try_anew(in_order(servers_));
  watch_attempts();
}

// --- sessions ---

void ZookeeperConnection::on_connection(Connection connection) {
  switch (connection) {
    case Connection::up: return on_up();
    case Connection::down: return on_down();
    case Connection::expired: return on_expired();
    case Connection::auth_failed:
      problem_ = "the servers do not accept the secret";
      log::error("store {}: {}", address_.uri(), problem_);
      return on_expired();
  }
}

void ZookeeperConnection::on_up() {
  const ZookeeperSession session = handle_->session();
  const bool another = session_.id != 0 && session.id != session_.id;
  log::info("store {}: connected to {}, session {:#x}{}, time-out {} ms", address_.uri(), handle_->server(),
            static_cast<std::uint64_t>(session.id),
            another                                         ? ", a new one"
            : session_.id == 0 && session.id == resumed_.id ? ", resumed"
                                                            : "",
            handle_->session_timeout().count());
  resumed_ = {};
  problem_.clear();
  session_over_ = false;
  delay_.reset();
  look_ = first_look;
  silent_servers_.clear();
  attempt_.cancel();
  recheck_timer_.cancel();
  lost_at_.reset();
  if (session != session_) {
    session_ = session;
    save_session();
  }
  up_ = true;
  // A server may be behind what another one told this session, or the process that it was resumed from.
  if (std::exchange(fresh_handle_, false)) handle_->sync(address_.root, [](const ZookeeperReply&) {});
  const bool doubt = std::exchange(data_in_doubt_, false);
  listener_.up(another || doubt, std::exchange(watches_gone_, false));
}

void ZookeeperConnection::on_down() {
  if (std::exchange(up_, false)) {
    log::warning("store {}: the connection is lost; looking for another server", address_.uri());
    lost_at_ = std::chrono::steady_clock::now();
    recheck_delay_.reset();
    recheck_later();
  }
  watch_attempts();
  listener_.down();
}

void ZookeeperConnection::on_expired() {
  const bool had_session = session_.id != 0;
  if (had_session) {
    log::warning("store {}: session {:#x} has expired", address_.uri(), static_cast<std::uint64_t>(session_.id));
    session_over_ = true;
  } else {
    log::info("store {}: the session to resume has expired", address_.uri());
  }
  resumed_ = {};
  drop_handle();
  if (ended_) return;
  if (had_session || !problem_.empty()) return try_later();
  look_for_servers();
}

void ZookeeperConnection::save_session() {
  if (options_.session_file.empty()) return;
  if (auto saved = write_session(options_.session_file, session_, options_.session_owner); !saved)
    log::warning("store {}: the session cannot be resumed later: {}", address_.uri(), saved.error().message);
}

}  // namespace midonet::store
