#include "core/store/trace_log.h"

#include <fstream>

#include "core/store/store_fixture.h"

namespace mailhold::store {
namespace {

using segments::Visit;

class TraceLogTest : public StoreFixture {
 protected:
  std::filesystem::path folder() { return settings.folder / "trace"; }
  std::unique_ptr<TraceLog> open_log() { return *TraceLog::open(folder(), "eu", keys); }
  TraceEvent event(Milliseconds time, const std::string& text) { return {tenant, Id::random(), time, {"delivered", text}}; }
  std::vector<std::string> texts(TraceLog& log, Id of) {
    std::vector<std::string> found;
    EXPECT_TRUE(log.scan(
        of,
        [&found](const TraceView& view) {
          found.emplace_back(view.fields[1]);
          return Visit::go_on;
        },
        soon()));
    return found;
  }
};

TEST_F(TraceLogTest, gives_the_newest_first_and_only_the_own_tenants) {
  auto log = open_log();
  const Id other = Id::random();
  ASSERT_TRUE(log->append({event(1, "a"), event(2, "b"), {other, Id::random(), 3, {"x", "other"}}}, soon()));
  ASSERT_TRUE(log->append({event(4, "c")}, soon()));
  EXPECT_EQ(texts(*log, tenant), (std::vector<std::string>{"c", "b", "a"}));
  EXPECT_EQ(texts(*log, other), (std::vector<std::string>{"other"}));
  log.reset();
  log = open_log();
  ASSERT_TRUE(log->append({event(5, "d")}, soon()));
  EXPECT_EQ(texts(*log, tenant), (std::vector<std::string>{"d", "c", "b", "a"}));
}

TEST_F(TraceLogTest, stops_when_told_and_when_time_is_up) {
  auto log = open_log();
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(log->append({event(i, std::to_string(i))}, soon()));
  int seen = 0;
  ASSERT_TRUE(log->scan(tenant, [&seen](const TraceView&) { return ++seen == 3 ? Visit::stop : Visit::go_on; }, soon()));
  EXPECT_EQ(seen, 3);
  EXPECT_EQ(log->scan(
                   tenant, [](const TraceView&) { return Visit::go_on; }, Deadline::after(std::chrono::milliseconds(0)))
                .error()
                .kind,
            ErrorKind::timed_out);
}

TEST_F(TraceLogTest, holds_no_word_in_clear_and_steps_over_damage) {
  auto log = open_log();
  ASSERT_TRUE(log->append({event(1, "alice@example.test")}, soon()));
  ASSERT_TRUE(log->append({event(2, "bob@example.test")}, soon()));
  ASSERT_TRUE(log->append({event(3, "carol@example.test")}, soon()));
  log.reset();
  for (const auto& entry : std::filesystem::directory_iterator(folder())) {
    std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
    const std::string bytes(std::istreambuf_iterator<char>(file), {});
    EXPECT_EQ(bytes.find("example"), std::string::npos);
    file.clear();
    file.seekp(static_cast<std::streamoff>(bytes.size() / 2));
    file << "damage";
  }
  log = open_log();
  EXPECT_EQ(texts(*log, tenant), (std::vector<std::string>{"carol@example.test", "alice@example.test"}));
}

TEST_F(TraceLogTest, refuses_an_event_that_is_too_large) {
  auto log = open_log();
  EXPECT_EQ(log->append({event(1, std::string(70'000, 'x'))}, soon()).error().kind, ErrorKind::limit_exceeded);
  TraceEvent many = event(1, "a");
  many.fields.resize(65);
  EXPECT_EQ(log->append({many}, soon()).error().kind, ErrorKind::limit_exceeded);
}

TEST_F(TraceLogTest, removes_whole_segments_that_are_old) {
  for (int life = 0; life < 3; ++life) ASSERT_TRUE(open_log()->append({event(life * 100, std::to_string(life))}, soon()));
  auto log = open_log();
  EXPECT_EQ(*log->remove_older_than(100), 1U);
  EXPECT_EQ(texts(*log, tenant), (std::vector<std::string>{"2", "1"}));
}

TEST_F(TraceLogTest, is_searched_fast) {
  auto log = open_log();
  constexpr int batches = 100, in_batch = 500;
  int serial = 0;
  for (int b = 0; b < batches; ++b) {
    std::vector<TraceEvent> events;
    for (int i = 0; i < in_batch; ++i) {
      events.push_back({tenant,
                        Id::random(),
                        ++serial,
                        {"delivered", "from" + std::to_string(serial) + "@sender.example.test",
                         "to" + std::to_string(serial % 97) + "@example.test", "Subject number " + std::to_string(serial),
                         "250 2.0.0 Ok: queued as " + std::to_string(serial), "mx1.example.test"}});
    }
    ASSERT_TRUE(log->append(events, soon()));
  }
  for (const char* state : {"first search", "next search"}) {
    const auto begin = std::chrono::steady_clock::now();
    int hits = 0, seen = 0;
    const std::uint64_t bytes = *log->scan(
        tenant,
        [&](const TraceView& view) {
          ++seen;
          hits += view.fields[2] == "to42@example.test";
          return Visit::go_on;
        },
        soon());
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    EXPECT_EQ(seen, batches * in_batch);
    EXPECT_GT(hits, 500);
    std::printf("trace, %s: %d events of %.1f MB in %.0f ms, %.0f MB/s\n", state, seen, double(bytes) / 1e6, seconds * 1e3,
                double(bytes) / 1e6 / seconds);
  }
}

}  // namespace
}  // namespace mailhold::store
