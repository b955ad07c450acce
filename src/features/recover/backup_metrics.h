// BackupMetrics: what there is to watch of backups, restores, proofs and retention (docs/guide/metrics.md). What is counted is
// counted where it happens, by these; what is looked up is looked up when somebody asks. Any thread.
#pragma once

#include "base/metrics.h"
#include "features/recover/backups.h"
#include "features/recover/retention.h"

namespace mailhold::recover {

// Mailboxes that have series of their own, by id; with more than that only their sums and extremes are shown.
inline constexpr std::size_t mailboxes_shown_max = 1'000;

void count_sync(const SyncProgress& progress, std::chrono::milliseconds took, bool came_to_its_end);
void count_restore(const RestoreReport& report);
enum class ProofEnd : std::uint8_t { its_own, put_off, broken_off };
void count_proof(const ProofRecord& proof, ProofEnd end);
// Documents among the attachments of messages that were indexed.
void count_documents(std::uint32_t read, std::uint32_t unreadable);
void count_expired(const Expired& expired);
void show_waiting(std::uint64_t contents);  // that are over, after a run that looked at all of them

// Sets the gauges of all mailboxes as they are now.
void show_mailboxes(Metrics& metrics, const std::vector<Backups::View>& views, Milliseconds now);
void show_restores(Metrics& metrics, std::uint64_t waiting);
void show_watches(Metrics& metrics, const Watches::Counts& watches);

}  // namespace mailhold::recover
