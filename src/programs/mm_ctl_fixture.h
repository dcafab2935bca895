// For the tests of mm-ctl: the program, with all files that it reads in a directory of the test's own.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <string>
#include <vector>

#include "base/uuid.h"
#include "programs/child.h"

namespace midonet::programs {

inline const std::string port = "aa59815a-8c66-4c2f-9f5e-1b6b3f0f5e01";
inline const std::string other_port = "bb59815a-8c66-4c2f-9f5e-1b6b3f0f5e02";
inline const std::string bridge = "cc59815a-8c66-4c2f-9f5e-1b6b3f0f5e03";
inline const std::string host = "11111111-2222-4333-8444-555555555555";
inline const std::string other_host = "66666666-2222-4333-8444-555555555555";
inline const std::string usage =
    "usage: mm-ctl --bind-port <portId> <interfaceName>\n"
    "       mm-ctl --unbind-port <portId>\n";

inline Uuid id(const std::string& text) { return *Uuid::parse(text); }

inline std::string answer(int status, const std::string& body) {
  return fmt::format("HTTP/1.1 {} X\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{}", status,
                     body.size(), body);
}
inline const std::string no_content = "HTTP/1.1 204 No Content\r\n\r\n";

class MmCtl : public ::testing::Test {
 protected:
  MmCtl() { write_file(host_id_file, "host_uuid=" + host + "\n"); }

  std::vector<std::string> command(std::vector<std::string> arguments, const std::string& timeout = "10") {
    std::vector<std::string> all{MIDONET_MM_CTL, "--socket",  socket,  "--store",       store_uri, "--host-id-file",
                                 host_id_file,   "--timeout", timeout, "--release-tap", "no"};
    all.insert(all.end(), arguments.begin(), arguments.end());
    return all;
  }
  Child start(std::vector<std::string> arguments, const std::string& timeout = "10") {
    return Child(command(std::move(arguments), timeout), [] { ::umask(0); });
  }
  Child start_bind() { return start({"--bind-port", port, "tap0"}); }
  static void expect_silent_success(const Ended& ended) {
    EXPECT_EQ(ended.status, 0);
    EXPECT_EQ(ended.out, "");
    EXPECT_EQ(ended.err, "");
  }
  static void expect_failure(const Ended& ended, int status, const std::string& line) {
    EXPECT_EQ(ended.status, status);
    EXPECT_EQ(ended.out, "");
    EXPECT_EQ(ended.err, line + "\n");
  }

  TemporaryDirectory directory;
  const std::string socket = directory / "midolman.sock";
  const std::string database = directory / "midonet.db";
  const std::string store_uri = "embedded:" + database;
  const std::string host_id_file = directory / "host_id";
};

}  // namespace midonet::programs
