// What a file is, told by its first bytes; what its name promises; and whether it may harm whoever opens it.
// Own signatures for what matters here, libmagic for the rest where load_file_types() was called.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace mailhold::scanning {

enum class Danger : std::uint8_t { none, executable, script, shortcut, disk_image, macros };

struct FileType {
  std::string type;  // "application/pdf"
  Danger danger = Danger::none;
  bool zip = false;
};

// By content alone. Looks at the first 64 KiB, and for OLE macros at the first megabyte.
FileType type_of_content(std::string_view bytes);

// By the last extension of a name, as a desktop would open it: Danger and a type; an empty type for unknown extensions.
FileType type_of_name(std::string_view name);

// "invoice.pdf.exe": a harmless extension before a dangerous one.
bool has_double_extension(std::string_view name);

// Whether opening a file of this name would start another kind of program than its content asks for.
bool name_disagrees(const FileType& by_name, const FileType& by_content);

// libmagic's tables, once per process before the sandbox closes; its use opens no file. Not from several threads.
Status load_file_types();

}  // namespace mailhold::scanning
