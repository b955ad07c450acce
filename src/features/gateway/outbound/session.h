// Session: one open way to a next hop, over which several messages are delivered one after the other.
// Two kinds: a direct SMTP session, and a channel to an authd that brokerd has opened (smtp-auth routes).
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/deadline.h"
#include "base/id.h"
#include "base/result.h"
#include "formats/smtp/smtp_client_dialogue.h"
#include "platform/ipc/channel.h"

namespace mailhold::outbound {

class Session {
 public:
  virtual ~Session() = default;

  // One outcome for each recipient, in order. Whatever goes wrong on the way is a deferred recipient with a reply of ours;
  // an Error (invalid_input) means this message can never be sent over this kind of session.
  virtual Result<smtp::SubmissionOutcome> deliver(const smtp::ClientEnvelope& envelope, std::string_view body,
                                                  const Deadline&) = 0;
  virtual bool is_open() const = 0;      // another message may follow
  virtual void close() = 0;              // politely; bounded to a few seconds
  virtual std::string peer() const = 0;  // "mx.example.net[192.0.2.1]:25", for the trace
};

// Waits for authd's word that the session is open.
Result<std::unique_ptr<Session>> open_broker_session(std::shared_ptr<ipc::Channel> channel, std::string peer, const Deadline&);

}  // namespace mailhold::outbound
