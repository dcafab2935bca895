#include "store/embedded_store.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>

#include "base/unique_fd.h"
#include "store/layout.h"
#include "store/store_contract_test.h"
#include "store/uri.h"

namespace midonet::store::embedded_store_test {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::Not;
namespace fs = std::filesystem;

class TemporaryDirectory {
 public:
  TemporaryDirectory() : path_((fs::temp_directory_path() / "midonet-store-XXXXXX").string()) {
    EXPECT_NE(::mkdtemp(path_.data()), nullptr);
  }
  ~TemporaryDirectory() { fs::remove_all(path_); }
  std::string file(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

// --- the contract ---------------------------------------------------------------------------------------------------

class EmbeddedUnderTest : public StoreUnderTest {
 public:
  EmbeddedUnderTest(Loop& loop, bool in_memory)
      : loop_(loop), path_(in_memory ? ":memory:" : directory_.file("midonet.db")) {
    start();
  }
  std::unique_ptr<Store> session() override { return database_->session(); }
  bool restart() override {
    if (path_ == ":memory:") return false;
    database_.reset();
    start();
    return true;
  }

 private:
  void start() {
    auto opened = EmbeddedDatabase::open(loop_, path_, 0ms);
    ASSERT_TRUE(opened) << opened.error().message;
    database_ = *std::move(opened);
  }

  Loop& loop_;
  TemporaryDirectory directory_;
  std::string path_;
  std::shared_ptr<EmbeddedDatabase> database_;
};

INSTANTIATE_TEST_SUITE_P(
    Embedded, StoreContract,
    testing::Values(StoreFactory{"file", [](Loop& loop) { return std::make_unique<EmbeddedUnderTest>(loop, false); }},
                    StoreFactory{"memory", [](Loop& loop) { return std::make_unique<EmbeddedUnderTest>(loop, true); }}),
    StoreFactory::name_of);

// --- one file, one process, one disk --------------------------------------------------------------------------------

class EmbeddedStore : public testing::Test {
 protected:
  std::unique_ptr<Store> open_session() {
    auto database = EmbeddedDatabase::open(loop_, path_, 0ms);
    EXPECT_TRUE(database) << database.error().message;
    return database ? (*database)->session() : nullptr;
  }
  Error refusal(const std::string& path) {
    const auto database = EmbeddedDatabase::open(loop_, path, 0ms);
    EXPECT_FALSE(database) << path;
    return database ? Error{} : database.error();
  }
  Result<Revision> commit(Store& store, std::vector<Op> ops) {
    std::optional<Result<Revision>> answer;
    store.commit(std::move(ops), [&](Result<Revision> result) { answer = std::move(result); });
    EXPECT_TRUE(loop_.run_until([&] { return answer.has_value(); }, 30s));
    return *answer;
  }
  Result<NodePtr> get(Store& store, const std::string& path) {
    std::optional<Result<NodePtr>> answer;
    store.get(path, [&](Result<NodePtr> result) { answer = std::move(result); });
    EXPECT_TRUE(loop_.run_until([&] { return answer.has_value(); }, 30s));
    return *answer;
  }
  static std::string bytes_of(const std::string& path) {
    std::ostringstream out;
    out << std::ifstream(path, std::ios::binary).rdbuf();
    return out.str();
  }
  static void write(const std::string& path, const std::string& bytes) {
    std::ofstream(path, std::ios::binary) << bytes;
  }

  TemporaryDirectory directory_;
  std::string path_ = directory_.file("midonet.db");
  Loop loop_;
};

TEST_F(EmbeddedStore, TheFileAndItsNewDirectoryAreTheOwnersAlone) {
  const mode_t before = ::umask(0);
  path_ = directory_.file("a/b/midonet.db");
  auto store = open_session();
  ASSERT_TRUE(commit(*store, {Op::create("/a", "")}));
  ::umask(before);
  struct stat found {};
  for (const char* name : {"a", "a/b"}) {
    ASSERT_EQ(::stat(directory_.file(name).c_str(), &found), 0);
    EXPECT_EQ(found.st_mode & 0777, 0700u) << name;
  }
  for (const auto& entry : fs::directory_iterator(directory_.file("a/b"))) {
    ASSERT_EQ(::stat(entry.path().c_str(), &found), 0);
    EXPECT_EQ(found.st_mode & 0777, 0600u) << entry.path();
  }
}

// Runs `body` in a child process and gives back its number; the child reports to the parent over `report`.
template <class Body>
pid_t in_child(Body body) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    body();
    ::_exit(0);
  }
  return pid;
}

int reap(pid_t pid) {
  int status = 0;
  EXPECT_EQ(::waitpid(pid, &status, 0), pid);
  return status;
}

struct Pipe {
  Pipe() {
    int ends[2];
    EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    read_end.reset(ends[0]);
    write_end.reset(ends[1]);
  }
  UniqueFd read_end;
  UniqueFd write_end;
};

TEST_F(EmbeddedStore, ASecondProcessIsRefusedWithTheNameOfTheFirst) {
  Pipe ready;
  Pipe finish;
  const pid_t holder = in_child([&] {
    Loop loop;
    const auto database = EmbeddedDatabase::open(loop, path_, 0ms);
    static_cast<void>(!::write(ready.write_end.get(), database ? "y" : "n", 1));
    finish.write_end.reset();
    char c = 0;
    static_cast<void>(!::read(finish.read_end.get(), &c, 1));
  });
  char answer = 0;
  ASSERT_EQ(::read(ready.read_end.get(), &answer, 1), 1);
  ASSERT_EQ(answer, 'y');
  const Error refused = refusal(path_);
  EXPECT_EQ(refused.code, Code::unavailable);
  EXPECT_EQ(refused.message, fmt::format("embedded store {} is in use by process {} (store_test)", path_, holder));

  // With patience the store is had as soon as the holder has gone.
  finish.write_end.reset();
  const auto database = EmbeddedDatabase::open(loop_, path_, 30s);
  EXPECT_TRUE(database) << database.error().message;
  EXPECT_EQ(reap(holder), 0);
}

TEST_F(EmbeddedStore, OneProcessCannotOpenItTwice) {
  const auto first = open_session();
  const Error refused = refusal(path_);
  EXPECT_EQ(refused.code, Code::unavailable);
  EXPECT_THAT(refused.message, HasSubstr("is in use by this process already"));
  ASSERT_TRUE(commit(*first, {Op::create("/a", "")}));
  EXPECT_EQ(refusal(path_).code, Code::unavailable);
}

TEST_F(EmbeddedStore, PatienceEnds) {
  const auto first = open_session();
  const auto begin = std::chrono::steady_clock::now();
  const auto second = EmbeddedDatabase::open(loop_, path_, 60ms);
  EXPECT_FALSE(second);
  EXPECT_GE(std::chrono::steady_clock::now() - begin, 60ms);
}

// What a commit of the child below does: a counter, and two nodes that must come or not come together.
std::vector<Op> numbered(int number) {
  const std::string text = std::to_string(number);
  return {Op::create("/left/" + text, text), Op::set("/count", text),
          Op::create("/right/" + text, std::string(500, 'x'))};
}

TEST_F(EmbeddedStore, AKillLosesNoAcknowledgedCommitAndLeavesNoHalfOne) {
  int acknowledged = 0;
  ASSERT_TRUE(commit(*open_session(), {Op::create("/left", ""), Op::create("/right", ""), Op::create("/count", "0")}));
  for (int round = 0; round < 8; ++round) {
    Pipe report;
    const int first = acknowledged + 1;
    const pid_t child = in_child([&] {
      Loop loop;
      auto database = EmbeddedDatabase::open(loop, path_, 0ms);
      if (!database) ::_exit(1);
      const auto store = (*database)->session();
      int last_answer = 0;
      // Several at a time, so that a kill finds batches under way.
      for (int next = first; next < first + 100'000; ++next) {
        store->commit(numbered(next), [&, next](const Result<Revision>& done) {
          if (!done) ::_exit(2);
          last_answer = next;
          if (::write(report.write_end.get(), &next, sizeof next) != sizeof next) ::_exit(3);
        });
        if (next % 5 == 0 && !loop.run_until([&] { return last_answer == next; }, 30s)) ::_exit(4);
      }
    });
    // Let it come to a different point each time, then kill it in the middle of its work.
    const int enough = first + 20 + 37 * round;
    for (int number = 0; number < enough;)
      ASSERT_EQ(::read(report.read_end.get(), &number, sizeof number), sizeof number);
    ASSERT_EQ(::kill(child, SIGKILL), 0);
    ASSERT_TRUE(WIFSIGNALED(reap(child)));
    report.write_end.reset();
    int number = 0;
    while (::read(report.read_end.get(), &number, sizeof number) == sizeof number) acknowledged = number;

    auto store = open_session();
    ASSERT_NE(store, nullptr);
    const int count = std::stoi((*get(*store, "/count"))->value);
    EXPECT_GE(count, acknowledged);
    for (int i = 1; i <= count + 10; ++i) {
      const std::string text = std::to_string(i);
      EXPECT_EQ(get(*store, "/left/" + text).has_value(), i <= count);
      EXPECT_EQ(get(*store, "/right/" + text).has_value(), i <= count);
    }
    acknowledged = count;
  }
}

TEST_F(EmbeddedStore, EphemeralNodesAreGoneAfterAKillAndRevisionsGoOn) {
  Pipe report;
  const pid_t child = in_child([&] {
    Loop loop;
    auto database = EmbeddedDatabase::open(loop, path_, 0ms);
    const auto store = (*database)->session();
    // The last commit touches only what is in memory.
    store->commit({Op::create("/a", "")}, [](const auto&) {});
    for (int i = 0; i < 10; ++i) {
      store->commit({Op::create_ephemeral(fmt::format("/e{}", i), "")}, [&, i](const Result<Revision>& done) {
        if (i == 9 && ::write(report.write_end.get(), &*done, sizeof *done) != sizeof *done) ::_exit(1);
      });
    }
    static_cast<void>(loop.run_until([] { return false; }, 30s));
  });
  Revision last = 0;
  ASSERT_EQ(::read(report.read_end.get(), &last, sizeof last), sizeof last);
  ASSERT_EQ(::kill(child, SIGKILL), 0);
  reap(child);
  auto store = open_session();
  EXPECT_TRUE(get(*store, "/a"));
  EXPECT_FALSE(get(*store, "/e0"));
  const auto next = commit(*store, {Op::create_ephemeral("/e0", "")});
  EXPECT_GT(*next, last);
}

TEST_F(EmbeddedStore, TheWriteAheadLogAloneIsEnough) {
  // A copy taken while the store is open is what a power failure leaves: the file as it was at first, and the log.
  auto store = open_session();
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(commit(*store, {Op::create(fmt::format("/{}", i), "value")}));
  const std::string copy = directory_.file("copy.db");
  ASSERT_GT(fs::file_size(path_ + "-wal"), 0u);
  fs::copy_file(path_, copy);
  fs::copy_file(path_ + "-wal", copy + "-wal");
  // The end of the log may be half written: what was acknowledged before it stands.
  fs::resize_file(copy + "-wal", fs::file_size(copy + "-wal") - 100);
  path_ = copy;
  store = open_session();
  for (int i = 0; i < 49; ++i) EXPECT_TRUE(get(*store, fmt::format("/{}", i))) << i;
  EXPECT_FALSE(get(*store, "/49"));
}

// Limits the size of the files that this process writes, for as long as it lives.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    EXPECT_EQ(::getrlimit(RLIMIT_FSIZE, &before_), 0);
    // The kernel also sends a signal, which would end the process.
    handler_ = std::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{bytes, before_.rlim_max};
    EXPECT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
  }
  ~FileSizeLimit() {
    EXPECT_EQ(::setrlimit(RLIMIT_FSIZE, &before_), 0);
    std::signal(SIGXFSZ, handler_);
  }

 private:
  rlimit before_{};
  void (*handler_)(int) = SIG_DFL;
};

