// What the ZooKeeper store does beyond the contract, on one server: sessions, connections, secrets, limits.
#include <gmock/gmock.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "base/unique_fd.h"
#include "model/paths.h"
#include "store/layout.h"
#include "store/mirror.h"
#include "store/private_file.h"
#include "store/uri.h"
#include "store/zookeeper_fixture.h"
#include "store/zookeeper_handle.h"

namespace midonet::store::zookeeper_store_test {
namespace {

using namespace std::chrono_literals;
using testing::AllOf;
using testing::HasSubstr;

// Takes connections and never says a word.
class SilentServer {
 public:
  explicit SilentServer(Loop& loop) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {
    address_.sin_family = AF_INET;
    address_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address_;
    auto* address = reinterpret_cast<sockaddr*>(&address_);
    EXPECT_EQ(::bind(socket_.get(), address, size), 0);
    EXPECT_EQ(::getsockname(socket_.get(), address, &size), 0);
    EXPECT_EQ(::listen(socket_.get(), 64), 0);
    watch_ = loop.on_readable(socket_.get(), [this] {
      UniqueFd taken(::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (taken) taken_.push_back(std::move(taken));
    });
  }
  std::string address() const { return fmt::format("127.0.0.1:{}", ntohs(address_.sin_port)); }
  int taken() const { return static_cast<int>(taken_.size()); }

 private:
  const UniqueFd socket_;
  sockaddr_in address_{};
  FdWatch watch_;
  std::vector<UniqueFd> taken_;
};

class ZookeeperStoreTest : public ZookeeperTest {
 protected:
  ZookeeperStoreTest() : directory_((std::filesystem::temp_directory_path() / "midonet-store-XXXXXX").string()) {
    EXPECT_NE(::mkdtemp(directory_.data()), nullptr);
  }
  ~ZookeeperStoreTest() override { std::filesystem::remove_all(directory_); }

  std::string uri() { return shared_server().uri(root_); }
  std::string file(const std::string& name) const { return directory_ + "/" + name; }
  std::string secret(const std::string& text) const {
    const std::string path = file(text.substr(0, text.find(':')));
    std::ofstream(path) << text << '\n';
    EXPECT_EQ(::chmod(path.c_str(), 0600), 0);
    return path;
  }
  OpenOptions kept() const {
    OpenOptions options = patient();
    options.session_file = file("session");
    return options;
  }
  OpenOptions kept_shortly() const {
    OpenOptions options = kept();
    options.session_timeout = 1000ms;
    return options;
  }
  OpenOptions with_secret(const std::string& text) const {
    OpenOptions options = patient();
    options.secret_file = secret(text);
    return options;
  }

  // Another client ends the session that the file names.
  void end_session() {
    bool up = false;
    auto handle = ZookeeperHandle::open(loop_, {shared_server().address()}, 10s, *read_session(file("session")), "",
                                        {[&](auto) { up = true; }, [](auto, const auto&) {}});
    ASSERT_TRUE(handle);
    ASSERT_TRUE(wait([&] { return up; }));
  }
  // The same while a store uses it, which connects again when another client takes the session over: so again until the
  // end was the quicker of the two.
  void end_session_of(Store& store) {
    const std::int64_t session = store.session();
    for (int i = 0; i < 100 && store.session() == session; ++i) {
      end_session();
      static_cast<void>(loop_.run_until([&] { return store.session() != session; }, 500ms));
    }
    ASSERT_NE(store.session(), session);
  }
  // The server dies and comes again; what is called from now on was not under way then.
  void restart_server(const std::vector<Store*>& clients) {
    shared_server().kill(0);
    for (const Store* client : clients) {
      ASSERT_TRUE(wait([&] { return client->state() == State::disconnected; }));
    }
    shared_server().start(0);
  }

