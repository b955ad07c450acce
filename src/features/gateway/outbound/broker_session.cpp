#include "core/broker/submission_messages.h"
#include "features/gateway/outbound/session.h"

namespace mailhold::outbound {
namespace {

class BrokerSession final : public Session {
 public:
  BrokerSession(std::shared_ptr<ipc::Channel> channel, std::string peer) : channel_(std::move(channel)), peer_(std::move(peer)) {}
  ~BrokerSession() override { channel_->close(); }

  Result<smtp::SubmissionOutcome> deliver(const smtp::ClientEnvelope& envelope, std::string_view body,
                                          const Deadline& deadline) override {
    if (body.size() > broker::submission_bytes_max)
      return Error{ErrorKind::invalid_input, "the message is too large for a submission"};
    Result<broker::SubmissionResult> result = exchange(envelope, body, deadline);
    if (result && result->outcome.recipients.size() == envelope.rcpt_to.size()) {
      is_open_ = result->session_goes_on;
      return std::move(result->outcome);
    }
    is_open_ = false;
    const smtp::Reply reply = smtp::reply(451, "4.4.2", "the session with the broker was lost");
    return smtp::SubmissionOutcome{.recipients = std::vector(envelope.rcpt_to.size(), smtp::RecipientOutcome{.reply = reply}),
                                   .is_untried = false};
  }

  bool is_open() const override { return is_open_; }

  void close() override {
    if (!is_open_) return;
    is_open_ = false;
    // authd says QUIT and ends; the channel closes with this object whether it could be told or not.
    static_cast<void>(
        static_cast<bool>(channel_->send(broker::encode(broker::SubmissionClose{}), Deadline::after(std::chrono::seconds(1)))));
  }

  std::string peer() const override { return peer_; }

 private:
  Result<broker::SubmissionResult> exchange(const smtp::ClientEnvelope& envelope, std::string_view body,
                                            const Deadline& deadline) {
    RETURN_IF_ERROR(channel_->send(broker::encode(broker::Submit{envelope, body.size()}), deadline));
    for (std::size_t at = 0; at < body.size(); at += broker::submission_chunk_bytes_max) {
      RETURN_IF_ERROR(channel_->send(broker::encode_chunk(body.substr(at, broker::submission_chunk_bytes_max)), deadline));
    }
    ASSIGN_OR_RETURN(const ipc::Frame frame, channel_->receive(deadline));
    ASSIGN_OR_RETURN(broker::SubmissionFrame answer, broker::parse_submission_frame(frame.bytes));
    auto* result = std::get_if<broker::SubmissionResult>(&answer);
    if (result == nullptr) return Error{ErrorKind::corrupt, "authd answered out of turn"};
    return std::move(*result);
  }

  const std::shared_ptr<ipc::Channel> channel_;
  const std::string peer_;
  bool is_open_ = true;
};

}  // namespace

Result<std::unique_ptr<Session>> open_broker_session(std::shared_ptr<ipc::Channel> channel, std::string peer,
                                                     const Deadline& deadline) {
  ASSIGN_OR_RETURN(const ipc::Frame frame, channel->receive(deadline));
  ASSIGN_OR_RETURN(broker::SubmissionFrame answer, broker::parse_submission_frame(frame.bytes));
  if (auto* refused = std::get_if<broker::SubmissionRefused>(&answer)) return std::move(refused->error);
  if (!std::holds_alternative<broker::SubmissionOpened>(answer)) return Error{ErrorKind::corrupt, "authd answered out of turn"};
  return std::unique_ptr<Session>(std::make_unique<BrokerSession>(std::move(channel), std::move(peer)));
}

}  // namespace mailhold::outbound
