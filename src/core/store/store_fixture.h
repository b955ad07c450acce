// A store in a fresh folder, with keys that can be destroyed. For the tests of this room.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <map>
#include <mutex>
#include <set>

#include "base/random.h"
#include "base/text.h"
#include "core/store/message_store.h"
#include "formats/sealed/sealed.h"
#include "platform/blobs/files/file_blobs.h"

namespace mailhold::store {

inline constexpr Milliseconds milliseconds_in_day = 86'400'000;
inline constexpr Epoch first_day = 20'700;

// The keys of all tenants, made when first asked for.
class TestKeys final : public StoreKeys {
 public:
  Result<EpochKey> day_key(Id tenant, Epoch epoch, const Deadline&) override {
    if (away) return Error{ErrorKind::unavailable, "keyd is away"};
    if (destroyed.contains({tenant, epoch})) return Error{ErrorKind::not_found, "destroyed"};
    return EpochKey{newest, make(tenant, "day" + std::to_string(epoch) + "/" + std::to_string(newest))};
  }
  Result<EpochKey> day_key(Id tenant, Epoch epoch, std::uint32_t version, const Deadline&) override {
    if (away) return Error{ErrorKind::unavailable, "keyd is away"};
    if (corrupt) return Error{ErrorKind::corrupt, "the row of the key does not open"};
    if (destroyed.contains({tenant, epoch}) || version < oldest) return Error{ErrorKind::not_found, "destroyed"};
    return EpochKey{version, make(tenant, "day" + std::to_string(epoch) + "/" + std::to_string(version))};
  }
  Result<SecretText> token_key(Id tenant, const Deadline&) override {
    if (away) return Error{ErrorKind::unavailable, "keyd is away"};
    return make(tenant, "token");
  }
  Result<EpochKey> trace_key(Id tenant, const Deadline&) override { return EpochKey{4, make(tenant, "trace")}; }

  std::set<std::pair<Id, Epoch>> destroyed;
  bool away = false;
  bool corrupt = false;      // keys that are asked for by version
  std::uint32_t newest = 1;  // version of every day's key
  std::uint32_t oldest = 1;  // versions below are destroyed

 private:
  SecretText make(Id tenant, const std::string& name) {
    const std::lock_guard lock(mutex_);
    std::string& key = keys_[{tenant, name}];
    if (key.empty()) key = random_bytes(sealed::key_size);
    return SecretText::copy_of(key);
  }
  std::mutex mutex_;
  std::map<std::pair<Id, std::string>, std::string> keys_;
};

class StoreFixture : public testing::Test {
 protected:
  StoreFixture() {
    std::string pattern = testing::TempDir() + "/store-XXXXXX";
    settings.folder = ::mkdtemp(pattern.data());
    settings.region = "eu";
    settings.segment_bytes = 1U << 20;
    address = "sqlite:" + (settings.folder / "store.db").string();
    open();
  }
  ~StoreFixture() override {
    store.reset();
    records.reset();
    std::error_code ignored;
    std::filesystem::remove_all(settings.folder, ignored);
  }

  void open() {
    store.reset();
    records.reset();
    records = *records::open(address, soon());
    blobs = *blobs::FileBlobs::open(settings.folder / "blobs");
    store = *MessageStore::open(settings, *records, *blobs, keys);
  }

  static Deadline soon() { return Deadline::after(std::chrono::seconds(120)); }
  static Milliseconds on_day(Epoch day) { return static_cast<Milliseconds>(day) * milliseconds_in_day + 1000; }

  // A message of headers and bodies, with the spans the scanner would give.
  struct Composed {
    std::string bytes;
    std::vector<BodySpan> bodies;
    void add(const std::string& head, const std::string& body, BodyEncoding encoding) {
      bytes += head;
      bodies.push_back({bytes.size(), body.size(), encoding});
      bytes += body;
    }
  };
  static std::string base64_body(const std::string& content, std::size_t line = 76, const std::string& ending = "\r\n") {
    const std::string characters = to_base64(content);
    std::string body;
    for (std::size_t at = 0; at < characters.size(); at += line) body += characters.substr(at, line) + ending;
    return body;
  }
  static Composed compose(const std::string& text, const std::string& attachment) {
    Composed message;
    message.add("From: ann\r\nSubject: " + Id::random().text() + "\r\n\r\n--b\r\n\r\n", text, BodyEncoding::as_is);
    message.add("\r\n--b\r\nContent-Transfer-Encoding: base64\r\n\r\n", base64_body(attachment), BodyEncoding::base64);
    message.bytes += "--b--\r\n";
    return message;
  }

  Result<Kept> keep(const Composed& message, Id id, Epoch day = first_day) {
    Result<std::vector<Kept>> kept = store->keep({{tenant, id, on_day(day), message.bytes, message.bodies}}, soon());
    if (!kept) return kept.error();
    return kept->front();
  }
  std::int64_t count(const std::string& table) {
    return (*records->query("SELECT count(*) FROM " + table, {}, soon()))[0][0].number();
  }

  StoreSettings settings;
  std::string address;  // of the records
  TestKeys keys;
  std::unique_ptr<records::Records> records;
  std::unique_ptr<blobs::BlobStore> blobs;
  std::unique_ptr<MessageStore> store;
  Id tenant = Id::random();
};

}  // namespace mailhold::store
