// Rounding lengths up before sealing, so that a size tells less of a content.
#pragma once

#include <cstddef>

namespace mailhold::sealed {

// Padmé (Nikitin et al., PoPETs 2019, section 4): the last bits of a length are rounded away, at most 12 %.
std::size_t padded_length(std::size_t length);

}  // namespace mailhold::sealed
