// What cannot be written holds up nothing else: odd names of interfaces, and records that the store refuses.
#include "agent/publish/report.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "agent/testbed.h"
#include "base/json.h"
#include "model/paths.h"

namespace midonet::agent::report_test {
namespace {

namespace paths = model::paths;
using model::PortState;

Uuid id(int n) { return *Uuid::parse(fmt::format("{:08x}-0000-4000-8000-000000000000", n)); }
const Uuid net = id(900);

class Publishing : public testing::Test {
 protected:
  Publishing() {
    bed.create_bridge(net);
    bed.start();
    EXPECT_TRUE(bed.settle());
    for (int n = 1; n <= 3; ++n) {
      EXPECT_TRUE(bed.create_port(id(n), net));
      bed.links.add(fmt::format("tap{}", n));
      EXPECT_TRUE(bed.attach(id(n), fmt::format("tap{}", n)));
    }
    EXPECT_TRUE(bed.settle());
  }
  bool is(int n, PortState state) {
    const auto status = bed.status(id(n));
    return status && status->state == state;
  }
  bool warns(const std::string& of) {
    const auto all = bed.agent->warnings();
    return std::any_of(all.begin(), all.end(), [&](const std::string& one) { return one.find(of) != one.npos; });
  }

  Testbed bed;
};

TEST_F(Publishing, InterfacesWhoseNamesNoPathCanHoldAreLeftOutAndSaid) {
  const std::vector<std::pair<std::string, std::string>> odd = {
      {"vpn\U0001f427", R"(vpn\xf0\x9f\x90\xa7)"},  // beyond 16 bits
      {"eth\xff\xfe", R"(eth\xff\xfe)"},            // not UTF-8
      {"a\x01z", R"(a\x01z)"},                      // a control character
      {"b\xc2\x85", R"(b\xc2\x85)"},                // one of Unicode's (U+0085)
      {"c\xee\x80\x80", R"(c\xee\x80\x80)"}};       // private use (U+E000)
  for (const auto& [name, text] : odd) bed.links.add(name);
  bed.links.add("näme");
  bed.links.change("tap1", [](netlink::Link& link) { link.up = false; });
  EXPECT_TRUE(bed.until([&] { return is(1, PortState::down); }));
  EXPECT_TRUE(bed.until([&] { return bed.node(paths::interface(bed.host, "näme")).has_value(); }));
  for (const auto& [name, text] : odd) EXPECT_TRUE(warns('"' + text + '"')) << text;
  EXPECT_EQ(bed.children(paths::interfaces(bed.host)), (std::vector<std::string>{"näme", "tap1", "tap2", "tap3"}));
  EXPECT_TRUE(bed.settle()) << "nothing is tried again and again";
  for (const auto& [name, text] : odd) bed.links.remove(name);
  EXPECT_TRUE(bed.until([&] { return bed.agent->warnings().empty(); }));
}

TEST_F(Publishing, AStatusWhoseSwitchHasAnOddNameIsWritten) {
  netlink::Link& master = bed.links.add("br\xff");
  master.kind = "bridge";
  const std::uint32_t ifindex = master.ifindex;
  bed.links.change("tap1", [&](netlink::Link& link) { link.master = ifindex, link.master_kind = "bridge"; });
  EXPECT_TRUE(bed.until([&] { return is(1, PortState::error); }));
  ASSERT_TRUE(bed.status(id(1)));
  EXPECT_EQ(bed.status(id(1))->reason, R"(tap1 is a member of Linux bridge br\xff)");
}

class Refused : public Publishing, public testing::WithParamInterface<Code> {};

TEST_P(Refused, ARecordThatTheStoreRefusesHoldsUpNoOther) {
  const std::string path = paths::status(bed.host, id(1));
  bed.store->refuse_paths(path, Error{GetParam(), "not this one"});
  for (int n = 1; n <= 3; ++n)
    bed.links.change(fmt::format("tap{}", n), [](netlink::Link& link) { link.carrier = false; });
  bed.links.add("new0");
  EXPECT_TRUE(bed.until([&] { return is(2, PortState::down) && is(3, PortState::down); }));
  EXPECT_TRUE(bed.until([&] { return bed.node(paths::interface(bed.host, "new0")).has_value(); }));
  EXPECT_TRUE(is(1, PortState::active)) << "as it was before";
  EXPECT_TRUE(bed.until([&] { return warns(path + " is not written: not this one"); }));
  // Others go on while it is refused.
  bed.links.change("tap2", [](netlink::Link& link) { link.carrier = true; });
  EXPECT_TRUE(bed.until([&] { return is(2, PortState::active); }));
  bed.store->refuse_paths("", {});
  EXPECT_TRUE(bed.until([&] { return is(1, PortState::down); }));
  EXPECT_TRUE(bed.settle());
  EXPECT_TRUE(bed.agent->warnings().empty());
}

TEST_P(Refused, AnInterfaceThatTheStoreRefusesHoldsUpNoStatus) {
  bed.store->refuse_paths("/interfaces/odd0", Error{GetParam(), "not this one"});
  bed.links.add("odd0");
  bed.links.add("even0");
  EXPECT_TRUE(bed.until([&] { return warns("/interfaces/odd0 is not written"); }));
  EXPECT_TRUE(bed.until([&] { return bed.node(paths::interface(bed.host, "even0")).has_value(); }));
  bed.links.remove("tap1");
  EXPECT_TRUE(bed.until([&] { return is(1, PortState::pending_interface); }));
  bed.links.remove("odd0");
  EXPECT_TRUE(bed.until([&] { return bed.agent->warnings().empty(); })) << "it is stale";
}

INSTANTIATE_TEST_SUITE_P(Codes, Refused,
                         testing::Values(Code::invalid, Code::conflict, Code::exhausted, Code::internal));

}  // namespace
}  // namespace midonet::agent::report_test
