#include "core/evidence/verifier.h"

#include "core/evidence/log_reader.h"

namespace mailhold::ledger {

Verdict verify_log(const std::filesystem::path& folder, const tlog::NoteKey& log_key, Journal journal) {
  LogReader reader(folder, log_key, journal);
  const Status outcome = reader.read();
  Verdict verdict;
  verdict.sound = static_cast<bool>(outcome);
  if (!outcome) {
    verdict.fault = outcome.error().detail;
    verdict.first_wrong = reader.first_wrong();
  }
  verdict.size = reader.tree.size();
  verdict.checkpoint_size = reader.checkpoint.size;
  verdict.tenants = reader.chains.tenant_count();
  verdict.heads = reader.heads_count;
  verdict.torn_tail = reader.torn.has_value();
  return verdict;
}

}  // namespace mailhold::ledger
