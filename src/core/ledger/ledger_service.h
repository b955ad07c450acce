// LedgerService: ledgerd's side of the channel. Decodes a question, checks that the role of the asker
// may ask it, has the Log answer. An append is answered when it is durable, without a thread waiting for it.
// Any thread.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include "base/clock.h"
#include "core/ledger/ledger_messages.h"
#include "core/ledger/log.h"
#include "core/ledger/witnesses.h"
#include "platform/ipc/server.h"

namespace mailhold::ledger {

class LedgerService {
 public:
  explicit LedgerService(const Clock& clock = system_clock()) : clock_(clock) {}
  ~LedgerService();

  // Before this, everything is unavailable: ledgerd waits for keyd to be unsealed. Once only. From now on heads are written each
  // minute.
  void use(std::unique_ptr<Log> log, WitnessSettings witnesses = {});

  void handle(const std::shared_ptr<ipc::Call>& call);

  // Calls `answer` once: denied for a role that may not ask, or what the method promises.
  using Answer = std::function<void(Result<std::string>)>;
  void ask(std::string_view role, std::uint16_t method, std::string_view body, Answer answer);

  // The verbs of the command line, JSON in and out:
  //   ledger.status  {}                        -> {open, failure, size, published, tenants, last_at, batches, cut_bytes,
  //                                               snapshot_size, key, checkpoint, witnesses: {needed, cosigned, satisfied, list}}
  //   ledger.show    {tenant, from?, limit?}   -> {entries: [{index, at, seq, connection?, connection_seq?, leaf, entry}],
  //   next?};
  //                                               `entry` is base64url, for EntryOpener; `next` is where to go on
  //   ledger.bundle  {tenant, from?, since?}   -> {bytes, size, last, next?, satisfied}; with {size, last} of the
  //                                               first piece and from: next, the further ones. `bytes` is base64url
  //   ledger.verify  {}                        -> {sound, fault, first_wrong?, size, tenants, heads, witnesses}; up to a new
  //   checkpoint ledger.reopen  {}                        -> as ledger.status
  Result<std::string> api(std::string_view json);

 private:
  Result<std::string> answer_question(Method method, std::string_view body);
  void write_heads_each_minute(const std::stop_token& stop);
  Log* log() const;
  Witnesses* witnesses() const;
  Result<std::string> answer_witness_carrier(Method method, std::string_view body);

  const Clock& clock_;
  mutable std::mutex mutex_;
  std::condition_variable_any wake_;
  std::unique_ptr<Log> log_;              // guarded by mutex_; set once
  std::unique_ptr<Witnesses> witnesses_;  // guarded by mutex_; set once
  std::jthread minutes_;
};

// Whether a process of that role ("brokerd") may call the method.
bool may_call(std::string_view role, Method method);

}  // namespace mailhold::ledger
