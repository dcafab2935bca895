// An embedded store that lost records, and its backups.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>

#include "store/embedded_mark.h"
#include "store/embedded_store.h"

namespace midonet::store::embedded_loss_test {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
namespace fs = std::filesystem;

class EmbeddedLoss : public testing::Test {
 protected:
  ~EmbeddedLoss() override { fs::remove_all(directory_); }

  Result<std::unique_ptr<Store>> open(bool accept_loss = false) {
    auto database = EmbeddedDatabase::open(loop_, path_, 0ms, accept_loss);
    if (!database) return failed(database);
    return (*database)->session();
  }
  Error refusal() {
    const auto store = open();
    EXPECT_FALSE(store);
    return store ? Error{} : store.error();
  }
  Result<Revision> commit(Store& store, std::vector<Op> ops) {
    std::optional<Result<Revision>> answer;
    store.commit(std::move(ops), [&](Result<Revision> result) { answer = std::move(result); });
    EXPECT_TRUE(loop_.run_until([&] { return answer.has_value(); }, 30s));
    return *answer;
  }
  bool has(Store& store, const std::string& path) {
    std::optional<bool> there;
    store.get(path, [&](const Result<NodePtr>& node) { there = node.has_value(); });
    EXPECT_TRUE(loop_.run_until([&] { return there.has_value(); }, 30s));
    return *there;
  }
  // A store as a power cut leaves it: `count` nodes, all of them in the log.
  void make_store(int count, const std::string& as = {}) {
    const std::string in_use = directory_ + "/in-use.db";
    const std::string to = as.empty() ? path_ : as;
    {
      auto database = EmbeddedDatabase::open(loop_, in_use, 0ms);
      ASSERT_TRUE(database) << database.error().message;
      const auto store = (*database)->session();
      for (int i = 0; i < count; ++i) ASSERT_TRUE(commit(*store, {Op::create(fmt::format("/{}", i), "value")}));
      for (const char* suffix : {"", "-wal", ".mark"}) fs::copy_file(in_use + suffix, to + suffix);
    }
    for (const auto& entry : fs::directory_iterator(directory_))
      if (entry.path().filename().string().starts_with("in-use")) fs::remove(entry);
  }
  void flip_bit(const std::string& file, std::size_t at) {
    std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
    stream.seekg(static_cast<std::streamoff>(at));
    const auto byte = static_cast<char>(stream.get() ^ 1);
    stream.seekp(static_cast<std::streamoff>(at));
    stream.put(byte);
  }
  std::string bytes_of(const std::string& file) {
    std::ostringstream out;
    out << std::ifstream(file, std::ios::binary).rdbuf();
    return out.str();
  }
  Result<UniqueFd> back_up(Store& store) {
    std::optional<Result<UniqueFd>> answer;
    store.backup([&](Result<UniqueFd> result) { answer = std::move(result); });
    EXPECT_TRUE(loop_.run_until([&] { return answer.has_value(); }, 30s));
    return *std::move(answer);
  }
  void save(const UniqueFd& copy, const std::string& file) {
    std::ofstream out(file, std::ios::binary | std::ios::trunc);
    std::array<char, 65536> buffer{};
    for (ssize_t got = 0; (got = ::read(copy.get(), buffer.data(), buffer.size())) > 0;) out.write(buffer.data(), got);
  }

  static std::string make_directory() {
    std::string path = (fs::temp_directory_path() / "midonet-loss-XXXXXX").string();
    EXPECT_NE(::mkdtemp(path.data()), nullptr);
    return path;
  }

