// A store of bundles, letters to put into them, and ways to damage them on the disk. For the tests of this room.
#pragma once

#include <gtest/gtest.h>

#include <fstream>

#include "core/store/bundle.h"
#include "core/store/object_shelf.h"
#include "core/store/store_fixture.h"
#include "platform/crypto/hash.h"

namespace mailhold::store {

class BundleFixture : public StoreFixture {
 protected:
  BundleFixture() {
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
    const std::filesystem::path file =
        settings.folder / "packs" / segments::segment_file_name(static_cast<std::uint64_t>(place[0].number()));
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

  // As if nothing else in its bundle were to go. What was lost, or why it stays.
  Result<std::vector<Id>> leave(Id going, const MessageStore::Salvage& salvage) {
    const auto salvaged = store->release_from_damage(tenant, {going}, salvage, soon());
    if (!salvaged) return salvaged.error();
    if (salvaged->stay.empty()) return salvaged->lost;
    EXPECT_EQ(salvaged->stay.front().message, going);
    EXPECT_TRUE(salvaged->lost.empty());
    return salvaged->stay.front().why;
  }

  std::map<Id, std::string> kept;
};

}  // namespace mailhold::store
