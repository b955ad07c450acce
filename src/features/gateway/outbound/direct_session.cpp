#include "features/gateway/outbound/direct_session.h"

namespace mailhold::outbound {
namespace {

class DirectSession final : public Session {
 public:
  DirectSession(std::unique_ptr<broker::SmtpSession> session, std::string peer)
      : session_(std::move(session)), peer_(std::move(peer)) {}

  Result<smtp::SubmissionOutcome> deliver(const smtp::ClientEnvelope& envelope, std::string_view body,
                                          const Deadline& deadline) override {
    return session_->deliver(envelope, body, deadline);
  }
  bool is_open() const override { return session_->is_open(); }
  void close() override { session_->close(Deadline::after(std::chrono::seconds(2))); }
  std::string peer() const override { return peer_; }

 private:
  std::unique_ptr<broker::SmtpSession> session_;
  const std::string peer_;
};

}  // namespace

std::unique_ptr<Session> direct_session(std::unique_ptr<broker::SmtpSession> session, std::string peer) {
  return std::make_unique<DirectSession>(std::move(session), std::move(peer));
}

}  // namespace mailhold::outbound
