#include "core/store/bundle.h"

#include <gtest/gtest.h>

#include <fstream>
#include <random>

#include "core/store/object_shelf.h"
#include "core/store/recipe.h"
#include "core/store/store_fixture.h"
#include "platform/crypto/hash.h"

namespace mailhold::store {
namespace {

namespace fs = std::filesystem;

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

class BundledMessages : public StoreFixture {
 protected:
  BundledMessages() {
    settings.notes_uses = true;
    settings.bundle_messages_max = 8;
    settings.compression = Compression::thorough;
  }
  void SetUp() override { open(); }

  static Composed letter(const std::string& text) {
    return {
        "Received: from mx1.example.test by store.example.test\r\nFrom: ann@example.test\r\nTo: bea@example.test\r\n"
        "Subject: " +
            text + "\r\n\r\nDear Bea,\r\nthis is about " + text + ".\r\nYours, Ann\r\n",
        {}};
  }
  // One batch of so many letters; their ids.
  std::vector<Id> keep_letters(int count, const std::string& about, std::size_t noise_bytes = 0) {
    std::vector<Composed> composed;
    std::vector<Id> ids;
    for (int i = 0; i < count; ++i)
      composed.push_back(letter(about + " " + std::to_string(i) + to_hex(random_bytes(noise_bytes))));
    std::vector<NewMessage> batch;
    for (const Composed& each : composed) {
      ids.push_back(Id::random());
      kept[ids.back()] = each.bytes;
      batch.push_back({tenant, ids.back(), on_day(first_day), each.bytes, each.bodies});
    }
    EXPECT_TRUE(store->keep(batch, soon()));
    return ids;
  }
  void expect_kept(const std::vector<Id>& ids) {
    for (const Id& id : ids) EXPECT_EQ(found(id), kept.at(id));
  }
  std::string found(Id id) {
    const auto bytes = store->retrieve(tenant, id, soon());
    return bytes ? *bytes : "nothing";
  }
  ErrorKind trouble_with(Id id) { return store->retrieve(tenant, id, soon()).error().kind; }

  // Whatever a thief of everything could read: each record of the packs opened with each wrap that is in the rows.
  std::string all_that_opens() {
    std::string all;
    segments::SegmentReader packs(settings.folder / "packs");
    const auto wraps = *records->query("SELECT object, epoch, key_version, wrap FROM store_wraps", {}, soon());
    const auto try_all = [&](std::string_view payload) {
      const auto view = parse_object(payload);
      if (!view) return;
      for (const auto& row : wraps) {
        const auto epoch = static_cast<Epoch>(row[1].number());
        const EpochKey key = *keys.day_key(tenant, epoch, static_cast<std::uint32_t>(row[2].number()), soon());
        const auto data_key = unwrap_key("eu", tenant, Id::from_bytes(row[0].bytes()), epoch, key, row[3].bytes());
        if (!data_key) continue;
        const auto joined = open_object("eu", view->name, data_key->reveal(), payload);
        if (!joined) continue;
        const std::size_t members = view->name.kind == ObjectKind::bundle ? split_ids(view->name.name).size() : 1;
        const auto contents = *parse_bundle(*joined, members);
        for (const std::string& stored : contents) all += *unpack(stored, 1U << 20);
      }
    };
    for (const auto& file : *packs.list()) {
      const auto visit = [&](const segments::Location&, std::uint16_t, std::string_view payload) {
        try_all(payload);
        return segments::Visit::go_on;
      };
      EXPECT_TRUE(packs.scan_past_damage({file.number, 0}, visit, segments::Holes::may_hide_more));
    }
    return all;
  }
  bool lies_in_the_records(const std::string& bytes) {
    for (const char* ending : {"", "-wal", "-shm"}) {
      std::ifstream file(settings.folder / ("store.db" + std::string(ending)), std::ios::binary);
      const std::string all{std::istreambuf_iterator<char>(file), {}};
      if (all.find(bytes) != std::string::npos) return true;
    }
    return false;
  }
  static constexpr std::int64_t record_head = 16;
  // The place of the object that a message is or lies in: segment, position, length.
  records::Values place_of(Id message) {
    return (
        *records->query("SELECT w.segment, w.position, w.length FROM store_names n JOIN store_wraps w ON w.object = n.object "
                        "WHERE n.name = $1",
                        {records::Value::bytes_of(message.bytes())}, soon()))[0];
  }
  // Changes a byte of its record, counted from where that begins.
  void damage(const records::Values& place, std::int64_t offset) {
    const fs::path file = settings.folder / "packs" / segments::segment_file_name(static_cast<std::uint64_t>(place[0].number()));
    std::fstream stream(file, std::ios::binary | std::ios::in | std::ios::out);
    const auto at = place[1].number() + offset;
    stream.seekg(at);
    const char was = static_cast<char>(stream.get());
    stream.seekp(at);
    stream.put(static_cast<char>(was ^ 0x20));
  }
  // A byte in the middle of the first record that is kept there.
  void damage_first_bundle() {
    const auto row =
        (*records->query("SELECT segment, position, length FROM store_wraps ORDER BY segment, position LIMIT 1", {}, soon()))[0];
    damage(row, record_head + row[2].number() / 2);
  }
  // Knows what was kept by its SHA-256, and notes what it is asked for.
  MessageStore::Salvage salvage(bool may_lose, std::vector<Id>& asked) {
    return {[may_lose, &asked](const std::vector<Id>& unreadable) -> Result<bool> {
              asked = unreadable;
              return may_lose;
            },
            [this](Id message, std::string_view sha256) { return crypto::sha256(kept.at(message)) == sha256; }};
  }