  const std::string root_ = fresh_root();
  std::string directory_;
};

// --- sessions -------------------------------------------------------------------------------------------------------

TEST_F(ZookeeperStoreTest, ASessionEndsWithItsStore) {
  auto other = open(uri());
  auto store = open(uri());
  ASSERT_TRUE(commit(*store, {Op::create_ephemeral("/e", "")}));
  EXPECT_EQ((*get(*store, "/e"))->stat.owner, store->session());
  EXPECT_NE(store->session(), 0);
  EXPECT_NE(store->session(), other->session());
  bool gone = false;
  ASSERT_TRUE(get(*other, "/e", [&] { gone = true; }));
  store.reset();
  EXPECT_TRUE(wait([&] { return gone; }));
}

TEST_F(ZookeeperStoreTest, ASessionWithAFileIsResumedByTheNextStore) {
  auto other = open(uri());
  std::int64_t session = 0;
  {
    auto store = open(uri(), kept());
    ASSERT_TRUE(commit(*store, {Op::create_ephemeral("/e", "")}));
    session = store->session();
  }
  ASSERT_TRUE(get(*other, "/e", [] { ADD_FAILURE() << "the session ended with the store"; }));
  auto store = open(uri(), kept());
  std::vector<State> states;
  const auto subscription = store->on_state([&](State state) { states.push_back(state); });
  const auto node = get(*store, "/e");
  ASSERT_TRUE(node);
  EXPECT_EQ((*node)->stat.owner, session);
  EXPECT_EQ(store->session(), session);
  EXPECT_EQ(states, std::vector<State>{State::connected});
  struct ::stat stat {};
  ASSERT_EQ(::stat(file("session").c_str(), &stat), 0);
  EXPECT_EQ(stat.st_mode & 07777u, 0600u);
}

TEST_F(ZookeeperStoreTest, ASessionThatCannotBeResumedIsReplaced) {
  std::int64_t session = 0;
  {
    auto store = open(uri(), kept());
    ASSERT_TRUE(commit(*store, {Op::create_ephemeral("/e", "")}));
    session = store->session();
  }
  end_session();
  auto store = open(uri(), kept());
  std::vector<State> states;
  const auto subscription = store->on_state([&](State state) { states.push_back(state); });
  EXPECT_FALSE(get(*store, "/e"));
  EXPECT_NE(store->session(), session);
  EXPECT_EQ(states, std::vector<State>{State::connected});
  EXPECT_EQ(read_session(file("session"))->id, store->session());
}

TEST_F(ZookeeperStoreTest, ADamagedSessionFileOnlyCostsTheSession) {
  std::ofstream(file("session")) << "garbage";
  auto store = open(uri(), kept());
  EXPECT_TRUE(get(*store, "/"));
  EXPECT_EQ(read_session(file("session"))->id, store->session());
}

TEST_F(ZookeeperStoreTest, AnExpiredSessionIsReplacedAndEveryWatchFires) {
  auto store = open(uri(), kept());
  auto other = open(uri());
  ASSERT_TRUE(commit(*store, {Op::create("/p", ""), Op::create_ephemeral("/e", "")}));
  const std::int64_t before = store->session();
  std::vector<State> states;
  const auto subscription = store->on_state([&](State state) { states.push_back(state); });
  int fired = 0;
  ASSERT_TRUE(get(*store, "/p", [&] { ++fired; }));
  ASSERT_TRUE(list(*store, "/p", [&] { ++fired; }));
  ASSERT_FALSE(get(*store, "/absent", [&] { ++fired; }));
  end_session_of(*store);
  ASSERT_TRUE(wait([&] { return fired == 3; }));
  ASSERT_GE(states.size(), 2u);
  EXPECT_EQ(states.front(), State::disconnected);
  EXPECT_EQ(states.back(), State::new_session);
  EXPECT_EQ(store->state(), State::connected);
  EXPECT_NE(store->session(), before);
  EXPECT_FALSE(get(*store, "/e"));
  EXPECT_EQ(read_session(file("session"))->id, store->session());
  // And the new one works as the old one did.
  ASSERT_TRUE(get(*store, "/p", [&] { ++fired; }));
  ASSERT_TRUE(commit(*other, {Op::set("/p", "x")}));
  EXPECT_TRUE(wait([&] { return fired == 4; }));
  EXPECT_TRUE(commit(*store, {Op::create_ephemeral("/e", "")}));
}

TEST_F(ZookeeperStoreTest, ASessionTimesOutWhenItsProcessIsGone) {
  auto other = open(uri());
  {
    auto store = open(uri(), kept_shortly());
    ASSERT_TRUE(commit(*store, {Op::create_ephemeral("/e", "")}));
  }
  bool gone = false;
  ASSERT_TRUE(get(*other, "/e", [&] { gone = true; }));
  EXPECT_TRUE(wait([&] { return gone; }));
}

// --- connections ----------------------------------------------------------------------------------------------------

TEST_F(ZookeeperStoreTest, AServersRestartLeavesSessionAndWatchesAndIsOnlyADelay) {
  auto store = open(uri());
  ASSERT_TRUE(commit(*store, {Op::create("/p", "1"), Op::create_ephemeral("/e", "")}));
  const std::int64_t session = store->session();
  std::vector<State> states;
  const auto subscription = store->on_state([&](State state) { states.push_back(state); });
  int fired = 0;
  ASSERT_TRUE(get(*store, "/p", [&] { ++fired; }));
  ASSERT_TRUE(list(*store, "/p", [&] { ++fired; }));
  ASSERT_FALSE(get(*store, "/absent", [&] { ++fired; }));
  shared_server().kill(0);
  ASSERT_TRUE(wait([&] { return store->state() == State::disconnected; }));
  // Made while no server answers: they wait, and keep their order.
  std::vector<std::string> seen;
  store->get("/p", [&](const Result<NodePtr>& node) { seen.push_back(node ? (*node)->value : node.error().message); });
  store->commit({Op::create("/p/c", "")},
                [&](const Result<Revision>& done) { seen.push_back(done ? "committed" : done.error().message); });
  store->list("/p", [&](const auto& names) { seen.push_back(names ? std::to_string(names->size()) : "failed"); });
  shared_server().start(0);
  ASSERT_TRUE(wait([&] { return seen.size() == 3; }));
  EXPECT_EQ(seen, (std::vector<std::string>{"1", "committed", "1"}));
  EXPECT_EQ(states, (std::vector<State>{State::disconnected, State::connected}));
  EXPECT_EQ(store->session(), session);
  EXPECT_TRUE(get(*store, "/e"));
  ASSERT_TRUE(wait([&] { return fired == 1; }));  // the list's, by the commit
  ASSERT_TRUE(commit(*store, {Op::set("/p", "2"), Op::create("/absent", "")}));
  EXPECT_TRUE(wait([&] { return fired == 3; }));
}

TEST_F(ZookeeperStoreTest, ChangesThatHappenWhileAClientIsCutOffFireItsWatches) {
  auto store = open(uri());
  auto other = open(uri());
  ASSERT_TRUE(commit(*store, {Op::create("/p", ""), Op::create("/q", "")}));
  int fired = 0;
  ASSERT_TRUE(get(*store, "/p", [&] { ++fired; }));
  ASSERT_TRUE(list(*store, "/q", [&] { ++fired; }));
  ASSERT_FALSE(get(*store, "/absent", [&] { ++fired; }));
  ASSERT_TRUE(get(*store, "/q", [] { ADD_FAILURE() << "no watch was set"; }));
  restart_server({store.get(), other.get()});
  // Which store is connected first does not matter.
  ASSERT_TRUE(commit(*other, {Op::set("/p", "x"), Op::create("/q/c", ""), Op::create("/absent", "")}));
  EXPECT_TRUE(wait([&] { return fired == 3; }));
  EXPECT_TRUE(get(*store, "/q/c"));
}

TEST_F(ZookeeperStoreTest, WatchesThatDoNotFitIntoOnePacketAreFiredInstead) {
  auto store = open(uri());
  ASSERT_TRUE(commit(*store, {Op::create("/p", "")}));
  const std::int64_t session = store->session();
  // Each takes about 200 bytes: more than 1 MB when set again.
  constexpr int count = 6000;
  int answered = 0;
  int fired = 0;
  for (int i = 0; i < count; ++i) {
    store->get(
        "/p/" + std::string(180, 'x') + std::to_string(i), [&](const auto&) { ++answered; }, [&] { ++fired; });
  }
  ASSERT_TRUE(wait([&] { return answered == count; }));
  restart_server({store.get()});
  ASSERT_TRUE(wait([&] { return fired == count; }));
  EXPECT_TRUE(get(*store, "/p"));
  EXPECT_EQ(store->session(), session);
}

TEST_F(ZookeeperStoreTest, AMirrorConvergesAcrossRestartsAndLostSessions) {
  auto store = open(uri(), kept());
  auto other = open(uri());
  ASSERT_TRUE(commit(*other, {Op::create("/p", "")}));
  std::map<std::string, std::string> seen;
  std::unique_ptr<Mirror> mirror;
  const auto read = [&] {
    static_cast<void>(mirror->read([&](View& view) -> Status {
      const auto names = view.list("/p");
      if (!names) return failed(names);
      std::map<std::string, std::string> now;
      for (const std::string& name : *names) {
        if (const auto node = view.get("/p/" + name)) now[name] = (*node)->value;
      }
      seen = now;
      return {};
    }));
  };
  mirror = std::make_unique<Mirror>(loop_, *store, read);
  read();
  std::map<std::string, std::string> expected;
  for (int round = 0; round < 12; ++round) {
    if (round % 4 == 1) end_session_of(*store);
    if (round % 4 == 3) restart_server({store.get(), other.get()});
    const std::string name = std::to_string(round % 5);
    const std::string value = std::to_string(round);
    ASSERT_TRUE(
        commit(*other, {expected.contains(name) ? Op::set("/p/" + name, value) : Op::create("/p/" + name, value)}));
    expected[name] = value;
    ASSERT_TRUE(wait([&] { return seen == expected; })) << "round " << round;
  }
}

TEST_F(ZookeeperStoreTest, WithoutAServerEveryCallEndsWithItsPatience) {
  // No process listens on port 1.
  const std::string nobody = "zookeeper://127.0.0.1:1,127.0.0.1:2/midonet";
  auto store = connect(loop_, nobody, {.patience = 0ms});
  ASSERT_TRUE(store);
  EXPECT_EQ((*store)->state(), State::disconnected);
  EXPECT_EQ((*store)->session(), 0);
  const auto node = get(**store, "/a", [] { ADD_FAILURE(); });
  ASSERT_FALSE(node);
  EXPECT_EQ(node.error().code, Code::unavailable);
  const auto done = commit(**store, {Op::create("/a", "")});
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, Code::unavailable);
  EXPECT_THAT(done.error().message, AllOf(HasSubstr("/a"), HasSubstr("it was not sent")));
  const auto opened = store::open(loop_, nobody, {.patience = 0ms});
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, Code::unavailable);
  EXPECT_THAT(opened.error().message, HasSubstr("127.0.0.1:1,127.0.0.1:2"));
}

TEST_F(ZookeeperStoreTest, ANameThatIsNotKnownIsSaid) {
  const auto opened = store::open(loop_, "zookeeper://no-such-host.invalid:2181/midonet", {.patience = 0ms});
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, Code::unavailable);
  EXPECT_THAT(opened.error().message, HasSubstr("no-such-host.invalid"));
}

