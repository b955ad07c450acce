// What the ledger must say before keyd uses a secret.
#pragma once

#include <string_view>

#include "core/evidence/receipt.h"
#include "core/keys/key_service.h"

namespace mailhold::ledger {

// Checks a receipt for exactly the use that is asked for: the intent is computed from what the secret will be opened with, not
// from anything that brokerd or authd claim about the entry. denied as verify_receipt. A keys::ReceiptVerifier.
Result<keys::VerifiedReceipt> verify_use(const keys::UseRequest& request, std::string_view ledger_verifying_key,
                                         Milliseconds now);

}  // namespace mailhold::ledger
