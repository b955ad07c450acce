// What is said of messages that do not come back: damaged is what shows to be, and all else is told apart.
#include "core/store/bundle_fixture.h"

namespace mailhold::store {
namespace {

namespace fs = std::filesystem;

class InspectedStore : public BundleFixture {
 protected:
  using Judgement = std::map<Id, Soundness>;
  Judgement judged(const std::vector<Id>& ids, bool knows_them = true) {
    Judgement judgement;
    std::size_t at = 0;
    const auto found = [&](const Inspected& one) {
      EXPECT_EQ(one.message, ids.at(at++)) << "in the order given";
      judgement[one.message] = one.soundness;
      const bool is_whole = one.soundness == Soundness::whole;
      EXPECT_EQ(one.why.empty(), is_whole) << one.why;
      if (is_whole) EXPECT_EQ(one.sha256, crypto::sha256(kept.at(one.message)));
      EXPECT_EQ(one.bytes, is_whole ? kept.at(one.message).size() : 0);
      return done();
    };
    const Status status = store->inspect(tenant, ids, knows_them ? is_of() : MessageStore::IsOf(), found, soon());
    EXPECT_TRUE(status) << status.error().detail;
    EXPECT_EQ(at, ids.size());
    return judgement;
  }
  MessageStore::IsOf is_of() {
    return [this](Id message, std::string_view sha256) { return crypto::sha256(kept.at(message)) == sha256; };
  }
  static Judgement all_are(Soundness soundness, const std::vector<Id>& ids) {
    Judgement judgement;
    for (const Id& id : ids) judgement[id] = soundness;
    return judgement;
  }
  Id keep_one(const Composed& message) {
    const Id id = Id::random();
    kept[id] = message.bytes;
    EXPECT_TRUE(keep(message, id));
    return id;
  }
  std::vector<records::Values> places_of_parts() {
    return *records->query(
        "SELECT DISTINCT w.segment, w.position, w.length FROM store_names n JOIN store_wraps w ON w.object = n.object WHERE "
        "length(n.name) = 32 ORDER BY w.position",
        {}, soon());
  }
};

TEST_F(InspectedStore, what_is_whole_is_and_what_is_not_known_is_no_damage) {
  std::vector<Id> ids = keep_letters(8, "fine", 3000);
  ids.push_back(keep_one(compose("with a part", random_bytes(4000))));
  EXPECT_EQ(judged(ids), all_are(Soundness::whole, ids));
  EXPECT_EQ(judged(ids, false), all_are(Soundness::whole, ids));
  const Id stranger = Id::random();
  kept[stranger] = "never kept";
  EXPECT_EQ(judged({stranger}), all_are(Soundness::not_in_records, {stranger}));
}

TEST_F(InspectedStore, of_a_damaged_bundle_all_that_is_whole_is_given_back) {
  const std::vector<Id> ids = keep_letters(8, "hurt", 6000);  // of 16 KiB chunks three
  const std::vector<Id> others = keep_letters(3, "others");
  damage_first_bundle();
  const Judgement known = judged(ids), unknown = judged(ids, false);
  std::size_t damaged = 0;
  bool is_behind = false;
  for (const Id& id : ids) {
    const auto bytes = store->retrieve(tenant, id, soon(), is_of());
    if (known.at(id) == Soundness::whole) {
      ASSERT_TRUE(bytes) << bytes.error().detail;
      EXPECT_EQ(*bytes, kept[id]);
    } else {
      EXPECT_EQ(known.at(id), Soundness::damaged);
      EXPECT_EQ(bytes.error().kind, ErrorKind::corrupt);
      ++damaged;
      is_behind = true;
    }
    EXPECT_EQ(unknown.at(id), is_behind ? Soundness::damaged : Soundness::whole) << "it is not looked for behind the damage";
  }
  EXPECT_GE(damaged, 1U);
  EXPECT_LE(damaged, 4U);
  EXPECT_EQ(known.at(ids.back()), Soundness::whole);
  EXPECT_EQ(judged(others), all_are(Soundness::whole, others));
}

TEST_F(InspectedStore, a_damaged_checksum_or_head_does_no_harm) {
  std::vector<Id> ids = keep_letters(4, "head", 2000);
  const Id alone = keep_one(compose("alone", random_bytes(4000)));
  ids.push_back(alone);
  for (const std::int64_t offset : {0, 5, 9, 13, 16, 17, 40}) {
    damage(place_of(ids[0]), offset);
    damage(place_of(alone), offset);
    damage(places_of_parts()[0], offset);
    EXPECT_EQ(judged(ids), all_are(Soundness::whole, ids)) << offset;
    damage(place_of(ids[0]), offset);
    damage(place_of(alone), offset);
    damage(places_of_parts()[0], offset);
  }
}

TEST_F(InspectedStore, a_damaged_part_is_the_damage_of_all_messages_with_it) {
  const std::string attachment = random_bytes(4000);
  const std::vector<Id> with{keep_one(compose("one", attachment)), keep_one(compose("two", attachment))};
  const Id without = keep_one(compose("three", random_bytes(4000)));
  const auto place = places_of_parts()[0];
  damage(place, record_head + place[2].number() / 2);
  EXPECT_EQ(judged(with), all_are(Soundness::damaged, with));
  EXPECT_EQ(judged({without}), all_are(Soundness::whole, {without}));
  damage(place, record_head + place[2].number() / 2);
  EXPECT_EQ(judged(with), all_are(Soundness::whole, with));
  // The records lost what opens it: that is no damage of the packs.
  ASSERT_TRUE(records->execute("DELETE FROM store_wraps WHERE position = $1", {place[1]}, soon()));
  EXPECT_EQ(judged(with), all_are(Soundness::not_in_records, with));
}

TEST_F(InspectedStore, damaged_parts_are_written_anew_when_they_are_kept_again) {
  const std::string first = random_bytes(4000), second = random_bytes(4000);
  Composed old = compose("old", first);
  old.add("--b\r\n\r\n", base64_body(second), BodyEncoding::base64);
  const Id old_id = keep_one(old);
  const auto damage_both = [&, places = places_of_parts()] {
    ASSERT_EQ(places.size(), 2U);
    for (const auto& place : places) damage(place, record_head + place[2].number() / 2);
  };
  damage_both();
  const Id unnoticed = keep_one(compose("before anybody looked", first));
  EXPECT_EQ(judged({old_id, unnoticed}), all_are(Soundness::damaged, {old_id, unnoticed}));
  const Composed again = compose("again", first), other = compose("other", second);
  const Id again_id = Id::random(), other_id = Id::random();
  kept[again_id] = again.bytes;
  kept[other_id] = other.bytes;
  EXPECT_EQ(keep(again, again_id)->parts_new, 1U);
  EXPECT_EQ(keep(other, other_id)->parts_new, 1U);
  EXPECT_EQ(judged({again_id, other_id}), all_are(Soundness::whole, {again_id, other_id}));
  EXPECT_EQ(judged({old_id}), all_are(Soundness::damaged, {old_id}));
  const Id shared = keep_one(compose("the new one is shared", first));
  EXPECT_EQ(places_of_parts().size(), 2U);
  EXPECT_EQ(judged({shared}), all_are(Soundness::whole, {shared}));
  // Whoever was kept with the old ones has them still.
  damage_both();
  EXPECT_EQ(judged({old_id, unnoticed}), all_are(Soundness::whole, {old_id, unnoticed}));
}

TEST_F(InspectedStore, what_is_larger_than_a_lowered_limit_is_no_damage) {
  const Id large = keep_one(compose("large", random_bytes(4000))), small = keep_one(letter("small"));
  settings.message_bytes_max = 2000;
  open();
  EXPECT_EQ(judged({large}), all_are(Soundness::not_read_here, {large}));
  EXPECT_EQ(judged({small}), all_are(Soundness::whole, {small}));
}

TEST_F(InspectedStore, what_lies_alone_is_judged_as_a_bundle_is) {
  const Id alone = keep_one(letter("alone"));
  const std::vector<Id> bundled = keep_letters(3, "bundled", 1000), all{alone, bundled[0], bundled[1], bundled[2]};
  const auto place = place_of(alone);
  damage(place, record_head + place[2].number() - 20);
  EXPECT_EQ(judged({alone}), all_are(Soundness::damaged, {alone}));
  damage(place, record_head + place[2].number() - 20);
  for (const Id& id : {alone, bundled[0]}) {
    const std::int64_t head = 1 + 16 + 16 + (id == alone ? 16 : 1 + 3 * 16);
    damage(place_of(id), record_head + head);  // the salt
    EXPECT_EQ(judged({id}), all_are(Soundness::bytes_of_another, {id}));
    damage(place_of(id), record_head + head);
  }
  const fs::path file = settings.folder / "packs" / segments::segment_file_name(std::uint64_t(place[0].number()));
  fs::rename(file, file.string() + ".away");
  open();
  EXPECT_EQ(judged(all), all_are(Soundness::bytes_missing, all));
  fs::rename(file.string() + ".away", file);
  open();
  ASSERT_TRUE(records->execute("UPDATE store_wraps SET position = position + 3", {}, soon()));
  EXPECT_EQ(judged(all), all_are(Soundness::bytes_of_another, all));
  EXPECT_EQ(store->rebuild(soon()).value(), 2U);
  EXPECT_EQ(judged(all), all_are(Soundness::whole, all));
}

TEST_F(InspectedStore, keys_that_are_missing_or_do_not_fit_are_no_damage) {
  const Id alone = keep_one(letter("alone"));
  std::vector<Id> all = keep_letters(3, "bundled", 1000);
  all.push_back(alone);
  keys.corrupt = true;
  EXPECT_EQ(judged(all), all_are(Soundness::key_does_not_fit, all));
  keys.corrupt = false;
  ASSERT_TRUE(records->execute("UPDATE store_wraps SET key_version = 2", {}, soon()));
  EXPECT_EQ(judged(all), all_are(Soundness::key_does_not_fit, all));
  ASSERT_TRUE(records->execute("UPDATE store_wraps SET key_version = 1", {}, soon()));
  keys.destroyed = {{tenant, first_day}};
  EXPECT_EQ(judged(all), all_are(Soundness::key_missing, all));
  keys.destroyed.clear();
  keys.away = true;
  const auto nothing = [](const Inspected&) -> Status { return Error{ErrorKind::bug, "it was judged without its key"}; };
  EXPECT_EQ(store->inspect(tenant, {alone}, {}, nothing, soon()).error().kind, ErrorKind::unavailable);
}

TEST_F(InspectedStore, another_message_than_was_kept_is_damage) {
  const Id id = keep_one(letter("one"));
  ASSERT_TRUE(store->forget(tenant, id, soon()));
  ASSERT_TRUE(keep(letter("two"), id));
  EXPECT_EQ(store->retrieve(tenant, id, soon()).value(), letter("two").bytes);
  Soundness soundness = Soundness::whole;
  const auto found = [&](const Inspected& one) {
    soundness = one.soundness;
    return done();
  };
  ASSERT_TRUE(store->inspect(tenant, {id}, is_of(), found, soon()));
  EXPECT_EQ(soundness, Soundness::damaged);
}

TEST_F(InspectedStore, whoever_stops_is_obeyed) {
  const std::vector<Id> ids = keep_letters(3, "stop");
  std::stop_source stop;
  stop.request_stop();
  const Deadline stopped = Deadline::after(std::chrono::seconds(10), stop.get_token());
  EXPECT_EQ(
      store->inspect(tenant, {ids[0]}, {}, [](const Inspected&) { return done(); }, stopped).error().kind, ErrorKind::cancelled);
  EXPECT_EQ(store->rebuild(stopped).error().kind, ErrorKind::cancelled);
  int heard = 0;
  const auto refuse = [&](const Inspected&) -> Status {
    ++heard;
    return Error{ErrorKind::denied, "enough"};
  };
  EXPECT_EQ(store->inspect(tenant, {ids[0], ids[1]}, {}, refuse, soon()).error().kind, ErrorKind::denied);
  EXPECT_EQ(heard, 1);
}

}  // namespace
}  // namespace mailhold::store
