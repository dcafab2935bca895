#include "store/zookeeper_store.h"

#include <utility>

#include "base/log.h"
#include "store/private_file.h"
#include "store/zookeeper_calls.h"

namespace midonet::store {

namespace {

class ZookeeperStore : public Store {
 public:
  explicit ZookeeperStore(std::shared_ptr<ZookeeperCalls> calls) : calls_(std::move(calls)) {}
  ~ZookeeperStore() override { calls_->end(); }

  void get(const std::string& path, GetDone done, Notify watch) override {
    calls_->get(path, std::move(done), std::move(watch));
  }
  void list(const std::string& path, ListDone done, Notify watch) override {
    calls_->list(path, std::move(done), std::move(watch));
  }
  void commit(std::vector<Op> ops, CommitDone done) override { calls_->commit(std::move(ops), std::move(done)); }
  void release(const std::string& path) override { calls_->release(path); }
  void backup(BackupDone done) override { calls_->backup(std::move(done)); }
  [[nodiscard]] Subscription on_state(std::function<void(State)> changed) override {
    return calls_->on_state(std::move(changed));
  }
  State state() const override { return calls_->state(); }
  std::int64_t session() const override { return calls_->session(); }
  std::string uri() const override { return calls_->uri(); }

 private:
  const std::shared_ptr<ZookeeperCalls> calls_;
};

}  // namespace

Result<std::unique_ptr<Store>> connect_zookeeper(Loop& loop, const ZookeeperAddress& address,
                                                 const OpenOptions& options) {
  std::string secret;
  if (!options.secret_file.empty()) {
    auto read = read_secret(options.secret_file);
    if (!read) return failed(std::move(read));
    secret = *std::move(read);
  }
  ZookeeperSession resumed;
  if (!options.session_file.empty()) {
    auto read = read_session(options.session_file, options.session_owner);
    if (read) {
      resumed = *std::move(read);
    } else {
      log::warning("store {}: no session is resumed: {}", address.uri(), read.error().message);
    }
  }
  auto calls = std::make_shared<ZookeeperCalls>(loop, address, options);
  calls->start(options, std::move(secret), std::move(resumed));
  return std::make_unique<ZookeeperStore>(std::move(calls));
}

}  // namespace midonet::store