  std::map<Id, std::string> kept;
};

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

TEST_F(BundledMessages, that_are_damaged_give_what_can_be_read_of_them_and_the_rest_is_lost_with_their_key) {
  const std::vector<Id> ids = keep_letters(8, "hurt", 6000);  // of 16 KiB chunks three
  ASSERT_EQ(count("store_wraps"), 1);
  const std::string wrap = (*records->query("SELECT wrap FROM store_wraps", {}, soon()))[0][0].bytes();
  damage_first_bundle();
  std::vector<Id> asked;
  const auto lost = store->release_from_damage(tenant, ids[0], salvage(true, asked), soon());
  ASSERT_TRUE(lost) << lost.error().detail;
  EXPECT_EQ(*lost, asked);
  EXPECT_GE(lost->size(), 1U);
  EXPECT_LE(lost->size(), 4U);
  const std::set<Id> gone(lost->begin(), lost->end());
  EXPECT_FALSE(gone.contains(ids[0]));
  for (const Id& id : ids) {
    if (id == ids[0] || gone.contains(id))
      EXPECT_EQ(trouble_with(id), ErrorKind::not_found);
    else
      expect_kept({id});
  }
  EXPECT_FALSE(lies_in_the_records(wrap)) << "the key of the old bundle is gone";
  EXPECT_EQ(all_that_opens().find("hurt 0"), std::string::npos);
  EXPECT_NE(all_that_opens().find("hurt 1"), std::string::npos);
  // What is lost can be kept anew when it comes again.
  const Id again = lost->front();
  ASSERT_TRUE(store->keep({{tenant, again, on_day(first_day), kept[again], {}}}, soon()));
  expect_kept({again});
}

TEST_F(BundledMessages, that_must_not_be_lost_keep_their_damaged_bundle) {
  const std::vector<Id> ids = keep_letters(5, "held");
  damage_first_bundle();
  std::vector<Id> asked;
  EXPECT_EQ(store->release_from_damage(tenant, ids[1], salvage(false, asked), soon()).error().kind, ErrorKind::denied);
  EXPECT_EQ(asked, (std::vector<Id>{ids[0], ids[2], ids[3], ids[4]}));
  EXPECT_EQ(count("store_wraps"), 1);
  EXPECT_EQ(count("store_names"), 5);
  damage_first_bundle();  // it is mended
  asked.clear();
  EXPECT_TRUE(store->release_from_damage(tenant, ids[1], salvage(false, asked), soon())->empty());
  EXPECT_TRUE(asked.empty());
  expect_kept({ids[0], ids[2], ids[3], ids[4]});
  EXPECT_EQ(trouble_with(ids[1]), ErrorKind::not_found);
}

// Whatever byte it is: what is given back is what was kept, what is not is named, and what was released opens no more.
TEST_F(BundledMessages, that_are_damaged_anywhere_are_whole_or_named) {
  constexpr std::int64_t object_head = 1 + 16 + 16 + 1 + 4 * 16, seal_begins = record_head + object_head,
                         chunks_begin = seal_begins + 56;
  std::vector<std::int64_t> offsets{0, 5, 9, 13, 16, 17, 40, 49, 50, 60, 100};
  for (std::int64_t at = chunks_begin; at < chunks_begin + 26'000; at += 1'500) offsets.push_back(at);
  for (const std::int64_t offset : offsets) {
    const std::string about = "at " + std::to_string(offset);
    const std::vector<Id> ids = keep_letters(4, about, 6000);
    const auto place = place_of(ids[1]);
    ASSERT_GT(record_head + place[2].number(), offset);
    damage(place, offset);
    std::vector<Id> asked;
    const auto lost = store->release_from_damage(tenant, ids[1], salvage(true, asked), soon());
    ASSERT_TRUE(lost) << about << lost.error().detail;
    ASSERT_EQ(*lost, asked) << about;
    for (const Id& id : {ids[0], ids[2], ids[3]}) {
      const bool is_lost = std::find(lost->begin(), lost->end(), id) != lost->end();
      EXPECT_EQ(found(id), is_lost ? "nothing" : kept.at(id)) << about;
    }
    EXPECT_EQ(trouble_with(ids[1]), ErrorKind::not_found);
    if (offset < seal_begins) EXPECT_TRUE(lost->empty()) << about << ": neither checksum nor head is needed";
    // Four messages of 6.7 KiB in two chunks of 16: one that stays in the first, one in the second, one in both.
    if (offset >= chunks_begin) EXPECT_EQ(lost->size(), 2U) << about;
  }
  const std::string left = all_that_opens();
  for (const std::int64_t offset : offsets) EXPECT_EQ(left.find("at " + std::to_string(offset) + " 1"), std::string::npos);
}

TEST_F(BundledMessages, behind_a_damaged_place_are_lost_where_nobody_knows_them) {
  const std::vector<Id> ids = keep_letters(4, "unknown", 6000);
  damage(place_of(ids[0]), record_head + 200);
  std::vector<Id> asked;
  EXPECT_EQ(store->release_from_damage(tenant, ids[1], {salvage(true, asked).may_lose}, soon()).value(),
            (std::vector<Id>{ids[0], ids[2], ids[3]}));
}

// The volume of the packs is not mounted, or the records are of yesterday: nothing of that says that anything is lost.
TEST_F(BundledMessages, whose_bytes_are_not_where_they_should_be_stay) {
  const std::vector<Id> ids = keep_letters(3, "elsewhere", 2000);
  const std::vector<Id> others = keep_letters(3, "others", 2000);
  const fs::path file = settings.folder / "packs" / segments::segment_file_name(std::uint64_t(place_of(ids[0])[0].number()));
  const auto stay = [&](const std::string& why) {
    std::vector<Id> asked;
    const auto lost = store->release_from_damage(tenant, ids[2], salvage(true, asked), soon());
    EXPECT_FALSE(lost) << why;
    if (!lost) EXPECT_EQ(lost.error().kind, ErrorKind::corrupt) << why;
    EXPECT_TRUE(asked.empty()) << why;
    EXPECT_EQ(count("store_names"), 6) << why;
    EXPECT_EQ(count("store_wraps"), 2) << why;
  };
  fs::rename(file, file.string() + ".away");
  open();
  stay("the segment is gone");
  fs::rename(file.string() + ".away", file);
  open();
  const auto place = place_of(ids[0]), place_of_others = place_of(others[0]);
  const auto set_place = [&](const records::Values& to) {
    ASSERT_TRUE(records->execute("UPDATE store_wraps SET segment = $1, position = $2, length = $3 WHERE position = $4",
                                 {to[0], to[1], to[2], place_of(ids[0])[1]}, soon()));
  };
  for (const records::Values& wrong : {records::Values{place[0], place[1].number() + 3, place[2]},
                                       records::Values{place[0], place[1].number() + 3, std::int64_t{1} << 20},
                                       records::Values{std::int64_t{9}, std::int64_t{9}, std::int64_t{9}},
                                       records::Values{std::int64_t{0}, place[1].number() + 5, place[2]}}) {
    set_place(wrong);
    stay("another place");
  }
  ASSERT_TRUE(store->rebuild(soon()));
  expect_kept(ids);
  EXPECT_EQ(place_of(others[0])[1].number(), place_of_others[1].number());
  std::vector<Id> asked;
  EXPECT_TRUE(store->release_from_damage(tenant, ids[2], salvage(false, asked), soon())->empty());
  expect_kept({ids[0], ids[1]});
  expect_kept(others);
}

// Salt and commitment show whose bytes these are.
TEST_F(BundledMessages, that_cannot_be_told_from_other_bytes_stay) {
  const std::vector<Id> ids = keep_letters(3, "seal", 2000);
  constexpr std::int64_t seal_begins = record_head + 1 + 16 + 16 + 1 + 3 * 16;
  std::vector<Id> asked;
  for (const std::int64_t offset : {seal_begins, seal_begins + 30}) {
    damage(place_of(ids[0]), offset);
    EXPECT_EQ(store->release_from_damage(tenant, ids[1], salvage(true, asked), soon()).error().kind, ErrorKind::corrupt);
    damage(place_of(ids[0]), offset);  // it is mended
  }
  EXPECT_TRUE(asked.empty());
  expect_kept(ids);
}

// keyd has another keystore: its keys are there and do not fit, or it says itself that one is corrupt.
TEST_F(BundledMessages, whose_key_does_not_fit_stay) {
  const std::vector<Id> ids = keep_letters(3, "keys", 2000);
  std::vector<Id> asked;
  const auto stay = [&] {
    EXPECT_EQ(store->release_from_damage(tenant, ids[1], salvage(true, asked), soon()).error().kind, ErrorKind::corrupt);
    EXPECT_TRUE(asked.empty());
    EXPECT_EQ(count("store_names"), 3);
    EXPECT_EQ(count("store_wraps"), 1);
  };
  keys.corrupt = true;
  stay();
  keys.corrupt = false;
  ASSERT_TRUE(records->execute("UPDATE store_wraps SET key_version = 2", {}, soon()));
  stay();
  ASSERT_TRUE(records->execute("UPDATE store_wraps SET key_version = 1", {}, soon()));
  expect_kept(ids);
}

// Whoever knows a neighbour's letter can send one that contains a stored form with its SHA-256, at a place that is looked at when
// its own beginning is damaged.
TEST_F(BundledMessages, are_not_mistaken_for_what_a_neighbour_says_of_them) {
  const std::string letter_of_ann = letter("victim").bytes;
  Recipe forged{1, 6, crypto::sha256(letter_of_ann), {{Piece::Kind::inline_text, 6, {}, {}}}, "forged"};
  const std::string planted = random_bytes(19'000) + Packing(Compression::quick).compress(encode(forged)) + random_bytes(500);
  const Composed with_part = compose("behind it", random_bytes(3000));
  const Id victim = Id::random(), sender = Id::random(), part = Id::random(), going = Id::random();
  kept = {{victim, letter_of_ann}, {sender, planted}, {part, with_part.bytes}, {going, letter("going").bytes}};
  ASSERT_TRUE(store->keep({{tenant, victim, on_day(first_day), kept[victim], {}},
                           {tenant, sender, on_day(first_day), kept[sender], {}},
                           {tenant, part, on_day(first_day), kept[part], with_part.bodies},
                           {tenant, going, on_day(first_day), kept[going], {}}},
                          soon()));
  ASSERT_EQ(count("store_names WHERE member > 0"), 4);
  damage(place_of(victim), record_head + 200);
  std::vector<Id> asked;
  EXPECT_EQ(store->release_from_damage(tenant, going, salvage(false, asked), soon()).error().kind, ErrorKind::denied);
  EXPECT_EQ(asked, (std::vector<Id>{victim, sender}));
  EXPECT_EQ(store->release_from_damage(tenant, going, salvage(true, asked), soon()).value(), asked);
  EXPECT_EQ(trouble_with(victim), ErrorKind::not_found);
  expect_kept({part});
}

// Trouble with the records, or with a part, says nothing of what can be read.
TEST_F(BundledMessages, are_not_lost_for_trouble_elsewhere) {
  const std::vector<Id> ids = keep_letters(4, "trouble", 6000);
  damage(place_of(ids[0]), record_head + 200);
  std::vector<Id> asked;
  MessageStore::Salvage hindered = salvage(true, asked);
  const auto rename = [&](const std::string& from, const std::string& to) {
    EXPECT_TRUE(records->execute("ALTER TABLE " + from + " RENAME TO " + to, {}, soon()));
  };
  bool is_renamed = false;
  hindered.is_of = [&, knows = hindered.is_of](Id message, std::string_view sha256) {
    if (!is_renamed) rename("store_names", "store_names_away");
    is_renamed = true;
    return knows(message, sha256);
  };
  EXPECT_EQ(store->release_from_damage(tenant, ids[0], hindered, soon()).error().kind, ErrorKind::bug);
  ASSERT_TRUE(is_renamed);
  rename("store_names_away", "store_names");
  EXPECT_TRUE(asked.empty());
  EXPECT_EQ(count("store_names"), 4);
  EXPECT_EQ(count("store_wraps"), 1);
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
