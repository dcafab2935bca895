#include "programs/systemd.h"

#include <gtest/gtest.h>

#include "programs/notify_socket.h"

namespace midonet::programs::systemd_test {
namespace {

TEST(Systemd, IsToldAtThePathThatItNames) {
  const TemporaryDirectory directory;
  NotifySocket socket(directory / "notify");
  ASSERT_TRUE(notify_systemd(socket.name().c_str(), "READY=1"));
  EXPECT_EQ(socket.receive(), "READY=1");
}

TEST(Systemd, IsToldAtAnAbstractName) {
  NotifySocket socket(fmt::format("@midonet-test-{}", ::getpid()));
  ASSERT_TRUE(notify_systemd(socket.name().c_str(), "READY=1"));
  EXPECT_EQ(socket.receive(), "READY=1");
}

TEST(Systemd, NobodyIsToldWhenNobodyAsks) {
  EXPECT_TRUE(notify_systemd(nullptr, "READY=1"));
  EXPECT_TRUE(notify_systemd("", "READY=1"));
}

TEST(Systemd, ANameThatLeadsNowhereIsAnErrorThatSaysWhich) {
  const TemporaryDirectory directory;
  const Status absent = notify_systemd((directory / "absent").c_str(), "READY=1");
  ASSERT_FALSE(absent);
  EXPECT_NE(absent.error().message.find("/absent"), std::string::npos) << absent.error().message;
  for (const std::string& name : {std::string("@"), std::string(200, 'x')}) {
    const Status told = notify_systemd(name.c_str(), "READY=1");
    ASSERT_FALSE(told);
    EXPECT_EQ(told.error().code, Code::invalid);
  }
}

}  // namespace
}  // namespace midonet::programs::systemd_test