  const std::string directory_ = make_directory();
  const std::string path_ = directory_ + "/midonet.db";
  Loop loop_;
};

TEST_F(EmbeddedLoss, APowerCutLosesNothingAndIsNotRefused) {
  make_store(60);
  const auto store = open();
  ASSERT_TRUE(store) << store.error().message;
  for (int i = 0; i < 60; ++i) EXPECT_TRUE(has(**store, fmt::format("/{}", i))) << i;
}

TEST_F(EmbeddedLoss, ALogThatIsTruncatedDeletedOrHasAFlippedBitIsRefusedAndLeftAsItIs) {
  make_store(60);
  const std::string log = path_ + "-wal";
  const std::string whole = bytes_of(log);
  const std::vector<std::function<void()>> damages{
      [&] { fs::resize_file(log, whole.size() / 2); },
      [&] { fs::resize_file(log, whole.size() - 1); },
      [&] { fs::resize_file(log, 0); },
      [&] { fs::remove(log); },
      [&] { flip_bit(log, 40); },
      [&] { flip_bit(log, whole.size() / 3); },
      [&] { flip_bit(log, whole.size() - 20); },
  };
  for (std::size_t i = 0; i < damages.size(); ++i) {
    for (const char* suffix : {"-wal", ""}) fs::remove(path_ + suffix);
    fs::remove(path_ + ".mark");
    make_store(60);
    damages[i]();
    const Error refused = refusal();
    EXPECT_EQ(refused.code, Code::internal) << i;
    EXPECT_THAT(refused.message, HasSubstr("records are lost")) << i;
    EXPECT_THAT(refused.message, HasSubstr("--accept-store-loss")) << i;
    EXPECT_EQ(refusal().message, refused.message) << i << ": the second time as the first";
  }
}

TEST_F(EmbeddedLoss, AFileThatIsGoneEmptyOrTruncatedIsRefused) {
  for (const int size : {-1, 0, 50, 5000}) {
    for (const char* suffix : {"-wal", "", ".mark"}) fs::remove(path_ + suffix);
    make_store(60);
    ASSERT_TRUE(open());  // an orderly end: all of it is in the file
    ASSERT_FALSE(fs::exists(path_ + "-wal"));
    if (size < 0)
      fs::remove(path_);
    else
      fs::resize_file(path_, static_cast<std::uintmax_t>(size));
    EXPECT_EQ(refusal().code, Code::internal) << size;
    EXPECT_EQ(fs::exists(path_), size >= 0) << "nothing was made";
  }
}

TEST_F(EmbeddedLoss, AnEmptyFileBesideALogIsRefusedWithoutAMark) {
  make_store(3);
  fs::remove(path_ + ".mark");
  fs::resize_file(path_, 0);
  EXPECT_THAT(refusal().message, HasSubstr("records are lost"));
  EXPECT_GT(fs::file_size(path_ + "-wal"), 0u);
}

TEST_F(EmbeddedLoss, AnotherStoresFileIsRefused) {
  make_store(5);
  ASSERT_TRUE(open());
  const std::string other = directory_ + "/other.db";
  make_store(50, other);
  for (const char* suffix : {"", "-wal"})
    fs::copy_file(other + suffix, path_ + suffix, fs::copy_options::overwrite_existing);
  EXPECT_THAT(refusal().message, HasSubstr("that of another store"));
}

TEST_F(EmbeddedLoss, TheOperatorsWordGoesOnWithWhatIsLeftAndRevisionsGoOn) {
  make_store(60);
  const Revision last = EmbeddedMark::open(path_ + ".mark")->content()->revision;
  fs::resize_file(path_ + "-wal", fs::file_size(path_ + "-wal") / 2);
  {
    const auto store = open(true);
    ASSERT_TRUE(store) << store.error().message;
    EXPECT_TRUE(has(**store, "/5"));
    EXPECT_FALSE(has(**store, "/59"));
    EXPECT_GT(*commit(**store, {Op::create("/new", "")}), last);
  }
  EXPECT_TRUE(open()) << "once is enough";
  fs::remove(path_);
  {
    const auto store = open(true);
    ASSERT_TRUE(store) << store.error().message;
    EXPECT_FALSE(has(**store, "/5"));
  }
  EXPECT_TRUE(open());
}

TEST_F(EmbeddedLoss, AStoreWithoutAMarkGetsOne) {
  make_store(10);
  fs::remove(path_ + ".mark");
  ASSERT_TRUE(open());
  std::ofstream(path_ + ".mark") << "garbage";
  ASSERT_TRUE(open());
  const auto mark = EmbeddedMark::open(path_ + ".mark");
  ASSERT_TRUE(mark && mark->content());
  fs::remove(path_);
  EXPECT_EQ(refusal().code, Code::internal);
}

TEST_F(EmbeddedLoss, AMarkWithOneTornSlotSaysWhatTheOtherDoes) {
  make_store(10);
  const auto before = EmbeddedMark::open(path_ + ".mark")->content();
  for (const int slot : {0, 1}) {
    make_store(10, directory_ + fmt::format("/torn{}.db", slot));
    const std::string mark = directory_ + fmt::format("/torn{}.db.mark", slot);
    flip_bit(mark, static_cast<std::size_t>(64 * slot + 40));
    const auto torn = EmbeddedMark::open(mark);
    ASSERT_TRUE(torn && torn->content()) << slot;
    EXPECT_GE(torn->content()->revision + 1, before->revision) << slot;
  }
}

// A healthy store is never refused, whenever its process is killed.
TEST_F(EmbeddedLoss, KillsAtAnyMomentAreNotRefused) {
  for (int round = 0; round < 40; ++round) {
    const pid_t child = ::fork();
    if (child == 0) {
      Loop loop;
      auto database = EmbeddedDatabase::open(loop, path_, 0ms);
      if (!database) ::_exit(1);
      const auto store = (*database)->session();
      const std::string folder = fmt::format("/{}", round);
      store->commit({Op::create(folder, "")}, [](const auto&) {});
      for (int i = 0;; ++i) {
        bool answered = false;
        store->commit({Op::create(fmt::format("{}/{}", folder, i), std::string(300, 'x'))}, [&](const auto& done) {
          if (!done) ::_exit(2);
          answered = true;
        });
        if (!loop.run_until([&] { return answered; }, 30s)) ::_exit(3);
      }
    }
    ::usleep(static_cast<useconds_t>(1'000 + round * 1'700));
    ASSERT_EQ(::kill(child, SIGKILL), 0);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status)) << "it ended by itself with " << WEXITSTATUS(status) << " in round " << round;
    if (round % 8 == 7) {
      const auto store = open();
      ASSERT_TRUE(store) << store.error().message;
    }
  }
}

