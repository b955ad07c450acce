// LinkKeySource: where the link keys of tenants come from. In the programs it asks
// keys::KeyClient, which holds leases; in tests it is a table.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "base/deadline.h"
#include "base/id.h"
#include "base/result.h"
#include "base/secret_text.h"

namespace mailhold::links {

struct LinkKey {
  std::uint32_t version = 0;
  SecretText key;  // 32 bytes
};

// The key of this version, or the newest when none is named. not_found: no such tenant or version.
// Called from many threads.
using LinkKeySource = std::function<Result<LinkKey>(const Id& tenant, std::optional<std::uint32_t> version, const Deadline&)>;

}  // namespace mailhold::links
