// Header: subject, authors and message id for the trace, and the removal of fields that pretend to be ours.
#pragma once

#include "features/scanning/checks/scan_state.h"

namespace mailhold::scanning {

void check_header(Scan& scan);

}  // namespace mailhold::scanning
