#include "api/users.h"

#include <crypt.h>
#include <openssl/crypto.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <cerrno>
#include <fstream>
#include <functional>
#include <map>
#include <utility>
#include <vector>

#include "api/token.h"
#include "base/json.h"
#include "base/liveness.h"
#include "base/log.h"
#include "http/fair_queue.h"
#include "store/mirror.h"
#include "store/transaction.h"

namespace midonet::api {

namespace {

using Hashes = std::map<std::string, std::string>;

const std::string key_path = "/token_key";
constexpr int niceness_of_hashing = 10;  // what plugs interfaces and answers others goes first
constexpr auto longest_wait_for_key = std::chrono::seconds(2);

struct FileState {
  timespec modified{};
  ino_t inode = 0;
  off_t size = -1;
  bool same_as(const FileState& other) const {
    return modified.tv_sec == other.modified.tv_sec && modified.tv_nsec == other.modified.tv_nsec &&
           inode == other.inode && size == other.size;
  }
};

Result<FileState> look_at(const std::string& path) {
  struct stat file {};
  if (::stat(path.c_str(), &file) != 0) return fail_errno(errno, "users file {}", path);
  if (!S_ISREG(file.st_mode)) return fail(Code::invalid, "users file {}: it is not a file", path);
  if ((file.st_mode & 077) != 0)
    return fail(Code::forbidden,
                "users file {}: others than its owner have access to it (mode {:04o}); do: chmod 600 {}", path,
                file.st_mode & 07777U, path);
  return FileState{file.st_mtim, file.st_ino, file.st_size};
}

Result<Hashes> read_file(const std::string& path) {
  std::ifstream file(path);
  if (!file) return fail(Code::invalid, "users file {}: cannot be read", path);
  Hashes users;
  std::string line;
  for (int number = 1; std::getline(file, line); ++number) {
    if (line.empty() || line.front() == '#') continue;
    const std::size_t colon = line.find(':');
    if (colon == std::string::npos || colon == 0 || line[colon + 1] != '$')
      return fail(Code::invalid, "users file {}: line {} is not name:hash with a hash of crypt(5)", path, number);
    if (!users.emplace(line.substr(0, colon), line.substr(colon + 1)).second)
      return fail(Code::invalid, "users file {}: line {} names a user for the second time", path, number);
  }
  return users;
}

std::string crypt(const std::string& password, const std::string& setting) {
  const auto data = std::make_unique<crypt_data>();
  const char* made = ::crypt_r(password.c_str(), setting.c_str(), data.get());
  return made == nullptr || *made == '*' ? "" : made;
}

// On the thread. A hash that cannot be computed takes as long as another one: `usual`.
bool is_password(const std::string& password, const std::string& hash, const std::string& usual) {
  const std::string made = crypt(password, hash);
  if (made.empty()) (void)crypt(password, usual);
  return !made.empty() && made.size() == hash.size() && CRYPTO_memcmp(made.data(), hash.data(), hash.size()) == 0;
}

// A hash of the kind that `mkpasswd -m yescrypt` makes, of no password.
std::string usual_hash() {
  const char* const setting = ::crypt_gensalt("$y$", 0, nullptr, 0);
  return setting == nullptr ? "" : std::string(setting) + "$";
}

class Users final : public Authenticator {
 public:
  Users(Loop& loop, store::Store& store, const AuthOptions& options)
      : loop_(loop), store_(store), path_(options.users_file), life_(options.token_life), mirror_(loop, store, [this] {
          look_for_key();
        }) {}
  ~Users() override {
    thread_.stop();  // what waits is dropped
    thread_.join();
  }

  Status start() {
    boost::asio::post(thread_, [] { ::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), niceness_of_hashing); });
    return refresh();
  }

  void begin() override {
    begun_ = true;
    look_for_key();
  }

  void login(const Credentials& credentials, const Asker& asker, LoginDone done) override {
    with_key([this, credentials, asker, done = std::move(done)] { login_with_key(credentials, asker, done); });
  }

  void check(const std::string& token, const Asker&, CheckDone done) override {
    with_key([this, token, done = std::move(done)] { done(check_with_key(token)); });
  }

 private:
  using Clock = std::chrono::steady_clock;
  struct Login {
    Credentials credentials;
    Asker asker;
    LoginDone done;
    Clock::time_point since = Clock::now();
  };

  void login_with_key(const Credentials& credentials, const Asker& asker, LoginDone done) {
    if (const Status read = refresh(); !read) return done(fail(Code::unavailable, "{}", read.error().message));
    if (key_.empty()) return done(no_key());
    if (const auto without_place = waiting_.push(asker.client, {credentials, asker, std::move(done)}))
      without_place->done(fail(Code::unavailable, "Too many others are logging in at the moment."));
    hash_next();
  }

  void hash_next() {
    while (!hashing_) {
      auto next = waiting_.pop();
      if (!next) return;
      if (next->asker.gone())
        next->done(fail(Code::unavailable, "The client has gone."));
      else if (Clock::now() - next->since > longest_wait)
        next->done(fail(Code::unavailable, "Too many others are logging in at the moment."));
      else
        hash(*std::move(next));
    }
  }

  // Whether there is such a user must not be told by the time that it takes to say no: a name that there is not is taken for
  // one of those that there are, always the same.
  const std::string& hash_for(const std::string& name) const {
    if (const auto user = users_.find(name); user != users_.end()) return user->second;
    if (users_.empty()) return usual_;
    const auto offset = std::hash<std::string>()(key_ + name) % users_.size();
    return std::next(users_.begin(), static_cast<std::ptrdiff_t>(offset))->second;
  }

