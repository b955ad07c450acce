#include "core/keys/spent_receipts.h"

namespace mailhold::keys {
namespace {

constexpr Milliseconds life_max = 60'000;
constexpr Milliseconds between_sweeps = 1000;  // each goes through all that are remembered
constexpr std::size_t count_max = 1'000'000;   // a minute at more uses a second than the ledger can make durable

Error refused(const char* why) { return Error{ErrorKind::denied, std::string("receipt refused: ") + why}; }

}  // namespace

Status SpentReceipts::spend(const std::string& leaf_hash, Milliseconds issued_at, Milliseconds expires_at, Milliseconds now) {
  if (now < swept_at_ || now - swept_at_ >= between_sweeps || expiry_of_.size() >= count_max) {
    std::erase_if(expiry_of_, [&](const auto& entry) { return entry.second < now; });
    swept_at_ = now;
  }
  if (expires_at < now) return refused("expired");
  if (expires_at - now > life_max || expires_at - issued_at > life_max) return refused("lives too long");
  if (issued_at < started_at_) return refused("older than this process");
  if (expiry_of_.size() >= count_max) return Error{ErrorKind::limit_exceeded, "too many uses a minute"};
  if (!expiry_of_.emplace(leaf_hash, expires_at).second) return refused("used before");
  return done();
}

}  // namespace mailhold::keys
