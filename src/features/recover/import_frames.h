// What the command line and workerd say to each other during an import. Pure.
//
// Design: docs/formats/export.md, "Import"
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "features/mailboxes/mailbox.h"

namespace mailhold::recover {

inline constexpr std::size_t import_message_bytes_max = 150U << 20;
inline constexpr std::size_t import_flags_max = 64;
inline constexpr std::size_t import_name_bytes_max = 1024;

struct ImportFrame {
  enum class Kind : std::uint8_t { folder = 1, message = 2, end = 3 };
  Kind kind = Kind::end;
  mailboxes::FolderPath path;      // folder: of what follows
  Milliseconds received_at = 0;    // message: whole seconds
  std::vector<std::string> flags;  // message: sorted
  std::string_view content;        // message: a view into the frame
  std::uint64_t messages = 0;      // end: how many there were
};
std::string folder_frame(const mailboxes::FolderPath& path);
std::string message_frame(Milliseconds received_at, const std::vector<std::string>& flags, std::string_view message);
std::string end_frame(std::uint64_t messages);
Result<ImportFrame> parse_import_frame(std::string_view bytes);  // invalid_input

struct ImportReport {
  std::uint64_t added = 0;
  std::uint64_t present = 0;
};
std::string write_import_answer(const Result<ImportReport>& report);
Result<ImportReport> parse_import_answer(std::string_view bytes);  // the error it says, or corrupt

}  // namespace mailhold::recover
