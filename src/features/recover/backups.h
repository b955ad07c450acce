// Backups: keeps every mailbox current and carries out restores, a few at a time, until stop(). What was under way when the
// process ended goes on at the next start: a sync at its marks, a restore by finding what is there already. Whoever a server
// turns away for now waits without holding anybody else up, and goes on by itself. Any thread.
#pragma once

#include <condition_variable>
#include <deque>
#include <thread>

#include "features/recover/mailbox_sync.h"
#include "features/recover/pauses.h"
#include "features/recover/proof.h"
#include "features/recover/restore_permits.h"
#include "features/recover/watches.h"

namespace mailhold::recover {

// For how long a restore goes on trying a server that gives and takes nothing.
inline constexpr std::chrono::seconds patience_default = std::chrono::hours(24);

struct BackupSettings {
  std::chrono::seconds every{900};
  std::size_t sessions_max = 2;
  int proof_hour = -1;  // UTC; within it each mailbox has a minute of its own. Below 0, and above 23: no nightly proofs
  std::size_t proof_items = proof_items_default;
  std::chrono::seconds patience = patience_default;
  WatchSettings watches{};
  // A mailbox that is watched is read so often nevertheless: a watch does not see every folder.
  std::chrono::seconds watched_every{300};
};

class Backups {
 public:
  struct Parts {  // all outlive it
    BackupBook& book;
    store::MessageStore& store;
    store::StoreKeys& keys;
    mailboxes::SessionSource& sessions;
    const Clock& clock;
    MeaningComparer* meaning = nullptr;  // as Restore::Parts
    // Into the ledger: that a mailbox was proved, in counts. What fails is logged, and stands in the record in any case.
    std::function<Status(const ProofRecord&, const Deadline&)> report_proof = [](const auto&, const auto&) { return done(); };
    RestorePermits* permits = nullptr;  // none: nothing is restored
  };
  Backups(BackupSettings settings, Parts parts);
  ~Backups() { stop(); }

  void start();
  void stop();

  // As the mailbox is now; progress of a sync under way.
  struct View {
    Mailbox mailbox;
    std::optional<SyncProgress> running;
    ProofRecord proof;                         // is_over is false while one runs or waits for its turn
    std::string watch;                         // of one that is read continuously: as Watches::shown
    std::optional<Milliseconds> next_sync_at;  // nothing: it runs, or is due, or does not come by itself
    std::uint64_t lost = 0;                    // items whose content cannot be read any more
  };
  Result<std::vector<View>> list(const Deadline& deadline);

  // Whether nobody works on the mailbox: from then on nobody does, since it is about to be removed.
  bool let_go(Id mailbox);

  // accepted: an operator says that what is not there any more was deleted (SyncSettings::accepts_vanished). It counts for the
  // next sync that comes to its end, unless this process ends before. not_found.
  enum class Vanished { doubted, accepted };
  Status sync_soon(Id mailbox, const Deadline& deadline, Vanished vanished = Vanished::doubted);
  // What the next sync goes by. Another schedule counts from the last sync on; other types are read soon.
  Status change(Id mailbox, const std::function<void(Mailbox&)>& change, const Deadline& deadline);
  Result<Id> add(Mailbox mailbox, const Deadline& deadline);

  // A proof of so many items, soon. Its job; View::proof tells the outcome. not_found; denied while one runs.
  Result<Id> prove(Id mailbox, std::size_t items, const Deadline& deadline);

  // Whether items of one mailbox could go into the other, two of one tenant and kind of which the other can be restored to;
  // `into` none: back to where they are from. invalid_input, denied, not_found.
  struct MailboxPair {
    Mailbox from, into;
  };
  Result<MailboxPair> check_restore(Id from, Id into, const Deadline& deadline);
  // Begins what was signed for (RestorePermits::begin): as often as it counts, since it adds only what is missing. It is checked
  // and written down when this returns. Errors also as check_restore, and of `find`, which answers a query as of a moment.
  using FindItems =
      std::function<Result<std::vector<Id>>(const Mailbox&, const std::string& query, Milliseconds, const Deadline&)>;
  Result<Id> restore(const std::string& operation, bool dry_run, const FindItems& find, const Deadline& deadline);
  // Reads back again what that restore put there, by its permit, or without one where the mailbox is read over a connection to
  // the same place (reading_again.h); restore_report tells the outcome. denied while it runs, and where no session comes about.
  // The report stays as it was then, and where it comes to no end later, or without the permit finds nothing at all, which it
  // says (RestoreReport::not_read_back).
  Status verify(Id job, const Deadline& deadline);
  Result<RestoreReport> restore_report(Id job, const Deadline& deadline);
  std::chrono::seconds patience() const { return settings_.patience; }
  Watches::Counts watches() { return watches_.counts(); }
  // That wait for their server now.
  std::uint64_t restores_waiting();

