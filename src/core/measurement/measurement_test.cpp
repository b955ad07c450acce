#include "core/measurement/measurement.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

namespace mailhold::measurement {
namespace {

namespace fs = std::filesystem;

// A host in a folder: its programs, its units and a /proc of its own.
class Host : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = "/tmp/mailhold-host-XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    root = name;
    places.programs = {root / "programs"};
    places.units = {root / "units"};
    places.proc = root / "proc";
    write("programs/keyd", "the key process");
    write("programs/ledgerd", "the ledger");
    write("bin/init", "the first process");
    write("units/mailhold.service", "[Service]\n");
    run(1, "bin/init");
    run(20, "programs/keyd");
    listen("tcp", {"0100007F:0019 00000000:0000 0A", "0100007F:C350 0100007F:0019 01"});
    listen("udp", {"00000000:8001 00000000:0000 07"});
  }
  void TearDown() override { fs::remove_all(root); }

  void write(const std::string& name, const std::string& text) const {
    fs::create_directories((root / name).parent_path());
    std::ofstream(root / name, std::ios::trunc) << text;
  }
  void run(int pid, const std::string& program) const {
    fs::create_directories(places.proc / std::to_string(pid));
    fs::create_symlink(root / program, places.proc / std::to_string(pid) / "exe");
  }
  void listen(const std::string& kind, const std::vector<std::string>& sockets) const {
    std::string table = "  sl  local_address rem_address   st\n";
    for (const std::string& socket : sockets) table += "   0: " + socket + " 00000000:00000000\n";
    write("proc/net/" + kind, table);
  }
  std::vector<std::string> findings() const {
    std::vector<std::string> lines;
    for (const Finding& finding : compare(recorded, *measure(places), places)) {
      const std::string subject =
          finding.subject.starts_with(root.string()) ? finding.subject.substr(root.string().size()) : finding.subject;
      lines.push_back(std::string(name_of(finding.kind)) + " " + subject);
    }
    return lines;
  }
  using Lines = std::vector<std::string>;

  fs::path root;
  Places places;
  Measured recorded;
};

TEST_F(Host, as_it_was_recorded_it_has_no_findings) {
  recorded = *Measured::parse(measure(places)->encode());
  EXPECT_EQ(recorded.programs.size(), 3U);
  EXPECT_EQ(recorded.listeners, std::set<std::string>{"tcp 0100007F:25"});  // neither the connection nor the ephemeral port
  EXPECT_EQ(findings(), Lines{});
}

TEST_F(Host, T24_an_unknown_agent_is_found_by_its_program_its_unit_and_its_port) {
  recorded = *measure(places);
  write("opt/orion/agent", "not ours");
  run(77, "opt/orion/agent");
  EXPECT_EQ(findings(), Lines{"unknown program /opt/orion/agent"});
  write("units/orion.service", "[Service]\nExecStart=/opt/orion/agent\n");
  listen("tcp", {"0100007F:0019 00000000:0000 0A", "00000000:01BB 00000000:0000 0A"});
  EXPECT_EQ(findings(), (Lines{"unknown program /opt/orion/agent", "unknown unit /units/orion.service",
                               "unknown listener tcp 00000000:443"}));
}

TEST_F(Host, T24_one_changed_byte_of_a_program_or_unit_is_found) {
  recorded = *measure(places);
  write("programs/ledgerd", "the lodger");
  write("units/mailhold.service", "[Service]\nUser=root\n");
  EXPECT_EQ(findings(), (Lines{"changed program /programs/ledgerd", "changed unit /units/mailhold.service"}));
}

TEST_F(Host, T24_a_program_dropped_beside_ours_or_taken_away_is_found_though_it_does_not_run) {
  recorded = *measure(places);
  write("programs/helper", "not ours");
  fs::remove(root / "programs/ledgerd");
  EXPECT_EQ(findings(), (Lines{"unknown program /programs/helper", "missing program /programs/ledgerd"}));
}

TEST_F(Host, T24_a_link_in_the_place_of_a_unit_is_found) {
  recorded = *measure(places);
  fs::create_symlink("/opt/orion/orion.service", root / "units/orion.service");
  EXPECT_EQ(findings(), Lines{"unknown unit /units/orion.service"});
}

TEST_F(Host, what_stopped_running_or_listening_is_no_finding) {
  recorded = *measure(places);
  fs::remove_all(places.proc / "1");
  listen("tcp", {});
  fs::remove(root / "units/mailhold.service");
  EXPECT_EQ(findings(), Lines{});
}

TEST_F(Host, a_malformed_list_is_refused) {
  const std::string text = measure(places)->encode();
  for (const std::string& bad : {std::string(), std::string("mailhold-host-2\n"), text + "x", text + "program\tx\n",
                                 text.substr(0, text.size() - 1), text + "listener\ttcp 0100007F:25\n"}) {
    EXPECT_FALSE(Measured::parse(bad)) << bad;
  }
}

// On the real /proc: a copy of a program of this machine, started from a new place.
TEST(RealHost, T24_a_program_that_was_not_there_is_found_while_it_runs) {
  Places places;
  places.units = {};
  const auto recorded = measure(places);
  ASSERT_TRUE(recorded) << recorded.error().detail;
  std::string folder = "/tmp/mailhold-agent-XXXXXX";
  ASSERT_NE(::mkdtemp(folder.data()), nullptr);
  const std::string agent = folder + "/agent";
  fs::copy_file("/bin/sleep", agent);
  const pid_t child = ::fork();
  if (child == 0) {
    ::execl(agent.c_str(), agent.c_str(), "60", nullptr);
    ::_exit(1);
  }
  bool found = false;
  for (int attempt = 0; attempt < 200 && !found; ++attempt) {  // until it has become the agent
    const auto now = measure(places);
    for (const Finding& finding : compare(*recorded, *now, places)) found = found || finding.subject == agent;
  }
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  fs::remove_all(folder);
  EXPECT_TRUE(found);
}

}  // namespace
}  // namespace mailhold::measurement
