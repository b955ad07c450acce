// What the ledger must say before keyd uses a secret.
#pragma once

#include <memory>
#include <string_view>

#include "core/evidence/receipt.h"
#include "core/keys/key_service.h"

namespace mailhold::ledger {

// Checks a receipt for exactly the use that is asked for: the intent is computed from what the secret will be opened with, not
// from anything that brokerd or authd claim about the entry. denied as verify_receipt. The signature of a batch is checked with
// the first of its receipts. A keys::ReceiptVerifier; copies of one know the same signatures. Any thread.
class UseVerifier {
 public:
  Result<keys::VerifiedReceipt> operator()(const keys::UseRequest& request, std::string_view ledger_verifying_key,
                                           Milliseconds now) const;

 private:
  std::shared_ptr<BatchSignatures> signatures_ = std::make_shared<BatchSignatures>();
};

}  // namespace mailhold::ledger
