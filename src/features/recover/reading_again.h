// SessionsToReadBack: reading back again what a restore put somewhere. By its permit, while that counts; from then on over the
// connection that the written mailbox is read over, which takes none, and which opens only where it reads the account and the
// folders that were written to. Any thread. Internal to this room.
#pragma once

#include <atomic>
#include <memory>

#include "features/recover/backup_book.h"
#include "features/recover/restore_permits.h"

namespace mailhold::recover {

class SessionsToReadBack final : public mailboxes::SessionSource {
 public:
  // The permits and the book must outlive it.
  SessionsToReadBack(RestorePermits& permits, BackupBook& book, const RestoreRequest& request)
      : permits_(permits),
        book_(book),
        by_permit_(permits.sessions(request.permit)),
        mailbox_(request.into.is_none() ? request.mailbox : request.into) {}

  // `connection` is the one that was written over.
  Result<ipc::OwnedFd> open(Id tenant, Id connection, std::string_view purpose, const Deadline& deadline) override;
  Result<ipc::OwnedFd> open_http(Id tenant, Id connection, std::string_view purpose, const Deadline& deadline) override;

  bool has_read_without_permit() const { return reads_without_permit_; }

 private:
  using Open = Result<ipc::OwnedFd> (mailboxes::SessionSource::*)(Id, Id, std::string_view, const Deadline&);
  Result<ipc::OwnedFd> open_by(Open open, Id tenant, Id connection, std::string_view purpose, const Deadline& deadline);
  Result<ipc::OwnedFd> open_without_permit(Open open, Id tenant, Id written, const Deadline& deadline);

  RestorePermits& permits_;
  BackupBook& book_;
  const std::unique_ptr<mailboxes::SessionSource> by_permit_;
  const Id mailbox_;                                // that was written to
  std::atomic<bool> reads_without_permit_ = false;  // the permit was refused: it is not asked for again
};

// Whether a reading back found nothing at all of what had been put there. Over another connection than it was written over, that
// may say more of the connection than of the items.
bool found_nothing(const RestoreReport& report);

}  // namespace mailhold::recover
