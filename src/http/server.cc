#include "http/server.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <utility>
#include <vector>

#include "base/log.h"
#include "base/memory.h"
#include "http/connection.h"
#include "http/listener.h"

namespace midonet::http {

namespace {
constexpr int accepts_per_turn = 64;  // then the connections have their turn again
constexpr std::chrono::milliseconds accept_pause{100};
// From how much memory on a walk over the heap is worth it, and how long after a flood.
constexpr std::size_t worthwhile_peak_connections = 256;
constexpr std::size_t worthwhile_peak_bytes = 8 * 1024 * 1024;
constexpr std::chrono::seconds trim_delay{1};
}  // namespace

class Server::Impl : public std::enable_shared_from_this<Server::Impl> {
 public:
  Impl(Loop& loop, Registry& registry, Options options, Handler handler)
      : loop_(loop),
        connections_(std::make_shared<Connections>(loop, registry, std::move(options), std::move(handler))) {
    // A listening socket that waited for a free descriptor may have one now.
    connections_->one_closed = [this] { on_closed(); };
    connections_->more_held = [this] { relieve_later(); };
  }
  ~Impl() { shut(); }

  Result<std::string> listen_tcp(const std::string& address) {
    const Result<Endpoint> endpoint = Endpoint::parse(address);
    if (!endpoint) return failed(endpoint);
    Result<UniqueFd> socket = listen_tcp_socket(*endpoint);
    if (!socket) return failed(std::move(socket));
    const Result<Endpoint> bound = bound_endpoint(socket->get());
    if (!bound) return failed(bound);
    add_listener(*std::move(socket), bound->ip.is_v4() ? AF_INET : AF_INET6);
    return bound->to_string();
  }

  Status listen_unix(const std::string& path, unsigned mode) {
    Result<UniqueFd> socket = listen_unix_socket(path, mode);
    if (!socket) return failed(std::move(socket));
    Listener& listener = add_listener(*std::move(socket), AF_UNIX);
    listener.path = path;
    ::lstat(path.c_str(), &listener.file);
    return {};
  }

  void stop(std::function<void()> stopped) {
    stopped_.push_back(std::move(stopped));
    if (stopping_) return;
    stopping_ = true;
    close_listeners();
    for (const auto& connection : all()) connection->drain();
    deadline_ = loop_.after(connections_->options.limits.stop_time, [this] {
      if (!connections_->open.empty())
        log::warning("http server={}: {} connections cut off at stop", connections_->options.name,
                     connections_->open.size());
      for (const auto& connection : all()) connection->close();
    });
    on_closed();
  }

  // Everything at once.
  void shut() {
    connections_->one_closed = nullptr;
    connections_->more_held = nullptr;
    close_listeners();
    for (const auto& connection : all()) connection->close();
  }

 private:
  struct Listener {
    UniqueFd socket;
    int family = AF_UNSPEC;
    FdWatch watch{};
    std::string path{};  // of a unix socket
    struct stat file {};
  };

  Listener& add_listener(UniqueFd socket, int family) {
    listeners_.push_back(std::make_unique<Listener>(Listener{std::move(socket), family}));
    Listener& listener = *listeners_.back();
    watch(listener);
    return listener;
  }

  void watch(Listener& listener) {
    listener.watch = loop_.on_readable(listener.socket.get(), [this, &listener] { accept(listener); });
  }

  void accept(Listener& listener) {
    for (int i = 0; i < accepts_per_turn; ++i) {
      Accepted accepted = accept_from(listener.socket.get());
      if (accepted.error == 0) {
        exhausted_ = false;
        if (connections_->open.size() >= connections_->options.limits.connections && !make_room("connections"))
          connections_->traffic.refused("limit");
        else
          Connection::start(connections_, std::move(accepted), listener.family);
        most_open_ = std::max(most_open_, connections_->open.size());
        continue;
      }
      switch (accepted.error) {
        case EMFILE:
        case ENFILE:
        case ENOBUFS:
        case ENOMEM:
          if (i > 0 || !make_room("descriptors")) return pause(accepted.error);
          continue;
        case EAGAIN: return;
        default: continue;  // this connection has failed already (ECONNABORTED …): the next one
      }
    }
  }