TEST_F(ZookeeperStoreTest, AServerThatHangsIsNoAnswerAndACommitsOutcomeIsUnknown) {
  auto store = open(uri(), {.patience = 0ms});
  ASSERT_TRUE(wait([&] { return store->state() == State::connected; }));
  // Where the server is slow, a call without patience may need to be made again.
  bool answered = false;
  for (int i = 0; i < 30 && !answered; ++i) answered = get(*store, "/").has_value();
  ASSERT_TRUE(answered);
  shared_server().stop(0);
  const auto done = commit(*store, {Op::create("/a", "")});
  shared_server().go_on(0);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, Code::unavailable);
  EXPECT_THAT(done.error().message, HasSubstr("whether it was done is not known"));
}

// Without a look at attempts the library would wait for 40 s here, and 120 s in the next one.
TEST_F(ZookeeperStoreTest, AnAttemptThatIsNotAnsweredIsGivenUpForAnother) {
  SilentServer silent(loop_);
  OpenOptions options = patient();
  options.session_timeout = 60s;
  auto store = open(fmt::format("zookeeper://{}/midonet", silent.address()), options);
  ASSERT_TRUE(loop_.run_until([&] { return silent.taken() == 2; }, 30s));
  EXPECT_EQ(store->state(), State::disconnected);
}

