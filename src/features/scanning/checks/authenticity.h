// Authenticity: SPF, DKIM and DMARC of the message, with the DNS questions asked in as few batches as possible.
#pragma once

#include "features/scanning/checks/scan_state.h"

namespace mailhold::scanning {

void check_authenticity(Scan& scan);

// The public suffix list, once per process before the sandbox closes.
Status load_suffixes();

}  // namespace mailhold::scanning
