// What apid answers to gatewayd-in, gatewayd-out and linkd.
#pragma once

#include <cstdint>

namespace mailhold::tenants {

enum class Method : std::uint16_t {
  directory = 1,      // u64 version that the asker has -> gateway::write_directory, or nothing if that is still the one
  link_policies = 2,  // () -> links::encode
};

}  // namespace mailhold::tenants
