#include "features/gateway/queue/schedule.h"

#include <algorithm>

namespace mailhold::queue {
namespace {

dsn::Recipient reported(const Recipient& recipient) {
  const std::string host = recipient.remote.substr(0, recipient.remote.find_first_of("[:"));
  return {recipient.address, recipient.status, recipient.diagnostic, host, recipient.last_attempt};
}

}  // namespace

Milliseconds retry_delay(std::uint32_t attempts, const ScheduleSettings& settings) {
  Milliseconds delay = settings.retry_first;
  for (std::uint32_t i = 1; i < attempts && delay < settings.retry_longest; ++i) delay *= 2;
  return std::min(delay, settings.retry_longest);
}

Due settle(QueueItem& item, Milliseconds now, const ScheduleSettings& settings) {
  Due due;
  const bool is_over = now - item.queued_at >= settings.life;
  const bool is_late =
      settings.delay_notice_after > 0 && now - item.queued_at >= settings.delay_notice_after && !item.is_delay_told;
  for (Recipient& recipient : item.recipients) {
    if (recipient.state == RecipientState::deferred && is_over) {
      recipient.state = RecipientState::expired;
      recipient.status = "4.4.7";  // delivery time expired, RFC 3463 section 3.5
    }
    const bool has_failed = recipient.state == RecipientState::bounced || recipient.state == RecipientState::expired;
    if (has_failed && !recipient.is_reported) {
      due.failed.push_back(reported(recipient));
      recipient.is_reported = true;
    }
    if (recipient.state == RecipientState::deferred && is_late) due.delayed.push_back(reported(recipient));
  }
  if (!due.delayed.empty()) item.is_delay_told = true;
  if (!item.is_finished()) {
    item.next_attempt = std::min(now + retry_delay(item.attempts, settings), std::max(now, item.queued_at + settings.life));
  }
  return due;
}

}  // namespace mailhold::queue
