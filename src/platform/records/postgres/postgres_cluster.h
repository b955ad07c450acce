// PostgresCluster: a PostgreSQL server for one test program. For tests only.
#pragma once

#include <gtest/gtest.h>
#include <libpq-fe.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <string>
#include <vector>

#include "platform/records/records.h"

namespace mailhold::records {

// A server of our own on a unix socket in a temporary folder, run as nobody when we are root; it ends with us.
class PostgresCluster {
 public:
  PostgresCluster() {
    if (::access((programs() + "initdb").c_str(), X_OK) != 0) return;
    std::string pattern = "/tmp/mailhold-pg-XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
    if (::geteuid() == 0 && ::chown(folder_.c_str(), nobody, nobody) != 0) return;
    const pid_t initdb = start({"initdb", "-D", data(), "-U", "mailhold", "-A", "trust", "-N", "--no-instructions"});
    int status = 1;
    ::waitpid(initdb, &status, 0);
    if (status != 0) return;
    start_server();
  }
  ~PostgresCluster() {
    stop_server(SIGINT);
    if (!folder_.empty()) std::filesystem::remove_all(folder_);
  }

  bool is_there() const { return server_ > 0; }
  std::string address(const std::string& database) const {
    return "postgresql:///" + database + "?host=" + folder_.string() + "&user=mailhold";
  }
  // The address of a new one.
  std::string empty_database() {
    const std::string name = "test" + std::to_string(++databases_);
    const Deadline soon = Deadline::after(std::chrono::seconds(20));
    const auto server = open(address("postgres"), soon);
    EXPECT_TRUE(server && (*server)->execute("CREATE DATABASE " + name, {}, soon));
    return address(name);
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
  // From the private tree that tests/peers/unpack made, if there is one: installing the package would start a service.
  static std::string private_tree() {
    const char* tree = std::getenv("MAILHOLD_POSTGRESQL");
    return tree == nullptr ? "" : tree;
  }
  static std::string programs() { return private_tree() + "/usr/lib/postgresql/15/bin/"; }
  static constexpr uid_t nobody = 65534;
  std::string data() const { return (folder_ / "data").string(); }

  static pid_t start(const std::vector<std::string>& words) {
    const pid_t child = ::fork();
    if (child != 0) return child;
    if (::geteuid() == 0 && (::setgid(nobody) != 0 || ::setuid(nobody) != 0)) ::_exit(126);
    ::prctl(PR_SET_PDEATHSIG, SIGINT);
    if (::freopen("/dev/null", "w", stdout) == nullptr || ::freopen("/dev/null", "w", stderr) == nullptr) ::_exit(126);
    // Its whole path is its name too: by a bare one it would look for its companions among the machine's own programs.
    const std::string program = programs() + words[0];
    std::vector<char*> arguments{const_cast<char*>(program.c_str())};
    for (std::size_t i = 1; i < words.size(); ++i) arguments.push_back(const_cast<char*>(words[i].c_str()));
    arguments.push_back(nullptr);
    if (!private_tree().empty()) ::setenv("LD_LIBRARY_PATH", (private_tree() + "/usr/lib/x86_64-linux-gnu").c_str(), 1);
    if (::chdir("/") == 0) ::execv(program.c_str(), arguments.data());
    ::_exit(127);
  }

  std::filesystem::path folder_;
  pid_t server_ = -1;
  int databases_ = 0;
};

}  // namespace mailhold::records
