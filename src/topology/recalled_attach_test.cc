// Attaches that go on from what the process read before, as the API's do.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/latest.h"
#include "model/paths.h"
#include "store/embedded_store.h"
#include "store/flaky_store.h"
#include "store/recent.h"
#include "topology/attach.h"
#include "topology/bridges.h"
#include "topology/contradictions.h"
#include "topology/hosts.h"
#include "topology/ports.h"

namespace midonet::topology::recalled_attach_test {
namespace {

namespace paths = model::paths;
using namespace std::chrono_literals;
using store::Op;
using store::Transaction;
using ::testing::IsEmpty;

const Uuid net = *Uuid::parse("11111111-0000-4000-8000-000000000001");
const Uuid other_net = *Uuid::parse("11111111-0000-4000-8000-000000000002");
const Uuid port = *Uuid::parse("22222222-0000-4000-8000-000000000001");
const Uuid host = *Uuid::parse("aaaaaaaa-0000-4000-8000-00000000000a");
const Uuid other_host = *Uuid::parse("bbbbbbbb-0000-4000-8000-00000000000b");

Status discard(const Result<Attached>& attached) {
  if (!attached) return failed(attached);
  return {};
}

struct RecalledAttach : ::testing::Test {
  RecalledAttach() {
    auto session = std::make_unique<store::FlakyStore>([this] { return database->session(); });
    others = session.get();
    fixture.store = std::move(session);
    EXPECT_TRUE(fixture.run([](Transaction& t) -> Status {
      t.create(paths::bridges, "");
      t.create(paths::ports, "");
      t.create(paths::hosts, "");
      t.create(paths::vnis, "");
      return {};
    }));
    for (const Uuid& id : {host, other_host})
      EXPECT_TRUE(fixture.run([id](Transaction& t) { return register_host(t, id, "h"); }));
    for (const Uuid& id : {net, other_net}) make_bridge(id);
    make_port(net);
    fixture.put(paths::served_bridges(host), R"({"vtep": "192.0.2.1"})");
    remember();
  }

  // What others write, and the commit by which they do.
  std::vector<Op> change(const std::function<Status(Transaction&)>& body) {
    EXPECT_TRUE(fixture.run(body));
    return others->last_commit;
  }
  std::vector<Op> make_bridge(const Uuid& id) {
    return change([id](Transaction& t) {
      model::Bridge bridge;
      bridge.id = id;
      return create_bridge(t, bridge);
    });
  }
  std::vector<Op> make_port(const Uuid& bridge) {
    return change([bridge](Transaction& t) {
      model::Port made;
      made.id = port;
      made.bridge_id = bridge;
      return create_port(t, made);
    });
  }
  void commit(const std::vector<Op>& ops) {
    others->commit(ops, [](const Result<store::Revision>& done) { EXPECT_TRUE(done) << done.error().message; });
  }

  // Until all that an attach recalls is known as it is now.
  void remember() {
    const std::vector<std::string> nodes{paths::port(port), paths::ports, paths::served_bridges(host)};
    for (const std::string& path : nodes) recent.follow_node(path);
    recent.follow_list(paths::served_bridges(host));
    for (const std::string& path : nodes) {
      const store::NodePtr node = fixture.get(path);
      EXPECT_TRUE(fixture.loop.run_until(
          [&] {
            const store::NodePtr known = recent.get(path);
            return known && known->stat == node->stat;
          },
          10s))
          << path;
    }
    const auto served = fixture.list(paths::served_bridges(host));
    EXPECT_TRUE(fixture.loop.run_until([&] { return recent.list(paths::served_bridges(host)) == served; }, 10s));
    own.gets = own.lists = own.commits = 0;
  }
  Result<Attached> attach(const AttachRequest& request) {
    auto attached = std::make_shared<Attached>();
    std::optional<Result<store::Revision>> outcome;
    store::transact(
        own,
        [request, attached](Transaction& t) -> Status {
          const auto done = topology::attach(t, request);
          if (!done) return failed(done);
          *attached = *done;
          return {};
        },
        [&outcome](Result<store::Revision> result) { outcome = std::move(result); }, &recent);
    EXPECT_TRUE(fixture.loop.run_until([&outcome] { return outcome.has_value(); }, 10s));
    if (!*outcome) return failed(*outcome);
    return *attached;
  }
  // Between what the attach goes on from and its commit.
  void meanwhile(std::function<void()> what) {
    own.before_commit([what = std::move(what), once = true]() mutable {
      if (std::exchange(once, false)) what();
    });
  }
  model::Port record() { return *model::decode<model::Port>(*fixture.value(paths::port(port))); }

