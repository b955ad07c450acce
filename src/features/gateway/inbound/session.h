// Session: one client's connection: its socket, TLS, the dialogue, and the rules about who may send
// to whom. Never waits: it uses what has arrived, sends what it can, and says what it needs next.
// One thread at a time.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "features/gateway/inbound/acceptance.h"
#include "features/gateway/inbound/directory_lease.h"
#include "features/gateway/inbound/gate.h"
#include "formats/smtp/smtp_server_dialogue.h"
#include "platform/net/tls_server.h"

namespace mailhold::gateway {

// What all sessions share.
struct SessionWorld {
  const InboundSettings& settings;
  smtp::ServerSettings dialogue;
  DirectoryLease& directory;
  Gate& gate;
  InboundCounts& counts;
  std::shared_ptr<const net::TlsIdentity> identity() const;
  void set_identity(std::shared_ptr<const net::TlsIdentity> identity);

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const net::TlsIdentity> identity_;  // guarded by mutex_

 public:
  SessionWorld(const InboundSettings& settings, DirectoryLease& directory, Gate& gate, InboundCounts& counts);
};

class Session final : public smtp::SessionRules {
 public:
  using Time = std::chrono::steady_clock;
  static constexpr std::size_t read_bytes = 64 * 1024;

  // Takes the socket over and closes it in the end. Its owner leaves the gate for it.
  Session(int socket, std::string ip, SessionWorld& world);
  ~Session() override;

  enum class Next {
    read,     // come back when there is something to read
    write,    // come back when there is room to write
    verdict,  // take_submission(), then set_verdict() and resume()
    close,
  };
  Next open();  // the greeting
  // `scratch` has read_bytes and belongs to the thread.
  Next resume(char* scratch);

  Submission take_submission() { return std::move(*submission_); }
  void set_verdict(smtp::Reply reply) { verdict_ = std::move(reply); }

  // Says 421, and a verdict that was still to be said before it, if there is room; close afterwards.
  void give_up(std::string_view enhanced, std::string_view text);
  // Time is over: gives up and ends the connection; the next resume() says close.
  void expire();
  Time::time_point deadline() const;
  int socket() const { return socket_; }
  const std::string& ip() const { return ip_; }

 private:
  std::optional<smtp::Reply> refuse_mail(const smtp::MailParameters& mail) override;
  std::optional<smtp::Reply> refuse_recipient(const smtp::Address& recipient) override;
  void forget_transaction() override;
  std::optional<smtp::Reply> join_tenant(const Tenant& tenant);

  Next use(std::string_view input);
  Next read(char* scratch);
  Next start_tls();
  void prepare_submission();
  bool take_output();  // from the dialogue to the wire; false: the connection is lost
  enum class Sent { all, some, lost };
  Sent send();
  void note_content();

  int socket_;
  const std::string ip_;
  SessionWorld& world_;
  smtp::ServerDialogue dialogue_;
  std::unique_ptr<net::TlsServerSession> tls_;
  std::string pending_;                         // said by the client, to be used after the verdict
  std::string unsent_;                          // for the wire
  std::shared_ptr<const Directory> directory_;  // of the transaction
  const Tenant* tenant_ = nullptr;
  std::uint32_t recipients_ = 0;
  std::uint64_t mail_size_ = 0;
  std::uint64_t noted_content_ = 0;
  std::optional<Submission> submission_;
  std::optional<smtp::Reply> verdict_;
  const Time::time_point ends_;
  Time::time_point step_ends_;
  bool closing_ = false, expired_ = false;
};

}  // namespace mailhold::gateway
