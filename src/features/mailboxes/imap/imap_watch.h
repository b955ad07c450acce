// ImapWatch: watches the INBOX of an account by IDLE (RFC 2177). IDLE is given anew before the half hour after which a server may
// end the session. What happens in other folders is not seen.
#pragma once

#include "features/mailboxes/imap/imap_session.h"
#include "features/mailboxes/mailbox_watch.h"

namespace mailhold::mailboxes {

struct ImapWatchSettings {
  std::chrono::milliseconds renew_after = std::chrono::minutes(25);  // RFC 2177 section 3: at least every 29 minutes
  std::chrono::milliseconds silence_max{60'000};                     // of a server that is to answer IDLE or DONE
  std::uint64_t idle_bytes_max = 8U << 20;                           // it may say so much in one IDLE
};

// For sessions that only watch: what is larger than this is nothing that they need.
inline constexpr imap::ReaderLimits watch_limits{.line_bytes_max = 64U << 10,
                                                 .content_bytes_max = 64U << 10,
                                                 .literal_bytes_max = 16U << 10,
                                                 .literals_max = 16,
                                                 .values_max = 10'000};

class ImapWatch final : public MailboxWatch {
 public:
  // The server idles when this returns. unsupported: it has no IDLE, or says no to it.
  static Result<std::unique_ptr<MailboxWatch>> open(std::unique_ptr<ImapSession> session, const ImapWatchSettings& settings,
                                                    const Deadline& deadline);

  Result<bool> look() override;
  std::chrono::steady_clock::time_point look_by() const override { return act_at_; }

 private:
  enum class State { beginning, idling, ending };  // IDLE was sent; "+" came; DONE was sent
  ImapWatch(std::unique_ptr<ImapSession> session, const ImapWatchSettings& settings)
      : session_(std::move(session)), settings_(settings) {}
  Status begin();
  Status end();
  Status check_amount() const;
  Result<bool> take(const imap::Response& response);

  const std::unique_ptr<ImapSession> session_;
  const ImapWatchSettings settings_;
  State state_ = State::beginning;
  std::string tag_;  // of the IDLE
  std::uint64_t received_before_ = 0;
  std::chrono::steady_clock::time_point act_at_{};  // idling: IDLE is to be given anew; else the server must have answered
};

}  // namespace mailhold::mailboxes
