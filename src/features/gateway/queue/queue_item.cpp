#include "features/gateway/queue/queue_item.h"

#include <algorithm>

#include "base/bytes.h"

namespace mailhold::queue {
namespace {

constexpr std::uint8_t item_version = 1;
constexpr std::uint32_t recipients_max = 1000;

}  // namespace

std::string_view name_of(RecipientState state) {
  switch (state) {
    case RecipientState::queued: return "queued";
    case RecipientState::delivered: return "delivered";
    case RecipientState::deferred: return "deferred";
    case RecipientState::bounced: return "bounced";
    case RecipientState::expired: return "expired";
    case RecipientState::held: return "held";
    case RecipientState::deleted: return "deleted";
  }
  return "unknown";
}

bool QueueItem::is_finished() const {
  return std::none_of(recipients.begin(), recipients.end(), [](const Recipient& recipient) { return is_open(recipient.state); });
}

std::string write_item(const QueueItem& item) {
  ByteWriter writer;
  writer.u8(item_version).u64(static_cast<std::uint64_t>(item.accepted_at)).u64(static_cast<std::uint64_t>(item.queued_at));
  writer.text(item.mail_from).u32(item.attempts).u8(item.is_delay_told).u8(item.is_notice);
  writer.u32(static_cast<std::uint32_t>(item.recipients.size()));
  for (const Recipient& recipient : item.recipients) {
    writer.text(recipient.address)
        .u8(static_cast<std::uint8_t>(recipient.state))
        .text(recipient.status)
        .text(recipient.diagnostic);
    writer.text(recipient.remote).u64(static_cast<std::uint64_t>(recipient.last_attempt)).u8(recipient.is_reported);
  }
  return writer.take();
}

Status read_item(std::string_view bytes, QueueItem& item) {
  ByteReader reader(bytes);
  if (reader.u8() != item_version) return Error{ErrorKind::corrupt, "a queue row of an unknown version"};
  item.accepted_at = static_cast<Milliseconds>(reader.u64());
  item.queued_at = static_cast<Milliseconds>(reader.u64());
  item.mail_from = reader.text();
  item.attempts = reader.u32();
  item.is_delay_told = reader.u8() != 0;
  item.is_notice = reader.u8() != 0;
  const std::uint32_t count = reader.count(26);
  if (count == 0 || count > recipients_max) return Error{ErrorKind::corrupt, "a queue row without recipients"};
  item.recipients.clear();
  for (std::uint32_t i = 0; i < count; ++i) {
    Recipient recipient;
    recipient.address = reader.text();
    const std::uint8_t state = reader.u8();
    if (state < 1 || state > 7) return Error{ErrorKind::corrupt, "a queue row with a state nobody knows"};
    recipient.state = static_cast<RecipientState>(state);
    recipient.status = reader.text();
    recipient.diagnostic = reader.text();
    recipient.remote = reader.text();
    recipient.last_attempt = static_cast<Milliseconds>(reader.u64());
    recipient.is_reported = reader.u8() != 0;
    item.recipients.push_back(std::move(recipient));
  }
  return reader.finish();
}

}  // namespace mailhold::queue
