// Links: every web link goes to the wrapper in one batch and is replaced by what comes back.
#pragma once

#include "features/scanning/checks/scan_state.h"

namespace mailhold::scanning {

void check_links(Scan& scan);

}  // namespace mailhold::scanning
