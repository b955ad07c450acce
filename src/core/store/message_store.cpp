#include "core/store/message_store.h"

#include "core/store/bundle.h"
#include "core/store/inspection.h"
#include "core/store/keep_batch.h"
#include "core/store/object_shelf.h"
#include "core/store/pack_space.h"
#include "core/store/release.h"
#include "platform/crypto/hash.h"

namespace mailhold::store {
namespace {

constexpr std::chrono::seconds schema_limit(60);
constexpr std::size_t uses_noted_at_once = 500;

class PackedStore final : public MessageStore {
 public:
  PackedStore(const StoreSettings& settings, records::Records& records, blobs::BlobStore& blobs, StoreKeys& keys,
              std::unique_ptr<segments::SegmentWriter> packs)
      : settings_(settings),
        rows_(records),
        blobs_(blobs),
        keys_(keys),
        packs_(std::move(packs)),
        shelf_(settings_, rows_, blobs),
        space_(rows_, shelf_, *packs_, blobs, turn_),
        packing_(settings.compression),
        packings_(settings.compression) {}

  Status migrate() { return rows_.migrate(Deadline::after(schema_limit)); }

  Result<std::vector<Kept>> keep(const std::vector<NewMessage>& messages, const Deadline& deadline) override {
    Preparation preparation({settings_, rows_, keys_, recent_, packings_, bodies_}, deadline);
    std::vector<std::optional<PreparedMessage>> prepared;
    for (const NewMessage& message : messages) {
      if (message.bytes.size() > settings_.message_bytes_max) {
        return Error{ErrorKind::limit_exceeded, "message " + message.message.text() + " is too large for the store"};
      }
      // What stands in the way is said in the turn, and only if the message is to be kept.
      Result<std::optional<PreparedMessage>> one = preparation.prepare(message);
      prepared.push_back(one ? std::move(*one) : std::nullopt);
    }
    const std::lock_guard lock(turn_);
    const KeepBatch::Rooms rooms{objects(), shelf_, keys_, recent_, preparation};
    std::vector<Kept> kept;
    std::optional<KeepBatch> batch;
    const auto work = [&](records::Session& session) -> Status {
      batch.emplace(rooms, session, deadline);
      for (std::size_t i = 0; i < messages.size(); ++i) {
        ASSIGN_OR_RETURN(const Kept one, batch->add(messages[i], std::move(prepared[i])));
        kept.push_back(one);
      }
      return batch->write();
    };
    RETURN_IF_ERROR(rows_.transaction(work, deadline));
    batch->remember();
    return kept;
  }

  Result<std::string> retrieve(Id tenant, Id message, const Deadline& deadline, const IsOf& is_of) override {
    EpochKeys keys(keys_, deadline);
    ASSIGN_OR_RETURN(const std::string content, shelf_.load_message(tenant, message, keys, deadline, {.is_of = is_of}));
    ASSIGN_OR_RETURN(const Recipe recipe, parse_recipe(content));
    const auto load = [&](Id part) { return shelf_.load_part(tenant, part, keys, deadline); };
    auto bytes = assemble(recipe, settings_.message_bytes_max, load);
    if (!bytes) return bytes.error().while_doing("message " + message.text());
    return bytes;
  }

  Status inspect(Id tenant, const std::vector<Id>& messages, const IsOf& is_of, const Found& found,
                 const Deadline& deadline) override {
    Inspection inspection(shelf_, settings_.message_bytes_max, keys_, is_of, deadline);
    for (const Id& each : messages) {
      ASSIGN_OR_RETURN(const Inspected one, inspection.look_at(tenant, each));
      RETURN_IF_ERROR(share_no_more(tenant, inspection.take_damaged_parts(), deadline));
      RETURN_IF_ERROR(found(one));
    }
    return done();
  }

