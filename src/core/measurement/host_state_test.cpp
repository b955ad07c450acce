#include "core/measurement/host_state.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "corpora.h"

namespace mailhold::measurement {
namespace {

namespace fs = std::filesystem;
constexpr Milliseconds now = 1'766'441'234'567;

class State : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = "/tmp/mailhold-state-XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder = name;
    path = folder / "state";
  }
  void TearDown() override { fs::remove_all(folder); }
  ErrorKind refusal(Milliseconds at = now) const {
    const auto read = read_state(path, at);
    return read ? ErrorKind::bug : read.error().kind;
  }
  fs::path folder;
  fs::path path;
};

const std::vector<Finding> an_agent = {{Finding::Kind::unknown_program, "/opt/orion"},
                                       {Finding::Kind::unknown_listener, "tcp 0:443"}};

TEST_F(State, names_no_path_and_comes_back_as_written) {
  const HostState state = state_of(an_agent, now);
  EXPECT_EQ(state.encode().find("orion"), std::string::npos);
  const auto back = HostState::parse(state.encode());
  ASSERT_TRUE(back);
  EXPECT_EQ(back->time, now);
  ASSERT_EQ(back->findings.size(), 2U);
  EXPECT_EQ(back->findings[1].kind, Finding::Kind::unknown_listener);
  EXPECT_EQ(back->findings[0].subject, "29c38ce86a9271c938d89406b9e432151c2e70531ddff00557f11c1ed9604050");
}

TEST_F(State, is_refused_when_it_is_not_exactly_what_is_written) {
  const std::string good = state_of(an_agent, now).encode();
  EXPECT_TRUE(HostState::parse(good));
  for (const std::string& bad :
       {std::string(), good + "x", good.substr(0, good.size() - 1), "x" + good, std::string("mailhold-host-state-1\ntime\t-1\n"),
        std::string("mailhold-host-state-1\ntime\t007\n"),
        std::string("mailhold-host-state-1\ntime\t1\nfinding\tunknown thing\t") + std::string(64, 'a') + "\n",
        std::string("mailhold-host-state-1\ntime\t1\nfinding\tunknown unit\t") + std::string(63, 'a') + "\n"})
    EXPECT_FALSE(HostState::parse(bad)) << bad;
}

TEST_F(State, holds_no_more_findings_than_it_may) {
  const std::vector<Finding> many(1000, an_agent.front());
  EXPECT_EQ(HostState::parse(state_of(many, now).encode())->findings.size(), state_findings_max);
}

TEST_F(State, counts_for_a_minute) {
  EXPECT_EQ(refusal(), ErrorKind::not_found);
  ASSERT_TRUE(write_state(path, state_of({}, now)));
  EXPECT_TRUE(read_state(path, now)->findings.empty());
  EXPECT_TRUE(read_state(path, now + state_age_max));
  EXPECT_EQ(refusal(now + state_age_max + 1), ErrorKind::timed_out);
  EXPECT_EQ(refusal(now - 60'000), ErrorKind::timed_out) << "a state of a time to come";
}

TEST_F(State, the_newest_takes_the_place_of_the_one_before) {
  ASSERT_TRUE(write_state(path, state_of(an_agent, now)));
  ASSERT_TRUE(write_state(path, state_of({}, now)));
  EXPECT_TRUE(read_state(path, now)->findings.empty());
  EXPECT_EQ(std::distance(fs::directory_iterator(folder), fs::directory_iterator()), 1);
}

TEST_F(State, that_others_could_have_written_does_not_count) {
  SKIP_UNLESS(::geteuid() == 0, "the files of other users take root");
  ASSERT_TRUE(write_state(path, state_of({}, now)));
  ASSERT_EQ(::chmod(path.c_str(), 0666), 0);
  EXPECT_EQ(refusal(), ErrorKind::denied);
  ASSERT_EQ(::chmod(path.c_str(), 0644), 0);
  ASSERT_EQ(::chmod(folder.c_str(), 0777), 0);
  EXPECT_EQ(refusal(), ErrorKind::denied);
  ASSERT_EQ(::chmod(folder.c_str(), 0755), 0);
  ASSERT_EQ(::chown(path.c_str(), 60999, 60999), 0);
  EXPECT_TRUE(read_state(path, now));
  ASSERT_EQ(::seteuid(60999), 0);  // keyd itself may not be the one that writes it
  const auto own = read_state(path, now);
  ASSERT_EQ(::seteuid(0), 0);
  ASSERT_FALSE(own);
  EXPECT_EQ(own.error().kind, ErrorKind::denied);
}

TEST_F(State, a_link_or_a_folder_in_its_place_does_not_count) {
  fs::create_symlink("/etc/passwd", path);
  EXPECT_EQ(refusal(), ErrorKind::not_found);
  fs::remove(path);
  fs::create_directory(path);
  EXPECT_EQ(refusal(), ErrorKind::not_found);
}

}  // namespace
}  // namespace mailhold::measurement
