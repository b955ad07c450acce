#include "core/ledger/use_receipt.h"

#include "base/text.h"
#include "platform/crypto/hash.h"

namespace mailhold::ledger {

Result<keys::VerifiedReceipt> UseVerifier::operator()(const keys::UseRequest& request, std::string_view ledger_verifying_key,
                                                      Milliseconds now) const {
  const auto receipt = Receipt::parse(request.receipt);
  if (!receipt) return Error{ErrorKind::denied, "receipt: malformed"};
  // The key signs one log only, so any name of the log that it signed is the log's name.
  const tlog::NoteKey log_key{receipt->origin, std::string(ledger_verifying_key)};
  Expected intent{request.tenant, request.connection, "use.intent", {}};
  intent.fields["purpose"] = request.purpose;
  intent.fields["policy"] = to_hex(crypto::sha256(request.policy));
  RETURN_IF_ERROR(verify_receipt(*receipt, log_key, intent, now, *signatures_));
  return keys::VerifiedReceipt{std::string(receipt->leaf().bytes()), receipt->time, receipt->expires};
}

}  // namespace mailhold::ledger
