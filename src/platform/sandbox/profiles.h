// The profile of each program: what its duty needs, in one list that the programs enter and
// the jailbreak tests (T12) attack.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "platform/sandbox/sandbox.h"

namespace mailhold::sandbox {

// The folders are those the supervisor gave the program (Daemon::directory), by name; keyd's "host" is that of keys.host_state.
// Names: keyd tokend ledgerd brokerd authd resolverd scannerd scanner document-zygote document-program searchd searcher
// gatewayd-in gatewayd-out linkd workerd gossipd mailhold-witness apid
Profile profile_of(const std::string& program, const std::map<std::string, std::string>& directories);

// All names, for the tests.
std::vector<std::string> profile_names();

}  // namespace mailhold::sandbox