  Result<std::uint64_t> expire_day(Id tenant, Epoch epoch, const Deadline& deadline) override {
    const std::lock_guard lock(turn_);
    recent_.clear();
    bodies_.clear();
    return rows_.remove_epoch(tenant, epoch, deadline);
  }

  Status forget(Id tenant, Id message, const Deadline& deadline) override {
    const std::lock_guard lock(turn_);
    RETURN_IF_ERROR(Release(objects(), rows_, shelf_, keys_, deadline).run(tenant, {message}, Release::Parts::stay));
    return done();
  }

  Result<std::uint64_t> release(Id tenant, const std::vector<Id>& messages, const Deadline& deadline) override {
    const std::lock_guard lock(turn_);
    RETURN_IF_ERROR(prepare_release(deadline));
    return Release(objects(), rows_, shelf_, keys_, deadline).run(tenant, messages, Release::Parts::go_with_their_last_use);
  }

  Result<Salvaged> release_from_damage(Id tenant, const std::vector<Id>& messages, const Salvage& salvage,
                                       const Deadline& deadline) override {
    const std::lock_guard lock(turn_);
    RETURN_IF_ERROR(prepare_release(deadline));
    Release release(objects(), rows_, shelf_, keys_, deadline, salvage);
    RETURN_IF_ERROR(release.run(tenant, messages, Release::Parts::go_with_their_last_use));
    return release.salvaged();
  }

  Status rewrap(Id tenant, Id message, Epoch epoch, const Deadline& deadline) override {
    const std::lock_guard lock(turn_);
    EpochKeys keys(keys_, deadline);
    ASSIGN_OR_RETURN(const EpochKey* const key, keys.get(tenant, epoch));
    OpenedWrap opened;
    ASSIGN_OR_RETURN(const std::string content, shelf_.load_message(tenant, message, keys, deadline, {.opened = &opened}));
    ASSIGN_OR_RETURN(const Recipe recipe, parse_recipe(content));
    std::vector<WrapRow> wraps;
    const auto wrap_again = [&](OpenedWrap from) {
      from.row.wrap = wrap_key(settings_.region, tenant, from.row.object, epoch, *key, from.data_key.reveal());
      from.row.epoch = epoch;
      from.row.key_version = key->version;
      wraps.push_back(std::move(from.row));
    };
    wrap_again(std::move(opened));
    for (const Id& part : parts_of(recipe)) {
      ASSIGN_OR_RETURN(std::vector<WrapRow> rows, rows_.wraps_of(tenant, part, deadline));
      ASSIGN_OR_RETURN(OpenedWrap from, shelf_.unwrap(std::move(rows), keys));
      wrap_again(std::move(from));
    }
    return rows_.transaction([&](records::Session& session) { return StoreRows::add(session, wraps, {}, deadline); }, deadline);
  }

  Result<std::uint64_t> rewrap_epoch(Id tenant, Epoch epoch, std::uint32_t limit, const Deadline& deadline) override {
    const std::lock_guard lock(turn_);
    EpochKeys keys(keys_, deadline);
    ASSIGN_OR_RETURN(const EpochKey* const newest, keys.get(tenant, epoch));
    ASSIGN_OR_RETURN(std::vector<WrapRow> rows, rows_.wraps_below(tenant, epoch, newest->version, limit, deadline));
    for (WrapRow& row : rows) {
      ASSIGN_OR_RETURN(const EpochKey* const old, keys.get(tenant, epoch, row.key_version));
      ASSIGN_OR_RETURN(const SecretText data_key, unwrap_key(settings_.region, tenant, row.object, epoch, *old, row.wrap));
      row.wrap = wrap_key(settings_.region, tenant, row.object, epoch, *newest, data_key.reveal());
      row.key_version = newest->version;
    }
    RETURN_IF_ERROR(rows_.replace_wraps(rows, deadline));
    return std::uint64_t{rows.size()};
  }

  Result<Reclaimed> collect(const Deadline& deadline) override { return space_.collect(deadline); }
  Result<std::uint64_t> rebuild(const Deadline& deadline) override { return space_.rebuild(deadline); }