  // Closes a connection that waits for its client. False: there is none that can go.
  bool make_room(const char* reason) {
    Connection* const connection = connections_->clients.to_make_room_for_a_connection();
    if (connection == nullptr) return false;
    connections_->traffic.cut_off(reason);
    connection->close();
    return true;
  }

  // Not from within a connection's own work.
  void relieve_later() {
    if (std::exchange(relief_posted_, true)) return;
    loop_.post([weak = weak_from_this()] {
      const auto self = weak.lock();
      if (!self) return;
      self->relief_posted_ = false;
      self->relieve();
    });
  }

  void relieve() {
    while (connections_->too_much_held()) {
      Connection* const connection = connections_->clients.to_make_room_for_bytes();
      if (connection == nullptr) return;  // all of it is being worked on
      connections_->traffic.cut_off("memory");
      connection->shed();
    }
  }

  // Out of descriptors: the listening sockets stay readable, so only a pause in watching them keeps the loop from spinning. Clients in
  // the backlog are accepted when a connection is closed, or after the pause (other parts of the process close descriptors, too).
  void pause(int error) {
    if (paused_.armed()) return;
    if (!std::exchange(exhausted_, true))
      log::warning("http server={}: accept: {}; new connections have to wait", connections_->options.name,
                   strerrordesc_np(error));
    for (const auto& listener : listeners_) listener->watch.cancel();
    paused_ = loop_.after(accept_pause, [this] { resume(); });
  }

  void resume() {
    paused_.cancel();
    for (const auto& listener : listeners_) watch(*listener);
  }

  // A flood leaves holes all over the heap. What is free goes back to the kernel once the flood is over.
  void look_at_memory() {
    const std::size_t most_bytes = connections_->clients.peak_bytes();
    const bool fewer = most_open_ >= worthwhile_peak_connections && connections_->open.size() < most_open_ / 4;
    const bool less = most_bytes >= worthwhile_peak_bytes && connections_->clients.bytes() < most_bytes / 4;
    if ((!fewer && !less) || trim_.armed()) return;
    trim_ = loop_.after(trim_delay, [this] {
      most_open_ = connections_->open.size();
      connections_->clients.forget_peak();
      give_memory_back();
    });
  }

  void on_closed() {
    look_at_memory();
    if (paused_.armed() && !stopping_) resume();
    if (!stopping_ || !connections_->open.empty()) return;
    deadline_.cancel();
    for (auto& stopped : std::exchange(stopped_, {})) loop_.post(std::move(stopped));
  }

  void close_listeners() {
    paused_.cancel();
    for (const auto& listener : listeners_) {
      listener->watch.cancel();
      struct stat now {};
      if (listener->path.empty() || ::lstat(listener->path.c_str(), &now) != 0) continue;
      // Only if it is still the file that we made.
      if (now.st_ino == listener->file.st_ino && now.st_dev == listener->file.st_dev) ::unlink(listener->path.c_str());
    }
    listeners_.clear();
  }

  std::vector<std::shared_ptr<Connection>> all() const {
    std::vector<std::shared_ptr<Connection>> copy;
    copy.reserve(connections_->open.size());
    for (const auto& [key, connection] : connections_->open) copy.push_back(connection);
    return copy;
  }

  Loop& loop_;
  std::shared_ptr<Connections> connections_;
  std::vector<std::unique_ptr<Listener>> listeners_;
  std::size_t most_open_ = 0;  // since memory was given back
  Timer trim_;
  Timer paused_;
  Timer deadline_;
  bool exhausted_ = false;  // said so in the log already
  bool relief_posted_ = false;
  bool stopping_ = false;
  std::vector<std::function<void()>> stopped_;
};

Server::Server(Loop& loop, Registry& registry, Options options, Handler handler)
    : impl_(std::make_shared<Impl>(loop, registry, std::move(options), std::move(handler))) {}
Server::~Server() { impl_->shut(); }
Result<std::string> Server::listen_tcp(const std::string& address) { return impl_->listen_tcp(address); }
Status Server::listen_unix(const std::string& path, unsigned mode) { return impl_->listen_unix(path, mode); }
void Server::stop(std::function<void()> stopped) { impl_->stop(std::move(stopped)); }

}  // namespace midonet::http
