// message, queue, held, gateway, ledger.
#include "programs/mailhold/console.h"

namespace mailhold::cli {

std::vector<Command> mail_commands() {
  return {
      {"ledger", "status", "Show size, checkpoint and state of the ledger", {}, "", {}},
      {"ledger", "verify", "Check the whole ledger: tree, signatures, chains", {}, "", {}},
      {"ledger", "reopen", "Open a ledger again that failed, after verifying it", {}, "", {}},
  };
}

}  // namespace mailhold::cli
