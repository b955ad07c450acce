#include "features/recover/indexing.h"

#include "base/log.h"
#include "features/recover/backup_metrics.h"

namespace mailhold::recover {
namespace {

using namespace std::chrono_literals;

constexpr auto look_time = 1s;
constexpr auto retry_time = 30s;
constexpr auto message_time = 60s;
constexpr auto mailbox_time = 4h;
constexpr std::uint32_t rows_at_once = 4096;
constexpr std::size_t batch_documents = 128;
constexpr std::size_t batch_bytes = 4U << 20;

}  // namespace

void Indexing::start() {
  thread_ = std::jthread([this](const std::stop_token& stop) { work(stop); });
}

void Indexing::stop() {
  thread_.request_stop();
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

bool Indexing::is_current(const Mailbox& mailbox) {
  const std::lock_guard lock(mutex_);
  const auto found = taken_in_.find(mailbox.id);
  return found != taken_in_.end() && found->second >= mailbox.synced_at;
}

void Indexing::work(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    const auto mailboxes = parts_.book.mailboxes(Deadline::after(message_time, stop));
    for (const Mailbox& mailbox : mailboxes ? *mailboxes : std::vector<Mailbox>()) {
      if (stop.stop_requested()) return;
      if (mailbox.synced_at == 0 || is_current(mailbox)) continue;
      const auto pause = not_before_.find(mailbox.id);
      if (pause != not_before_.end() && pause->second > std::chrono::steady_clock::now()) continue;
      if (const Status done = take_in(mailbox, Deadline::after(mailbox_time, stop)); !done && !stop.stop_requested()) {
        log_warning("search", "mailbox " + mailbox.id.text() + " is not indexed to its end: " + done.error().detail);
        not_before_[mailbox.id] = std::chrono::steady_clock::now() + retry_time;
      }
    }
    std::unique_lock lock(mutex_);
    wake_.wait_for(lock, stop, look_time, [] { return false; });
  }
}

Status Indexing::take_in(const Mailbox& mailbox, const Deadline& deadline) {
  ASSIGN_OR_RETURN(const std::vector<search::Cursor> cursors, parts_.search.cursors(mailbox.tenant, deadline));
  search::Cursor cursor{mailbox.id, 0, {}};
  for (const search::Cursor& each : cursors) {
    if (each.mailbox == mailbox.id) cursor = each;
  }
  for (;;) {
    ASSIGN_OR_RETURN(const std::vector<ItemRow> items,
                     parts_.book.items_after(mailbox, cursor.since, cursor.item, mailbox.synced_at, rows_at_once, deadline));
    if (items.empty()) break;
    RETURN_IF_ERROR(send(mailbox, items, deadline));
    cursor = {mailbox.id, items.back().since, items.back().id};
  }
  const std::lock_guard lock(mutex_);
  taken_in_[mailbox.id] = mailbox.synced_at;
  return done();
}

Status Indexing::send(const Mailbox& mailbox, const std::vector<ItemRow>& items, const Deadline& deadline) {
  search::Batch batch;
  std::size_t bytes = 0;
  for (const ItemRow& item : items) {
    if (deadline.stop.stop_requested()) return Error{ErrorKind::cancelled, "asked to stop"};
    ASSIGN_OR_RETURN(std::optional<search::Document> document, document_of(item, mailbox, deadline));
    if (document) {
      bytes += document->texts.bytes();
      batch.documents.push_back(std::move(*document));
    }
    batch.cursor = {mailbox.id, item.since, item.id};
    if (batch.documents.size() < batch_documents && bytes < batch_bytes && &item != &items.back()) continue;
    RETURN_IF_ERROR(parts_.search.add(mailbox.tenant, batch, Deadline::after(5min, deadline.stop)));
    batch.documents.clear();
    bytes = 0;
  }
  return done();
}

// Nothing: there is no such content any more, or it is no message.
Result<std::optional<search::Document>> Indexing::document_of(const ItemRow& item, const Mailbox& mailbox,
                                                              const Deadline& deadline) {
  std::optional<search::Document> none;
  if (item.form != mailboxes::ContentForm::mime) return none;
  const Result<std::string> content = parts_.store.retrieve(item.tenant, item.message, deadline, item.content_ids->is_of());
  if (!content && content.error().is_temporary()) return content.error();
  if (!content) {
    log_warning("search", "item " + item.id.text() + " has no content to index: " + std::string(name_of(content.error().kind)));
    return none;
  }
  Result<scanning::ExtractedText> text =
      parts_.scanners.extract(item.tenant, *content, Deadline::after(message_time, deadline.stop));
  if (!text && text.error().kind != ErrorKind::limit_exceeded) return text.error();
  search::Document document{mailbox.id, item.message, item.head.received_at, false, {}};
  document.has_unreadable = !text || text->documents_unread > 0;
  if (text) {
    count_documents(text->documents_read, text->documents_unread);
    document.has_attachment = text->has_attachment;
    document.texts = {std::move(text->senders), std::move(text->recipients),       std::move(text->subject),
                      std::move(text->body),    std::move(text->attachment_names), std::move(text->attachment_text)};
  }
  return std::optional(std::move(document));
}

}  // namespace mailhold::recover
