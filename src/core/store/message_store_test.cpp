#include "core/store/message_store.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <fstream>
#include <thread>

#include "core/store/mail_dictionary.h"
#include "core/store/recipe.h"
#include "core/store/store_fixture.h"
#include "platform/crypto/hash.h"
#include "platform/segments/segment_reader.h"

namespace mailhold::store {
namespace {

namespace fs = std::filesystem;

class KeptMessages : public StoreFixture {};

std::string all_bytes(const fs::path& folder) {
  std::string bytes;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (!entry.is_regular_file()) continue;
    std::ifstream file(entry.path(), std::ios::binary);
    bytes.append(std::istreambuf_iterator<char>(file), {});
  }
  return bytes;
}

TEST_F(KeptMessages, come_back_exactly) {
  const Composed message = compose(std::string(2000, 't'), random_bytes(5000));
  const Id id = Id::random();
  const Kept kept = *keep(message, id);
  EXPECT_EQ(kept.parts_new, 2U);
  EXPECT_EQ(*store->retrieve(tenant, id, soon()), message.bytes);
  open();  // another life of the process
  EXPECT_EQ(*store->retrieve(tenant, id, soon()), message.bytes);
  EXPECT_EQ(store->retrieve(tenant, Id::random(), soon()).error().kind, ErrorKind::not_found);
  EXPECT_EQ(store->retrieve(Id::random(), id, soon()).error().kind, ErrorKind::not_found);
}

TEST(MailDictionary, has_the_bytes_that_stored_mail_opens_with) {
  EXPECT_EQ(to_hex(crypto::sha256(mail_dictionary())), "817f61ab512b98a32bd4802222cc1f0b3e51a1d8a309daafe82bb57443a62c20");
}

TEST_F(KeptMessages, that_are_compressed_thoroughly_take_less_and_open_everywhere) {
  const std::string text =
      "Received: from mx1.example.test (mx1.example.test [192.0.2.1])\r\n\tby store.example.test (Postfix) with ESMTPS id 1\r\n"
      "Content-Type: text/plain; charset=us-ascii\r\nSubject: Re: meeting\r\n\r\nThank you for your interest in our "
      "products.\r\n";
  const Composed small{text, {}}, large{std::string(100'000, 't') + random_bytes(100'000), {}};
  const Id quick = Id::random(), thorough = Id::random(), thorough_large = Id::random();
  const std::uint64_t quick_bytes = keep(small, quick)->bytes_written;
  settings.compression = Compression::thorough;
  open();
  const std::uint64_t thorough_bytes = keep(small, thorough)->bytes_written;
  ASSERT_TRUE(keep(large, thorough_large));
  EXPECT_LT(thorough_bytes + 80, quick_bytes);
  for (const Compression compression : {Compression::thorough, Compression::quick}) {
    settings.compression = compression;
    open();
    for (const Id id : {quick, thorough}) EXPECT_EQ(*store->retrieve(tenant, id, soon()), small.bytes);
    EXPECT_EQ(*store->retrieve(tenant, thorough_large, soon()), large.bytes);
  }
}

TEST_F(KeptMessages, that_are_compressed_in_haste_take_no_more_than_without_the_dictionary) {
  settings.compression = Compression::thorough;
  open();
  const std::string text =
      "Received: from mx1.example.test (mx1.example.test [192.0.2.1])\r\n\tby store.example.test (Postfix) with ESMTPS id 1\r\n"
      "Content-Type: text/plain; charset=us-ascii\r\nSubject: Re: meeting\r\n\r\nThank you for your interest in our "
      "products.\r\n";
  std::map<std::string, std::uint64_t> bytes;
  const auto keep_as = [&](const std::string& way, bool in_haste) {
    const Id id = Id::random();
    bytes[way] = store->keep({{tenant, id, on_day(first_day), text, {}, {}, in_haste}}, soon())->front().bytes_written;
    EXPECT_EQ(*store->retrieve(tenant, id, soon()), text);
  };
  keep_as("thorough", false);
  keep_as("in haste", true);
  settings.compression = Compression::quick;
  open();
  keep_as("quick", false);
  EXPECT_LE(bytes["thorough"], bytes["in haste"]);
  EXPECT_LT(bytes["in haste"], bytes["quick"]);
}

TEST_F(KeptMessages, with_an_attachment_that_came_before_come_back_exactly) {
  const std::string attachment = random_bytes(40'000), text(1000, 't');
  std::string other = attachment;
  other[20'000] = static_cast<char>(other[20'000] ^ 1);
  const auto expect = [&](const Composed& message, std::uint32_t parts_new, Epoch day = first_day) {
    const Id id = Id::random();
    const auto kept = keep(message, id, day);
    ASSERT_TRUE(kept);
    EXPECT_EQ(kept->parts_new, parts_new);
    EXPECT_EQ(*store->retrieve(tenant, id, soon()), message.bytes);
  };
  expect(compose(text, attachment), 2);
  expect(compose(text, attachment), 0);
  expect(compose(text, other), 1);
  expect(compose(text, attachment), 0);
  // Known by its body alone: the part went with its day.
  ASSERT_TRUE(store->expire_day(tenant, first_day, soon()));
  expect(compose(text, attachment), 2, first_day + 1);
  tenant = Id::random();
  expect(compose(text, attachment), 2);
}

TEST_F(KeptMessages, come_back_exactly_whatever_the_layout_says) {
  const std::string bytes = compose(std::string(2000, 't'), random_bytes(5000)).bytes;
  const std::vector<std::vector<BodySpan>> layouts = {
      {},
      {{0, bytes.size(), BodyEncoding::base64}},
      {{0, bytes.size() + 1, BodyEncoding::as_is}},
      {{UINT64_MAX, UINT64_MAX, BodyEncoding::as_is}, {100, 600, BodyEncoding::as_is}, {300, 900, BodyEncoding::as_is}},
      {{2500, 1000, BodyEncoding::base64}, {10, 800, BodyEncoding::as_is}},
  };
  for (const std::vector<BodySpan>& layout : layouts) {
    const Id id = Id::random();
    ASSERT_TRUE(keep({bytes, layout}, id));
    EXPECT_EQ(*store->retrieve(tenant, id, soon()), bytes);
  }
  for (const std::string& odd : {std::string(), std::string("\0", 1), std::string(70'000, '\n')}) {
    const Id id = Id::random();
    ASSERT_TRUE(keep({odd, {{0, odd.size(), BodyEncoding::base64}}}, id));
    EXPECT_EQ(*store->retrieve(tenant, id, soon()), odd);
  }
}

TEST_F(KeptMessages, share_equal_parts_inside_a_tenant) {
  const std::string attachment = random_bytes(20'000), text(1000, 't');
  EXPECT_EQ(keep(compose(text, attachment), Id::random())->parts_new, 2U);
  const Kept second = *keep(compose("other" + text, attachment), Id::random());
  EXPECT_EQ(second.parts_new, 1U);
  EXPECT_EQ(second.parts_shared, 1U);
  EXPECT_LT(second.bytes_written, 3000U);
  EXPECT_EQ(keep(compose(text, attachment), Id::random(), first_day + 1)->parts_shared, 2U);
  EXPECT_EQ(count("store_names"), 3 + 3);      // messages, parts
  EXPECT_EQ(count("store_wraps"), 3 + 3 + 2);  // messages, parts of the first day, parts of the second

  tenant = Id::random();  // never with another tenant
  EXPECT_EQ(keep(compose(text, attachment), Id::random())->parts_new, 2U);
  EXPECT_EQ(count("store_names"), 4 + 5);
}

TEST_F(KeptMessages, share_a_part_whatever_its_base64_lines_looked_like) {
  const std::string attachment = random_bytes(5000);
  for (const auto& [line, ending] : std::vector<std::pair<std::size_t, std::string>>{{76, "\r\n"}, {64, "\n"}, {60, "\r\n"}}) {
    Composed message;
    message.add("Subject: a\r\n\r\n", base64_body(attachment, line, ending), BodyEncoding::base64);
    const Id id = Id::random();
    ASSERT_TRUE(keep(message, id));
    EXPECT_EQ(*store->retrieve(tenant, id, soon()), message.bytes);
  }
  EXPECT_EQ(count("store_names"), 3 + 1);
}

TEST_F(KeptMessages, in_one_batch_are_kept_together_and_handing_them_in_again_is_harmless) {
  const std::string attachment = random_bytes(3000);
  std::vector<Composed> composed;
  for (int i = 0; i < 20; ++i) composed.push_back(compose("text " + std::to_string(i) + std::string(600, 't'), attachment));
  std::vector<NewMessage> batch;
  for (const Composed& one : composed) batch.push_back({tenant, Id::random(), on_day(first_day), one.bytes, one.bodies});
  batch.push_back(batch.front());
  const std::vector<Kept> kept = *store->keep(batch, soon());
  EXPECT_EQ(kept[0].parts_new, 2U);
  EXPECT_EQ(kept[1].parts_shared, 1U);
  const std::int64_t wraps = count("store_wraps");
  for (NewMessage& message : batch) message.kept_since = on_day(first_day + 1);
  EXPECT_TRUE(store->keep(batch, soon()));
  EXPECT_EQ(count("store_wraps"), wraps);
  for (const NewMessage& message : batch) EXPECT_EQ(*store->retrieve(tenant, message.message, soon()), message.bytes);
}

TEST_F(KeptMessages, large_parts_become_blobs) {
  const Composed message = compose(random_bytes(1'500'000), random_bytes(3'000'000));
  const Id id = Id::random();
  ASSERT_TRUE(keep(message, id));
  EXPECT_EQ(blobs->list("", soon())->size(), 2U);
  EXPECT_EQ(*store->retrieve(tenant, id, soon()), message.bytes);
  EXPECT_EQ(store->collect(soon())->blobs, 0U);
  ASSERT_TRUE(store->expire_day(tenant, first_day, soon()));
  EXPECT_EQ(store->collect(soon())->blobs, 2U);
}

TEST_F(KeptMessages, larger_than_the_limit_are_refused) {
  settings.message_bytes_max = 10'000;
  open();
  EXPECT_TRUE(keep({std::string(10'000, 'x'), {}}, Id::random()));
  EXPECT_EQ(keep({std::string(10'001, 'x'), {}}, Id::random()).error().kind, ErrorKind::limit_exceeded);
}

TEST_F(KeptMessages, lie_on_the_disk_without_a_word_in_clear) {
  ASSERT_TRUE(
      keep(compose("the quite secret text" + std::string(600, 't'), "secret attachment" + std::string(600, 'a')), Id::random()));
  const std::string bytes = all_bytes(settings.folder);
  for (const char* needle : {"secret", "Subject", "ann", "tttttttt"}) EXPECT_EQ(bytes.find(needle), std::string::npos) << needle;
}

TEST_F(KeptMessages, of_an_expired_day_cannot_be_read_even_with_all_files_and_keys_kept) {
  const Id id = Id::random();
  ASSERT_TRUE(keep(compose(std::string(1000, 't'), random_bytes(5000)), id));
  std::vector<std::string> wraps;
  for (const auto& row : *records->query("SELECT wrap FROM store_wraps", {}, soon())) wraps.push_back(row[0].bytes());
  ASSERT_EQ(wraps.size(), 3U);
  EXPECT_EQ(*store->expire_day(tenant, first_day, soon()), 3U);
  EXPECT_EQ(store->retrieve(tenant, id, soon()).error().kind, ErrorKind::not_found);
  const std::string bytes = all_bytes(settings.folder);  // no collect: packs, database and its log as they are
  for (const std::string& wrap : wraps) {
    EXPECT_EQ(bytes.find(wrap), std::string::npos);
    EXPECT_EQ(bytes.find(wrap.substr(56, 32)), std::string::npos);
  }
}

TEST_F(KeptMessages, of_a_destroyed_day_key_cannot_be_read) {
  const Id id = Id::random();
  ASSERT_TRUE(keep(compose(std::string(1000, 't'), random_bytes(5000)), id));
  keys.destroyed.insert({tenant, first_day});
  EXPECT_EQ(store->retrieve(tenant, id, soon()).error().kind, ErrorKind::not_found);
  keys.away = true;
  EXPECT_EQ(store->retrieve(tenant, id, soon()).error().kind, ErrorKind::unavailable);
  EXPECT_EQ(keep(compose("", ""), Id::random()).error().kind, ErrorKind::unavailable);
}

TEST_F(KeptMessages, a_part_lives_while_one_day_wraps_it) {
  const std::string attachment = random_bytes(5000);
  const Composed first = compose("one", attachment), second = compose("two", attachment), third = compose("three", attachment);
  const Id first_id = Id::random(), second_id = Id::random(), third_id = Id::random();
  ASSERT_TRUE(keep(first, first_id, first_day));
  EXPECT_EQ(keep(second, second_id, first_day + 1)->parts_shared, 1U);
  ASSERT_TRUE(store->expire_day(tenant, first_day, soon()));
  EXPECT_EQ(store->retrieve(tenant, first_id, soon()).error().kind, ErrorKind::not_found);
  EXPECT_EQ(*store->retrieve(tenant, second_id, soon()), second.bytes);
  EXPECT_EQ(keep(third, third_id, first_day + 2)->parts_shared, 1U);
  ASSERT_TRUE(store->expire_day(tenant, first_day + 1, soon()));
  EXPECT_EQ(*store->retrieve(tenant, third_id, soon()), third.bytes);
  ASSERT_TRUE(store->expire_day(tenant, first_day + 2, soon()));
  EXPECT_EQ(keep(third, Id::random(), first_day + 3)->parts_new, 1U);  // nothing to share with any more
}

TEST_F(KeptMessages, under_hold_outlive_their_day) {
  const Composed held = compose(std::string(1000, 'h'), random_bytes(5000)),
                 other = compose(std::string(1000, 'o'), random_bytes(5000));
  const Id held_id = Id::random(), other_id = Id::random();
  ASSERT_TRUE(keep(held, held_id));
  ASSERT_TRUE(keep(other, other_id));
  ASSERT_TRUE(store->rewrap(tenant, held_id, hold_epoch_first + 1, soon()));
  ASSERT_TRUE(store->rewrap(tenant, held_id, hold_epoch_first + 1, soon()));
  ASSERT_TRUE(store->expire_day(tenant, first_day, soon()));
  EXPECT_EQ(*store->retrieve(tenant, held_id, soon()), held.bytes);
  EXPECT_EQ(store->retrieve(tenant, other_id, soon()).error().kind, ErrorKind::not_found);
  ASSERT_TRUE(store->expire_day(tenant, hold_epoch_first + 1, soon()));
  EXPECT_EQ(store->retrieve(tenant, held_id, soon()).error().kind, ErrorKind::not_found);
}

TEST_F(KeptMessages, T4_open_under_a_rotated_day_key_and_after_the_rewrap_under_the_new_one_alone) {
  std::map<Id, std::string> kept;
  for (int i = 0; i < 5; ++i) {
    const Composed message = compose(std::string(1000, static_cast<char>('a' + i)), random_bytes(5000));
    const Id id = Id::random();
    ASSERT_TRUE(keep(message, id));
    kept[id] = message.bytes;
  }
  keys.newest = 2;
  const Composed late = compose(std::string(1000, 'l'), random_bytes(5000));
  const Id late_id = Id::random();
  ASSERT_TRUE(keep(late, late_id));
  kept[late_id] = late.bytes;
  for (const auto& [id, bytes] : kept) EXPECT_EQ(*store->retrieve(tenant, id, soon()), bytes);
  std::uint64_t rows = 0;
  for (std::uint64_t step = 1; step > 0; rows += step) {
    step = store->rewrap_epoch(tenant, first_day, 4, soon()).value();
    for (const auto& [id, bytes] : kept) EXPECT_EQ(*store->retrieve(tenant, id, soon()), bytes);
  }
  EXPECT_EQ(rows, 15U);  // of each message itself, its text and its attachment
  EXPECT_EQ(count("store_wraps WHERE key_version < 2"), 0);
  keys.oldest = 2;
  for (const auto& [id, bytes] : kept) EXPECT_EQ(*store->retrieve(tenant, id, soon()), bytes);
}

TEST_F(KeptMessages, can_be_forgotten_one_by_one) {
  const std::string attachment = random_bytes(5000);
  const Composed first = compose("one", attachment), second = compose("two", attachment);
  const Id first_id = Id::random(), second_id = Id::random();
  ASSERT_TRUE(keep(first, first_id));
  ASSERT_TRUE(keep(second, second_id));
  ASSERT_TRUE(store->forget(tenant, first_id, soon()));
  ASSERT_TRUE(store->forget(tenant, first_id, soon()));
  EXPECT_EQ(store->retrieve(tenant, first_id, soon()).error().kind, ErrorKind::not_found);
  EXPECT_EQ(*store->retrieve(tenant, second_id, soon()), second.bytes);
}

TEST_F(KeptMessages, that_are_gone_give_their_space_back_and_survivors_move) {
  std::vector<std::pair<Id, std::string>> survivors;
  for (int i = 0; i < 60; ++i) {
    const bool survives = i % 20 == 0;
    const Composed message = compose(random_bytes(40'000), random_bytes(40'000));
    const Id id = Id::random();
    ASSERT_TRUE(keep(message, id, survives ? first_day + 1 : first_day));
    if (survives) survivors.emplace_back(id, message.bytes);
  }
  EXPECT_EQ(store->collect(soon())->segments, 0U);
  ASSERT_TRUE(store->expire_day(tenant, first_day, soon()));
  const Reclaimed reclaimed = *store->collect(soon());
  EXPECT_GE(reclaimed.segments, 3U);
  EXPECT_EQ(reclaimed.names, 57U * 3);
  EXPECT_GE(reclaimed.moved, 3U);
  for (const auto& [id, bytes] : survivors) EXPECT_EQ(*store->retrieve(tenant, id, soon()), bytes);
  open();
  EXPECT_EQ(store->collect(soon())->names, 0U);
  for (const auto& [id, bytes] : survivors) EXPECT_EQ(*store->retrieve(tenant, id, soon()), bytes);
}

TEST_F(KeptMessages, are_found_again_when_places_and_tokens_are_lost) {
  const Composed small = compose(std::string(1000, 't'), random_bytes(5000)), large = compose("x", random_bytes(2'000'000));
  const Id small_id = Id::random(), large_id = Id::random();
  ASSERT_TRUE(keep(small, small_id));
  ASSERT_TRUE(keep(large, large_id));
  ASSERT_TRUE(records->execute("UPDATE store_wraps SET segment = 9, position = 9, length = 9", {}, soon()));
  ASSERT_TRUE(records->execute("DELETE FROM store_names", {}, soon()));
  EXPECT_EQ(store->retrieve(tenant, small_id, soon()).error().kind, ErrorKind::not_found);
  EXPECT_EQ(*store->rebuild(soon()), 5U);
  EXPECT_EQ(*store->retrieve(tenant, small_id, soon()), small.bytes);
  EXPECT_EQ(*store->retrieve(tenant, large_id, soon()), large.bytes);
  EXPECT_EQ(count("store_names"), 5);
  open();
  EXPECT_EQ(keep(small, Id::random())->parts_shared, 2U);
}

TEST_F(KeptMessages, are_corrupt_when_any_byte_is_changed_and_never_wrong) {
  const Composed message = compose(std::string(600, 't'), random_bytes(700));
  const Id id = Id::random();
  ASSERT_TRUE(keep(message, id));
  store.reset();  // cuts the segment to its records
  fs::path file;
  for (const auto& entry : fs::directory_iterator(settings.folder / "packs")) {
    if (fs::file_size(entry.path()) > 0) file = entry.path();
  }
  std::string good;
  {
    std::ifstream stream(file, std::ios::binary);
    good.assign(std::istreambuf_iterator<char>(stream), {});
  }
  store = *MessageStore::open(settings, *records, *blobs, keys);
  int corrupt = 0;
  for (std::size_t byte = 0; byte < good.size(); byte += 3) {
    std::string bad = good;
    bad[byte] = static_cast<char>(bad[byte] ^ 0x10);
    std::ofstream(file, std::ios::binary) << bad;
    const Result<std::string> got = store->retrieve(tenant, id, soon());
    if (got)
      EXPECT_EQ(*got, message.bytes) << byte;  // padding between records, checksums, heads
    else {
      EXPECT_EQ(got.error().kind, ErrorKind::corrupt) << byte;
      ++corrupt;
    }
  }
  EXPECT_GT(corrupt, static_cast<int>(good.size() / 3) - 100);
  for (std::size_t cut = 0; cut < good.size() - 8; cut += 41) {
    std::ofstream(file, std::ios::binary | std::ios::trunc) << good.substr(0, cut);
    EXPECT_EQ(store->retrieve(tenant, id, soon()).error().kind, ErrorKind::corrupt) << cut;
  }
}

TEST_F(KeptMessages, whose_rows_were_swapped_do_not_open) {
  const Id first = Id::random(), second = Id::random();
  ASSERT_TRUE(keep(compose("one", ""), first));
  ASSERT_TRUE(keep(compose("two", ""), second));
  const records::Value first_name = records::Value::bytes_of(first.bytes()),
                       second_name = records::Value::bytes_of(second.bytes());
  const auto swap = [&](const std::string& column) {
    const std::string of = "(SELECT object FROM store_names WHERE name = ";
    EXPECT_EQ(*records->execute("UPDATE store_wraps SET " + column + " = (SELECT " + column +
                                    " FROM store_wraps WHERE object = " + of + "$2)) WHERE object = " + of + "$1)",
                                {first_name, second_name}, soon()),
              1U);
  };
  swap("position");  // the place of another message, then its wrap as well
  EXPECT_EQ(store->retrieve(tenant, first, soon()).error().kind, ErrorKind::corrupt);
  swap("wrap");
  EXPECT_EQ(store->retrieve(tenant, first, soon()).error().kind, ErrorKind::corrupt);
  // The name of one on the object of the other.
  ASSERT_TRUE(records->execute("UPDATE store_names SET object = (SELECT object FROM store_names WHERE name = $2) WHERE name = $1",
                               {first_name, second_name}, soon()));
  EXPECT_EQ(store->retrieve(tenant, first, soon()).error().kind, ErrorKind::corrupt);
  EXPECT_TRUE(store->retrieve(tenant, second, soon()));
  // All rows under another tenant.
  const Id stranger = Id::random();
  for (const char* table : {"store_names", "store_wraps"}) {
    ASSERT_TRUE(records->execute(std::string("UPDATE ") + table + " SET tenant = $1",
                                 {records::Value::bytes_of(stranger.bytes())}, soon()));
  }
  EXPECT_EQ(store->retrieve(stranger, second, soon()).error().kind, ErrorKind::corrupt);
}

TEST_F(KeptMessages, start_again_from_the_synced_bytes_only) {
  // keep() has returned: cut every pack to what its rows name, as a power cut would leave it at worst, and open anew.
  std::vector<std::pair<Id, std::string>> kept;
  for (int i = 0; i < 10; ++i) {
    const Composed message = compose(std::string(700, 'a'), random_bytes(3000));
    kept.emplace_back(Id::random(), message.bytes);
    ASSERT_TRUE(keep(message, kept.back().first));
  }
  const auto rows = *records->query("SELECT segment, MAX(position + 16 + length) FROM store_wraps GROUP BY segment", {}, soon());
  store.reset();
  for (const auto& row : rows) {
    fs::resize_file(settings.folder / "packs" / segments::segment_file_name(static_cast<std::uint64_t>(row[0].number())),
                    static_cast<std::uintmax_t>(row[1].number()));
  }
  open();
  for (const auto& [id, bytes] : kept) EXPECT_EQ(*store->retrieve(tenant, id, soon()), bytes);
}

TEST_F(KeptMessages, are_refused_while_the_disk_is_full_and_it_heals) {
  std::signal(SIGXFSZ, SIG_IGN);
  ASSERT_TRUE(keep(compose("", random_bytes(3000)), Id::random()));
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  rlimit tight = before;
  tight.rlim_cur = 4096;
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &tight), 0);
  const Composed message = compose("", random_bytes(30'000));
  const Id id = Id::random();
  EXPECT_EQ(keep(message, id).error().kind, ErrorKind::unavailable);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  bool healed = false;
  for (int i = 0; i < 100 && !healed; ++i, ::usleep(20'000)) healed = static_cast<bool>(keep(message, id));
  EXPECT_TRUE(healed);
  EXPECT_EQ(*store->retrieve(tenant, id, soon()), message.bytes);
}

TEST_F(KeptMessages, are_kept_by_many_threads_at_once) {
  const std::string attachment = random_bytes(4000);
  std::atomic<int> right = 0, parts = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < 10; ++n) {
        const Composed message = compose(random_bytes(1000), attachment);
        const Id id = Id::random();
        const Result<Kept> kept = keep(message, id);
        if (kept) parts += static_cast<int>(kept->parts_new);
        const Result<std::string> bytes = store->retrieve(tenant, id, soon());
        right += bytes && *bytes == message.bytes;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(right, 80);
  EXPECT_EQ(parts, 81);
}

TEST_F(KeptMessages, cost_little) {
  // 8 KiB, three parts, in batches of 50; every fourth part is one the tenant has.
  constexpr int batches = 20, in_batch = 50;
  settings.segment_bytes = 64U << 20;
  open();
  std::string words;
  for (int i = 0; i < 900; ++i) words += "word" + std::to_string((i * 7919) % 613) + (i % 11 == 0 ? ".\r\n" : " ");
  const std::string signature = random_bytes(900);
  std::vector<Composed> composed;
  for (int i = 0; i < batches * in_batch; ++i) {
    Composed message;
    message.add("Received: from a.example.test by b.example.test\r\nFrom: ann@example.test\r\nSubject: number " +
                    std::to_string(i) + "\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\n",
                std::to_string(i) + words.substr(0, 1500), BodyEncoding::as_is);
    message.add("\r\n--b\r\nContent-Type: text/html\r\n\r\n", "<p>" + std::to_string(i) + words.substr(0, 3500),
                BodyEncoding::as_is);
    message.add("\r\n--b\r\nContent-Type: image/png\r\n\r\n", base64_body(i % 4 == 0 ? signature : random_bytes(1700)),
                BodyEncoding::base64);
    message.bytes += "--b--\r\n";
    composed.push_back(std::move(message));
  }
  rusage begin{}, end{};
  const auto wall = std::chrono::steady_clock::now();
  ::getrusage(RUSAGE_SELF, &begin);
  for (int b = 0; b < batches; ++b) {
    std::vector<NewMessage> batch;
    for (int i = 0; i < in_batch; ++i) {
      const Composed& one = composed[static_cast<std::size_t>(b * in_batch + i)];
      batch.push_back({tenant, Id::random(), on_day(first_day), one.bytes, one.bodies});
    }
    ASSERT_TRUE(store->keep(batch, soon()));
  }
  ::getrusage(RUSAGE_SELF, &end);
  const auto each = [](const timeval& from, const timeval& to) {
    return (double(to.tv_sec - from.tv_sec) * 1e6 + double(to.tv_usec - from.tv_usec)) / (batches * in_batch);
  };
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - wall).count();
  std::printf("keep: %zu bytes each, %.0f us CPU for each message in the program and %.0f in the kernel, %.0f messages/s\n",
              composed[0].bytes.size(), each(begin.ru_utime, end.ru_utime), each(begin.ru_stime, end.ru_stime),
              batches * in_batch / seconds);
}

TEST_F(KeptMessages, release_takes_every_wrap_that_nothing_of_its_epoch_needs) {
  settings.notes_uses = true;
  open();
  const std::string shared = random_bytes(3000), own = random_bytes(3000), text = "text " + random_bytes(600);
  const Id first = Id::random(), second = Id::random(), later = Id::random();
  const Composed with_shared = compose(text, shared);
  ASSERT_TRUE(keep(with_shared, first));
  ASSERT_TRUE(keep(compose("other " + random_bytes(600), shared), second));
  ASSERT_TRUE(keep(compose("later " + random_bytes(600), own), later, first_day + 1));
  ASSERT_TRUE(store->rewrap(tenant, first, first_day + 1, soon()));
  // Under the first day the shared part is needed by `second` still; under the next one by nobody.
  EXPECT_EQ(store->release(tenant, {first, Id::random()}, soon()).value(), 2U + 2U + 1U);
  EXPECT_EQ(store->retrieve(tenant, first, soon()).error().kind, ErrorKind::not_found);
  EXPECT_TRUE(store->retrieve(tenant, second, soon()));
  EXPECT_TRUE(store->retrieve(tenant, later, soon()));
  ASSERT_TRUE(store->release(tenant, {second, later}, soon()));
  EXPECT_EQ(count("store_wraps"), 0);
  EXPECT_EQ(count("store_uses"), 0);
  ASSERT_TRUE(store->collect(soon()));
  EXPECT_EQ(count("store_names"), 0);
  // Kept anew it is written anew: nothing remembers the part that went.
  ASSERT_TRUE(keep(with_shared, first));
  EXPECT_EQ(store->retrieve(tenant, first, soon()).value(), with_shared.bytes);
}

TEST_F(KeptMessages, uses_of_messages_that_were_kept_before_are_noted_by_the_first_release) {
  const std::string shared = random_bytes(3000);
  const Id before = Id::random(), after = Id::random();
  const Composed old_message = compose("old " + random_bytes(600), shared);
  ASSERT_TRUE(keep(old_message, before));
  EXPECT_EQ(store->release(tenant, {before}, soon()).error().kind, ErrorKind::unsupported);
  settings.notes_uses = true;
  open();
  ASSERT_TRUE(keep(compose("new " + random_bytes(600), shared), after));
  keys.away = true;
  EXPECT_EQ(store->release(tenant, {after}, soon()).error().kind, ErrorKind::unavailable);
  keys.away = false;
  ASSERT_TRUE(store->release(tenant, {after}, soon()));
  EXPECT_EQ(store->retrieve(tenant, before, soon()).value(), old_message.bytes);
  ASSERT_TRUE(store->release(tenant, {before}, soon()));
  EXPECT_EQ(count("store_wraps"), 0);
}

}  // namespace
}  // namespace mailhold::store
