#include "features/recover/read_back.h"

#include <algorithm>

#include "platform/crypto/hash.h"

namespace mailhold::recover {

void ReadBack::give(Id folder, const mailboxes::Folder& at, std::string id) {
  const std::lock_guard lock(mutex_);
  if (is_over_) return;
  Pending& pending = pending_[folder];
  pending.at = at;
  pending.ids.push_back(std::move(id));
  if (pending.ids.size() < items_at_once_) return;
  if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
  changed_.notify_one();
}

std::map<Id, ReadBack::Hashes> ReadBack::finish() {
  {
    const std::lock_guard lock(mutex_);
    is_over_ = true;
  }
  changed_.notify_one();
  if (thread_.joinable()) thread_.join();
  return std::exchange(hashes_, {});
}

void ReadBack::run() {
  const auto session = open_(deadline_);
  if (!session) hear_failure_(session.error());
  const auto next = [this] {
    return std::ranges::find_if(pending_, [this](const auto& each) { return each.second.ids.size() >= items_at_once_; });
  };
  std::unique_lock lock(mutex_);
  if (!session) is_over_ = true;
  for (;;) {
    changed_.wait(lock, [&] { return is_over_ || next() != pending_.end(); });
    if (is_over_) return;
    const Id folder = next()->first;
    const Pending batch = std::exchange(pending_[folder], {});
    lock.unlock();
    Hashes hashes;
    const Status status = read(**session, batch, hashes);
    if (!status) hear_failure_(status.error());
    lock.lock();
    hashes_[folder].merge(hashes);
    if (!status) is_over_ = true;
  }
}

Status ReadBack::read(mailboxes::MailboxTarget& session, const Pending& batch, Hashes& hashes) {
  // Counting makes the session look at the folder as it is now.
  RETURN_IF_ERROR(session.count(batch.at, deadline_));
  mailboxes::MailboxSource::Sink sink;
  sink.take = [&](mailboxes::MailboxSource::Content content) -> Status {
    hashes[content.id] = crypto::sha256(content.bytes);
    return done();
  };
  return session.fetch(batch.at, batch.ids, sink, deadline_);
}

}  // namespace mailhold::recover