  void hash(Login login) {
    hashing_ = true;
    const bool known = users_.contains(login.credentials.user);
    boost::asio::post(thread_, [this, alive = liveness_.token(), &loop = loop_, login = std::move(login),
                                hash = hash_for(login.credentials.user), usual = usual_, known]() mutable {
      const bool right = is_password(login.credentials.password, hash, usual) && known;
      loop.post([this, alive, name = login.credentials.user, hash, right, done = std::move(login.done)] {
        if (alive.expired()) return;
        hashing_ = false;
        hashed(name, hash, right, done);
        if (!alive.expired()) hash_next();
      });
    });
  }

  void hashed(const std::string& name, const std::string& hash, bool right, const LoginDone& done) const {
    if (!right) return done(fail(Code::unauthenticated, "There is no such user with this password."));
    if (key_.empty()) return done(no_key());
    const auto expires = std::chrono::system_clock::now() + life_;
    done(Grant{make_token(key_, name, expires, hash), expires});
  }

  Status check_with_key(const std::string& token) {
    if (const Status read = refresh(); !read) return fail(Code::unavailable, "{}", read.error().message);
    if (key_.empty()) return no_key();
    const auto hash_of = [this](const std::string& name) {
      const auto user = users_.find(name);
      return user == users_.end() ? std::nullopt : std::optional(user->second);
    };
    if (!check_token(key_, token, std::chrono::system_clock::now(), hash_of))
      return fail(Code::unauthenticated, "The token is not valid (any more).");
    return {};
  }

  // Right after begin(), and after a key was removed, the key comes in a moment: a login waits for it.
  void with_key(std::function<void()> task) {
    if (key_.empty()) look_for_key();
    if (!key_.empty() || !begun_ || damaged_) return task();
    if (wait_for_key_.empty()) key_is_late_ = loop_.after(longest_wait_for_key, [this] { end_wait_for_key(); });
    wait_for_key_.push_back(std::move(task));
  }

  void end_wait_for_key() {
    key_is_late_.cancel();
    if (wait_for_key_.empty()) return;
    loop_.post([alive = liveness_.token(), tasks = std::exchange(wait_for_key_, {})] {
      for (const auto& task : tasks)
        if (!alive.expired()) task();
    });
  }

  tl::unexpected<Error> no_key() const {
    if (damaged_)
      return fail(Code::unavailable,
                  "The key of tokens at {} of {} is damaged: remove the node, and a new key is drawn.", key_path,
                  store_.uri());
    return fail(Code::unavailable, "The key of tokens has not been read from {} yet.", store_.uri());
  }

  // A file that has become unreadable stops everything: users that it does not name (any more) must not stay.
  Status refresh() {
    const Result<FileState> now = look_at(path_);
    if (!now) return failed(now);
    if (now->same_as(read_)) return {};
    Result<Hashes> users = read_file(path_);
    if (!users) return failed(users);
    users_ = *std::move(users);
    read_ = *now;
    return {};
  }

  void look_for_key() {
    if (!begun_) return;
    bool absent = false;
    const Status read = mirror_.read([&](store::View& view) -> Status {
      const auto node = view.get(key_path);
      absent = !node && node.error().code == Code::not_found;
      if (!node) return failed(node);
      const auto json = parse_json((*node)->value);
      const auto key = json.is_object() ? json.find("key") : json.end();
      const bool good = json.is_object() && key != json.end() && key->is_string();
      key_ = good ? key->get<std::string>() : "";
      damaged_ = !good;
      if (damaged_) log::error("{}: the node is damaged; remove it, and a new key is drawn", key_path);
      return {};
    });
    if (read) return end_wait_for_key();
    if (!absent) return;
    key_.clear();
    damaged_ = false;
    if (std::exchange(drawing_, true)) return;
    // Of several servers that draw one at the same time, the first is right; the mirror says which.
    store::transact(
        store_,
        [value = nlohmann::json{{"key", random_token_key()}}.dump()](store::Transaction& t) -> Status {
          const auto node = t.get(key_path);
          if (node) return {};
          if (node.error().code != Code::not_found) return failed(node);
          t.create(key_path, value);
          return {};
        },
        liveness_.guard([this](const Result<store::Revision>& made) {
          drawing_ = false;
          if (!made) log::warning("{}: {}", key_path, made.error().message);
        }));
  }

  Loop& loop_;
  store::Store& store_;
  const std::string path_;
  const std::chrono::seconds life_;
  Hashes users_;
  FileState read_;
  std::string key_;  // empty: not known
  std::vector<std::function<void()>> wait_for_key_;
  Timer key_is_late_;
  bool damaged_ = false;  // the key
  bool begun_ = false;
  bool drawing_ = false;
  http::FairQueue<Login> waiting_{most_waiting_of_one, most_waiting};
  bool hashing_ = false;
  const std::string usual_ = usual_hash();
  store::Mirror mirror_;
  Liveness liveness_;
  boost::asio::thread_pool thread_{1};
};

}  // namespace

Result<std::unique_ptr<Authenticator>> make_users(Loop& loop, store::Store& store, const AuthOptions& options) {
  if (options.users_file.empty())
    return fail(Code::invalid, "--auth users needs --users-file, a file with name:hash lines");
  auto users = std::make_unique<Users>(loop, store, options);
  if (const Status started = users->start(); !started) return failed(started);
  return users;
}

}  // namespace midonet::api