TEST_F(EmbeddedStore, WhenTheDiskRefusesCommitsFailNothingChangesAndReadsGoOn) {
  auto database = EmbeddedDatabase::open(loop_, path_, 0ms);
  ASSERT_TRUE(database);
  auto store = (*database)->session();
  auto other = (*database)->session();
  const auto first = commit(*store, {Op::create("/a", "old"), Op::create("/p", "")});
  ASSERT_TRUE(first);
  ASSERT_TRUE(commit(*other, {Op::create_ephemeral("/p/e", "")}));
  int fired = 0;
  bool gone = false;
  store->get(
      "/a", [](const auto&) {}, [&] { ++fired; });
  store->list(
      "/p", [](const auto&) {}, [&] { gone = true; });
  {
    const FileSizeLimit limit(fs::file_size(path_ + "-wal") + 1000);
    std::vector<std::string> seen;
    const auto value = [&](const Result<NodePtr>& node) { seen.push_back(node ? (*node)->value : "error"); };
    std::vector<Code> failures;
    const auto failed = [&](const Result<Revision>& done) {
      failures.push_back(done ? Code::internal : done.error().code);
      if (!done) {
        EXPECT_THAT(done.error().message, HasSubstr(path_));
      }
    };
    store->get("/a", value);
    store->commit({Op::set("/a", "new")}, failed);
    store->get("/a", value);
    store->commit({Op::create("/p/e2", std::string(200'000, 'x'))}, failed);
    store->commit({Op::create_ephemeral("/p/e3", "")}, failed);
    store->get("/p/e3", value);
    ASSERT_TRUE(loop_.run_until([&] { return seen.size() == 3 && failures.size() == 3; }, 30s));
    EXPECT_EQ(seen, (std::vector<std::string>{"old", "old", "error"}));
    for (const Code code : failures) EXPECT_TRUE(code == Code::exhausted || code == Code::unavailable) << name(code);
    EXPECT_EQ(fired, 0);
    // The end of a session needs no disk.
    other.reset();
    ASSERT_TRUE(loop_.run_until([&] { return gone; }, 30s));
    EXPECT_FALSE(get(*store, "/p/e"));
  }
  const auto next = commit(*store, {Op::set("/a", "new", 0)});
  ASSERT_TRUE(next) << next.error().message;
  EXPECT_GT(*next, *first);
  EXPECT_EQ(fired, 1);
  store.reset();
  database->reset();
  store = open_session();
  EXPECT_EQ((*get(*store, "/a"))->value, "new");
}

TEST_F(EmbeddedStore, AFullDiskAtTheFirstStartIsAnErrorAndTheNextStartMakesTheStore) {
  {
    const FileSizeLimit limit(2000);
    const Error refused = refusal(path_);
    EXPECT_TRUE(refused.code == Code::exhausted || refused.code == Code::unavailable) << refused.message;
    EXPECT_THAT(refused.message, HasSubstr(path_));
    EXPECT_FALSE(fs::exists(path_));
  }
  EXPECT_TRUE(commit(*open_session(), {Op::create("/a", "")}));
}

TEST_F(EmbeddedStore, AFileOfSomethingElseIsRefusedAndLeftAsItIs) {
  write(directory_.file("text"), "hello\n");
  write(directory_.file("long"), std::string(10'000, 'z'));
  const std::string foreign = directory_.file("foreign.db");
  sqlite3* db = nullptr;
  ASSERT_EQ(sqlite3_open(foreign.c_str(), &db), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(db, "CREATE TABLE t (x); INSERT INTO t VALUES (1);", nullptr, nullptr, nullptr), SQLITE_OK);
  ASSERT_EQ(sqlite3_close(db), SQLITE_OK);
  for (const std::string& path : {directory_.file("text"), directory_.file("long"), foreign}) {
    const std::string before = bytes_of(path);
    const Error refused = refusal(path);
    EXPECT_EQ(refused.code, Code::invalid);
    EXPECT_THAT(refused.message, HasSubstr(path));
    EXPECT_EQ(bytes_of(path), before);
    EXPECT_FALSE(fs::exists(path + "-wal"));
  }
}

TEST_F(EmbeddedStore, AFileOfANewerProgramIsRefusedAndLeftAsItIs) {
  ASSERT_TRUE(commit(*open_session(), {Op::create("/a", "")}));
  std::string bytes = bytes_of(path_);
  bytes[63] = 2;  // the schema's number, see embedded_file.cc
  write(path_, bytes);
  const Error refused = refusal(path_);
  EXPECT_EQ(refused.code, Code::conflict);
  EXPECT_THAT(refused.message, HasSubstr("newer"));
  EXPECT_EQ(bytes_of(path_), bytes);
}

TEST_F(EmbeddedStore, ADamagedFileIsRefusedAndLeftAsItIs) {
  {
    auto store = open_session();
    std::vector<Op> ops;
    for (int i = 0; i < 500; ++i) ops.push_back(Op::create(fmt::format("/{:04}", i), std::string(200, 'v')));
    ASSERT_TRUE(commit(*store, std::move(ops)));
  }
  ASSERT_FALSE(fs::exists(path_ + "-wal"));  // all is in the file after an orderly end
  std::string bytes = bytes_of(path_);
  for (std::size_t i = 2 * 4096; i < 6 * 4096; ++i) bytes[i] = static_cast<char>(i * 7);
  write(path_, bytes);
  const Error refused = refusal(path_);
  EXPECT_EQ(refused.code, Code::internal);
  EXPECT_THAT(refused.message, HasSubstr("damaged"));
  EXPECT_EQ(bytes_of(path_), bytes);
}

TEST_F(EmbeddedStore, AnEmptyFileBecomesAStore) {
  write(path_, "");
  EXPECT_TRUE(commit(*open_session(), {Op::create("/a", "")}));
}

TEST_F(EmbeddedStore, ADirectoryOrAPlaceThatCannotBeWrittenIsAClearError) {
  fs::create_directory(path_);
  EXPECT_EQ(refusal(path_).code, Code::invalid);
  EXPECT_THAT(refusal("/proc/midonet/midonet.db").message, HasSubstr("/proc/midonet"));
  write(directory_.file("file"), "");
  EXPECT_THAT(refusal(directory_.file("file/midonet.db")).message, HasSubstr("Not a directory"));
}

TEST_F(EmbeddedStore, WithoutPermissionItIsForbidden) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root, to become another user";
  ASSERT_TRUE(commit(*open_session(), {Op::create("/a", "")}));
  const pid_t child = in_child([&] {
    if (::setresgid(65534, 65534, 65534) != 0 || ::setresuid(65534, 65534, 65534) != 0) ::_exit(9);
    Loop loop;
    const auto database = EmbeddedDatabase::open(loop, path_, 0ms);
    ::_exit(database ? 1 : database.error().code == Code::forbidden ? 0 : 2);
  });
  EXPECT_EQ(WEXITSTATUS(reap(child)), 0);
}

TEST_F(EmbeddedStore, ALayoutForNewerProgramsIsRefusedAndNothingIsChanged) {
  {
    auto store = open_session();
    ASSERT_TRUE(commit(*store, {Op::create("/version", R"({"layout": 3, "minReader": 3})")}));
  }
  const auto refused = open(loop_, "embedded:" + path_, {.patience = 0ms});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::conflict);
  EXPECT_THAT(refused.error().message, HasSubstr("upgrade"));
  auto store = open_session();
  EXPECT_FALSE(get(*store, "/ports"));
  // A newer layout that this program may still read is fine, and its version stays.
  ASSERT_TRUE(commit(*store, {Op::set("/version", R"({"layout": 3, "minReader": 1, "other": true})")}));
  store.reset();
  auto opened = open(loop_, "embedded:" + path_, {.patience = 0ms});
  ASSERT_TRUE(opened) << opened.error().message;
  EXPECT_TRUE(get(**opened, "/ports"));
  EXPECT_EQ((*get(**opened, "/version"))->stat.version, 1);
}

TEST_F(EmbeddedStore, ADamagedVersionIsRefused) {
  for (const char* value :
       {"", "x", "[]", "{}", R"({"layout": "1", "minReader": 1})", R"({"layout": 1, "minReader": 0})"}) {
    auto database = EmbeddedDatabase::open(loop_, ":memory:", 0ms);
    auto store = (*database)->session();
    ASSERT_TRUE(commit(*store, {Op::create("/version", value)}));
    std::optional<Status> made;
    ensure_layout(*store, [&](Status status) { made = std::move(status); });
    ASSERT_TRUE(loop_.run_until([&] { return made.has_value(); }, 30s));
    ASSERT_FALSE(*made) << value;
    EXPECT_EQ(made->error().code, Code::internal) << value;
    EXPECT_FALSE(get(*store, "/ports"));
  }
}

TEST_F(EmbeddedStore, TheFileIsFreeAsSoonAsTheLastSessionIsGoneWithCallsUnanswered) {
  auto store = open_session();
  const auto content = std::make_shared<int>();
  store->get(
      "/", [content](const auto&) { ADD_FAILURE(); }, [content] { ADD_FAILURE(); });
  store->commit({Op::create("/a", "")}, [content](const auto&) { ADD_FAILURE(); });
  store.reset();
  EXPECT_EQ(content.use_count(), 1);
  EXPECT_NE(open_session(), nullptr);
}

}  // namespace
}  // namespace midonet::store::embedded_store_test