TEST_F(ZookeeperStoreTest, AServerThatDoesNotAnswerIsLeftForAnother) {
  SilentServer silent(loop_);
  OpenOptions options = patient();
  options.session_timeout = 180s;
  const std::string servers = fmt::format("{},{}", silent.address(), shared_server().address());
  std::vector<std::unique_ptr<Store>> stores;
  // Which of the two a store tries first is random.
  for (int i = 0; i < 8; ++i) stores.push_back(open(fmt::format("zookeeper://{}{}", servers, root_), options));
  for (const auto& store : stores) EXPECT_TRUE(get(*store, "/"));
}

TEST_F(ZookeeperStoreTest, SessionAndWatchesOutliveAnAttemptThatIsGivenUp) {
  SilentServer silent(loop_);
  OpenOptions options = patient();
  options.session_timeout = 60s;
  const std::string servers = fmt::format("{},{}", silent.address(), shared_server().address());
  auto store = open(fmt::format("zookeeper://{}{}", servers, root_), options);
  ASSERT_TRUE(commit(*store, {Op::create("/p", ""), Op::create_ephemeral("/e", "")}));
  std::vector<State> states;
  const auto subscription = store->on_state([&](State state) { states.push_back(state); });
  int fired = 0;
  ASSERT_TRUE(get(*store, "/p", [&] { ++fired; }));
  ASSERT_TRUE(list(*store, "/p", [&] { ++fired; }));
  // With the silent one the store is stuck when the other comes again.
  const int before = silent.taken();
  shared_server().kill(0);
  ASSERT_TRUE(wait([&] { return silent.taken() > before; }));
  shared_server().start(0);
  EXPECT_EQ((*get(*store, "/e"))->stat.owner, store->session());
  EXPECT_EQ(states, (std::vector<State>{State::disconnected, State::connected}));
  EXPECT_EQ(fired, 0);
  ASSERT_TRUE(commit(*store, {Op::set("/p", "x"), Op::create("/p/c", "")}));
  EXPECT_TRUE(wait([&] { return fired == 2; }));
}

