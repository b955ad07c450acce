#include "core/store/stored_object.h"

#include <zstd.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <optional>
#include <span>

#include "core/store/bundle.h"
#include "core/store/mail_dictionary.h"
#include "formats/sealed/padding.h"
#include "formats/sealed/sealed.h"
#include "platform/crypto/hash.h"

namespace mailhold::store {
namespace {

constexpr int zstd_level_quick = 1;  // three times as fast as 3 for 5 % more bytes of mail
// Of thorough compression, of what is small: there a dictionary helps, and matches are worth looking for, most in what is
// smallest. Above 8 KiB level 9 would take half as long again for 2 % less, above 32 KiB level 5 three times as long for 6 %
// (docs/decisions/recover-speed.md).
constexpr int zstd_level_small = 5, zstd_level_smallest = 9;
constexpr int zstd_level_in_haste = 1;  // of both
constexpr std::size_t smallest_bytes_max = 8U << 10, small_bytes_max = 32U << 10;
constexpr std::size_t kept_room_max = 4U << 20;
constexpr std::uint8_t compression_none = 0, compression_zstd = 1, compression_zstd_mail = 2;

constexpr std::uint16_t field_alone = 1, field_bundle = 2;

sealed::Context object_context(const std::string& region, const ObjectName& name) {
  sealed::Context context;
  context.region = region;
  context.tenant = name.tenant;
  context.kind = name.kind == ObjectKind::part ? sealed::Kind::message_part : sealed::Kind::message_recipe;
  context.object_id = std::string(name.object.bytes());
  context.field = name.kind == ObjectKind::bundle ? field_bundle : field_alone;
  context.version = 1;
  context.key_id = name.object;
  context.key_version = 1;
  if (name.kind != ObjectKind::part) context.extra = std::string(name.name);
  return context;
}

sealed::Context wrap_context(const std::string& region, Id tenant, Id object, Epoch epoch, std::uint32_t key_version) {
  sealed::Context context;
  context.region = region;
  context.tenant = tenant;
  context.kind = sealed::Kind::data_key;
  context.object_id = std::string(object.bytes());
  context.field = 1;
  context.version = epoch;
  context.key_id = Id::from_bytes(ByteWriter().u64(0).u32(0).u32(epoch).view());
  context.key_version = key_version;
  return context;
}

}  // namespace

Id new_object_id(Milliseconds now, std::string_view random) {
  const std::string time = ByteWriter().u64(static_cast<std::uint64_t>(now)).take();
  return Id::from_bytes(time.substr(2) + std::string(random.substr(0, object_id_random_bytes)));
}

// Compresses with the dictionary, at one level.
class DictionaryCompressor {
 public:
  explicit DictionaryCompressor(int level)
      : dictionary_(ZSTD_createCDict(mail_dictionary().data(), mail_dictionary().size(), level)) {}
  ~DictionaryCompressor() {
    ZSTD_freeCCtx(context_);
    ZSTD_freeCDict(dictionary_);
  }
  DictionaryCompressor(const DictionaryCompressor&) = delete;
  DictionaryCompressor& operator=(const DictionaryCompressor&) = delete;

  bool prepare() {
    if (context_ == nullptr || dictionary_ == nullptr) return false;
    // The length stands in front of the frame, and the byte before it names the dictionary.
    return ZSTD_isError(ZSTD_CCtx_refCDict(context_, dictionary_)) == 0 &&
           ZSTD_isError(ZSTD_CCtx_setParameter(context_, ZSTD_c_contentSizeFlag, 0)) == 0 &&
           ZSTD_isError(ZSTD_CCtx_setParameter(context_, ZSTD_c_dictIDFlag, 0)) == 0;
  }
  std::size_t compress(std::span<char> out, std::string_view content) {
    return ZSTD_compress2(context_, out.data(), out.size(), content.data(), content.size());
  }