  StoreFixture fixture;
  std::shared_ptr<store::EmbeddedDatabase> database = *store::EmbeddedDatabase::open(fixture.loop, ":memory:", 0ms);
  store::FlakyStore* others = nullptr;
  store::FlakyStore own{[this] { return database->session(); }};
  store::Recent recent{fixture.loop, own};
};

TEST_F(RecalledAttach, IsOneCommitAndNoRead) {
  EXPECT_TRUE(attach({port, host, "tap0"})->changed);
  EXPECT_EQ(own.commits, 1);
  EXPECT_EQ(own.gets + own.lists, 0);
  EXPECT_EQ(record().host_id, host);
  EXPECT_THAT(contradictions(fixture), IsEmpty());
  // The bridge's hosts are told of one that is about to serve it.
  EXPECT_EQ(model::decode_latest(*fixture.value(paths::bridge_hosts(net))).size(), 1U);
}

TEST_F(RecalledAttach, TellsNobodyOfAHostThatServesTheBridge) {
  fixture.put(paths::served_bridge(host, net), "");
  remember();
  EXPECT_TRUE(attach({port, host, "tap0"}));
  EXPECT_EQ(own.gets + own.lists, 0);
  EXPECT_EQ(fixture.value(paths::bridge_hosts(net)), "");
}

TEST_F(RecalledAttach, OfAPortThatWasChangedMeanwhileKeepsTheChange) {
  model::Port changed = record();
  changed.admin_state_up = false;
  meanwhile([&] { commit({Op::set(paths::port(port), encode(changed))}); });
  EXPECT_TRUE(attach({port, host, "tap0"})->changed);
  EXPECT_FALSE(record().admin_state_up);
  EXPECT_EQ(record().host_id, host);
  EXPECT_THAT(contradictions(fixture), IsEmpty());
}

// Its record has the very version again that was recalled.
TEST_F(RecalledAttach, OfAPortThatWasMadeAnewUnderItsIdBindsTheNewOne) {
  const std::int32_t version = fixture.get(paths::port(port))->stat.version;
  const std::vector<Op> deletion = change([](Transaction& t) { return delete_port(t, port); });
  const std::vector<Op> creation = make_port(other_net);
  ASSERT_EQ(fixture.get(paths::port(port))->stat.version, version);
  change([](Transaction& t) { return delete_port(t, port); });
  make_port(net);
  remember();

  meanwhile([&] {
    commit(deletion);
    commit(creation);
  });
  EXPECT_TRUE(attach({port, host, "tap0"})->changed);
  EXPECT_EQ(own.commits, 2);
  EXPECT_EQ(record().bridge_id, other_net);
  EXPECT_EQ(record().host_id, host);
  EXPECT_THAT(contradictions(fixture), IsEmpty());
}

TEST_F(RecalledAttach, OfABridgeThatWasDeletedAndMadeAnewWithItsPortBindsTheNewOne) {
  // Both bridges go, the port with its own, and are there again; the port is in the other one now.
  const auto replace = [this](const Uuid& from, const Uuid& to) {
    std::vector<std::vector<Op>> commits;
    EXPECT_TRUE(fixture.run_steps([from](Transaction& t) { return delete_bridge(t, from); }));
    commits.push_back(others->last_commit);
    commits.push_back(make_bridge(from));
    commits.push_back(make_port(to));
    return commits;
  };
  const auto commits = replace(net, other_net);
  replace(other_net, net);
  remember();

  meanwhile([&] {
    for (const auto& ops : commits) commit(ops);
  });
  EXPECT_TRUE(attach({port, host, "tap0"})->changed);
  EXPECT_EQ(record().bridge_id, other_net);
  EXPECT_THAT(contradictions(fixture), IsEmpty());
}

TEST_F(RecalledAttach, OfAPortThatIsBoundSaysWhereItIsByNow) {
  change([](Transaction& t) { return discard(topology::attach(t, {port, other_host, "tap9"})); });
  remember();
  EXPECT_EQ(attach({port, host, "tap0"}).error().message,
            fmt::format("Port {} is already bound to interface tap9 of host {}.", port, other_host));
  EXPECT_GT(own.gets, 0) << "it was read before that was said";

  remember();
  EXPECT_TRUE(attach({port, host, "tap0", other_host})->changed);
  EXPECT_EQ(record().host_id, host);
  EXPECT_THAT(contradictions(fixture), IsEmpty());
}

}  // namespace
}  // namespace midonet::topology::recalled_attach_test
