#include "core/store/bundle.h"

#include <gtest/gtest.h>

#include <random>

#include "core/store/bundle_fixture.h"

namespace mailhold::store {
namespace {

TEST(Bundle, gives_its_messages_back_and_nothing_that_only_looks_like_one) {
  Packing packing(Compression::thorough);
  const std::vector<std::string> stored{packing.compress("one"), packing.compress(std::string(300, 'c')),
                                        packing.compress("three")};
  const std::string joined = stored[0] + stored[1] + stored[2], bytes = encode_bundle({stored.begin(), stored.end()});
  EXPECT_EQ(parse_bundle(bytes, 3).value(), stored);
  EXPECT_EQ(unpack(stored[1], 300).value(), std::string(300, 'c'));
  EXPECT_EQ(unpack(stored[1], 299).error().kind, ErrorKind::limit_exceeded);
  EXPECT_EQ(parse_bundle(bytes, 2).error().kind, ErrorKind::corrupt);
  EXPECT_EQ(parse_bundle(joined, 4).error().kind, ErrorKind::corrupt);
  EXPECT_EQ(parse_bundle(bytes + "x", 3).error().kind, ErrorKind::corrupt);
  for (std::size_t size = 0; size < joined.size(); ++size)
    EXPECT_EQ(parse_bundle(joined.substr(0, size), 3).error().kind, ErrorKind::corrupt) << size;
  EXPECT_EQ(parse_bundle(bytes, 65).error().kind, ErrorKind::corrupt);
  EXPECT_EQ(parse_bundle(bytes + std::string(150U << 10, '\0'), 3).error().kind, ErrorKind::limit_exceeded);
}

class BundledMessages : public BundleFixture {};

TEST_F(BundledMessages, come_back_exactly_and_take_less) {
  const std::vector<Id> ids = keep_letters(20, "bundles");
  EXPECT_EQ(count("store_wraps"), 3);
  EXPECT_EQ(count("store_names"), 20);
  expect_kept(ids);
  EXPECT_EQ(trouble_with(Id::random()), ErrorKind::not_found);
  settings.bundle_messages_max = 1;
  settings.compression = Compression::quick;
  open();
  expect_kept(ids);
  const std::vector<Id> alone = keep_letters(20, "no bundles");
  EXPECT_EQ(count("store_wraps"), 23);
  const auto bytes_of = [&](const std::string& which) {
    return (
               *records->query("SELECT CAST(SUM(w.length) AS bigint) FROM store_wraps w WHERE w.object IN "
                               "(SELECT object FROM store_names WHERE member " +
                                   which + " 0)",
                               {}, soon()))[0][0]
        .number();
  };
  EXPECT_LT(bytes_of(">") * 4, bytes_of("=") * 3);
}

// Compressed beside each other, a guess that somebody sends would tell by the size how like a neighbour's letter it is.
TEST_F(BundledMessages, take_no_less_for_being_alike) {
  const std::string secret = to_hex(random_bytes(900)), another = to_hex(random_bytes(900));
  const auto length_with = [&](const std::string& guess) {
    const Epoch day = first_day + static_cast<Epoch>(count("store_wraps"));
    EXPECT_TRUE(
        store->keep({{tenant, Id::random(), on_day(day), secret, {}}, {tenant, Id::random(), on_day(day), guess, {}}}, soon()));
    return (*records->query("SELECT length FROM store_wraps WHERE epoch = $1", {day}, soon()))[0][0].number();
  };
  const std::int64_t alike = length_with(secret), different = length_with(another);
  EXPECT_LT(std::abs(alike - different), 150);
}

TEST_F(BundledMessages, are_of_one_tenant_and_one_day) {
  const Id stranger = Id::random();
  const Composed mine = letter("mine"), theirs = letter("theirs"), tomorrows = letter("tomorrow's");
  const Id ids[] = {Id::random(), Id::random(), Id::random(), Id::random()};
  ASSERT_TRUE(store->keep({{tenant, ids[0], on_day(first_day), mine.bytes, {}},
                           {stranger, ids[1], on_day(first_day), theirs.bytes, {}},
                           {tenant, ids[2], on_day(first_day + 1), tomorrows.bytes, {}},
                           {tenant, ids[3], on_day(first_day), mine.bytes, {}}},
                          soon()));
  EXPECT_EQ(count("store_wraps"), 3);
  ASSERT_EQ(store->expire_day(tenant, first_day, soon()).value(), 1U);
  EXPECT_EQ(trouble_with(ids[0]), ErrorKind::not_found);
  EXPECT_EQ(trouble_with(ids[3]), ErrorKind::not_found);
  EXPECT_EQ(store->retrieve(stranger, ids[1], soon()).value(), theirs.bytes);
  EXPECT_EQ(store->retrieve(tenant, ids[2], soon()).value(), tomorrows.bytes);
}

TEST_F(BundledMessages, are_refused_where_uses_are_not_noted) {
  settings.notes_uses = false;
  EXPECT_EQ(MessageStore::open(settings, *records, *blobs, keys).error().kind, ErrorKind::bug);
}

TEST_F(BundledMessages, that_are_released_can_be_opened_by_no_copy_of_packs_and_keys) {
  const std::vector<Id> ids = keep_letters(8, "secret");
  const std::string wrap = (*records->query("SELECT wrap FROM store_wraps", {}, soon()))[0][0].bytes();
  ASSERT_TRUE(lies_in_the_records(wrap));
  ASSERT_NE(all_that_opens().find("secret 3"), std::string::npos);
  EXPECT_EQ(store->release(tenant, {ids[3]}, soon()).value(), 1U);
  const std::string left = all_that_opens();
  EXPECT_EQ(left.find("secret 3"), std::string::npos);
  EXPECT_NE(left.find("secret 4"), std::string::npos);
  EXPECT_FALSE(lies_in_the_records(wrap));
  EXPECT_EQ(trouble_with(ids[3]), ErrorKind::not_found);
  expect_kept({ids[0], ids[1], ids[2], ids[4], ids[5], ids[6], ids[7]});
  // Down to one, which then is a message by itself, and to none.
  ASSERT_TRUE(store->release(tenant, {ids[0], ids[1], ids[2], ids[4], ids[5], ids[6]}, soon()));
  expect_kept({ids[7]});
  EXPECT_EQ(count("store_names WHERE member = 0"), 1);
  ASSERT_TRUE(store->release(tenant, {ids[7], ids[3]}, soon()));
  EXPECT_EQ(all_that_opens(), "");
  for (const char* table : {"store_names", "store_wraps", "store_uses"}) EXPECT_EQ(count(table), 0) << table;
}

TEST_F(BundledMessages, keep_the_parts_that_what_is_left_uses) {
  const std::string shared = random_bytes(3000), own = random_bytes(3000);
  const Composed first = compose("", shared), second = compose("", shared), third = compose("", own);
  const Id ids[] = {Id::random(), Id::random(), Id::random()};
  ASSERT_TRUE(store->keep({{tenant, ids[0], on_day(first_day), first.bytes, first.bodies},
                           {tenant, ids[1], on_day(first_day), second.bytes, second.bodies},
                           {tenant, ids[2], on_day(first_day), third.bytes, third.bodies}},
                          soon()));
  ASSERT_EQ(count("store_wraps"), 1 + 2);
  EXPECT_EQ(store->release(tenant, {ids[0], ids[2]}, soon()).value(), 1U + 1U) << "the bundle and the part of the third";
  EXPECT_EQ(store->retrieve(tenant, ids[1], soon()).value(), second.bytes);
  EXPECT_EQ(store->release(tenant, {ids[1]}, soon()).value(), 1U + 1U);
  EXPECT_EQ(count("store_wraps"), 0);
}

TEST_F(BundledMessages, stay_as_they_are_where_a_release_cannot_read_or_write) {
  const std::vector<Id> ids = keep_letters(5, "stays");
  keys.away = true;
  EXPECT_EQ(store->release(tenant, {ids[1]}, soon()).error().kind, ErrorKind::unavailable);
  keys.away = false;
  expect_kept(ids);
  damage_first_bundle();
  EXPECT_EQ(store->release(tenant, {ids[1]}, soon()).error().kind, ErrorKind::corrupt);
  EXPECT_EQ(store->forget(tenant, ids[2], soon()).error().kind, ErrorKind::corrupt);
  EXPECT_EQ(count("store_wraps"), 1);
  EXPECT_EQ(count("store_names"), 5);
  damage_first_bundle();  // it is mended
  ASSERT_TRUE(store->release(tenant, {ids[1]}, soon()));
  expect_kept({ids[0], ids[2], ids[3], ids[4]});
}

TEST_F(BundledMessages, are_forgotten_and_kept_anew_one_by_one) {
  const std::vector<Id> ids = keep_letters(4, "again");
  ASSERT_TRUE(store->forget(tenant, ids[2], soon()));
  EXPECT_EQ(trouble_with(ids[2]), ErrorKind::not_found);
  expect_kept({ids[0], ids[1], ids[3]});
  ASSERT_TRUE(store->keep({{tenant, ids[2], on_day(first_day + 1), kept[ids[2]], {}}}, soon()));
  expect_kept(ids);
  // Their day is destroyed: the bundle is lost to everybody, and what was in it can be kept anew.
  keys.destroyed.insert({tenant, first_day});
  EXPECT_EQ(trouble_with(ids[0]), ErrorKind::not_found);
  ASSERT_TRUE(store->forget(tenant, ids[0], soon()));
  ASSERT_TRUE(store->keep({{tenant, ids[0], on_day(first_day + 1), kept[ids[0]], {}}}, soon()));
  expect_kept({ids[0], ids[2]});
}

TEST_F(BundledMessages, outlive_their_day_together) {
  const std::vector<Id> ids = keep_letters(4, "held");
  ASSERT_TRUE(store->rewrap(tenant, ids[0], first_day + 1, soon()));
  ASSERT_TRUE(store->expire_day(tenant, first_day, soon()));
  expect_kept(ids);
  ASSERT_TRUE(store->rewrap(tenant, ids[1], first_day + 2, soon()));
  ASSERT_TRUE(store->release(tenant, {ids[1]}, soon()));
  EXPECT_EQ(count("store_wraps"), 2) << "the rest is wrapped under both days again";
  keys.newest = 2;
  EXPECT_EQ(store->rewrap_epoch(tenant, first_day + 1, 10, soon()).value(), 1U);
  expect_kept({ids[0], ids[2], ids[3]});
}

TEST_F(BundledMessages, find_their_places_and_names_again) {
  const std::vector<Id> ids = keep_letters(11, "places");
  ASSERT_TRUE(store->release(tenant, {ids[4]}, soon()));
  ASSERT_TRUE(records->execute("UPDATE store_wraps SET segment = 9, position = 9, length = 9", {}, soon()));
  ASSERT_TRUE(records->execute("DELETE FROM store_names", {}, soon()));
  ASSERT_TRUE(store->rebuild(soon()));
  EXPECT_EQ(count("store_names"), 10);
  EXPECT_EQ(trouble_with(ids[4]), ErrorKind::not_found);
  for (const Id& id : ids) {
    if (id != ids[4]) expect_kept({id});
  }
}

TEST_F(BundledMessages, whose_name_was_lost_stay_when_a_neighbour_goes) {
  const std::vector<Id> ids = keep_letters(3, "nameless");
  ASSERT_TRUE(records->execute("DELETE FROM store_names WHERE name = $1", {records::Value::bytes_of(ids[1].bytes())}, soon()));
  ASSERT_TRUE(store->release(tenant, {ids[0]}, soon()));
  expect_kept({ids[1], ids[2]});
}

TEST_F(BundledMessages, whose_rows_were_changed_do_not_open) {
  const std::vector<Id> ids = keep_letters(3, "rows");
  const auto set_member = [&](int member) {
    ASSERT_TRUE(records->execute("UPDATE store_names SET member = $2 WHERE name = $1",
                                 {records::Value::bytes_of(ids[1].bytes()), member}, soon()));
  };
  for (const int member : {0, 1, 3, 4, 2'000'000'000}) {
    set_member(member);
    EXPECT_EQ(trouble_with(ids[1]), ErrorKind::corrupt) << member;
  }
  set_member(2);
  expect_kept(ids);
}

TEST_F(BundledMessages, are_moved_out_of_segments_that_are_nearly_empty) {
  settings.segment_bytes = 64U << 10;
  open();
  std::vector<Id> ids;
  for (int i = 0; i < 30; ++i) {
    const std::vector<Id> more = keep_letters(8, std::to_string(i), 1500);
    ids.push_back(more.front());
    ASSERT_TRUE(store->release(tenant, {more.begin() + 1, more.end()}, soon()));
  }
  open();
  keep_letters(2, "so that the last segment is finished");
  const Reclaimed reclaimed = store->collect(soon()).value();
  EXPECT_GT(reclaimed.segments, 0U);
  expect_kept(ids);
}

// Whatever is kept, released, forgotten, wrapped, collected and rebuilt, in whatever order: what stays is there byte for byte,
// and nothing else opens.
TEST_F(BundledMessages, are_what_a_plain_map_would_hold) {
  settings.segment_bytes = 256U << 10;
  for (unsigned seed = 1; seed <= 4; ++seed) {
    std::mt19937 random(seed);
    settings.bundle_messages_max = seed % 2 == 0 ? 5 : 64;
    open();
    const auto below = [&](std::size_t limit) { return std::uniform_int_distribution<std::size_t>(0, limit - 1)(random); };
    std::map<Id, std::string> there;
    const auto some = [&] {
      std::vector<Id> ids;
      for (const auto& [id, bytes] : there) {
        if (below(5) == 0) ids.push_back(id);
      }
      return ids;
    };
    Epoch day = first_day + 100 * seed;
    for (int step = 0; step < 40; ++step) {
      const std::size_t what = below(10);
      if (what < 4) {
        std::vector<Composed> composed(1 + below(20));
        std::vector<NewMessage> batch;
        for (Composed& each : composed) {
          const std::size_t size = below(4) == 0 ? below(60'000) : below(900);
          each = below(2) == 0 ? compose(std::string(size, 't'), random_bytes(below(3) * 600)) : Composed{random_bytes(size), {}};
          batch.push_back({tenant, Id::random(), on_day(day), each.bytes, each.bodies});
          there[batch.back().message] = each.bytes;
        }
        ASSERT_TRUE(store->keep(batch, soon()));
      } else if (what < 6) {
        const std::vector<Id> going = some();
        ASSERT_TRUE(store->release(tenant, going, soon()));
        for (const Id& id : going) there.erase(id);
        for (const Id& id : going) ASSERT_EQ(trouble_with(id), ErrorKind::not_found);
      } else if (what == 6 && !there.empty()) {
        const Id id = there.begin()->first;
        ASSERT_TRUE(store->forget(tenant, id, soon()));
        there.erase(id);
        ASSERT_EQ(trouble_with(id), ErrorKind::not_found);
      } else if (what == 7 && !there.empty()) {
        ASSERT_TRUE(store->rewrap(tenant, there.rbegin()->first, ++day, soon()));
      } else if (what == 8) {
        open();
        ASSERT_TRUE(store->collect(soon()));
      } else {
        ASSERT_TRUE(records->execute("DELETE FROM store_names", {}, soon()));
        ASSERT_TRUE(store->rebuild(soon()));
      }
      if (step % 5 != 4) continue;
      for (const auto& [id, bytes] : there) ASSERT_TRUE(found(id) == bytes) << "seed " << seed << ", step " << step;
    }
    std::vector<Id> all;
    for (const auto& [id, bytes] : there) all.push_back(id);
    ASSERT_TRUE(store->release(tenant, all, soon()));
    EXPECT_EQ(count("store_uses"), 0) << "seed " << seed;
  }
}

}  // namespace
}  // namespace mailhold::store