 private:
  static constexpr std::chrono::seconds row_time{60};
  static constexpr std::chrono::hours session_time{4};    // as long as brokerd lets a session live
  static constexpr std::chrono::hours proof_patience{3};  // for its server, from its first try on: then the night is over
  void work(const std::stop_token& stop);
  std::optional<std::function<void(const std::stop_token&)>> next_job();
  Mailbox as_it_is_now(const Mailbox& known);
  void sync_one(const Mailbox& planned, const std::stop_token& stop);
  enum class RestoreWork { begin, take_up, verify };  // take_up: what the last process did not finish
  struct WaitingRestore {
    Id job;
    RestoreWork work = RestoreWork::begin;
  };
  std::optional<WaitingRestore> next_restore();  // with mutex_ held
  static Id written_by(const RestoreRequest& request);
  void restore_one(const WaitingRestore& waiting, const std::stop_token& stop);
  Status may_go_on(const RestoreReport& report, const Deadline& deadline);
  void try_again(const WaitingRestore& waiting, const std::stop_token& stop);
  // How a try was broken off by what passes.
  struct BrokenOff {
    bool got_on = false;
    std::chrono::seconds rest{0};  // that the server asked for
    std::string why;               // for people
  };
  std::optional<BrokenOff> carry_out(const WaitingRestore& waiting, RestoreReport& report, const Deadline& deadline);
  void end_restore(const WaitingRestore& waiting, RestoreReport report);
  Status keep_report(Id job, const RestoreReport& report);
  enum class Use { sync, restore, only_reads };  // only_reads: a dry run, or reading back
  Result<std::unique_ptr<mailboxes::MailboxTarget>> open_written(const RestoreRequest& request,
                                                                 mailboxes::SessionSource& sessions, Use use,
                                                                 const Deadline& deadline,
                                                                 mailboxes::DavSession::HearRest hear_rest = {});
  // When to try again; nothing if that is not before `patience_ends`. With mutex_ held.
  std::optional<Milliseconds> next_try(Id job, const BrokenOff& end, Milliseconds patience_ends);
  // Whether it waits, durably, to go on by itself; else the report says that the time for that is over.
  bool put_off(const WaitingRestore& waiting, RestoreReport& report, const BrokenOff& end);
  Result<std::unique_ptr<mailboxes::MailboxTarget>> open(const Mailbox& mailbox, Use use, mailboxes::SessionSource& sessions,
                                                         const Deadline& deadline,
                                                         mailboxes::DavSession::HearRest hear_rest = {});
  using Moment = std::chrono::steady_clock::time_point;
  std::chrono::seconds wait_after(const Mailbox& mailbox, const Status& status, bool got_on, std::chrono::seconds rest);
  std::chrono::seconds wait_between(const Mailbox& mailbox);         // its syncs
  Moment due(const Mailbox& mailbox);                                // with mutex_ held
  std::optional<Milliseconds> next_sync_at(const Mailbox& mailbox);  // with mutex_ held
  void plan_anew(const Mailbox& before, const Mailbox& after);
  void read_within(Id mailbox, std::chrono::seconds time);
  Result<Watches::Opened> open_watch(const Mailbox& mailbox, const Deadline& deadline);
  void take_up_watches();
  Result<Id> begin_restore(RestoreRequest request, const Deadline& deadline);
  Result<std::unique_ptr<mailboxes::ScratchTarget>> open_scratch(const Mailbox& mailbox, const Deadline& deadline,
                                                                 mailboxes::DavSession::HearRest hear_rest);
  void finish_sync(Id mailbox, Milliseconds moment, const Status& status, const std::string& reason,
                   const SyncProgress& progress);
  void take_up_restores();
  void look_again();
  void take_up_proofs(const std::vector<Mailbox>& mailboxes);
  struct WaitingProof {
    Id mailbox;
    Id job;
    std::size_t items = 0;        // 0: only what an earlier one left is taken away
    Milliseconds not_before = 0;  // its server wants to be left alone until then
    Milliseconds begun_at = 0;    // the first try; 0: there was none
    bool left_scratch = false;    // something of it may lie at the server
  };
  std::optional<WaitingProof> next_proof(const std::vector<Mailbox>& mailboxes);  // with mutex_ held
  void prove_one(WaitingProof proof, const std::stop_token& stop);
  void tell(const ProofRecord& record);
  bool put_off(const WaitingProof& proof, Result<ProofRecord>& record, const BrokenOff& end);  // as that of a restore
  bool is_being_proved(Id mailbox);  // with mutex_ held; not one that waits and left nothing at the server
  bool is_let_go(Id mailbox);

  const BackupSettings settings_;
  const Parts parts_;
  std::mutex mutex_;
  std::mutex changing_;  // of rows of mailboxes, which are read and written again
  std::condition_variable_any wake_;
  std::map<Id, Moment> due_;  // guarded by mutex_, as all below; see due()
  Pauses pauses_;             // by mailbox of syncs, by job of restores and proofs
  std::set<Id> accepting_;    // mailboxes of which the next sync that comes to its end accepts what vanished
  std::map<Id, SyncProgress> running_;
  std::set<Id> let_go_;
  std::map<Id, RestoreReport> restoring_;
  std::map<Id, std::shared_ptr<RestoreMemory>> memories_;  // of restores that were broken off
  std::deque<WaitingRestore> waiting_;
  std::set<Id> written_;  // mailboxes that a restore works on
  bool took_up_restores_ = false;
  bool took_up_watches_ = false;  // guarded by changing_
  std::uint64_t asked_ = 0;       // how often there was something new to do
  bool took_up_proofs_ = false;
  std::deque<WaitingProof> proofs_waiting_;
  std::map<Id, Id> proving_;                // by mailbox, its job; waiting ones too
  std::map<Id, Milliseconds> proof_begun_;  // when the last one of a mailbox began
  std::vector<std::jthread> threads_;
  Watches watches_;  // its lock is taken within mutex_
};

}  // namespace mailhold::recover
