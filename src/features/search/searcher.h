// The process of one tenant: it has that tenant's index key, its folder and one socket, and nothing else. It ends when the
// socket closes.
#pragma once

#include <filesystem>

#include "base/id.h"
#include "features/search/tenant_index.h"
#include "platform/ipc/channel.h"

namespace mailhold::search {

// Answers questions about `tenant` until the channel closes, and looks after the index in between; the caller ends the
// process then. A first frame that is about another tenant ends it at once.
void serve_tenant(ipc::OwnedFd socket, const Id& tenant, const std::filesystem::path& folder, const IndexLimits& limits = {});

}  // namespace mailhold::search
