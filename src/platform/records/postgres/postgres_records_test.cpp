#include "platform/records/postgres/postgres_records.h"

#include <libpq-fe.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>

#include "platform/records/records_contract.h"

namespace mailhold::records {
namespace {

namespace fs = std::filesystem;

constexpr const char* programs = "/usr/lib/postgresql/15/bin/";
constexpr uid_t nobody = 65534;

Deadline soon() { return Deadline::after(std::chrono::seconds(20)); }

// A server of our own on a unix socket in a temporary folder, run as nobody when we are root; it ends with us.
class Cluster {
 public:
  Cluster() {
    if (::access((std::string(programs) + "initdb").c_str(), X_OK) != 0) return;
    std::string pattern = "/tmp/mailhold-pg-XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
    if (::geteuid() == 0 && ::chown(folder_.c_str(), nobody, nobody) != 0) return;
    const pid_t initdb = start({"initdb", "-D", data(), "-U", "mailhold", "-A", "trust", "-N", "--no-instructions"});
    int status = 1;
    ::waitpid(initdb, &status, 0);
    if (status != 0) return;
    start_server();
  }
  ~Cluster() {
    stop_server(SIGINT);
    if (!folder_.empty()) fs::remove_all(folder_);
  }

  bool is_there() const { return server_ > 0; }
  std::string address(const std::string& database) const {
    return "postgresql:///" + database + "?host=" + folder_.string() + "&user=mailhold";
  }
  void start_server() {
    server_ = start({"postgres", "-D", data(), "-k", folder_.string(), "-c", "listen_addresses=", "-c", "fsync=off"});
    for (int i = 0; i < 300 && PQping(address("postgres").c_str()) != PQPING_OK; ++i) ::usleep(20'000);
  }
  void stop_server(int signal) {
    if (server_ <= 0) return;
    ::kill(server_, signal);
    ::waitpid(server_, nullptr, 0);
    server_ = -1;
  }

 private:
  std::string data() const { return (folder_ / "data").string(); }

  static pid_t start(const std::vector<std::string>& words) {
    const pid_t child = ::fork();
    if (child != 0) return child;
    if (::geteuid() == 0 && (::setgid(nobody) != 0 || ::setuid(nobody) != 0)) ::_exit(126);
    ::prctl(PR_SET_PDEATHSIG, SIGINT);
    if (::freopen("/dev/null", "w", stdout) == nullptr || ::freopen("/dev/null", "w", stderr) == nullptr) ::_exit(126);
    std::vector<char*> arguments;
    for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    const std::string program = programs + words[0];
    if (::chdir("/") == 0) ::execv(program.c_str(), arguments.data());
    ::_exit(127);
  }

  fs::path folder_;
  pid_t server_ = -1;
};

Cluster& cluster() {
  static Cluster the_one;
  return the_one;
}

class PostgresSource final : public RecordsSource {
 public:
  std::string empty_database() override {
    static int serial = 0;
    const std::string name = "test" + std::to_string(++serial);
    auto server = *open(cluster().address("postgres"), soon());
    EXPECT_TRUE(server->execute("CREATE DATABASE " + name, {}, soon()));
    return cluster().address(name);
  }
};

std::unique_ptr<RecordsSource> postgres_source() {
  if (!cluster().is_there()) return nullptr;
  return std::make_unique<PostgresSource>();
}
INSTANTIATE_TEST_SUITE_P(Postgres, RecordsContract, testing::Values(postgres_source));

class PostgresRecords : public RecordsContract {};
INSTANTIATE_TEST_SUITE_P(Postgres, PostgresRecords, testing::Values(postgres_source));

TEST_P(PostgresRecords, a_server_that_went_away_is_unavailable_and_comes_back) {
  cluster().stop_server(SIGQUIT);
  EXPECT_EQ(add(*records, "a", "one", 1).error().kind, ErrorKind::unavailable);
  EXPECT_EQ(add(*records, "a", "one", 1).error().kind, ErrorKind::unavailable);
  cluster().start_server();
  EXPECT_TRUE(add(*records, "a", "one", 1));
}

TEST_P(PostgresRecords, an_error_does_not_tell_the_address_or_a_value) {
  ASSERT_TRUE(add(*records, "a", "alice@example.test", 1));
  EXPECT_EQ(add(*records, "b", "alice@example.test", 1).error().detail.find("alice"), std::string::npos);
  const auto refused = open("postgresql://someone:password@127.0.0.1:1/x", soon);
  EXPECT_EQ(refused.error().kind, ErrorKind::unavailable);
  EXPECT_EQ(refused.error().detail.find("password"), std::string::npos);
}

}  // namespace
}  // namespace mailhold::records
