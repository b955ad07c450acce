#include "core/evidence/receipt.h"

#include <algorithm>

#include "base/bytes.h"
#include "platform/crypto/ed25519.h"
#include "platform/crypto/hash.h"

namespace mailhold::ledger {
namespace {

constexpr std::uint8_t receipt_version = 1;
constexpr std::string_view signature_domain = "mailhold-receipt-v1\n";

Error denied(const std::string& what) { return Error{ErrorKind::denied, "receipt: " + what}; }

Status check_signature_and_times(const Receipt& receipt, const tlog::NoteKey& log_key, Milliseconds now,
                                 BatchSignatures& signatures) {
  if (receipt.origin != log_key.name) return denied("of another log");
  if (!signatures.hold(log_key.public_key, receipt.signed_bytes(), receipt.signature)) return denied("signature does not verify");
  if (receipt.expires < receipt.time || receipt.expires - receipt.time > receipt_life) return denied("lives too long");
  if (receipt.time > now + receipt_clock_skew_max) return denied("from the future");
  if (now >= receipt.expires) return denied("expired");
  return done();
}

Status check_expected(const Entry& entry, const Expected& expected) {
  if (entry.tenant != expected.tenant) return denied("of another tenant");
  if (entry.connection != expected.connection) return denied("of another connection");
  if (entry.type != expected.type) return denied("of another type");
  for (const auto& [name, value] : expected.fields) {
    const auto found = entry.fields.find(name);
    if (found == entry.fields.end() || found->second != value) return denied("field " + name + " differs");
  }
  return done();
}

}  // namespace

std::string Receipt::signed_bytes() const {
  return ByteWriter()
      .raw(signature_domain)
      .text(origin)
      .u64(size)
      .raw(root.bytes())
      .u64(static_cast<std::uint64_t>(time))
      .u64(static_cast<std::uint64_t>(expires))
      .take();
}

std::string Receipt::encode() const {
  ByteWriter writer;
  writer.u8(receipt_version).text(origin).u64(size).raw(root.bytes()).u64(index).u32(static_cast<std::uint32_t>(proof.size()));
  for (const Hash& hash : proof) writer.raw(hash.bytes());
  writer.text(entry)
      .u64(static_cast<std::uint64_t>(time))
      .u64(static_cast<std::uint64_t>(expires))
      .raw(signature)
      .text(clear_text);
  return writer.take();
}

Result<Receipt> Receipt::parse(std::string_view bytes) {
  ByteReader reader(bytes);
  if (reader.u8() != receipt_version) return Error{ErrorKind::corrupt, "receipt: of an unknown version"};
  Receipt receipt;
  receipt.origin = reader.text();
  receipt.size = reader.u64();
  receipt.root = Hash::from_bytes(reader.raw(Hash::size));
  receipt.index = reader.u64();
  const std::uint32_t count = reader.count(Hash::size);
  if (count > tlog::proof_hashes_max) return Error{ErrorKind::corrupt, "receipt: proof too long"};
  for (std::uint32_t i = 0; i < count; ++i) receipt.proof.push_back(Hash::from_bytes(reader.raw(Hash::size)));
  receipt.entry = reader.text();
  receipt.time = static_cast<Milliseconds>(reader.u64());
  receipt.expires = static_cast<Milliseconds>(reader.u64());
  receipt.signature = reader.raw(crypto::ed25519_signature_size);
  receipt.clear_text = reader.text();
  RETURN_IF_ERROR(reader.finish());
  constexpr Milliseconds time_max = Milliseconds{1} << 60;  // so that sums and differences cannot overflow
  if (receipt.time < 0 || receipt.time > time_max || receipt.expires < 0 || receipt.expires > time_max) {
    return Error{ErrorKind::corrupt, "receipt: impossible time"};
  }
  return receipt;
}

bool BatchSignatures::hold(std::string_view public_key, std::string_view bytes, std::string_view signature) {
  {
    const std::lock_guard lock(mutex_);
    const bool is_known = std::any_of(known_.begin(), known_.end(), [&](const Known& each) {
      return each.signature == signature && each.bytes == bytes && each.public_key == public_key;
    });
    if (is_known) return true;
    ++checks_;
  }
  if (!crypto::ed25519_verify(public_key, bytes, signature)) return false;
  const std::lock_guard lock(mutex_);
  known_.push_front({std::string(signature), std::string(bytes), std::string(public_key)});
  if (known_.size() > known_max) known_.pop_back();
  return true;
}

std::uint64_t BatchSignatures::checks() const {
  const std::lock_guard lock(mutex_);
  return checks_;
}

Result<Entry> verify_receipt(const Receipt& receipt, const tlog::NoteKey& log_key, const Expected& expected, Milliseconds now) {
  BatchSignatures none_known;
  return verify_receipt(receipt, log_key, expected, now, none_known);
}

Result<Entry> verify_receipt(const Receipt& receipt, const tlog::NoteKey& log_key, const Expected& expected, Milliseconds now,
                             BatchSignatures& signatures) {
  RETURN_IF_ERROR(check_signature_and_times(receipt, log_key, now, signatures));
  if (!tlog::verify_inclusion(receipt.leaf(), receipt.index, receipt.size, receipt.proof, receipt.root)) {
    return denied("entry is not in the signed tree");
  }
  const auto event = parse_event(receipt.entry);
  if (!event) return denied("entry is malformed");
  if (Hash::from_bytes(crypto::sha256(receipt.clear_text)) != event->commitment)
    return denied("clear text is not the one of the entry");
  const auto entry = parse_clear_text(receipt.clear_text);
  if (!entry) return denied("clear text is malformed");
  // The envelope is what the chains are made of: it must name the same tenant and connection as the text.
  if (entry->tenant != event->tenant || entry->connection != event->connection) return denied("envelope and clear text differ");
  RETURN_IF_ERROR(check_expected(*entry, expected));
  return *entry;
}

}  // namespace mailhold::ledger
