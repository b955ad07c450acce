// The text of a file in Rich Text Format (RTF 1.9.1), as its reader sees it: headers and footers, notes, comments and text boxes
// too; nothing that is hidden or was deleted, no names of fonts and styles, no pictures.
//
// Linear in the size of the file, and bounded: 256 groups deep, a thousand fonts.
#pragma once

#include <string_view>

#include "features/scanning/document_text.h"

namespace mailhold::scanning {

bool is_rich_text(std::string_view bytes);  // by its first bytes

// Not whole: groups are open at the end, too deep, or there is more text than that.
DocumentText text_of_rich_text(std::string_view file, std::size_t bytes_max);

}  // namespace mailhold::scanning
