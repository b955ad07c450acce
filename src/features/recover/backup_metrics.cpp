#include "features/recover/backup_metrics.h"

#include <algorithm>

namespace mailhold::recover {
namespace {

const std::vector<double> sync_seconds = {0.1, 0.5, 1, 5, 15, 60, 300, 1800, 7200};

void count(const std::string& name, const std::string& help, std::uint64_t by, const MetricLabels& labels = {}) {
  metrics().counter(name, help, labels).add(by);
}

double seconds_between(Milliseconds then, Milliseconds now) {
  return static_cast<double>(std::max<Milliseconds>(now - then, 0)) / 1000;
}

}  // namespace

void count_sync(const SyncProgress& progress, std::chrono::milliseconds took, bool came_to_its_end) {
  count("mailhold_backup_syncs_total", "Syncs of mailboxes, by how they ended.", 1,
        {{"outcome", came_to_its_end ? "done" : "broken_off"}});
  count("mailhold_backup_items_read_total", "Items that were read from servers.", progress.items_new);
  count("mailhold_backup_bytes_read_total", "Bytes of contents that were read from servers.", progress.bytes);
  const double seconds = static_cast<double>(took.count()) / 1000;
  metrics().histogram("mailhold_backup_sync_seconds", "How long syncs took.", sync_seconds).observe(seconds);
  if (progress.items_new > 0 && seconds > 0)
    metrics()
        .gauge("mailhold_backup_sync_items_per_second", "Of the last sync that read anything.")
        .set(static_cast<double>(progress.items_new) / seconds);
}

void count_restore(const RestoreReport& report) {
  count("mailhold_restores_total", "Restores that are over, by outcome.", 1,
        {{"outcome", !report.failure.empty() ? "broken_off"
                     : report.is_exact()     ? "exact"
                                             : "differs"}});
  for (const Outcome outcome :
       {Outcome::present, Outcome::restored, Outcome::flags_set, Outcome::overwritten, Outcome::differs, Outcome::failed}) {
    std::string name(name_of(outcome));
    std::replace(name.begin(), name.end(), ' ', '_');
    count("mailhold_restore_items_total", "Items of restores, by outcome.", report.count(outcome), {{"outcome", name}});
  }
}

void count_proof(const ProofRecord& proof, ProofEnd end) {
  const char* outcome = end == ProofEnd::broken_off             ? "broken_off"
                        : end == ProofEnd::put_off              ? "put_off"
                        : proof.outcome == ProofOutcome::passed ? "passed"
                                                                : "failed";
  count("mailhold_backup_proofs_total", "Proofs of mailboxes, by outcome.", 1, {{"outcome", outcome}});
}

void count_documents(std::uint32_t read, std::uint32_t unreadable) {
  if (read + unreadable == 0) return;  // most messages
  constexpr const char* name = "mailhold_search_documents_total";
  constexpr const char* help = "Documents among attachments that were indexed, by whether all of their text was read.";
  count(name, help, read, {{"outcome", "read"}});
  count(name, help, unreadable, {{"outcome", "unreadable"}});
}

void count_expired(const Expired& expired) {
  count("mailhold_retention_versions_total", "Versions of items that retention deleted.", expired.versions);
  count("mailhold_retention_contents_total", "Contents that nothing can open any more.", expired.contents);
  count("mailhold_backup_contents_lost_total", "Contents that were lost because their bundle is damaged.", expired.lost);
}

void show_waiting(std::uint64_t contents) {
  metrics()
      .gauge("mailhold_retention_contents_waiting", "Contents that are over and cannot be taken out of their bundles now.")
      .set(static_cast<double>(contents));
}

void show_mailboxes(Metrics& all, const std::vector<Backups::View>& views, Milliseconds now) {
  std::map<std::string, std::uint64_t> by_state{
      {"waiting", 0}, {"first_sync", 0}, {"current", 0}, {"needs_attention", 0}, {"paused", 0}};
  std::map<std::string, std::uint64_t> by_proof{{"none", 0}, {"passed", 0}, {"failed", 0}};
  std::uint64_t items = 0, unreadable = 0, syncing = 0, lost = 0;
  double oldest_sync = 0, oldest_proof = 0;
  all.forget("mailhold_backup_sync_age_seconds");
  all.forget("mailhold_backup_proof_age_seconds");
  for (const Backups::View& view : views) {
    const Mailbox& mailbox = view.mailbox;
    std::string state(mailbox.paused ? "paused" : name_of(mailbox.state));
    if (!mailbox.paused && (view.proof.outcome == ProofOutcome::failed || view.lost > 0)) state = "needs attention";
    std::replace(state.begin(), state.end(), ' ', '_');
    ++by_state[state];
    ++by_proof[view.proof.outcome == ProofOutcome::none     ? "none"
               : view.proof.outcome == ProofOutcome::passed ? "passed"
                                                            : "failed"];
    items += mailbox.items;
    unreadable += mailbox.unreadable;
    lost += view.lost;
    syncing += view.running ? 1 : 0;
    const bool is_shown = views.size() <= mailboxes_shown_max;
    const MetricLabels label{{"mailbox", mailbox.id.text()}};
    if (mailbox.synced_at != 0) {
      const double age = seconds_between(mailbox.synced_at, now);
      if (!mailbox.paused) oldest_sync = std::max(oldest_sync, age);
      if (is_shown)
        all.gauge("mailhold_backup_sync_age_seconds", "Since the last sync that came to its end began.", label).set(age);
    }
    if (view.proof.proved_at != 0) {
      const double age = seconds_between(view.proof.proved_at, now);
      oldest_proof = std::max(oldest_proof, age);
      if (is_shown) all.gauge("mailhold_backup_proof_age_seconds", "Since the last proof that came to its end.", label).set(age);
    }
  }
  for (const auto& [state, number] : by_state)
    all.gauge("mailhold_mailboxes", "Mailboxes, by state.", {{"state", state}}).set(static_cast<double>(number));
  for (const auto& [outcome, number] : by_proof)
    all.gauge("mailhold_mailboxes_proved", "Mailboxes, by the outcome of their last proof.", {{"outcome", outcome}})
        .set(static_cast<double>(number));
  all.gauge("mailhold_backup_items", "Items that are in the mailboxes as of their last syncs.").set(static_cast<double>(items));
  all.gauge("mailhold_backup_items_unreadable", "Of them, such as their servers list and do not give.")
      .set(static_cast<double>(unreadable));
  all.gauge("mailhold_backup_items_lost", "Items whose content was backed up and cannot be read any more (mailhold backup lost).")
      .set(static_cast<double>(lost));
  all.gauge("mailhold_backup_syncs_running", "Mailboxes that are being read.").set(static_cast<double>(syncing));
  all.gauge("mailhold_backup_sync_age_seconds_max", "Of the mailbox that was read the longest ago, of those that are not paused.")
      .set(oldest_sync);
  all.gauge("mailhold_backup_proof_age_seconds_max", "Of the mailbox whose last proof is the oldest, of those that had one.")
      .set(oldest_proof);
}

void show_restores(Metrics& all, std::uint64_t waiting) {
  all.gauge("mailhold_restores_waiting", "Restores that wait because their server wants to be left alone.")
      .set(static_cast<double>(waiting));
}

void show_watches(Metrics& all, const Watches::Counts& watches) {
  all.gauge("mailhold_backup_watches_wanted", "Mailboxes that are to be read continuously and could be watched.")
      .set(static_cast<double>(watches.wanted));
  all.gauge("mailhold_backup_watches_open", "Of them, such as are watched; the others are read every minute.")
      .set(static_cast<double>(watches.open));
}

}  // namespace mailhold::recover