// --- secrets --------------------------------------------------------------------------------------------------------

TEST_F(ZookeeperStoreTest, ASecretKeepsEverybodyElseOut) {
  const OpenOptions ours = with_secret("midonet:one");
  auto store = store::open(loop_, uri(), ours);
  ASSERT_TRUE(store) << store.error().message;
  ASSERT_TRUE(commit(**store, {Op::create("/ports/1", "ours"), Op::create_ephemeral("/ports/e", "")}));
  for (const OpenOptions& theirs : {patient(), with_secret("other:two")}) {
    const auto refused = store::open(loop_, uri(), theirs);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::forbidden);
    EXPECT_THAT(refused.error().message, HasSubstr("--zookeeper-secret-file"));
    auto other = connect(loop_, uri(), theirs);
    ASSERT_TRUE(other);
    for (const std::string path : {"/", "/version", "/ports", "/ports/1", "/ports/e"}) {
      EXPECT_EQ(get(**other, path).error().code, Code::forbidden) << path;
      EXPECT_EQ(commit(**other, {Op::set(path, "theirs")}).error().code, Code::forbidden) << path;
    }
    EXPECT_EQ(list(**other, "/ports").error().code, Code::forbidden);
    EXPECT_EQ(commit(**other, {Op::create("/ports/2", "")}).error().code, Code::forbidden);
    EXPECT_EQ(commit(**other, {Op::remove("/ports/1")}).error().code, Code::forbidden);
  }
  auto again = store::open(loop_, uri(), ours);
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ((*get(**again, "/ports/1"))->value, "ours");
  // Also after the connection was lost and made again.
  restart_server({again->get()});
  EXPECT_TRUE(commit(**again, {Op::set("/ports/1", "still ours")}));
}

// --- limits and layouts ---------------------------------------------------------------------------------------------

TEST_F(ZookeeperStoreTest, ACommitThatIsTooLargeIsRefusedBeforeTheServerSeesIt) {
  auto store = open(uri());
  int fired = 0;
  ASSERT_TRUE(get(*store, "/", [&] { ++fired; }));
  const std::string half(600'000, 'x');
  const auto refused = commit(*store, {Op::create("/a", half), Op::create("/b", half)});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::exhausted);
  EXPECT_THAT(refused.error().message, AllOf(HasSubstr("/a"), HasSubstr("1200")));
  EXPECT_EQ(store->state(), State::connected);
  EXPECT_EQ(list(*store, "/"), std::vector<std::string>());
}

