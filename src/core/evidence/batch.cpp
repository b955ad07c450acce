#include "core/evidence/batch.h"

#include "base/bytes.h"
#include "formats/tlog/tiles.h"
#include "platform/crypto/ed25519.h"

namespace mailhold::ledger {
namespace {

constexpr std::string_view magic = "MLB1";
constexpr std::size_t head_bytes = 4 + 4 + 8 + 4 + 8;
constexpr std::size_t tail_bytes = tlog::Hash::size + crypto::ed25519_signature_size;
constexpr std::size_t disk_block_bytes = 512;

// Blocks that never reached the disk read as zero. Entries, hashes and signatures never have 512 zero bytes in a row at such a
// place.
bool has_zero_block(std::string_view journal, std::size_t begin, std::size_t end) {
  for (std::size_t at = begin; at < end; at = (at / disk_block_bytes + 1) * disk_block_bytes) {
    const std::size_t block_end = std::min(end, (at / disk_block_bytes + 1) * disk_block_bytes);
    const bool whole_block = at % disk_block_bytes == 0 && block_end % disk_block_bytes == 0;
    // At the edges of the batch a shorter piece must do; eight bytes are enough not to be chance.
    if (!whole_block && block_end - at < 8) continue;
    if (journal.substr(at, block_end - at).find_first_not_of('\0') == std::string_view::npos) return true;
  }
  return false;
}

bool read_batch(std::string_view bytes, Batch& batch) {
  ByteReader reader(bytes);
  if (reader.raw(magic.size()) != magic) return false;
  reader.u32();
  batch.first = reader.u64();
  const std::uint32_t count = reader.u32();
  batch.time = static_cast<Milliseconds>(reader.u64());
  if (!reader.ok() || count == 0 || count > batch_entries_max || batch.first > INT64_MAX - count) return false;
  batch.entries.reserve(count);
  for (std::uint32_t i = 0; i < count; ++i) batch.entries.push_back(reader.raw(reader.u16()));
  batch.root = tlog::Hash::from_bytes(reader.raw(tlog::Hash::size));
  batch.signature = reader.raw(crypto::ed25519_signature_size);
  return static_cast<bool>(reader.finish());
}

}  // namespace

std::string encode(const Batch& batch) {
  std::string entries;
  for (const std::string_view entry : batch.entries) tlog::append_to_bundle(entries, entry);
  return ByteWriter()
      .raw(magic)
      .u32(static_cast<std::uint32_t>(head_bytes + entries.size() + tail_bytes))
      .u64(batch.first)
      .u32(static_cast<std::uint32_t>(batch.entries.size()))
      .u64(static_cast<std::uint64_t>(batch.time))
      .raw(entries)
      .raw(batch.root.bytes())
      .raw(batch.signature)
      .take();
}

ParsedBatch parse_batch(std::string_view journal, std::size_t offset) {
  const std::string_view rest = journal.substr(std::min(offset, journal.size()));
  ParsedBatch parsed;
  parsed.state = BatchState::torn;
  parsed.bytes = rest.size();
  if (rest.size() < magic.size() + 4) return parsed;
  ByteReader reader(rest.substr(magic.size()));
  const std::size_t length = reader.u32();
  const bool has_head = rest.starts_with(magic) && length >= head_bytes + tail_bytes && length <= batch_bytes_max;
  if (has_head && length > rest.size()) return parsed;
  if (has_head) parsed.bytes = length;
  if (has_zero_block(journal, offset, offset + parsed.bytes)) return parsed;
  parsed.state = has_head && read_batch(rest.substr(0, length), parsed.batch) ? BatchState::whole : BatchState::damaged;
  return parsed;
}

}  // namespace mailhold::ledger