// --- backups ----------------------------------------------------------------------------------------------------------

TEST_F(EmbeddedLoss, ABackupOfAStoreInUseIsRestoredInItsPlace) {
  Revision last = 0;
  const std::string saved = directory_ + "/saved";
  {
    const auto store = *open();
    for (int i = 0; i < 100; ++i)
      ASSERT_TRUE(commit(*store, {Op::create(fmt::format("/{}", i), std::string(3000, 'v'))}));
    ASSERT_TRUE(commit(*store, {Op::create_ephemeral("/e", "")}));
    // Commits go on while it is made.
    std::optional<Result<UniqueFd>> copy;
    store->backup([&](Result<UniqueFd> result) { copy = std::move(result); });
    int during = 0;
    while (!copy) ASSERT_TRUE(commit(*store, {Op::create(fmt::format("/during{}", during++), "")}));
    ASSERT_TRUE(*copy) << copy->error().message;
    save(**copy, saved);
    EXPECT_FALSE(fs::exists(path_ + ".backup"));
    ASSERT_TRUE(commit(*store, {Op::create("/after", "")}));
    last = *commit(*store, {Op::set("/0", "changed")});
  }
  EXPECT_EQ(bytes_of(saved)[18], 1) << "it needs no log";

  // All the ways in which the store was lost, and the log of the lost one may lie about.
  for (const bool with_log : {false, true}) {
    fs::copy_file(saved, path_, fs::copy_options::overwrite_existing);
    if (with_log) {
      make_store(5, directory_ + "/lost.db");
      fs::copy_file(directory_ + "/lost.db-wal", path_ + "-wal", fs::copy_options::overwrite_existing);
    }
    const auto store = open();
    ASSERT_TRUE(store) << store.error().message;
    EXPECT_TRUE(has(**store, "/99"));
    EXPECT_FALSE(has(**store, "/e"));
    EXPECT_FALSE(has(**store, "/after"));
    EXPECT_GT(*commit(**store, {Op::create("/restored", "")}), last) << "revisions never go back";
  }
  ASSERT_TRUE(open()) << "once restored, it is a store like any other";
}

TEST_F(EmbeddedLoss, ABackupIsAStoreOfItsOwnElsewhere) {
  const std::string saved = directory_ + "/saved";
  std::string identity;
  {
    const auto store = *open();
    identity = store->identity();
    ASSERT_TRUE(commit(*store, {Op::create("/a", "")}));
    save(*back_up(*store), saved);
    save(*back_up(*store), saved);  // over the one before
  }
  auto database = EmbeddedDatabase::open(loop_, saved, 0ms);
  ASSERT_TRUE(database) << database.error().message;
  const auto store = (*database)->session();
  EXPECT_TRUE(has(*store, "/a"));
  EXPECT_EQ(store->identity(), identity);
}

TEST_F(EmbeddedLoss, AnOlderCopyThatIsNoBackupIsRefused) {
  make_store(10);
  ASSERT_TRUE(open());
  const std::string copy = directory_ + "/copy.db";
  fs::copy_file(path_, copy);
  ASSERT_TRUE(commit(**open(), {Op::create("/later", "")}));
  fs::copy_file(copy, path_, fs::copy_options::overwrite_existing);
  EXPECT_THAT(refusal().message, HasSubstr("ends at commit"));
}

TEST_F(EmbeddedLoss, AStoreInMemoryHasNoBackup) {
  const auto store = (*EmbeddedDatabase::open(loop_, ":memory:", 0ms))->session();
  const auto copy = back_up(*store);
  ASSERT_FALSE(copy);
  EXPECT_EQ(copy.error().code, Code::invalid);
}

TEST_F(EmbeddedLoss, AStoreThatEndsDuringABackupLeavesNothingBehind) {
  {
    const auto store = *open();
    ASSERT_TRUE(commit(*store, {Op::create("/a", std::string(900'000, 'v'))}));
    store->backup([](const auto&) { ADD_FAILURE() << "the caller is gone"; });
    bool turned = false;
    loop_.post([&] { turned = true; });
    ASSERT_TRUE(loop_.run_until([&] { return turned; }, 10s));
  }
  EXPECT_FALSE(loop_.run_until([] { return false; }, 10ms));
  EXPECT_FALSE(fs::exists(path_ + ".backup"));
  EXPECT_TRUE(open());
}

}  // namespace
}  // namespace midonet::store::embedded_loss_test