TEST_F(ZookeeperStoreTest, ACommitAsLargeAsTheContractAllowsIsDone) {
  auto store = open(uri());
  ASSERT_TRUE(commit(*store, {Op::create("/p", "")}));
  std::vector<Op> many;
  std::size_t bytes = 0;
  while (true) {
    Op op = Op::create(fmt::format("/p/{}", many.size()), "");
    bytes += commit_bytes(op);
    if (bytes > max_commit_bytes) break;
    many.push_back(std::move(op));
  }
  const std::size_t count = many.size();
  ASSERT_TRUE(commit(*store, std::move(many)));
  EXPECT_EQ(list(*store, "/p")->size(), count);
  EXPECT_TRUE(commit(*store, {Op::set("/p", std::string(max_value_bytes, 'x'))}));
  EXPECT_EQ(store->state(), State::connected);
}

TEST_F(ZookeeperStoreTest, TheRevisionIsThatOfTheCommitWhateverItConsistsOf) {
  auto store = open(uri());
  const auto created = commit(*store, {Op::create("/a", ""), Op::create_ephemeral("/a/e", "")});
  EXPECT_EQ((*get(*store, "/a"))->stat, (Stat{*created, *created, 0, 0}));
  EXPECT_EQ((*get(*store, "/a/e"))->stat.created, *created);
  const auto again = commit(*store, {Op::remove("/a/e"), Op::create("/a/e", "")});
  EXPECT_EQ((*get(*store, "/a/e"))->stat.modified, *again);
  std::vector<Revision> revisions{*created, *again};
  for (const std::vector<Op>& ops : {std::vector<Op>{Op::remove("/a/e")},
                                     {Op::create("/x", ""), Op::remove("/x")},
                                     {Op::check("/a")},
                                     {Op::check("/"), Op::check("/a", 0)},
                                     {Op::remove("/a")}}) {
    const auto revision = commit(*store, ops);
    ASSERT_TRUE(revision) << revision.error().message;
    EXPECT_GT(*revision, revisions.back());
    revisions.push_back(*revision);
  }
  EXPECT_EQ(list(*store, "/"), std::vector<std::string>());
}

TEST_F(ZookeeperStoreTest, TheRootIsMadeWithWhatIsAboveIt) {
  const std::string deep = shared_server().uri(root_ + "/deep/midonet");
  auto first = store::open(loop_, deep, patient());
  ASSERT_TRUE(first) << first.error().message;
  auto second = store::open(loop_, deep, patient());
  ASSERT_TRUE(second) << second.error().message;
  EXPECT_EQ(list(**second, "/")->size(), 6u);
  auto above = open(uri());
  EXPECT_EQ(list(*above, "/"), std::vector<std::string>{"deep"});
}

TEST_F(ZookeeperStoreTest, ALayoutThatCannotBeReadIsRefusedAndNothingChanges) {
  auto store = open(uri());
  const std::vector<std::pair<std::string, Code>> cases{
      {R"({"layout": 3, "minReader": 3})", Code::conflict}, {"garbage", Code::internal}, {"{}", Code::internal}};
  ASSERT_TRUE(commit(*store, {Op::create(model::paths::version, "")}));
  for (const auto& [version, code] : cases) {
    ASSERT_TRUE(commit(*store, {Op::set(model::paths::version, version)}));
    const auto refused = store::open(loop_, uri(), patient());
    ASSERT_FALSE(refused) << version;
    EXPECT_EQ(refused.error().code, code) << refused.error().message;
    EXPECT_EQ(list(*store, "/"), std::vector<std::string>{"version"});
    EXPECT_EQ((*get(*store, "/version"))->value, version);
  }
  ASSERT_TRUE(commit(*store, {Op::set(model::paths::version, R"({"layout": 2, "minReader": 1})")}));
  EXPECT_TRUE(store::open(loop_, uri(), patient()));
}

}  // namespace
}  // namespace midonet::store::zookeeper_store_test
