#include "store/name_lookup.h"

#include <algorithm>
#include <boost/asio/ip/tcp.hpp>
#include <utility>

#include "base/log.h"

namespace midonet::store {
namespace {

using boost::asio::ip::tcp;

class Lookup : public std::enable_shared_from_this<Lookup> {
 public:
  Lookup(Loop& loop, std::function<void(Result<std::vector<std::string>>)> done)
      : loop_(loop), resolver_(loop.io()), done_(std::move(done)) {}

  void start(const std::vector<ZookeeperAddress::Server>& servers) {
    left_ = servers.size();
    for (const auto& server : servers) {
      if (is_ip_address(server.host)) {
        add(fmt::format("{}:{}", server.host, server.port));
        --left_;
        continue;
      }
      resolver_.async_resolve(server.host, std::to_string(server.port), tcp::resolver::numeric_service,
                              [weak = weak_from_this(), host = server.host](const auto& error, const auto& found) {
                                if (const auto self = weak.lock()) self->found(host, error, found);
                              });
    }
    if (left_ > 0) return;
    loop_.post([weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->finish();
    });
  }

 private:
  void found(const std::string& host, const boost::system::error_code& error,
             const tcp::resolver::results_type& found) {
    if (error) {
      problems_ += fmt::format("{}{}: {}", problems_.empty() ? "" : ", ", host, error.message());
    } else {
      for (const auto& entry : found) {
        add(fmt::format("{}:{}", entry.endpoint().address().to_string(), entry.endpoint().port()));
      }
    }
    if (--left_ == 0) finish();
  }

  void add(std::string address) {
    if (std::find(addresses_.begin(), addresses_.end(), address) == addresses_.end()) {
      addresses_.push_back(std::move(address));
    }
  }

  void finish() {
    const auto done = std::exchange(done_, {});
    if (addresses_.empty()) return done(fail(Code::unavailable, "no address is known of {}", problems_));
    if (!problems_.empty()) log::warning("zookeeper: no address is known of {}", problems_);
    done(std::move(addresses_));
  }

  Loop& loop_;
  tcp::resolver resolver_;
  std::function<void(Result<std::vector<std::string>>)> done_;
  std::vector<std::string> addresses_;
  std::string problems_;
  std::size_t left_ = 0;
};

}  // namespace

std::shared_ptr<void> look_up(Loop& loop, const std::vector<ZookeeperAddress::Server>& servers,
                              std::function<void(Result<std::vector<std::string>>)> done) {
  auto lookup = std::make_shared<Lookup>(loop, std::move(done));
  lookup->start(servers);
  return lookup;
}

}  // namespace midonet::store
