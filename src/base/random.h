// Random bytes from the kernel (getrandom), safe after fork and virtual-machine clone.
#pragma once

#include <cstddef>
#include <string>

namespace mailhold {

// Fills the buffer; ends the process if the kernel gives none, since going on would be unsafe.
void fill_random(void* buffer, std::size_t count);
std::string random_bytes(std::size_t count);

}  // namespace mailhold
