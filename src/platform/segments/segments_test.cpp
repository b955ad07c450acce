#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <future>
#include <latch>
#include <thread>

#include "base/random.h"
#include "base/text.h"
#include "corpora.h"
#include "platform/segments/record_format.h"
#include "platform/segments/segment_reader.h"
#include "platform/segments/segment_writer.h"

namespace mailhold::segments {
namespace {

namespace fs = std::filesystem;

fs::path fresh_folder() {
  std::string pattern = testing::TempDir() + "/segments-XXXXXX";
  return ::mkdtemp(pattern.data());
}

Deadline soon() { return Deadline::after(std::chrono::seconds(20)); }

SegmentSettings settings_for(const fs::path& folder, std::uint64_t segment_bytes = 1U << 20) {
  SegmentSettings settings;
  settings.folder = folder;
  settings.segment_bytes = segment_bytes;
  settings.file_mode = 0640;
  settings.retry_after_failure = std::chrono::milliseconds(20);
  return settings;
}

Result<Location> append(SegmentWriter& writer, std::string payload, std::uint16_t type = 7) {
  std::vector<NewRecord> records;
  records.push_back({type, std::move(payload), ""});
  Result<std::vector<Location>> locations = writer.append_and_wait(std::move(records), soon());
  if (!locations) return locations.error();
  return locations->front();
}

std::vector<std::string> payloads_of(const SegmentReader& reader, std::uint64_t segment, ScanStop* stop = nullptr) {
  std::vector<std::string> payloads;
  Result<ScanEnd> end = reader.scan({segment, 0}, [&payloads](const Location&, std::uint16_t, std::string_view payload) {
    payloads.emplace_back(payload);
    return Visit::go_on;
  });
  EXPECT_TRUE(end);
  if (stop != nullptr && end) *stop = end->reason;
  return payloads;
}

// Which of our descriptors is open on the segment that is being written.
int descriptor_of(const fs::path& folder, std::uint64_t segment) {
  for (const auto& entry : fs::directory_iterator("/proc/self/fd")) {
    std::error_code ignored;
    if (fs::read_symlink(entry.path(), ignored) == folder / segment_file_name(segment)) return std::stoi(entry.path().filename());
  }
  return -1;
}

// From now on the writer's file is another one: /dev/full fails to write, /dev/null fails to flush.
void put_in_place_of(const fs::path& folder, std::uint64_t segment, const char* device) {
  const int target = descriptor_of(folder, segment);
  ASSERT_GE(target, 0);
  const int source = ::open(device, O_WRONLY | O_CLOEXEC);
  ASSERT_EQ(::dup2(source, target), target);
  ::close(source);
}

TEST(RecordFormat, has_the_checksum_of_rfc_3720_appendix_b) {
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8a9136aaU);
  EXPECT_EQ(crc32c(std::string(32, '\xff')), 0x62a8ab43U);
  EXPECT_EQ(crc32c("123456789"), 0xe3069283U);
  EXPECT_EQ(crc32c("6789", crc32c("12345")), 0xe3069283U);
}

TEST(RecordFormat, is_what_the_page_shows) {
  const RecordHeader header = make_header(1, 0, 7, "abc", "");
  EXPECT_EQ(to_hex({header.data(), header.size()}), "4d4852310007000000000003204eb699");
}

TEST(Segments, give_back_what_was_appended) {
  const fs::path folder = fresh_folder();
  auto writer = *SegmentWriter::open(settings_for(folder));
  std::vector<NewRecord> records;
  records.push_back({1, "head", "body"});
  records.push_back({2, "", std::string(300'000, 'x')});
  records.push_back({3, "", ""});
  const std::vector<Location> locations = *writer->append_and_wait(std::move(records), soon());
  const SegmentReader reader(folder);
  EXPECT_EQ(reader.read(locations[0])->payload, "headbody");
  EXPECT_EQ(reader.read(locations[1])->payload, std::string(300'000, 'x'));
  EXPECT_EQ(reader.read(locations[2])->type, 3);
  EXPECT_EQ(locations[2].synced_to, locations[2].end().offset);
  ScanStop stop{};
  EXPECT_EQ(payloads_of(reader, locations[0].segment, &stop).size(), 3U);
  EXPECT_EQ(stop, ScanStop::hole);
}

TEST(Segments, are_readable_by_the_group_and_only_writable_by_the_owner) {
  const fs::path folder = fresh_folder();
  SegmentSettings settings = settings_for(folder);
  settings.file_mode = 0240;
  auto writer = *SegmentWriter::open(settings);
  const Location location = *append(*writer, "a");
  struct stat about{};
  ASSERT_EQ(::stat((folder / segment_file_name(location.segment)).c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 07777, 0240U);
}

TEST(Segments, a_new_writer_begins_a_new_segment) {
  const fs::path folder = fresh_folder();
  ManualClock clock(1000);
  SegmentSettings settings = settings_for(folder);
  settings.clock = &clock;
  std::set<std::uint64_t> numbers;
  for (int i = 0; i < 3; ++i) {
    auto writer = *SegmentWriter::open(settings);
    numbers.insert(append(*writer, "a")->segment);
  }
  EXPECT_EQ(numbers.size(), 3U);
  EXPECT_EQ(SegmentReader(folder).list()->size(), 3U);
}

TEST(Segments, go_over_to_the_next_one_when_full) {
  const fs::path folder = fresh_folder();
  auto writer = *SegmentWriter::open(settings_for(folder, 64U << 10));
  std::vector<Location> locations;
  for (int i = 0; i < 40; ++i) locations.push_back(*append(*writer, std::string(8192, static_cast<char>('a' + i % 26))));
  EXPECT_GT(locations.back().segment, locations.front().segment);
  const SegmentReader reader(folder);
  for (int i = 0; i < 40; ++i) {
    EXPECT_EQ(reader.read(locations[static_cast<std::size_t>(i)])->payload, std::string(8192, static_cast<char>('a' + i % 26)));
  }
  const std::vector<std::uint64_t> finished = *reader.finished();
  EXPECT_EQ(finished.size(), 5U);
  EXPECT_LT(finished.back(), locations.back().segment);
}

TEST(Segments, a_record_larger_than_a_segment_gets_a_larger_one) {
  const fs::path folder = fresh_folder();
  auto writer = *SegmentWriter::open(settings_for(folder, 64U << 10));
  ASSERT_TRUE(append(*writer, "small"));
  const std::string large = random_bytes(500'000);
  const Location location = *append(*writer, large);
  const Location after = *append(*writer, "small again");
  EXPECT_EQ(SegmentReader(folder).read(location)->payload, large);
  EXPECT_GT(after.position(), location.position());
}

TEST(Segments, refuse_what_is_too_large_or_too_much) {
  SegmentSettings settings = settings_for(fresh_folder());
  settings.record_bytes_max = 1000;
  settings.queue_bytes_max = 5000;
  std::promise<void> entered, release;  // before the writer: its callbacks use them until it is gone
  auto writer = *SegmentWriter::open(settings);
  EXPECT_EQ(append(*writer, std::string(1001, 'x')).error().kind, ErrorKind::limit_exceeded);
  ASSERT_TRUE(writer->append({1, "a", ""}, [&](Result<Location>) {
    entered.set_value();
    release.get_future().wait();
  }));
  entered.get_future().wait();  // the committer is busy now: what comes stays in the queue
  int refused = 0;
  for (int i = 0; i < 10; ++i) refused += !writer->append({1, std::string(900, 'x'), ""}, [](Result<Location>) {});
  EXPECT_EQ(refused, 5);
  release.set_value();
  EXPECT_EQ(SegmentWriter::open(settings_for("/nowhere/at/all")).error().kind, ErrorKind::invalid_input);
}

TEST(Segments, one_flush_covers_all_that_wait) {
  const fs::path folder = fresh_folder();
  std::promise<void> entered, release, last;  // before the writer: its callbacks use them until it is gone
  std::atomic<int> waiting = 100;
  auto writer = *SegmentWriter::open(settings_for(folder, 16U << 20));
  ASSERT_TRUE(writer->append({1, "a", ""}, [&](Result<Location>) {
    entered.set_value();
    release.get_future().wait();
  }));
  entered.get_future().wait();
  for (int i = 0; i < 100; ++i) {
    ASSERT_TRUE(writer->append({1, std::string(8192, 'x'), ""}, [&](Result<Location> location) {
      EXPECT_TRUE(location);
      if (--waiting == 0) last.set_value();
    }));
  }
  release.set_value();
  last.get_future().wait();
  EXPECT_EQ(writer->counts().flushes, 2U);
  EXPECT_EQ(writer->counts().records, 101U);
}

// The number of flushes of eight writers that append five records each, one after the other.
std::uint64_t flushes_of_eight_writers(std::chrono::microseconds gather) {
  SegmentSettings settings = settings_for(fresh_folder());
  settings.gather = gather;
  const auto writer = SegmentWriter::open(settings).value();
  std::vector<std::jthread> writers;
  std::latch all_there(8);
  for (int i = 0; i < 8; ++i) {
    writers.emplace_back([&] {
      all_there.arrive_and_wait();
      for (int record = 0; record < 5; ++record) EXPECT_TRUE(append(*writer, "record"));
    });
  }
  writers.clear();
  EXPECT_EQ(writer->counts().records, 40u);
  return writer->counts().flushes;
}

TEST(Segments, a_time_to_gather_in_makes_flushes_fewer_but_keeps_nobody_waiting_who_is_alone) {
  EXPECT_LE(flushes_of_eight_writers(std::chrono::milliseconds(100)), 20u);

  SegmentSettings settings = settings_for(fresh_folder());
  settings.gather = std::chrono::seconds(10);
  const auto writer = SegmentWriter::open(settings).value();
  const auto begin = std::chrono::steady_clock::now();
  for (int record = 0; record < 3; ++record) ASSERT_TRUE(append(*writer, "record"));
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(10));
}

TEST(Segments, a_preamble_stands_once_in_each_segment_before_its_first_use) {
  const fs::path folder = fresh_folder();
  auto writer = *SegmentWriter::open(settings_for(folder, 32U << 10));
  const auto preamble = std::make_shared<const Preamble>(Preamble{"key", 9, "the key"});
  std::set<std::uint64_t> segments;
  for (int i = 0; i < 20; ++i) {
    std::vector<NewRecord> records;
    records.push_back({1, std::string(4000, 'x'), "", preamble});
    segments.insert(writer->append_and_wait(std::move(records), soon())->front().segment);
  }
  ASSERT_GT(segments.size(), 1U);
  const SegmentReader reader(folder);
  for (const std::uint64_t segment : segments) {
    std::vector<std::uint16_t> types;
    ASSERT_TRUE(reader.scan({segment, 0}, [&types](const Location&, std::uint16_t type, std::string_view) {
      types.push_back(type);
      return Visit::go_on;
    }));
    EXPECT_EQ(types.front(), 9);
    EXPECT_EQ(std::ranges::count(types, 9), 1);
  }
}

TEST(Segments, a_tail_torn_at_any_byte_loses_only_the_last_record) {
  const fs::path folder = fresh_folder();
  std::vector<Location> locations;
  {
    auto writer = *SegmentWriter::open(settings_for(folder));
    for (int i = 0; i < 3; ++i) locations.push_back(*append(*writer, "record number " + std::to_string(i)));
  }
  const std::uint64_t last = locations.back().offset;
  const std::uint64_t last_byte = last + record_header_bytes + locations.back().length;  // padding may be missing
  for (std::uint64_t cut = last; cut < last_byte; ++cut) {
    for (const bool zeros : {false, true}) {  // the file ends there, or the preallocated zeros go on
      const fs::path copy = fresh_folder();
      const fs::path file = copy / segment_file_name(locations[0].segment);
      fs::copy_file(folder / file.filename(), file);
      fs::resize_file(file, cut);
      if (zeros) fs::resize_file(file, 1U << 20);
      const SegmentReader reader(copy);
      ScanStop stop{};
      EXPECT_EQ(payloads_of(reader, locations[0].segment, &stop).size(), 2U) << cut;
      EXPECT_NE(stop, ScanStop::visitor);
      EXPECT_EQ(reader.read(locations[2]).error().kind, ErrorKind::corrupt) << cut;
      fs::remove_all(copy);
    }
  }
}

TEST(Segments, a_flipped_bit_is_never_given_out) {
  const fs::path folder = fresh_folder();
  std::vector<Location> locations;
  {
    auto writer = *SegmentWriter::open(settings_for(folder));
    for (int i = 0; i < 3; ++i) locations.push_back(*append(*writer, "record number " + std::to_string(i)));
  }
  const fs::path file = folder / segment_file_name(locations[0].segment);
  const Location& hurt = locations[1];
  for (std::uint64_t byte = hurt.offset; byte < hurt.offset + record_header_bytes + hurt.length; ++byte) {
    for (int bit = 0; bit < 8; ++bit) {
      std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
      const auto flip = [&] {
        stream.seekg(static_cast<std::streamoff>(byte));
        const int old = stream.get();
        stream.seekp(static_cast<std::streamoff>(byte));
        stream.put(static_cast<char>(old ^ (1 << bit)));
        stream.flush();
      };
      flip();
      const SegmentReader reader(folder);
      EXPECT_EQ(reader.read(hurt).error().kind, ErrorKind::corrupt);
      EXPECT_EQ(payloads_of(reader, hurt.segment).size(), 1U);
      EXPECT_EQ(reader.next_whole_record(hurt.position())->offset, locations[2].offset);
      flip();
    }
  }
  EXPECT_EQ(payloads_of(SegmentReader(folder), hurt.segment).size(), 3U);
}

TEST(Segments, damaged_bytes_are_given_to_who_asks_for_them_as_they_lie) {
  const fs::path folder = fresh_folder();
  const auto writer = *SegmentWriter::open(settings_for(folder));
  const Location location = append(*writer, "twelve bytes").value();
  const SegmentReader reader(folder);
  EXPECT_EQ(reader.read_damaged(location).value(), "twelve bytes");
  {
    std::fstream file(folder / segment_file_name(location.segment), std::ios::binary | std::ios::in | std::ios::out);
    file.seekp(static_cast<std::streamoff>(location.offset));
    file.write("nothing of a head and T", 23);
  }
  EXPECT_EQ(reader.read(location).error().kind, ErrorKind::corrupt);
  EXPECT_EQ(reader.read_damaged(location).value(), "d and Tbytes");
  fs::resize_file(folder / segment_file_name(location.segment), location.offset + record_header_bytes + 4);
  EXPECT_EQ(reader.read_damaged(location).value(), std::string("d an\0\0\0\0\0\0\0\0", 12));
  // The writer may have made the next one already; before the first there is none.
  EXPECT_EQ(reader.read_damaged({location.segment - 1, 0, 12}).error().kind, ErrorKind::not_found);
}

TEST(Segments, a_record_moved_to_another_place_is_not_taken_for_one) {
  const fs::path folder = fresh_folder();
  Location location;
  {
    auto writer = *SegmentWriter::open(settings_for(folder));
    location = *append(*writer, "a");
  }
  fs::copy_file(folder / segment_file_name(location.segment), folder / segment_file_name(location.segment + 1));
  EXPECT_TRUE(payloads_of(SegmentReader(folder), location.segment + 1).empty());
}

TEST(Segments, a_failed_write_or_flush_is_told_and_the_next_segment_takes_over) {
  for (const char* device : {"/dev/full", "/dev/null"}) {
    const fs::path folder = fresh_folder();
    auto writer = *SegmentWriter::open(settings_for(folder));
    const Location first = *append(*writer, "first");
    put_in_place_of(folder, first.segment, device);
    EXPECT_EQ(append(*writer, "second").error().kind, ErrorKind::unavailable) << device;
    EXPECT_EQ(writer->watermark(), first.end());
    const Location third = *append(*writer, "third");
    EXPECT_GT(third.segment, first.segment);
    const SegmentReader reader(folder);
    EXPECT_EQ(reader.read(first)->payload, "first");
    EXPECT_EQ(reader.read(third)->payload, "third");
    EXPECT_EQ(writer->counts().failures, 1U);
  }
}

TEST(Segments, heal_by_themselves_when_a_size_limit_goes) {
  const fs::path folder = fresh_folder();
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  auto writer = *SegmentWriter::open(settings_for(folder));
  ASSERT_TRUE(append(*writer, "first"));
  rlimit tight = before;
  tight.rlim_cur = 1000;
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &tight), 0);
  EXPECT_EQ(append(*writer, std::string(4000, 'x')).error().kind, ErrorKind::unavailable);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  bool healed = false;
  for (int i = 0; i < 100 && !healed; ++i, ::usleep(20'000)) healed = static_cast<bool>(append(*writer, "second"));
  EXPECT_TRUE(healed);
}

TEST(Segments, heal_by_themselves_when_a_full_disk_has_space_again) {
  const fs::path folder = fresh_folder();
  SKIP_UNLESS(::mount("tmpfs", folder.c_str(), "tmpfs", 0, "size=400k") == 0, "needs the right to mount a small tmpfs");
  {
    auto writer = *SegmentWriter::open(settings_for(folder, 128U << 10));
    std::vector<Location> kept;
    Result<Location> outcome = append(*writer, std::string(8000, 'x'));
    for (; outcome; outcome = append(*writer, std::string(8000, 'x'))) kept.push_back(*outcome);
    EXPECT_EQ(outcome.error().kind, ErrorKind::unavailable);
    SegmentReader reader(folder);
    for (const Location& location : kept) EXPECT_TRUE(reader.read(location));
    ASSERT_TRUE(reader.remove(kept.front().segment));
    bool healed = false;
    for (int i = 0; i < 100 && !healed; ++i, ::usleep(20'000)) healed = static_cast<bool>(append(*writer, "again"));
    EXPECT_TRUE(healed);
  }
  EXPECT_EQ(::umount2(folder.c_str(), MNT_DETACH), 0);
}

TEST(Segments, a_reader_follows_a_writer_up_to_the_watermark) {
  const fs::path folder = fresh_folder();
  auto writer = *SegmentWriter::open(settings_for(folder));
  const SegmentReader reader(folder);
  Position next = append(*writer, "0")->position();
  std::string seen;
  for (int i = 1; i < 10; ++i) {
    ASSERT_TRUE(append(*writer, std::to_string(i)));
    const Result<ScanEnd> end = reader.scan(
        next,
        [&seen](const Location&, std::uint16_t, std::string_view payload) {
          seen += payload;
          return Visit::go_on;
        },
        writer->watermark().offset);
    EXPECT_EQ(end->reason, ScanStop::end);
    next = end->next;
  }
  EXPECT_EQ(seen, "0123456789");
}

TEST(Segments, closing_commits_what_is_queued_and_runs_every_callback) {
  const fs::path folder = fresh_folder();
  std::atomic<int> kept = 0;
  {
    auto writer = *SegmentWriter::open(settings_for(folder));
    for (int i = 0; i < 50; ++i) ASSERT_TRUE(writer->append({1, "x", ""}, [&kept](Result<Location> at) { kept += !!at; }));
  }
  EXPECT_EQ(kept, 50);
  EXPECT_EQ(SegmentReader(folder).list()->size(), 1U);  // the one made ahead is gone
}

TEST(Segments, sixty_four_writers_share_the_flushes) {
  const fs::path folder = fresh_folder();
  constexpr int writers = 64, each = 60;
  auto writer = *SegmentWriter::open(settings_for(folder, 64U << 20));
  const auto begin = std::chrono::steady_clock::now();
  std::atomic<int> kept = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < writers; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < each; ++n) kept += !!append(*writer, std::string(8192, 'x'));
    });
  }
  for (std::thread& thread : threads) thread.join();
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  EXPECT_EQ(kept, writers * each);
  EXPECT_LT(writer->counts().flushes, static_cast<std::uint64_t>(kept) / 4);
  std::printf("64 writers of 8 KiB: %.0f records/s, %.1f records for each flush\n", kept / seconds,
              double(kept) / double(writer->counts().flushes));
}

}  // namespace
}  // namespace mailhold::segments