 private:
  NewObjects::Rooms objects() { return {settings_, *packs_, blobs_, packing_}; }

  // Whoever keeps such a part again finds none, and writes it anew. Messages that were kept with it name its object.
  Status share_no_more(Id tenant, const std::vector<Id>& damaged_parts, const Deadline& deadline) {
    if (damaged_parts.empty()) return done();
    const std::lock_guard lock(turn_);
    for (const Id& part : damaged_parts) RETURN_IF_ERROR(rows_.remove_names_of(tenant, part, deadline));
    recent_.clear();
    return done();
  }

  // With turn_ held.
  Status prepare_release(const Deadline& deadline) {
    if (!settings_.notes_uses) return Error{ErrorKind::unsupported, "this store does not note which message uses which parts"};
    RETURN_IF_ERROR(note_missing_uses(deadline));
    recent_.clear();
    return done();
  }

  // Of messages that were kept before uses were noted: once in the life of a store. With turn_ held.
  Status note_missing_uses(const Deadline& deadline) {
    while (!all_uses_noted_) {
      ASSIGN_OR_RETURN(const std::vector<NameRow> names, rows_.messages_without_uses(uses_noted_at_once, deadline));
      std::vector<UseRow> uses;
      EpochKeys keys(keys_, deadline);
      for (const NameRow& name : names) {
        const auto content = shelf_.load_message(name.tenant, Id::from_bytes(name.name), keys, deadline);
        if (!content && content.error().is_temporary()) return content.error();
        const auto recipe = content ? parse_recipe(*content) : Result<Recipe>(content.error());
        uses.push_back({name.tenant, name.object, name.object});
        if (!recipe) continue;  // what does not open uses nothing
        for (const Id& part : parts_of(*recipe)) uses.push_back({name.tenant, name.object, part});
      }
      RETURN_IF_ERROR(
          rows_.transaction([&](records::Session& session) { return StoreRows::add_uses(session, uses, deadline); }, deadline));
      all_uses_noted_ = names.size() < uses_noted_at_once;
    }
    return done();
  }

  const StoreSettings settings_;
  StoreRows rows_;
  blobs::BlobStore& blobs_;
  StoreKeys& keys_;
  const std::unique_ptr<segments::SegmentWriter> packs_;
  ObjectShelf shelf_;
  std::mutex turn_;  // from looking for a part to the commit that relies on it
  PackSpace space_;
  RecentParts recent_;
  Packing packing_;  // of whoever has the turn
  Packings packings_;
  KnownBodies bodies_;
  bool all_uses_noted_ = false;
};

}  // namespace

Result<std::unique_ptr<MessageStore>> MessageStore::open(const StoreSettings& settings, records::Records& records,
                                                         blobs::BlobStore& blobs, StoreKeys& keys) {
  if (settings.bundle_messages_max > 1 && (!settings.notes_uses || settings.bundle_messages_max > bundle_messages_most))
    return Error{ErrorKind::bug, "bundles of that many messages, or in a store that does not note uses"};
  std::error_code failure;
  std::filesystem::create_directories(settings.folder / "packs", failure);
  if (failure) return Error{ErrorKind::unavailable, "making the folder of the store: " + failure.message()};
  segments::SegmentSettings packs;
  packs.folder = settings.folder / "packs";
  packs.segment_bytes = settings.segment_bytes;
  packs.file_mode = 0600;
  packs.record_bytes_max = settings.packed_part_bytes_max + (1U << 20);
  ASSIGN_OR_RETURN(std::unique_ptr<segments::SegmentWriter> writer, segments::SegmentWriter::open(packs));
  auto store = std::make_unique<PackedStore>(settings, records, blobs, keys, std::move(writer));
  RETURN_IF_ERROR(store->migrate());
  return std::unique_ptr<MessageStore>(std::move(store));
}

}  // namespace mailhold::store
