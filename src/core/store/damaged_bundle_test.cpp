// Bundles that are damaged, or whose bytes, keys or rows are missing: what can be read stays, and nothing is lost unasked.
#include "core/store/bundle_fixture.h"
#include "core/store/recipe.h"

namespace mailhold::store {
namespace {

namespace fs = std::filesystem;

class DamagedBundles : public BundleFixture {};

TEST_F(DamagedBundles, that_are_damaged_give_what_can_be_read_of_them_and_the_rest_is_lost_with_their_key) {
  const std::vector<Id> ids = keep_letters(8, "hurt", 6000);  // of 16 KiB chunks three
  ASSERT_EQ(count("store_wraps"), 1);
  const std::string wrap = (*records->query("SELECT wrap FROM store_wraps", {}, soon()))[0][0].bytes();
  damage_first_bundle();
  std::vector<Id> asked;
  const auto lost = leave(ids[0], salvage(true, asked));
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

TEST_F(DamagedBundles, that_must_not_be_lost_keep_their_damaged_bundle) {
  const std::vector<Id> ids = keep_letters(5, "held");
  damage_first_bundle();
  std::vector<Id> asked;
  EXPECT_EQ(leave(ids[1], salvage(false, asked)).error().kind, ErrorKind::denied);
  EXPECT_EQ(asked, (std::vector<Id>{ids[0], ids[2], ids[3], ids[4]}));
  EXPECT_EQ(count("store_wraps"), 1);
  EXPECT_EQ(count("store_names"), 5);
  damage_first_bundle();  // it is mended
  asked.clear();
  EXPECT_TRUE(leave(ids[1], salvage(false, asked))->empty());
  EXPECT_TRUE(asked.empty());
  expect_kept({ids[0], ids[2], ids[3], ids[4]});
  EXPECT_EQ(trouble_with(ids[1]), ErrorKind::not_found);
}

// Whatever byte it is: what is given back is what was kept, what is not is named, and what was released opens no more.
TEST_F(DamagedBundles, that_are_damaged_anywhere_are_whole_or_named) {
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
    const auto lost = leave(ids[1], salvage(true, asked));
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

TEST_F(DamagedBundles, behind_a_damaged_place_are_lost_where_nobody_knows_them) {
  const std::vector<Id> ids = keep_letters(4, "unknown", 6000);
  damage(place_of(ids[0]), record_head + 200);
  std::vector<Id> asked;
  EXPECT_EQ(leave(ids[1], {salvage(true, asked).may_lose}).value(), (std::vector<Id>{ids[0], ids[2], ids[3]}));
}

// The volume of the packs is not mounted, or the records are of yesterday: nothing of that says that anything is lost.
TEST_F(DamagedBundles, whose_bytes_are_not_where_they_should_be_stay) {
  const std::vector<Id> ids = keep_letters(3, "elsewhere", 2000);
  const std::vector<Id> others = keep_letters(3, "others", 2000);
  const fs::path file = settings.folder / "packs" / segments::segment_file_name(std::uint64_t(place_of(ids[0])[0].number()));
  const auto stay = [&](const std::string& why) {
    std::vector<Id> asked;
    const auto lost = leave(ids[2], salvage(true, asked));
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
  EXPECT_TRUE(leave(ids[2], salvage(false, asked))->empty());
  expect_kept({ids[0], ids[1]});
  expect_kept(others);
}

// Salt and commitment show whose bytes these are.
TEST_F(DamagedBundles, that_cannot_be_told_from_other_bytes_stay) {
  const std::vector<Id> ids = keep_letters(3, "seal", 2000);
  constexpr std::int64_t seal_begins = record_head + 1 + 16 + 16 + 1 + 3 * 16;
  std::vector<Id> asked;
  for (const std::int64_t offset : {seal_begins, seal_begins + 30}) {
    damage(place_of(ids[0]), offset);
    EXPECT_EQ(leave(ids[1], salvage(true, asked)).error().kind, ErrorKind::corrupt);
    damage(place_of(ids[0]), offset);  // it is mended
  }
  EXPECT_TRUE(asked.empty());
  expect_kept(ids);
}

// keyd has another keystore: its keys are there and do not fit, or it says itself that one is corrupt.
TEST_F(DamagedBundles, whose_key_does_not_fit_stay) {
  const std::vector<Id> ids = keep_letters(3, "keys", 2000);
  std::vector<Id> asked;
  const auto stay = [&] {
    EXPECT_EQ(leave(ids[1], salvage(true, asked)).error().kind, ErrorKind::corrupt);
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
TEST_F(DamagedBundles, are_not_mistaken_for_what_a_neighbour_says_of_them) {
  const std::string letter_of_ann = letter("victim").bytes;
  Recipe forged{6, crypto::sha256(letter_of_ann), {{Piece::Kind::inline_text, 6, {}, {}}}, "forged"};
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
  EXPECT_EQ(leave(going, salvage(false, asked)).error().kind, ErrorKind::denied);
  EXPECT_EQ(asked, (std::vector<Id>{victim, sender}));
  EXPECT_EQ(leave(going, salvage(true, asked)).value(), asked);
  EXPECT_EQ(trouble_with(victim), ErrorKind::not_found);
  expect_kept({part});
}

TEST_F(DamagedBundles, that_go_together_are_not_lost_to_each_other) {
  const std::vector<Id> ids = keep_letters(8, "together", 6000), others = keep_letters(3, "others", 2000);
  const auto place = place_of(ids[0]);
  damage(place, record_head + place[2].number() / 2);
  std::vector<Id> asked;
  const std::vector<Id> middle(ids.begin() + 1, ids.end() - 1);
  const auto salvaged = store->release_from_damage(tenant, middle, salvage(false, asked), soon());
  ASSERT_TRUE(salvaged) << salvaged.error().detail;
  EXPECT_TRUE(asked.empty());
  EXPECT_TRUE(salvaged->lost.empty() && salvaged->stay.empty());
  expect_kept({ids.front(), ids.back()});
  for (const Id& id : middle) EXPECT_EQ(trouble_with(id), ErrorKind::not_found);
  // One bundle that stays keeps no other back, and one with nothing else in it needs not be read.
  ASSERT_TRUE(records->execute("UPDATE store_wraps SET key_version = 2", {}, soon()));
  const std::vector<Id> fine = keep_letters(3, "fine", 2000);
  const auto some =
      *store->release_from_damage(tenant, {others[1], fine[1], ids.front(), ids.back()}, salvage(true, asked), soon());
  EXPECT_TRUE(asked.empty());
  ASSERT_EQ(some.stay.size(), 1U);
  EXPECT_EQ(some.stay[0].message, others[1]);
  EXPECT_EQ(count("store_names"), 3 + 2);
  EXPECT_EQ(count("store_wraps"), 2);
  expect_kept({fine[0], fine[2]});
  ASSERT_TRUE(records->execute("UPDATE store_wraps SET key_version = 1", {}, soon()));
  expect_kept(others);
}

// The key of the day was destroyed, or an older keystore was put back.
TEST_F(DamagedBundles, whose_keys_are_gone_are_asked_for_before_they_go) {
  const std::vector<Id> ids = keep_letters(3, "keyless");
  keys.destroyed.insert({tenant, first_day});
  std::vector<Id> asked;
  EXPECT_EQ(leave(ids[1], salvage(false, asked)).error().kind, ErrorKind::denied);
  EXPECT_EQ(asked, (std::vector<Id>{ids[0], ids[2]}));
  EXPECT_EQ(store->release(tenant, {ids[1]}, soon()).error().kind, ErrorKind::not_found);
  EXPECT_EQ(count("store_names"), 3);
  keys.destroyed.clear();
  expect_kept(ids);
  keys.destroyed.insert({tenant, first_day});
  EXPECT_EQ(leave(ids[1], salvage(true, asked)).value(), asked);
  EXPECT_EQ(count("store_names"), 0);
  EXPECT_EQ(count("store_wraps"), 0);
}

// Trouble with the records, or with a part, says nothing of what can be read.
TEST_F(DamagedBundles, are_not_lost_for_trouble_elsewhere) {
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
  EXPECT_EQ(leave(ids[0], hindered).error().kind, ErrorKind::bug);
  ASSERT_TRUE(is_renamed);
  rename("store_names_away", "store_names");
  EXPECT_TRUE(asked.empty());
  EXPECT_EQ(count("store_names"), 4);
  EXPECT_EQ(count("store_wraps"), 1);
}

}  // namespace
}  // namespace mailhold::store