 private:
  ZSTD_CCtx* const context_ = ZSTD_createCCtx();
  ZSTD_CDict* const dictionary_;
};

struct Packing::State {
  explicit State(Compression compression) {
    if (compression == Compression::quick) return;
    small.emplace(zstd_level_small);
    smallest.emplace(zstd_level_smallest);
    in_haste.emplace(zstd_level_in_haste);
  }
  ~State() { ZSTD_freeCCtx(context); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  bool prepare() { return context != nullptr && (!small || (small->prepare() && smallest->prepare() && in_haste->prepare())); }
  DictionaryCompressor* dictionary_for(std::size_t size, bool is_in_haste) {
    if (!small || size > small_bytes_max) return nullptr;
    if (is_in_haste) return &*in_haste;
    return size <= smallest_bytes_max ? &*smallest : &*small;
  }

  ZSTD_CCtx* const context = ZSTD_createCCtx();
  std::optional<DictionaryCompressor> small, smallest, in_haste;  // of thorough compression

  // As much as that, with whatever was in it before.
  std::span<char> room(std::size_t size) {
    if (size > room_bytes_) {
      room_ = std::make_unique_for_overwrite<char[]>(size);
      room_bytes_ = size;
    }
    return {room_.get(), size};
  }
  void keep_no_large_room() {
    if (room_bytes_ <= kept_room_max) return;
    room_.reset();
    room_bytes_ = 0;
  }

 private:
  std::unique_ptr<char[]> room_;
  std::size_t room_bytes_ = 0;
};

Packing::Packing(Compression compression) : state_(new State(compression)) {
  if (!state_->prepare()) std::abort();
}
Packing::~Packing() { delete state_; }

std::string Packing::compress(std::string_view content, bool in_haste) {
  const std::span<char> compressed = state_->room(ZSTD_compressBound(content.size()));
  DictionaryCompressor* const dictionary = state_->dictionary_for(content.size(), in_haste);
  const std::size_t count = dictionary != nullptr ? dictionary->compress(compressed, content)
                                                  : ZSTD_compressCCtx(state_->context, compressed.data(), compressed.size(),
                                                                      content.data(), content.size(), zstd_level_quick);
  const bool helps = ZSTD_isError(count) == 0 && count < content.size();
  const std::string_view stored = helps ? std::string_view(compressed.data(), count) : content;
  ByteWriter writer;
  writer.u8(!helps ? compression_none : dictionary != nullptr ? compression_zstd_mail : compression_zstd);
  writer.u32(static_cast<std::uint32_t>(content.size())).text(stored);
  state_->keep_no_large_room();
  return writer.take();
}

std::string Packing::pack(std::string_view content, bool in_haste) { return padded(compress(content, in_haste)); }

std::string padded(std::string stored) {
  stored.resize(sealed::padded_length(stored.size()), '\0');
  return stored;
}

namespace {

// Read by all threads; made at the first use.
const ZSTD_DDict* opening_dictionary() {
  static const ZSTD_DDict* const dictionary = ZSTD_createDDict(mail_dictionary().data(), mail_dictionary().size());
  return dictionary;
}

// What compress() wrote.
struct Stored {
  std::uint8_t compression = 0;
  std::uint32_t length = 0;  // before compression
  std::string_view bytes;
};

Stored read_stored(ByteReader& reader) {
  Stored stored;
  stored.compression = reader.u8();
  stored.length = reader.u32();
  stored.bytes = reader.text();
  return stored;
}

}  // namespace

std::string_view next_stored(ByteReader& reader) {
  const std::string_view from = reader.rest();
  read_stored(reader);
  return from.substr(0, from.size() - reader.rest().size());
}

std::size_t stored_size(ByteReader& reader) {
  reader.u8();
  reader.u32();
  return stored_head_bytes + reader.u32();
}

Status expect_padding(const ByteReader& reader) {
  const bool zeros_follow = std::ranges::all_of(reader.rest(), [](char c) { return c == 0; });
  if (!reader.ok() || !zeros_follow) return Error{ErrorKind::corrupt, "a stored object that makes no sense"};
  return done();
}

Result<std::string> unpack(std::string_view packed, std::uint64_t content_bytes_max) {
  ByteReader reader(packed);
  const auto [compression, length, bytes] = read_stored(reader);
  RETURN_IF_ERROR(expect_padding(reader));
  if (length > content_bytes_max)
    return Error{ErrorKind::limit_exceeded, "a stored object of " + std::to_string(length) + " bytes"};
  if (compression == compression_none && bytes.size() == length) return std::string(bytes);
  if (compression != compression_zstd && compression != compression_zstd_mail)
    return Error{ErrorKind::corrupt, "a stored object that makes no sense"};
  const std::unique_ptr<ZSTD_DCtx, std::size_t (*)(ZSTD_DCtx*)> context(ZSTD_createDCtx(), &ZSTD_freeDCtx);
  const ZSTD_DDict* const dictionary = compression == compression_zstd_mail ? opening_dictionary() : nullptr;
  if (context == nullptr || (compression == compression_zstd_mail && dictionary == nullptr))
    return Error{ErrorKind::unavailable, "no memory to unpack with"};
  std::string content(length, '\0');
  const std::size_t count =
      ZSTD_decompress_usingDDict(context.get(), content.data(), content.size(), bytes.data(), bytes.size(), dictionary);
  if (ZSTD_isError(count) != 0 || count != length) return Error{ErrorKind::corrupt, "a stored object that does not unpack"};
  return content;
}

std::string encode_object_head(const ObjectName& name) {
  ByteWriter writer;
  writer.u8(static_cast<std::uint8_t>(name.kind)).raw(name.tenant.bytes()).raw(name.object.bytes());
  if (name.kind == ObjectKind::bundle) writer.u8(static_cast<std::uint8_t>(name.name.size() / Id::size));
  writer.raw(name.name);
  return writer.take();
}

namespace {

// Of an object of that kind. Nothing for a kind that is not known, and for a bundle of no possible size.
std::optional<std::size_t> read_name_size(ByteReader& reader, std::uint8_t kind) {
  switch (static_cast<ObjectKind>(kind)) {
    case ObjectKind::message: return Id::size;
    case ObjectKind::part: return crypto::sha256_size;
    case ObjectKind::bundle: break;
    default: return std::nullopt;
  }
  const std::size_t count = reader.u8();
  return count >= 2 && count <= bundle_messages_most ? std::optional(count * Id::size) : std::nullopt;
}

}  // namespace

Result<ObjectView> parse_object(std::string_view bytes) {
  ByteReader reader(bytes);
  ObjectView view;
  const std::uint8_t kind = reader.u8();
  view.name.tenant = Id::from_bytes(reader.raw(Id::size));
  view.name.object = Id::from_bytes(reader.raw(Id::size));
  const std::optional<std::size_t> name_size = read_name_size(reader, kind);
  view.name.name = reader.raw(name_size.value_or(0));
  view.sealed = reader.rest();
  if (!reader.ok() || !name_size) return Error{ErrorKind::corrupt, "no stored object"};
  view.name.kind = static_cast<ObjectKind>(kind);
  return view;
}

std::string seal_object(const std::string& region, const ObjectName& name, std::string_view data_key, std::string_view packed) {
  return sealed::seal_compact(data_key, object_context(region, name), packed);
}

Result<std::string> open_object(const std::string& region, const ObjectName& name, std::string_view data_key,
                                std::string_view bytes) {
  ASSIGN_OR_RETURN(const ObjectView view, parse_object(bytes));
  return sealed::open_compact(data_key, object_context(region, name), view.sealed);
}

Result<sealed::Remains> open_object_remains(const std::string& region, const ObjectName& name, std::string_view data_key,
                                            std::string_view bytes) {
  // Not the head as it lies: it may be what is damaged.
  const std::size_t head = encode_object_head(name).size();
  if (bytes.size() < head) return Error{ErrorKind::corrupt, "no stored object"};
  return sealed::open_compact_remains(data_key, object_context(region, name), bytes.substr(head));
}

std::string wrap_key(const std::string& region, Id tenant, Id object, Epoch epoch, const EpochKey& key,
                     std::string_view data_key) {
  return sealed::seal_compact(key.key.reveal(), wrap_context(region, tenant, object, epoch, key.version), data_key);
}

Result<SecretText> unwrap_key(const std::string& region, Id tenant, Id object, Epoch epoch, const EpochKey& key,
                              std::string_view wrap) {
  return sealed::open_compact_secret(key.key.reveal(), wrap_context(region, tenant, object, epoch, key.version), wrap);
}

}  // namespace mailhold::store
