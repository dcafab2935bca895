// midonet, the program, at an API with logins (`--auth users`).
#include <sys/stat.h>

#include "base/json.h"
#include "programs/midonet_fixture.h"

namespace midonet::programs::midonet_login_test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

// Of the password "secret".
const std::string alice =
    "alice:$6$rounds=1000$abcdefgh$nhYjN017qxiYztzyUpZtPnUQcnLy62KsunSLHNeLahp2EHPlAKmFFlrjEwSXGo2kgY5hR2."
    "peKEg2VGUqIJJu1\n";

std::string secret_file(const std::string& path, const std::string& text) {
  write_file(path, text);
  ::chmod(path.c_str(), 0600);
  return path;
}

api::AuthOptions users(const std::string& file) {
  api::AuthOptions auth;
  auth.kind = api::AuthOptions::Kind::users;
  auth.users_file = secret_file(file, alice);
  return auth;
}

struct UsersFile {
  TemporaryDirectory users_directory;
};

struct MidonetLogin : UsersFile, Midonet {
  MidonetLogin() : Midonet(users(users_directory / "users")) {}

  // With these variables, and none that this process has.
  Ended with(std::vector<std::string> variables, std::vector<std::string> arguments) {
    std::vector<std::string> all{"/usr/bin/env", "-i"};
    all.insert(all.end(), variables.begin(), variables.end());
    all.insert(all.end(), {MIDONET_PROGRAM, "--api", url, "--socket", socket});
    all.insert(all.end(), arguments.begin(), arguments.end());
    return run(all);
  }
  void lists(const std::vector<std::string>& variables, std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), {"host", "list"});
    const Ended ended = with(variables, arguments);
    EXPECT_EQ(ended.status, 0) << ended.err;
    EXPECT_THAT(ended.out, HasSubstr("cmp1"));
    EXPECT_EQ(ended.err, "");
  }
  void refused(int status, const std::string& message, const std::vector<std::string>& variables,
               std::vector<std::string> arguments) {
    arguments.insert(arguments.end(), {"host", "list"});
    const Ended ended = with(variables, arguments);
    EXPECT_EQ(ended.status, status);
    EXPECT_EQ(ended.out, "");
    EXPECT_THAT(ended.err, AllOf(HasSubstr(message), Not(HasSubstr("secret"))));
    EXPECT_EQ(std::count(ended.err.begin(), ended.err.end(), '\n'), 1) << ended.err;
  }

  const std::string password = secret_file(directory / "password", "secret\n");
};

TEST_F(MidonetLogin, TakesUserAndPasswordFromWhereTheyAre) {
  lists({}, {"--user", "alice", "--password-file", password});
  lists({"MIDONET_USER=alice", "MIDONET_PASSWORD=secret"}, {});
  lists({"MIDONET_PASSWORD=wrong"}, {"--user", "alice", "--password-file", password});
  lists({"OS_USERNAME=alice", "OS_PASSWORD=secret", "OS_PROJECT_NAME=admin"}, {});
  lists({"OS_USERNAME=bob", "OS_PASSWORD=other", "MIDONET_USER=alice", "MIDONET_PASSWORD=secret"}, {});
  write_file(directory / "conf", "user = alice\npassword-file = " + password + "\n");
  lists({}, {"--config", directory / "conf"});
}

TEST_F(MidonetLogin, DoesAllThatItDoesElsewhere) {
  const std::vector<std::string> who{"MIDONET_USER=alice", "MIDONET_PASSWORD=secret"};
  const Ended created = with(who, {"bridge", "create", "web", "--id", web});
  EXPECT_EQ(created.out, web + "\n") << created.err;
  EXPECT_EQ(with(who, {"port", "create", "web", "--id", port1}).out, port1 + "\n");
  EXPECT_EQ(with(who, {"attach", port1, "cmp1", "tap1", "--wait", "10"}).status, 0);
  EXPECT_THAT(with(who, {"status"}).out, HasSubstr("1 active"));
  EXPECT_EQ(with(who, {"bridge", "delete", "web", "--with-ports"}).status, 0);
  std::vector<std::string> variables = who;
  variables.push_back("MIDONET_API=" + url);
  std::vector<std::string> complete{"/usr/bin/env",  "-i",         variables[0], variables[1], variables[2],
                                    MIDONET_PROGRAM, "__complete", "host",       "show",       "cm"};
  EXPECT_EQ(run(complete).out, "cmp1\ncmp2\n");
}

TEST_F(MidonetLogin, TakesATokenInstead) {
  const Ended got =
      run({"/bin/sh", "-c",
           "exec curl -s -X POST -u alice:secret \"$0/midonet-api/login\" | sed 's/.*\"key\":\"\\([^\"]*\\)\".*/\\1/'",
           url});
  const std::string token = got.out.substr(0, got.out.find('\n'));
  ASSERT_FALSE(token.empty());
  ASSERT_EQ(token.find(' '), std::string::npos) << token;
  lists({}, {"--token", token});
  lists({"MIDONET_TOKEN=" + token}, {});
  lists({"OS_TOKEN=" + token}, {});
  refused(3, "The token is not valid (any more). Set another --token or MIDONET_TOKEN",
          {"MIDONET_TOKEN=" + token + "x"}, {});
  refused(1, "the token is none", {"MIDONET_TOKEN=a b"}, {});
}

TEST_F(MidonetLogin, SaysWhatToSet) {
  refused(3, "needs a login: set --user and --password-file (or MIDONET_USER and MIDONET_PASSWORD), or MIDONET_TOKEN",
          {}, {});
  refused(3, "cannot log in at " + url + "/midonet-api as 'alice': ", {"MIDONET_USER=alice", "MIDONET_PASSWORD=wrong"},
          {});
  refused(3, "Set --user, --password-file (or MIDONET_PASSWORD)", {"MIDONET_USER=bob", "MIDONET_PASSWORD=wrong"}, {});
  refused(1, "the password of 'alice' is missing: say --password-file FILE, or set MIDONET_PASSWORD", {},
          {"--user", "alice"});
  ::chmod(password.c_str(), 0644);
  refused(3, "chmod 600 " + password, {}, {"--user", "alice", "--password-file", password});
  refused(2, "password file /nowhere: No such file", {}, {"--user", "alice", "--password-file", "/nowhere"});
  EXPECT_THAT(with({}, {"--password", "secret", "host", "list"}).err, HasSubstr("--password"));
}

// Of an API without logins: the password does not leave the process.
TEST_F(Midonet, ShowsNoPasswordToAnApiThatDoesNotAsk) {
  const Ended ended = run(
      {"/usr/bin/env", "-i", "OS_USERNAME=alice", "OS_PASSWORD=secret", MIDONET_PROGRAM, "--api", url, "host", "list"});
  EXPECT_EQ(ended.status, 0) << ended.err;
  const Ended metrics = run({"/usr/bin/curl", "-s", url + "/metrics"});
  EXPECT_THAT(metrics.out, AllOf(HasSubstr("route=\"/midonet-api/hosts\""), Not(HasSubstr("login"))));
}

}  // namespace
}  // namespace midonet::programs::midonet_login_test
