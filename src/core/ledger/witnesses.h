// Witnesses: who cosigns this log, what each saw last, and the cosigned checkpoint that is kept beside it.
// It opens no socket: gossipd carries the requests it is given here and brings back what was answered.
// Any thread.
//
// Design: docs/formats/ledger.md, "Witnesses"
#pragma once

#include <chrono>
#include <condition_variable>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "base/clock.h"
#include "core/evidence/witness_policy.h"
#include "core/ledger/ledger_messages.h"
#include "core/ledger/log.h"

namespace mailhold::ledger {

struct WitnessSettings {
  std::vector<std::string> urls;  // of policy.witnesses, in the same order
  WitnessPolicy policy;

  // From the settings ledger.witnesses ("URL#KEY") and ledger.witnesses_needed. invalid_input names what is wrong.
  static Result<WitnessSettings> parse(const std::vector<std::string>& witnesses, std::uint64_t needed);
};

enum class WitnessState {
  waiting,      // not asked yet, or asked again
  cosigned,     // the newest it was asked for
  away,         // could not be asked
  refuses,      // does not know the log or its key, or the like
  contradicts,  // saw another log of that size, or one that this does not continue
  knows_more,   // saw a longer log
};
struct WitnessStatus {
  std::string name;
  WitnessState state = WitnessState::waiting;
  std::uint64_t size = 0;     // cosigned last
  std::uint64_t seconds = 0;  // when, by its own clock
  std::string detail;         // what it answered instead
};

class Witnesses {
 public:
  // The log must outlive it. Reads the cosigned checkpoint beside the log, if there is one.
  Witnesses(WitnessSettings settings, Log& log, const Clock& clock = system_clock());

  // What is to be asked now; none for a witness that cosigned this checkpoint lately, or was away a moment ago.
  std::vector<WitnessTask> tasks();
  // What came of a task. denied or corrupt: the answer does not hold, and changes nothing. If as many witnesses as are needed
  // (and at least one) have seen another or a longer log, the log is stopped.
  Status take(const WitnessOutcome& outcome);

  const WitnessPolicy& policy() const { return settings_.policy; }
  std::vector<WitnessStatus> status() const;
  // Those of the policy that cosigned the newest heads checkpoint.
  std::vector<Cosigned> cosigners() const;
  // Until as many as are needed cosigned the newest heads checkpoint; false if the deadline came first.
  bool wait_until_cosigned(const Deadline& deadline) const;

 private:
  struct Known {
    WitnessState state = WitnessState::waiting;
    std::uint64_t old_size = 0;  // what it cosigned last, as it says
    std::uint64_t size = 0;      // what it cosigned last, as its signature says
    std::uint64_t seconds = 0;
    std::string detail;
    Milliseconds next_try = 0;
    Milliseconds cosigned_at = 0;  // by our clock
    int failures = 0;
  };
  Status take_cosignature(Known& known, const WitnessOutcome& outcome);
  void take_conflict(Known& known, const WitnessOutcome& outcome);
  void try_later(Known& known, WitnessState state, std::string detail);
  void stop_if_contradicted();
  Status keep(const std::string& note) const;

  const WitnessSettings settings_;
  Log& log_;
  const Clock& clock_;
  mutable std::mutex mutex_;
  mutable std::condition_variable_any cosigned_;
  std::vector<Known> known_;   // guarded by mutex_; as policy.witnesses
  tlog::SignedNote gathered_;  // guarded by mutex_; the newest heads checkpoint with what came so far
};

}  // namespace mailhold::ledger
